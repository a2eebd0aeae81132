"""The demo sites, as a mitmproxy add-on that answers for every host: nothing leaves the machine."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from mitmproxy import http

WEB = Path(__file__).parent / "web"
PIXEL = "D0ME9HRC77U4Q9G3Q7A0"
TTP = "36dyY1iiVEyKOqnhLOWLc3IZqFZ"
SHOPS = {f"www.{cmp}-{build}.example": (cmp, build) for cmp in ("onetrust", "cookiebot") for build in ("good", "bad")}
BANNERS = {
    "onetrust": '<script src="https://cdn.cookielaw.org/scripttemplates/otSDKStub.js" data-domain-script="8e1f3c7a"></script>',
    "cookiebot": '<script src="https://consent.cookiebot.com/uc.js" data-cbid="5d5b0a1e"></script>',
}
TITLES = {"/": "Home", "/product": "A lamp", "/checkout": "Checkout"}


def web(name: str) -> str:
    """A file of the demo, with the pixel code filled in."""
    return (WEB / name).read_text().replace("%PIXEL%", PIXEL)


class DemoSites:
    """Answers in `request`, after the audit has seen it; a final 404 for everything else."""

    def request(self, flow: http.HTTPFlow) -> None:
        flow.response = self.answer(flow.request.pretty_host, urlsplit(flow.request.path).path, flow.request)

    def answer(self, host: str, path: str, request: http.Request) -> http.Response:
        if host in SHOPS and path in TITLES:
            cmp, build = SHOPS[host]
            page = web("shop.html").replace("%TITLE%", TITLES[path]).replace("%BANNER%", BANNERS[cmp])
            return self.make(page.replace("%BUILD%", build), "text/html; charset=utf-8")
        if host in SHOPS and path == "/tag.js":
            return self.make(web("tag.js"), "text/javascript")
        if host == "cdn.cookielaw.org" and path.endswith("/otSDKStub.js"):
            return self.make(web("onetrust.js"), "text/javascript")
        if host == "consent.cookiebot.com" and path == "/uc.js":
            return self.make(web("cookiebot.js"), "text/javascript")
        if host == "consent.cookiebot.com" and path == "/logconsent.ashx":
            return self.make("/* logged */", "text/javascript")
        if host == "analytics.tiktok.com":
            return self.tiktok(path, request)
        return http.Response.make(404, b"", {"Content-Type": "text/plain"})

    def tiktok(self, path: str, request: http.Request) -> http.Response:
        if path == "/i18n/pixel/events.js":
            headers = {}
            if "_ttp" not in request.cookies:
                headers["Set-Cookie"] = (
                    f"_ttp={TTP}; Domain=tiktok.com; Path=/; Max-Age=33696000; Secure; SameSite=None"
                )
            return self.make(web("pixel.js"), "application/javascript", headers)
        if path.startswith("/api/v2/pixel"):
            return self.make("", "text/plain", {"Access-Control-Allow-Origin": "*"})
        return http.Response.make(404, b"", {"Content-Type": "text/plain"})

    @staticmethod
    def make(text: str, kind: str, headers: dict[str, str] | None = None) -> http.Response:
        more = {"Content-Type": kind, "Cache-Control": "no-store", **(headers or {})}
        return http.Response.make(200, text.encode(), more)
