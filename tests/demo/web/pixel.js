// A stand-in for TikTok's pixel client, in our own words: it sends messages of the recorded shape.
(() => {
  if (window.demoPixel) return;
  window.demoPixel = true;
  const code = "%PIXEL%", host = "https://analytics.tiktok.com/api/v2/pixel";
  const cookie = (name) => (document.cookie.match(`(?:^|; )${name}=([^;]*)`) || [])[1];
  const keep = (name, value) => (document.cookie = `${name}=${value}; path=/; max-age=33696000`);
  if (!cookie("_ttp")) keep("_ttp", "01M815YN9JZW0KVGPPSCF7FDMT_.tt.1");
  keep("_tt_enable_cookie", "1");
  keep("ttcsid", `${Date.now()}::demodemodemodemodemo.1.${Date.now()}.0`);
  const user = { anonymous_id: cookie("_ttp") };
  let count = 0;
  const base = (suffix) => ({
    event_id: "",
    message_id: `messageId-${Date.now()}-${String(7801137107096 + ++count)}${suffix}`,
    is_onsite: false,
    timestamp: new Date().toISOString(),
    context: {
      ad: { sdk_env: "external", jsb_status: 2 }, device: { platform: "pc" }, user: { ...user },
      pixel: { code, runtime: "1" }, page: { url: location.href, referrer: document.referrer, load_progress: "2" },
      library: { name: "pixel.js", version: "2.2.1" }, session_id: `demo::session${suffix}`,
      pageview_id: `demo.0.0::load${suffix}`, variation_id: "default", userAgent: navigator.userAgent,
    },
    _inspection: { ppf: [], vids: "75571417" },
    properties: {},
  });
  const send = (path, body) => window.ttqStopped || navigator.sendBeacon(host + path, JSON.stringify(body));
  const event = (name, properties = {}) => send("", { event: name, ...base(`-${code}`), properties });
  const act = (action, collected) => {
    const body = { ...base(""), action, auto_collected_properties: collected };
    body.context.pixel.codes = code;
    send("/act", body);
  };
  const sha256 = async (text) => {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    return [...new Uint8Array(digest)].map((b) => b.toString(16).padStart(2, "0")).join("");
  };
  const run = async ([name, ...args]) => {
    if (name === "page") {
      event("Pageview");
      const meta = JSON.stringify({ title: document.title });
      act("Metadata", { page_trigger: "PageView", content_data: { open_graph: "{}", json_ld: "[]", meta } });
    } else if (name === "track") {
      event({ CompletePayment: "Purchase" }[args[0]] || args[0], args[1]);
    } else if (name === "identify") {
      user.email = await sha256(args[0].email.trim().toLowerCase());
      event("EnrichAM");
    }
  };
  addEventListener("click", ({ target }) => {
    if (!target.closest("button, a")) return;
    act("Click", { page_trigger: "Click", trigger_element: { tag: target.tagName.toLowerCase(), inner_text: target.innerText } });
  }, true);
  addEventListener("pagehide", () => {
    const inter = { action_event: "pl", inter: { ct: 1, st: 0, pl: 1 } };
    send("/inter", { ...base(""), action: "Pf", auto_collected_properties: inter });
  });
  (async () => {
    for (const call of window.ttq.splice(0)) await run(call);
    for (const name of ["page", "track", "identify"]) {
      let last = Promise.resolve();
      window.ttq[name] = (...args) => (window.demoLast = (window.demoLast || last).then(() => run([name, ...args])));
    }
  })();
})();
