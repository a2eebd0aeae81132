// Osano's open-source cookieconsent: one word.
let popup;
const start = () => cookieconsent.initialise({ type: settings.type, animateRevokable: false }, (made) => (popup = made));
document.body ? start() : addEventListener("DOMContentLoaded", start);
window.cmp = {
  says: () => !popup ? null : popup.hasAnswered() ? (popup.hasConsented() ? "granted" : "denied") : "unanswered",
  accept: [".cc-window .cc-allow"],
  reject: [".cc-window .cc-deny"],
  reopen: () => popup.revokeChoice(),
  acceptAgain: [".cc-window .cc-allow"],
  rejectAgain: [".cc-window .cc-deny"],
};
