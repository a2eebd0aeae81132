// orejime: one yes or no a purpose, in the cookie `eu-consent`.
window.orejimeConfig = {
  privacyPolicyUrl: "/privacy",
  purposes: settings.services.map((id) => ({ id, title: id, cookies: [] })),
  ...(settings.cookie && { cookie: { name: settings.cookie } }),
};
window.cmp = {
  says: () => {
    const manager = orejime.manager;
    return manager.isDirty() ? "unanswered" : manager.getConsent(settings.tiktok) ? "granted" : "denied";
  },
  accept: [".orejime-Banner-saveButton"],
  reject: [".orejime-Banner-declineButton"],
  reopen: () => orejime.prompt(),
  acceptAgain: [".orejime-PurposeToggles-enableAll", ".orejime-Modal-saveButton"],
  rejectAgain: [".orejime-PurposeToggles-disableAll", ".orejime-Modal-saveButton"],
  choose: (yes) => {
    for (const id of settings.services) orejime.manager.setConsent(id, (id === settings.tiktok) === yes);
  },
};
