"""CMPs that ask for each service: one yes or no a service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pixelwitness.consent.decoders.values import json_of, plain
from pixelwitness.consent.reading import Reading, answered, unanswered


def services(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """One yes or no a service: JSON (`{"tiktok": true}`) or `!tiktok=true!...`. Consent to others is none to TikTok."""
    fields = _service_flags(value)
    if fields is None:
        return None
    lists = params["lists"]
    own = [v for k, v in fields.items() if any(w in k for w in lists["tiktok"])]
    if None in own or (None in fields.values() and not own):
        return [unanswered()]
    if own:
        return [answered(all(own), "vendor")]
    category = [v for k, v in fields.items() if k in lists["category"]]
    advertising = [v for k, v in fields.items() if any(w in k for w in lists["advertising"])]
    if category and all(category):
        return [answered(True)]
    if (category or advertising) and not any((*category, *advertising)):
        return [answered(False)]
    return [Reading(None, "advertising", "vendor_not_named", True)]


def _service_flags(value: str) -> dict[str, bool | None] | None:
    text = plain(value)
    if text.startswith("!"):
        words = {"true": True, "false": False, "wait": None}
        parts = [p.partition("=") for p in text.split("!")[1:500]]
        return {k.lower(): words[v] for k, _, v in parts if v in words} or None
    parsed = json_of(value)
    if not isinstance(parsed, dict) or not parsed:
        return None
    flags: dict[str, bool | None] = {
        str(k).lower(): bool(v) for k, v in parsed.items() if isinstance(v, bool) or v in (0, 1)
    }
    return flags if flags and len(flags) == len(parsed) else None
