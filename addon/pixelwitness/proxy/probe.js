(config => {
  "use strict";
  // Runs first in the page and only reads. It keeps what it needs of the platform before the page can change it, hides
  // nothing in the page, and takes its own tag out again. Everything is in try: whatever fails, the page goes on.
  try { document.currentScript.remove(); } catch {}
  if (!/^https?:$/.test(location.protocol) || self.origin === "null") return;
  const now = Date.now.bind(Date), post = self.fetch && self.fetch.bind(self), later = self.setTimeout.bind(self);
  const soon = Promise.prototype.then.bind(Promise.resolve()), text = JSON.stringify, parse = JSON.parse, wrapped = self.Proxy;
  const where = location.origin + config.path, page = Math.random().toString(36).slice(2);
  const attempt = action => { try { return action(); } catch { return undefined; } };
  const cookies = attempt(() => Object.getOwnPropertyDescriptor(Document.prototype, "cookie"));
  const store = attempt(() => self.localStorage), getItem = attempt(() => Storage.prototype.getItem);
  const patterns = config.patterns.map(p => attempt(() => new RegExp("^(?:" + p.source + ")$", p.flags))).filter(Boolean);
  const stored = config.storage.map(p => attempt(() => new RegExp("^(?:" + p + ")$"))).filter(Boolean);
  const known = new Set(config.names), kept = new Map();
  let count = 0, clicked = 0, firstSet = 0, lastSet = 0, started = 0, waiting = false, queue = [];

  // --- reading ---------------------------------------------------------------------------------------------------
  const claims = (name, value) =>
    known.has(name) || patterns.some(p => p.test(name)) || /^[BCD][\w-]{15,}[.~\w-]*$/.test(value);
  const jar = () => {
    const pairs = (cookies.get.call(document) || "").split("; ").filter(Boolean);
    const named = pairs.map(pair => { const at = pair.indexOf("="); return at < 0 ? [pair, ""] : [pair.slice(0, at), pair.slice(at + 1)]; });
    return { value: named.filter(([n, v]) => claims(n, v)).map(([n, v]) => n + "=" + v.slice(0, 16384)).join("; "), names: named.map(([n]) => n).slice(0, 400) };
  };
  // `since`: a consent system may act first and write afterwards, so a change began no later than the click before it.
  const note = (kind, name, value, names, began, act, ended) => {
    const key = kind + " " + name, at = ended || now();
    // What was not there when the page was first looked at was not there at all; an interface has its own beginning.
    const before = kept.get(key) || (started && kind !== "api" ? { value: "", read: started } : undefined);
    const changed = !before || before.value !== value;
    if (changed || names) {
      const watched = Boolean(act && changed && before);
      // Without a click in this very frame the choice was made elsewhere (a dialogue in a frame of another site).
      let since = began || (before ? before.read : at);
      since = clicked && at - clicked < 3000 ? Math.min(since, clicked) : since - (watched ? 1000 : 0);
      queue.push({ kind, name, value, names, at, since: Math.min(since, at), act: watched, before: before ? before.value : "" });
    }
    kept.set(key, { value, read: now() });
    return changed;
  };
  const cookiesNow = (began, act, ended, always) => attempt(() => {
    const seen = jar(), before = kept.get("cookie ");
    if (always || !before || before.value !== seen.value) note("cookie", "", seen.value, seen.names, began, act, ended);
    else before.read = now();
  });
  const storageNow = (began, act, ended) => attempt(() => {
    for (let i = 0; store && i < store.length && i < 500; i++) {
      const name = store.key(i);
      if (!stored.some(p => p.test(name))) continue;
      const value = getItem.call(store, name);
      if (typeof value === "string" && value.length < 65536) note("storage", name, value, undefined, began, act, ended);
    }
  });

  // --- consent systems' own interfaces ------------------------------------------------------------------------------
  const heard = {};
  const say = (name, value) => attempt(() => { note("api", name, text(value), undefined, 0, true); send(); });
  const once = (name, ready, ask) => { if (!heard[name] && attempt(ready)) { heard[name] = true; attempt(ask); } };
  const polled = [];
  const interfaces = () => {
    once("tcf", () => typeof self.__tcfapi === "function", () => self.__tcfapi("addEventListener", 2, (d, ok) => {
      if (ok && d) say("tcf", { string: d.tcString || "", status: d.eventStatus, applies: d.gdprApplies });
    }));
    once("gpp", () => typeof self.__gpp === "function", () => self.__gpp("addEventListener", d => {
      const ping = d && d.pingData;
      if (ping) say("gpp", { string: ping.gppString || "", status: ping.signalStatus });
    }));
    once("onetrust", () => self.OneTrust && self.OneTrust.GetDomainData, () => {
      const read = () => {
        const active = String(self.OnetrustActiveGroups || self.OptanonActiveGroups || "").split(","), groups = {};
        for (const g of self.OneTrust.GetDomainData().Groups || []) {
          const id = g.OptanonGroupId || g.CustomGroupId;
          if (id) groups[id] = active.includes(id);
        }
        say("onetrust", { groups, closed: self.OneTrust.IsAlertBoxClosed() === true });
      };
      self.addEventListener("OneTrustGroupsUpdated", () => attempt(read));
      polled.push(read);
    });
    once("cookiebot", () => self.Cookiebot && self.Cookiebot.consent, () => {
      const read = () => say("cookiebot", { marketing: self.Cookiebot.consent.marketing === true, answered: self.Cookiebot.hasResponse === true && self.Cookiebot.consent.method !== "implied" });
      for (const e of ["CookiebotOnAccept", "CookiebotOnDecline", "CookiebotOnConsentReady"]) self.addEventListener(e, () => attempt(read));
      polled.push(read);
    });
    once("didomi", () => self.Didomi && self.Didomi.getCurrentUserStatus && self.Didomi.getCurrentUserStatus(), () => {
      const read = () => {
        const vendors = {}, status = self.Didomi.getCurrentUserStatus();
        for (const [id, v] of Object.entries(status.vendors || {})) vendors[id] = v.enabled === true;
        say("didomi", { vendors, pending: self.Didomi.shouldUserStatusBeCollected() === true });
      };
      attempt(() => self.Didomi.on("consent.changed", () => attempt(read)));
      polled.push(read);
    });
    once("usercentrics", () => self.UC_UI && self.UC_UI.getServicesBaseInfo && self.UC_UI.getServicesBaseInfo().length, () => {
      polled.push(() => {
        const services = {}, types = new Set();
        for (const s of self.UC_UI.getServicesBaseInfo()) {
          if (s.isEssential) continue;
          services[s.name] = s.consent.status === true;
          const history = s.consent.history || [];
          if (history.length) types.add(String(history[history.length - 1].type).toLowerCase());
        }
        say("usercentrics", { services, type: types.has("explicit") ? "explicit" : "implicit" });
      });
    });
    once("termly", () => self.Termly && self.Termly.getConsentState && self.Termly.on, () => {
      // Before anybody chose, the state is the default, and nothing tells which it is: only the event does.
      self.Termly.on("consent", () => attempt(() => {
        const state = self.Termly.getConsentState();
        const flags = Object.entries(state).filter(([, allowed]) => typeof allowed === "boolean");
        say("termly", { ...Object.fromEntries(flags), advertising: state.advertising === true });
      }));
    });
    for (const read of polled) attempt(read);
  };

  // --- reporting ----------------------------------------------------------------------------------------------------
  const flush = () => {
    waiting = false;
    if (firstSet) { const began = firstSet, ended = lastSet; firstSet = 0; cookiesNow(began, true, ended); storageNow(began, true, ended); }
    if (!queue.length || count > 5000) { queue = []; return; }
    const body = text({ pixelwitness: 1, page, number: ++count, now: now(), items: queue.splice(0, 100) });
    attempt(() => {
      const sent = post
        ? post(where, { method: "POST", body, credentials: "same-origin", mode: "same-origin", cache: "no-store", keepalive: body.length < 60000 })
        : navigator.sendBeacon(where, body);
      if (sent && sent.catch) sent.catch(() => {});
    });
  };
  const send = () => { if (!waiting) { waiting = true; soon(() => attempt(flush)); } };
  const touched = () => { const at = now(); firstSet = firstSet || at; lastSet = at; send(); };
  const look = always => { cookiesNow(0, true, 0, always); storageNow(0, true); interfaces(); send(); };

  attempt(() => Object.defineProperty(Document.prototype, "cookie", {
    ...cookies, set: new wrapped(cookies.set, { apply(set, self, given) { const done = Reflect.apply(set, self, given); attempt(touched); return done; } }),
  }));
  for (const name of ["setItem", "removeItem", "clear"]) attempt(() => {
    const own = Storage.prototype[name];
    Storage.prototype[name] = new wrapped(own, {
      apply(call, self, given) { const done = Reflect.apply(call, self, given); attempt(() => { if (self === store && (name === "clear" || stored.some(p => p.test(given[0])))) touched(); }); return done; },
    });
  });
  attempt(() => self.cookieStore && self.cookieStore.addEventListener("change", () => { cookiesNow(0, true); send(); }));
  const acted = event => { if (!event.isTrusted) return; clicked = now(); for (const wait of [0, 50, 300, 1000]) later(() => attempt(look), wait); };
  addEventListener("click", acted, true);
  addEventListener("keydown", event => { if (event.key === "Enter" || event.key === " ") acted(event); }, true);
  for (const moment of ["DOMContentLoaded", "load"]) addEventListener(moment, () => attempt(look));
  addEventListener("pageshow", event => { if (event.persisted) attempt(() => look(true)); });
  addEventListener("pagehide", () => attempt(() => { look(true); flush(); }));
  attempt(() => look(true));
  started = now();
  attempt(flush);
  let rounds = 0;
  const poll = () => { if (++rounds < 60) { attempt(() => { interfaces(); send(); }); later(poll, rounds < 20 ? 250 : 1000); } };
  later(poll, 250);
  // A state that only holds while it is seen ("nobody has answered yet") is seen again while the page is looked at.
  let beats = 0;
  const beat = () => { if (document.visibilityState === "visible") attempt(() => look(true)); if (++beats < 200) later(beat, config.beat); };
  later(beat, config.beat);
})
