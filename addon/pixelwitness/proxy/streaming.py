"""Responses that may pass through mitmproxy without being kept whole, because nothing of their bodies is ever read."""

from __future__ import annotations

from mitmproxy import http

from pixelwitness.ingest import reads_response
from pixelwitness.pixels.hosted import SCRIPTS
from pixelwitness.rulebook import Rulebook
from pixelwitness.sources.content import TEXTUAL

NEVER_SCRIPTS = ("image/", "audio/", "video/", "font/")
"""Types of what no browser runs as a script (fonts apart, which are asked for as fonts). A response without a type, or
with a general one (`application/octet-stream`), may be a script by a browser's own guess."""


def may_stream(request: http.Request, response: http.Response, book: Rulebook) -> bool:
    """Whether no rule can read the body of a response, by its type, by what asked for it, and by where it comes from.

    In doubt it is kept: a page, a script from any host (it may be a copy of the pixel's), all text, and whatever comes
    from a vendor, a consent system, or a place where a site publishes its settings.
    """
    kind = response.headers.get("content-type", "").strip().lower()
    if not kind.startswith(NEVER_SCRIPTS) or any(word in kind for word in TEXTUAL):
        return False
    if request.headers.get("sec-fetch-dest", "") in SCRIPTS:
        return False
    return not reads_response(request.pretty_url, b"", book)
