// klaro: one yes or no a service, in the cookie `klaro`.
window.klaroConfig = {
  version: 1, acceptAll: true, groupByPurpose: false, lang: "en", translations: { en: { privacyPolicyUrl: "/privacy" } },
  services: settings.services.map((name) => ({ name, purposes: ["marketing"] })),
};
window.cmp = {
  says: () => {
    const manager = klaro.getManager();
    return manager.confirmed ? (manager.getConsent(settings.tiktok) ? "granted" : "denied") : "unanswered";
  },
  accept: [".cookie-notice .cm-btn-success"],
  reject: [".cookie-notice .cn-decline"],
  reopen: () => klaro.show(undefined, true),
  acceptAgain: [".cm-toggle-all .slider", ".cm-modal .cm-btn-accept"],
  rejectAgain: [".cm-toggle-all .slider", ".cm-modal .cm-btn-accept"],
  choose: (yes) => {
    const manager = klaro.getManager();
    for (const name of settings.services) manager.updateConsent(name, (name === settings.tiktok) === yes);
    manager.saveAndApplyConsents();
  },
};
