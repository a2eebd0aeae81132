// The shop's tag: the misbehaving build fires at once, the well-behaved one asks first.
(() => {
  const queue = (window.ttq = []);
  for (const name of ["page", "track", "identify"]) queue[name] = (...args) => queue.push([name, ...args]);
  const allowed = () => window.demoConsent === true && navigator.globalPrivacyControl !== true;
  let loaded = false;
  const load = () => {
    if (loaded) return;
    loaded = true;
    queue.page();
    const script = document.createElement("script");
    script.src = "https://analytics.tiktok.com/i18n/pixel/events.js?sdkid=%PIXEL%&lib=ttq";
    document.head.append(script);
  };
  const decide = () => {
    window.ttqStopped = window.demoBuild === "good" && !allowed();
    if (window.demoBuild === "bad" || allowed()) load();
  };
  addEventListener("demo-consent", decide);
  addEventListener("DOMContentLoaded", () => {
    decide();
    document.querySelector("#accept").onclick = () => window.demoChoose(true);
    document.querySelector("#reject").onclick = () => window.demoChoose(false);
    document.querySelector("#add").onclick = () => loaded && queue.track("AddToCart", { value: 9.95, currency: "EUR" });
    document.querySelector("#order").onsubmit = (event) => {
      event.preventDefault();
      if (!loaded) return;
      queue.identify({ email: event.target.email.value });
      queue.track("CompletePayment", { value: 9.95, currency: "EUR" });
    };
  });
})();
