// tarteaucitron: `!service=true|false|wait`.
tarteaucitron.init({
  hashtag: "#tac", cookieName: settings.cookie || "tarteaucitron", orientation: "bottom", bodyPosition: "bottom",
  highPrivacy: true, DenyAllCta: true, AcceptAllCta: true, showIcon: false, removeCredit: true, serviceDefaultState: "wait",
});
const known = ["tiktok", "gtag", "facebookpixel", "youtube"];
addEventListener("DOMContentLoaded", () => {
  for (const key of settings.services.filter((name) => !known.includes(name)))
    tarteaucitron.services[key] = { key, type: "ads", name: key, uri: "", needConsent: true, cookies: [], js() {}, fallback() {} };
});
tarteaucitron.job = settings.services.filter((name) => known.includes(name));
addEventListener("load", () => setTimeout(() => {
  for (const key of settings.services) if (!known.includes(key)) {
    tarteaucitron.services[key] ||= { key, type: "ads", name: key, uri: "", needConsent: true, cookies: [], js() {}, fallback() {} };
    tarteaucitron.job.push(key);
  }
}, 0));
window.cmp = {
  says: () => {
    if (!tarteaucitron.added[settings.tiktok]) return null;
    const state = tarteaucitron.state[settings.tiktok];
    return state === true ? "granted" : state === false ? "denied" : "unanswered";
  },
  accept: ["#tarteaucitronPersonalize2"],
  reject: ["#tarteaucitronAllDenied2"],
  reopen: () => tarteaucitron.userInterface.openPanel(),
  acceptAgain: ["#tarteaucitronAllAllowed"],
  rejectAgain: ["#tarteaucitronAllDenied"],
  choose: (yes) => {
    for (const key of settings.services) tarteaucitron.setConsent(key, (key === settings.tiktok) === yes);
  },
};
