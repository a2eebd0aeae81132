// The IAB's TCF interface behind a banner of ours: the string in a cookie, the answer by __tcfapi.
import { CmpApi } from "@iabtcf/cmpapi";
import { GVL, TCModel, TCString } from "@iabtcf/core";
const named = (last) => Object.fromEntries(Array.from({ length: last }, (_, i) => [i + 1, { id: i + 1, name: `${i + 1}`, description: "", illustrations: [] }]));
const gvl = new GVL({
  gvlSpecificationVersion: 3, vendorListVersion: 45, tcfPolicyVersion: 4, lastUpdated: "2026-11-01T00:00:00Z",
  purposes: named(11), specialPurposes: named(3), features: named(3), specialFeatures: named(2), stacks: {}, dataCategories: {},
  vendors: { 755: { id: 755, name: "A vendor", purposes: [1, 3, 4], legIntPurposes: [2, 7], flexiblePurposes: [], specialPurposes: [], features: [], specialFeatures: [], policyUrl: "" } },
});
const api = new CmpApi(99, 1, true);
const cookie = () => (document.cookie.match("(?:^|; )euconsent-v2=([^;]*)") || [])[1];
let answer = null;
const ready = () => __tcfapi("addEventListener", 2, (data, ok) => { if (ok) answer = data; });
const write = (purposes, interests) => {
  const model = new TCModel(gvl);
  Object.assign(model, { cmpId: 99, cmpVersion: 1, consentScreen: 1, consentLanguage: "EN", isServiceSpecific: true, publisherCountryCode: "DE" });
  model.purposeConsents.set(purposes);
  model.purposeLegitimateInterests.set(interests);
  if (purposes.length) model.vendorConsents.set(755);
  model.vendorsDisclosed.set(755);
  const text = TCString.encode(model);
  document.cookie = `euconsent-v2=${text}; path=/; max-age=31536000; SameSite=Lax`;
  api.update(text, false);
};
window.cmp = {
  says: () => {
    if (!answer || answer.eventStatus === "cmpuishown" || !answer.tcString) return answer && "unanswered";
    return answer.purpose.consents[1] && (answer.purpose.consents[3] || answer.purpose.consents[4]) ? "granted" : "denied";
  },
  accept: ["#accept"], reject: ["#reject"], reopen: () => {}, acceptAgain: ["#accept"], rejectAgain: ["#reject"],
  choose: (yes) => write(yes ? [1, 3, 4] : [1, 7, 8], []),
};
const up = () => {
  document.querySelector("#own").hidden = false;
  document.querySelector("#accept").onclick = () => write([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [2, 7]);
  document.querySelector("#reject").onclick = () => write([], []);
  gvl.readyPromise.then(() => { api.update(cookie() || "", !cookie()); ready(); });
};
document.readyState === "loading" ? addEventListener("DOMContentLoaded", up) : up();
