"""Cookiebot's cookie."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pixelwitness.consent.decoders.strings import tc
from pixelwitness.consent.decoders.values import moment, plain
from pixelwitness.consent.reading import Reading, answered, unanswered


def cookiebot(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """CookieConsent: a JavaScript object literal with unquoted keys; `utc` is the answer's time."""
    text = plain(value).strip()
    if text == "-1":
        return [unanswered(True)]
    if text == "0":
        return [answered(False)]
    marketing = re.search(r"[{,]\s*\"?marketing\"?\s*:\s*(true|false)", text)
    if marketing is None or not re.search(r"[{,]\s*\"?necessary\"?\s*:", text):
        return None
    allowed = marketing[1] == "true"
    found = re.search(r"region:'([A-Za-z]{2}(?:-[A-Za-z0-9]{1,3})?)'", text)
    region = found[1].upper() if found else None
    if re.search(r"stamp:'-1'", text) or "method:'implied'" in text:
        return [unanswered(allowed, region=region)]
    stamp = re.search(r"utc:(\d{10,13})", text)
    detail = {
        "categories": {
            m[0]: m[1] == "true" for m in re.findall(r"(preferences|statistics|marketing):(true|false)", text)
        }
    }
    said = [answered(allowed, at=moment(stamp[1]) if stamp else None, region=region, detail=detail)]
    string = re.search(r"iab2:'([^']+)'", text)
    return said + (tc(string[1], jar, params) or []) if string else said
