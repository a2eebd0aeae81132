// A banner in the shape of Cookiebot: the cookie it writes and the call it makes, not its code.
(() => {
  const id = "5d5b0a1e-0000-4000-8000-00000000c00b";
  const read = () => (document.cookie.match("(?:^|; )CookieConsent=([^;]*)") || [])[1];
  const say = () => {
    const value = read();
    window.demoConsent = value ? value.includes("marketing:true") : null;
    dispatchEvent(new Event("demo-consent"));
  };
  window.demoChoose = (yes) => {
    const value = `{stamp:%27demoDEMOdemo==%27%2Cnecessary:true%2Cpreferences:${yes}%2Cstatistics:${yes}%2Cmarketing:${yes}%2Cmethod:%27explicit%27%2Cver:1%2Cutc:${Date.now()}}`;
    document.cookie = `CookieConsent=${value}; path=/; max-age=31536000; SameSite=Lax`;
    const call = document.createElement("script");
    call.src = `https://consent.cookiebot.com/logconsent.ashx?action=${yes ? "accept" : "decline"}&dnt=false&method=strict&clp=${yes}&cls=${yes}&clm=${yes}&cbid=${id}&hasdata=true&bulk=&referer=${encodeURIComponent(location.origin)}`;
    document.head.append(call);
    say();
  };
  say();
})();
