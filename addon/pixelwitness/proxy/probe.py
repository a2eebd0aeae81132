"""The probe's script, made from the rules, and the add-on's answer to its reports."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path

from mitmproxy import http

from pixelwitness.consent.probe import PATH
from pixelwitness.rulebook import Rulebook

BEAT_MS = 8000
"""Below the time for which "nobody has answered" holds after its last sighting."""


def is_report(request: http.Request) -> bool:
    """Whether a request is a report of the probe: answered here, never sent on."""
    return request.method == "POST" and request.path == PATH


def answer() -> http.Response:
    """The answer to a report."""
    return http.Response.make(204, b"", {"Cache-Control": "no-store"})


def address(request: http.Request) -> str:
    """Where a page reports to, as a CSP source."""
    default = {"http": 80, "https": 443}.get(request.scheme)
    port = "" if request.port == default else f":{request.port}"
    return f"{request.scheme}://{request.pretty_host}{port}{PATH}"


@lru_cache(8)
def script(book: Rulebook) -> str:
    """The script with the names of all consent cookies and stores that the rules know."""
    cookies = [c for rule in book.consent for c in rule.cookies]
    stores = [s for rule in book.probe for s in rule.storage]
    config = {
        "path": PATH,
        "beat": BEAT_MS,
        "names": sorted({c.name for c in cookies if c.name} | {"OptanonAlertBoxClosed"}),
        "patterns": [_javascript(c.pattern) for c in cookies if c.pattern],
        "storage": [s.pattern if s.pattern else re.escape(s.name or "") for s in stores],
    }
    code = Path(__file__).with_name("probe.js").read_text(encoding="utf-8").strip()
    # Nothing in a script may look like its end.
    given = json.dumps(config).replace("<", "\\u003c")
    return f"{code}({given});"


def _javascript(pattern: str) -> dict[str, str]:
    ignore = pattern.startswith("(?i)")
    return {"source": pattern.removeprefix("(?i)"), "flags": "i" if ignore else ""}
