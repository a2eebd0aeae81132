"""A site under a strict Content-Security-Policy: a nonce, `strict-dynamic`, reports of every violation, frames, an SPA."""

from __future__ import annotations

from urllib.parse import urlsplit

from mitmproxy import http

SITE = "www.strict.example"
FRAME = "widget.other.example"
POLICY = (
    "default-src 'none'; script-src 'nonce-r4nd0m' 'strict-dynamic'; connect-src https://analytics.tiktok.com; "
    f"frame-src 'self' https://{FRAME}; style-src 'none'; base-uri 'none'; report-uri /csp-report; "
    "require-trusted-types-for 'script'"
)
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>loading</title>
<meta http-equiv="Content-Security-Policy" content="connect-src https://analytics.tiktok.com">
<script nonce="r4nd0m">
  window.first = document.scripts.length;
  window.choose = yes => {
    document.cookie = `CookieConsent={stamp:%27demo==%27%2Cnecessary:true%2Cpreferences:false%2Cstatistics:false%2Cmarketing:${yes}%2Cver:1}; path=/; max-age=3600`;
  };
  window.fire = name => navigator.sendBeacon("https://analytics.tiktok.com/api/v2/pixel", JSON.stringify({
    event: name, event_id: "", message_id: "messageId-1", timestamp: new Date().toISOString(), properties: {},
    context: { user: {}, pixel: { code: "D0ME9HRC77U4Q9G3Q7A0", runtime: "1" }, page: { url: location.href, referrer: "" }, library: { name: "pixel.js", version: "2.2.1" } },
  }));
  addEventListener("load", () => {
    history.pushState({}, "", "/spa");
    fire("Pageview");
    document.title = "works";
  });
</script></head>
<body><button id="reject">Reject</button><iframe src="/inner"></iframe><iframe src="https://%FRAME%/"></iframe>
<iframe sandbox="allow-scripts" src="/inner?sandboxed"></iframe>
<script nonce="r4nd0m">document.querySelector("#reject").onclick = () => { choose(false); setTimeout(() => fire("AddToCart"), 100); };</script>
</body></html>"""


class StrictSite:
    """Answers for every host, last in the chain; nothing leaves the machine."""

    def request(self, flow: http.HTTPFlow) -> None:
        if flow.response is None:
            flow.response = self.answer(flow.request.pretty_host, urlsplit(flow.request.path).path)

    def answer(self, host: str, path: str) -> http.Response:
        html = {"Content-Type": "text/html; charset=utf-8"}
        strict = {**html, "Content-Security-Policy": POLICY, "Content-Security-Policy-Report-Only": POLICY}
        if host == SITE and path in ("/", "/spa"):
            return http.Response.make(200, PAGE.replace("%FRAME%", FRAME), strict)
        if host in (SITE, FRAME) and path in ("/inner", "/"):
            return http.Response.make(200, "<!doctype html><title>inner</title><p>inner", strict)
        if host == SITE and path == "/other":
            return http.Response.make(200, "<!doctype html><title>other</title><p>other", html)
        if host == "analytics.tiktok.com":
            return http.Response.make(200, b"", {"Access-Control-Allow-Origin": "*"})
        return http.Response.make(404, b"", {"Content-Type": "text/plain"})
