"""The add-on's own page, http://pixelwitness.local/: answered inside the proxy, never sent on, never recorded."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

from mitmproxy import http

from pixelwitness.run import OWN_HOST

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}
MAX_FORM = 4096
TEXTS = frozenset({"fresh profile", "nothing clicked", "clicked accept", "clicked reject", "withdrew consent"})


def is_ours(request: http.Request) -> bool:
    """Whether a request asks for the add-on's own page."""
    return request.pretty_host.rstrip(".").lower() == OWN_HOST


def answer(request: http.Request, page: Callable[[], str], mark: Callable[[str, str], object]) -> http.Response:
    """The page, or a mark that one of its buttons makes. Only the page itself may mark: not a site that posts here."""
    path = request.path.partition("?")[0]
    if request.method == "GET" and path == "/":
        return http.Response.make(200, page(), HEADERS)
    if request.method == "POST" and path == "/mark":
        own = request.headers.get("origin", "") in (f"http://{OWN_HOST}", f"https://{OWN_HOST}")
        if not own or request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return http.Response.make(403, b"Only this page itself may mark.", {"Content-Type": "text/plain"})
        form = parse_qs((request.content or b"")[:MAX_FORM].decode("utf-8", "replace"), max_num_fields=10)
        text, prop = form.get("text", [""])[0], form.get("property", [""])[0]
        if text in TEXTS and prop:
            mark(text, prop[:253])
        return http.Response.make(303, b"", {**HEADERS, "Location": "/"})
    return http.Response.make(404, b"", {"Content-Type": "text/plain"})


def fault() -> http.Response:
    """The answer where the page could not be made: the request is not sent on in any case."""
    text = b"pixelwitness could not make this page; the log says why. What passes the proxy is recorded all the same."
    return http.Response.make(500, text, {"Content-Type": "text/plain", "Cache-Control": "no-store"})
