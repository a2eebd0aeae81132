// A banner in the shape of OneTrust: the cookies it writes, not its code.
(() => {
  const id = "8e1f3c7a-0000-4000-8000-00000000d0e5", site = location.hostname.split(".").slice(-2).join(".");
  const read = (name) => (document.cookie.match(`(?:^|; )${name}=([^;]*)`) || [])[1];
  const write = (name, value) => (document.cookie = `${name}=${value}; domain=.${site}; path=/; max-age=31536000; SameSite=Lax`);
  const consent = (landing, flag) =>
    write("OptanonConsent", new URLSearchParams({
      isGpcEnabled: navigator.globalPrivacyControl ? "1" : "0", datestamp: new Date().toString(), version: "202411.2.0",
      browserGpcFlag: navigator.globalPrivacyControl ? "1" : "0", isIABGlobal: "false", hosts: "", consentId: id,
      interactionCount: "1", isAnonUser: "1", landingPath: landing,
      groups: `C0001:1,C0002:${flag},C0003:${flag},C0004:${flag}`,
    }));
  const say = () => {
    const value = read("OptanonConsent") || "";
    window.demoConsent = value.includes("NotLandingPage") ? decodeURIComponent(value).includes("C0004:1") : null;
    dispatchEvent(new Event("demo-consent"));
  };
  if (!read("OptanonConsent")) consent(location.href, 0);
  window.demoChoose = (yes) => {
    write("OptanonAlertBoxClosed", new Date().toISOString());
    consent("NotLandingPage", yes ? 1 : 0);
    say();
  };
  say();
})();
