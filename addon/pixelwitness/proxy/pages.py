"""Scripts put first into a page's head, only where the auditor asked for it; in doubt the page passes as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mitmproxy import http

from pixelwitness.proxy import csp
from pixelwitness.sources.content import decode

MAX_HTML = 5 * 1024 * 1024
PLACES = frozenset({"document", "iframe", "frame", "embed", "object", "fencedframe"})
ATTRIBUTES = rb"(?:\s(?:[^>\"']|\"[^\"]*\"|'[^']*')*+)?"
HEAD = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:\s|<!--.*?-->|<!doctype[^>]*>|<\?[^>]*>)*+"
    rb"(?:<html" + ATTRIBUTES + rb">)?(?:\s|<!--.*?-->)*+(?:<head" + ATTRIBUTES + rb">)?",
    re.I | re.S,
)
CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.I)


def is_page(request: http.Request, response: http.Response) -> bool:
    """Whether a response is a document that a browser shows, top-level or in a frame."""
    if request.method not in ("GET", "POST") or "attachment" in response.headers.get("content-disposition", "").lower():
        return False
    place = request.headers.get("sec-fetch-dest")
    if place is not None:
        return place in PLACES
    return request.headers.get("accept", "").startswith("text/html") and "x-requested-with" not in request.headers


def is_html(response: http.Response) -> bool:
    """Whether a response has an HTML body."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return (
        kind == "text/html"
        and response.status_code not in (204, 205, 206, 304)
        and not 300 <= response.status_code < 400
    )


def put_in(response: http.Response, scripts: Sequence[str], report_to: str | None) -> str | None:
    """Puts scripts into an HTML response; None where that was done, else why the page was left as it is."""
    if not response.raw_content:
        return "streamed, or empty"
    if re.search(r"charset\s*=\s*[\"']?utf-(?:16|32)", response.headers.get("content-type", ""), re.I):
        return "an encoding that is not a superset of ASCII"
    html, state = decode(response.raw_content, response.headers.get("content-encoding", ""))
    if html is None or state != "complete":
        return f"its body is {state.replace('_', ' ')}"
    if len(html) > MAX_HTML:
        return f"larger than {MAX_HTML} bytes"
    if html[:2] in (b"\xff\xfe", b"\xfe\xff") or html[:4] == b"\x00\x00\xfe\xff":
        return "an encoding that is not a superset of ASCII"
    found = HEAD.match(html)
    place = found.end() if found else 0
    tags = "".join(f"<script>{script}</script>" for script in scripts).encode()
    _keep_charset(response, html)
    rest = csp.open_metas(html[place:], report_to) if report_to is not None else html[place:]
    response.headers.pop("content-encoding", None)
    response.content = html[:place] + tags + rest
    return None


def _keep_charset(response: http.Response, html: bytes) -> None:
    """Browsers look for a charset in the first 1024 bytes, where the script now stands: the header says it instead."""
    kind = response.headers.get("content-type", "")
    if "charset" in kind.lower() or html.startswith(b"\xef\xbb\xbf"):
        return
    if found := CHARSET.search(html[:1024]):
        response.headers["content-type"] = f"{kind.rstrip('; ')}; charset={found[1].decode('ascii')}"
