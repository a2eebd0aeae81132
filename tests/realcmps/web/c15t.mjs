// c15t without its server, behind a banner of ours.
import { getOrCreateConsentRuntime } from "c15t";
const { consentStore } = getOrCreateConsentRuntime({ mode: "offline", consentCategories: ["necessary", "measurement", "marketing"] });
const state = () => consentStore.getState();
window.cmp = {
  says: () => state().hasConsented() ? (state().has("marketing") ? "granted" : "denied") : "unanswered",
  accept: ["#accept"], reject: ["#reject"], reopen: () => {}, acceptAgain: ["#accept"], rejectAgain: ["#reject"],
  choose: async (yes) => {
    state().setSelectedConsent("marketing", yes);
    state().setSelectedConsent("measurement", !yes);
    await state().saveConsents("custom");
  },
};
const up = () => {
  document.querySelector("#own").hidden = false;
  document.querySelector("#accept").onclick = () => state().saveConsents("all");
  document.querySelector("#reject").onclick = () => state().saveConsents("necessary");
};
document.readyState === "loading" ? addEventListener("DOMContentLoaded", up) : up();
