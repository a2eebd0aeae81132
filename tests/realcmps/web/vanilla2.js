// vanilla-cookieconsent 2: the categories that were accepted.
const consent = initCookieConsent();
const names = settings.categories;
consent.run({
  mode: "opt-in", hide_from_bots: false, current_lang: "en", cookie_name: settings.cookie || "cc_cookie",
  languages: { en: {
    consent_modal: {
      title: "Cookies", description: "-",
      primary_btn: { text: "Accept all", role: "accept_all" },
      secondary_btn: { text: "Reject all", role: "accept_necessary" },
    },
    settings_modal: {
      title: "Cookies", save_settings_btn: "Save", accept_all_btn: "Accept all", reject_all_btn: "Reject all", close_btn_label: "Close",
      blocks: ["necessary", ...names].map((value) => ({
        title: value, description: "-", toggle: { value, enabled: value === "necessary", readonly: value === "necessary" },
      })),
    },
  } },
});
window.cmp = {
  says: () => consent.validConsent() ? (consent.allowedCategory(settings.category) ? "granted" : "denied") : "unanswered",
  accept: ["#c-p-bn"],
  reject: ["#c-s-bn"],
  reopen: () => consent.showSettings(0),
  acceptAgain: ["#s-all-bn"],
  rejectAgain: ["#s-rall-bn"],
  choose: (yes) => consent.accept(names.filter((name) => (name === settings.category) === yes)),
};
