// vanilla-cookieconsent 3: categories and services that were accepted, with the moment.
const texts = { acceptAllBtn: "Accept all", acceptNecessaryBtn: "Reject all", title: "Cookies" };
CookieConsent.run({
  mode: "opt-in", hideFromBots: false, cookie: { name: settings.cookie || "cc_cookie" },
  categories: { necessary: { readOnly: true, enabled: true }, ...settings.categories },
  language: { default: "en", translations: { en: {
    consentModal: { ...texts, description: "-", showPreferencesBtn: "Choose" },
    preferencesModal: { ...texts, savePreferencesBtn: "Save", closeIconLabel: "Close", sections: [] },
  } } },
});
window.cmp = {
  says: () => {
    if (!CookieConsent.validConsent()) return "unanswered";
    const yes = settings.service
      ? CookieConsent.acceptedService(settings.service, settings.category)
      : CookieConsent.acceptedCategory(settings.category);
    return yes ? "granted" : "denied";
  },
  accept: ["#cc-main .cm [data-role=all]"],
  reject: ["#cc-main .cm [data-role=necessary]"],
  reopen: () => CookieConsent.showPreferences(),
  acceptAgain: ["#cc-main .pm [data-role=all]"],
  rejectAgain: ["#cc-main .pm [data-role=necessary]"],
  choose: (yes) => {
    const others = Object.keys(settings.categories).filter((name) => name !== settings.category);
    if (!settings.service) return CookieConsent.acceptCategory(yes ? [settings.category] : others);
    const services = Object.keys(settings.categories[settings.category].services);
    CookieConsent.acceptCategory(yes ? [settings.category] : [settings.category, ...others]);
    CookieConsent.acceptService(services.filter((name) => (name === settings.service) === yes), settings.category);
  },
};
