// Random consent strings, written and read by the IAB's own libraries: one JSON object a line, with all that they read.
//
//   npm install --no-save @iabtcf/core @iabgpp/cmpapi     (in any folder; run the script from there)
//   node .../generate.mjs SEED TCF_COUNT GPP_COUNT > vectors.jsonl
//
// Sets of numbers are written as ranges [first, last, first, last, ...].
import {createRequire} from 'node:module';
import {join} from 'node:path';

const from = createRequire(join(process.cwd(), 'package.json'));
const tcf = from('@iabtcf/core');
const gpp = from('@iabgpp/cmpapi');
const [seed, tcfCount, gppCount] = process.argv.slice(2).map(Number);

let state = seed >>> 0;
function random() {  // mulberry32
  state = (state + 0x6d2b79f5) >>> 0;
  let t = state;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = n => Math.floor(random() * n);
const chance = p => random() < p;
const some = (highest, share) => Array.from({length: highest}, (_, i) => i + 1).filter(() => chance(share));
const letters = () => String.fromCharCode(65 + below(26), 65 + below(26));

function vendors() {
  const highest = [0, 1, 40, 300, 1200, 1200, 5000][below(7)];
  const found = new Set(some(highest, [0.02, 0.5, 0.98][below(3)]));
  if (chance(0.05)) { const first = 1 + below(60000); for (let v = first; v < first + 200; v++) found.add(v); }
  return [...found].sort((a, b) => a - b);
}
function ranges(numbers) {
  const found = [];
  for (const n of [...new Set(numbers)].sort((a, b) => a - b)) {
    if (found.length && found[found.length - 1] === n - 1) found[found.length - 1] = n;
    else found.push(n, n);
  }
  return found;
}
const members = vector => { const found = []; vector.forEach((has, id) => { if (has) found.push(id); }); return found; };

// --- TCF -----------------------------------------------------------------------------------------------------------

const allVendors = {vendorIds: new Set(Array.from({length: 65535}, (_, i) => i + 1))};
const bits = (value, width) => value.toString(2).padStart(width, '0');

// Vendor sets in forms that the library reads and does not write: ranges where a bit field is shorter, in any order.
function oddVendors() {
  const entries = Array.from({length: below(6)}, () => {
    const first = 1 + below(900);
    return chance(0.5) ? '0' + bits(first, 16) : '1' + bits(first, 16) + bits(first + below(90), 16);
  });
  return bits(1000, 16) + '1' + bits(entries.length, 12) + entries.join('');
}

function tcString(specific = chance(0.8)) {
  const model = new tcf.TCModel();
  const when = new Date(Date.UTC(2019 + below(8), below(12), 1 + below(28), below(24), below(60), below(60)));
  model.version = 2;
  model.created = when;
  model.lastUpdated = chance(0.5) ? when : new Date(when.getTime() + below(1e9));
  model.cmpId = 2 + below(4000);
  model.cmpVersion = 1 + below(4000);
  model.consentScreen = below(64);
  model.consentLanguage = letters();
  model.vendorListVersion = below(4096);
  model.policyVersion = 2 + below(4);
  model.isServiceSpecific = specific;
  model.useNonStandardTexts = chance(0.2);
  model.purposeOneTreatment = chance(0.1);
  model.publisherCountryCode = letters();
  const set = (vector, numbers) => { if (numbers.length) vector.set(numbers); };
  set(model.specialFeatureOptins, some(12, 0.3));
  set(model.purposeConsents, some(24, random()));
  set(model.purposeLegitimateInterests, some(24, random()));
  set(model.vendorConsents, vendors());
  set(model.vendorLegitimateInterests, vendors());
  set(model.vendorsDisclosed, vendors());
  set(model.vendorsAllowed, vendors());
  set(model.publisherConsents, some(24, 0.4));
  set(model.publisherLegitimateInterests, some(24, 0.4));
  model.numCustomPurposes = chance(0.5) ? 0 : below(64);
  set(model.publisherCustomConsents, some(model.numCustomPurposes, 0.5));
  set(model.publisherCustomLegitimateInterests, some(model.numCustomPurposes, 0.5));
  const restrictions = model.publisherRestrictions;
  restrictions.gvl_ = allVendors;
  for (let i = below(4); i > 0; i--) {
    const restriction = new tcf.PurposeRestriction(1 + below(24), below(3));
    for (const vendor of vendors().slice(0, 60)) restrictions.add(vendor, restriction);
  }
  let core = tcf.SegmentEncoder.encode(model, tcf.Segment.CORE);
  if (chance(0.15)) {  // up to the vendor sets the layout has a fixed size: 213 bits
    let written = tcf.Base64Url.decode(core).slice(0, 213) + oddVendors() + oddVendors() + bits(0, 12);
    core = tcf.Base64Url.encode(written);
  }
  const segments = [tcf.Segment.VENDORS_DISCLOSED, tcf.Segment.VENDORS_ALLOWED, tcf.Segment.PUBLISHER_TC];
  const chosen = segments.filter(() => chance(0.5)).sort(() => random() - 0.5);
  return [core, ...chosen.map(segment => tcf.SegmentEncoder.encode(model, segment))].join('.');
}

function tcRead(text) {
  const model = tcf.TCString.decode(text);
  const kinds = text.split('.').slice(1).map(segment => parseInt(tcf.Base64Url.decode(segment[0]).slice(0, 3), 2));
  const restrictions = [...model.publisherRestrictions.map.entries()].map(([hash, tree]) => {
    const restriction = tcf.PurposeRestriction.unHash(hash);
    return [restriction.purposeId, restriction.restrictionType, ranges(tree.get())];
  });
  return {
    created: model.created.getTime(), updated: model.lastUpdated.getTime(),
    cmp_id: model.cmpId, cmp_version: model.cmpVersion, screen: model.consentScreen, language: model.consentLanguage,
    vendor_list: model.vendorListVersion, policy: model.policyVersion, specific: model.isServiceSpecific,
    own_stacks: model.useNonStandardTexts, special_features: members(model.specialFeatureOptins),
    purposes: members(model.purposeConsents), legitimate_interests: members(model.purposeLegitimateInterests),
    purpose_one_undisclosed: model.purposeOneTreatment, country: model.publisherCountryCode,
    vendors: ranges(members(model.vendorConsents)), vendor_interests: ranges(members(model.vendorLegitimateInterests)),
    restrictions,
    disclosed: kinds.includes(1) ? ranges(members(model.vendorsDisclosed)) : null,
    allowed: kinds.includes(2) ? ranges(members(model.vendorsAllowed)) : null,
    publisher: kinds.includes(3) ? {
      consents: members(model.publisherConsents), legitimate_interests: members(model.publisherLegitimateInterests),
      custom: model.numCustomPurposes, custom_consents: members(model.publisherCustomConsents),
      custom_legitimate_interests: members(model.publisherCustomLegitimateInterests),
    } : null,
  };
}

// --- GPP -----------------------------------------------------------------------------------------------------------

const NAMES = ['usnat', 'usca', 'usva', 'usco', 'usut', 'usct', 'usfl', 'usmt', 'usor', 'ustx', 'usde', 'usia', 'usne',
  'usnh', 'usnj', 'ustn', 'usmn', 'usmd', 'usin', 'usky', 'usri'];
const CLASS = name => 'Us' + name[2].toUpperCase() + name.slice(3);
const FIXED = new Set(['Version', 'MspaVersion', 'GpcSegmentType', 'GpcSegmentIncluded', 'SensitiveDataConsentSegmentIncluded']);

function usFields(name) {
  const fields = gpp[CLASS(name) + 'Field'] ?? {};
  return Object.values(fields).filter(field => typeof field === 'string');
}

function setUs(model, name) {
  if (name === 'usnat') model.setFieldValue(name, 'Version', 1 + below(2));
  for (const field of usFields(name)) {
    if (FIXED.has(field)) continue;
    const now = model.getFieldValue(name, field);
    if (field === 'Gpc') model.setFieldValue(name, field, chance(0.5));
    else if (Array.isArray(now)) model.setFieldValue(name, field, now.map(() => below(3)));
    else if (field === 'MspaCoveredTransaction') model.setFieldValue(name, field, 1 + below(2));
    else model.setFieldValue(name, field, below(3));
  }
  for (const field of ['GpcSegmentIncluded', 'SensitiveDataConsentSegmentIncluded']) {
    if (usFields(name).includes(field)) model.setFieldValue(name, field, chance(0.5));
  }
}

function setCanada(model) {
  const set = (field, value) => model.setFieldValue('tcfcav1', field, value);
  const flags = count => Array.from({length: count}, () => chance(0.5));
  set('CmpId', 2 + below(4000));
  set('CmpVersion', below(4000));
  set('ConsentScreen', below(64));
  set('ConsentLanguage', letters());
  set('VendorListVersion', below(4096));
  set('UseNonStandardStacks', chance(0.5));
  set('SpecialFeatureExpressConsent', flags(12));
  set('PurposesExpressConsent', flags(24));
  set('PurposesImpliedConsent', flags(24));
  set('VendorExpressConsent', vendors());
  set('VendorImpliedConsent', vendors());
  set('PubPurposesExpressConsent', flags(24));
  set('PubPurposesImpliedConsent', flags(24));
  if (chance(0.5)) set('DisclosedVendors', vendors());
}

function gppString() {
  const model = new gpp.GppModel();
  const count = below(5);
  for (let i = 0; i < count; i++) setUs(model, NAMES[below(NAMES.length)]);
  if (chance(0.25)) {  // a row of neighbours, so that the header writes a range
    const first = below(NAMES.length - 4);
    for (const name of NAMES.slice(first, first + 2 + below(8))) setUs(model, name);
  }
  if (chance(0.2)) {
    for (const field of ['Notice', 'OptOutSale', 'LspaCovered']) model.setFieldValue('uspv1', field, 'YN-'[below(3)]);
  }
  if (chance(0.15)) setCanada(model);
  let text = model.encode();
  if (chance(0.2)) {
    // The library writes a TC string of its own build; what stands in section 2 is what the TCF's library wrote.
    const ids = model.getSectionIds();
    const parts = text.split('~').slice(1);
    const other = new gpp.GppModel();
    other.decodeSectionById(2, tcString(true));
    ids.forEach((id, i) => other.decodeSectionById(id, parts[i]));
    text = other.encode();
  }
  return text;
}

const positions = flags => flags.map((on, i) => on ? i + 1 : 0).filter(Boolean);

function gppRead(text) {
  const model = new gpp.GppModel(text);
  const read = {ids: model.getSectionIds(), us: {}, gpc: {}, usp: null, tc: null, canada: null};
  for (const id of read.ids) {
    if (id === 2) {
      const get = field => model.getFieldValue('tcfeuv2', field);
      read.tc = {
        cmp_id: get('CmpId'), purposes: positions(get('PurposeConsents')),
        legitimate_interests: positions(get('PurposeLegitimateInterests')),
        vendors: ranges(get('VendorConsents')), vendor_interests: ranges(get('VendorLegitimateInterests')),
        specific: get('IsServiceSpecific'), policy: get('PolicyVersion'), country: get('PublisherCountryCode'),
        disclosed: ranges(get('VendorsDisclosed')),
      };
    } else if (id === 5) {
      const get = field => model.getFieldValue('tcfcav1', field);
      read.canada = {
        cmp_id: get('CmpId'), cmp_version: get('CmpVersion'), screen: get('ConsentScreen'), language: get('ConsentLanguage'),
        vendor_list: get('VendorListVersion'), own_stacks: get('UseNonStandardStacks'),
        special_features: positions(get('SpecialFeatureExpressConsent')),
        purposes: positions(get('PurposesExpressConsent')), legitimate_interests: positions(get('PurposesImpliedConsent')),
        vendors: ranges(get('VendorExpressConsent')), vendor_interests: ranges(get('VendorImpliedConsent')),
        disclosed: ranges(get('DisclosedVendors')),
        publisher_consents: positions(get('PubPurposesExpressConsent')),
      };
    } else if (id === 6) {
      const get = field => model.getFieldValue('uspv1', field);
      read.usp = '1' + get('Notice') + get('OptOutSale') + get('LspaCovered');
    } else {
      const name = NAMES[id - 7];
      const fields = {};
      for (const field of usFields(name)) {
        if (['GpcSegmentType', 'GpcSegmentIncluded', 'SensitiveDataConsentSegmentIncluded', 'Gpc'].includes(field)) continue;
        fields[field === 'MspaVersion' ? 'Version' : field] = model.getFieldValue(name, field);
      }
      if (usFields(name).includes('SensitiveDataConsentSegmentIncluded')
          && !model.getFieldValue(name, 'SensitiveDataConsentSegmentIncluded')) delete fields.SensitiveDataProcessing;
      read.us[id] = fields;
      if (usFields(name).includes('GpcSegmentIncluded') && model.getFieldValue(name, 'GpcSegmentIncluded')) {
        read.gpc[id] = model.getFieldValue(name, 'Gpc');
      }
    }
  }
  return read;
}

const lines = [];
for (let i = 0; i < tcfCount; i++) { const text = tcString(); lines.push({kind: 'tcf', text, expect: tcRead(text)}); }
for (let i = 0; i < gppCount; i++) { const text = gppString(); lines.push({kind: 'gpp', text, expect: gppRead(text)}); }
process.stdout.write(lines.map(line => JSON.stringify(line) + '\n').join(''));
