"""Cookiebot's cookie."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pixelwitness.consent.decoders.strings import tc
from pixelwitness.consent.decoders.values import moment, place, plain
from pixelwitness.consent.reading import Reading, answered, unanswered

FIELD = re.compile(r"[{,]\s*[\"']?(\w+)[\"']?\s*:\s*(?:'([^']*)'|\"([^\"]*)\"|([\w.-]+))")
CATEGORIES = ("preferences", "statistics", "marketing")


def cookiebot(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """CookieConsent: a JavaScript object literal with unquoted keys; `utc` is the answer's time.

    Parameter: `regions`, ISO codes of the regions that it writes in another way.
    """
    text = plain(value).strip().strip('"')
    if text in ("-1", "0"):
        return [unanswered(True)] if text == "-1" else [answered(False)]
    if not text.startswith("{"):
        return None
    fields = {m[1]: m[2] or m[3] or m[4] or "" for m in FIELD.finditer(text)}
    own = "stamp" in fields or ({"necessary", *CATEGORIES} <= set(fields) and '"' not in text)  # others write JSON
    if not own or "necessary" not in fields or fields.get("marketing") not in ("true", "false"):
        return None
    allowed = fields["marketing"] == "true"
    detail: dict[str, Any] = {"categories": {c: fields[c] == "true" for c in CATEGORIES if c in fields}}
    if "ver" in fields:
        detail["version"] = fields["ver"][:40]
    common: dict[str, Any] = {"region": place(fields.get("region"), params.get("regions")), "detail": detail}
    # A stamp of -1 and an implied method: a region where nobody is asked, or where going on counts as consent.
    if fields.get("stamp") == "-1" or fields.get("method") == "implied":
        return [unanswered(allowed, **common)]
    said = [answered(allowed, at=moment(fields.get("utc")), **common)]
    return said + (tc(fields["iab2"], jar, params) or []) if fields.get("iab2") else said
