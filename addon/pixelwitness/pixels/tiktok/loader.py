"""What the loader's body discloses: how the pixel is set up. The body is a script; only values of known names are read.

The names stand in the rules. The script is never run: its JSON-like values are parsed where they stand, and what does
not parse is left out.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pixelwitness.mask import mask_text
from pixelwitness.observations import Hit, PixelSettings
from pixelwitness.pixels.vendor import Vendor

MAX_BODY = 2_000_000
MAX_PLACES = 20


def country(body: bytes | None, vendor: Vendor) -> str | None:
    """The country that the vendor derived from the visitor's address."""
    if not body or vendor.loader is None:
        return None
    for value in _values(body[:MAX_BODY].decode("utf-8", "replace"), vendor.loader.country):
        if isinstance(value, str) and re.fullmatch(r"[A-Za-z]{2}", value):
            return value.upper()
    return None


def settings(hit: Hit, body: bytes, vendor: Vendor) -> tuple[PixelSettings, ...]:
    """The settings of each pixel that a loader's body names; the one asked for where it names none but sets some."""
    keys = vendor.loader
    if keys is None:
        return ()
    script = body[:MAX_BODY].decode("utf-8", "replace")
    plugins = _first(script, keys.plugins, dict) or {}
    manual = _first(script, keys.manual_matching, dict)
    automatic = _first(script, keys.automatic_matching, dict)
    switched_off = plugins.get(keys.automatic_matching) is False
    codes = [v for v in _values(script, keys.code) if isinstance(v, str) and v] or list(hit.pixel_codes[:1])
    if not codes or (manual is None and automatic is None and not _knows(script, keys.first_party_cookies)):
        return ()
    codes = list(dict.fromkeys(codes))
    cookies = _common(script, keys.first_party_cookies, bool, codes)
    manual = _common(script, keys.manual_matching, dict, codes)
    automatic = _common(script, keys.automatic_matching, dict, codes)
    return tuple(
        PixelSettings(
            id=f"{hit.exchange_id}.{code[:40]}",
            client=hit.client,
            at=hit.occurred_at,
            vendor=vendor.id,
            code=code[:40],
            hit_id=hit.id,
            name=_text(_near(script, code, keys.name)),
            partner=_text(_near(script, code, keys.partner)),
            setup_mode=_text(_near(script, code, keys.setup_mode)),
            status=_text(_near(script, code, keys.status)),
            first_party_cookies=cookies if isinstance(cookies, bool) else None,
            manual_matching=_switched_on(manual),
            automatic_matching=() if switched_off else _switched_on(automatic),
            plugins=tuple(sorted(str(k)[:40] for k, v in plugins.items() if v is True))[:50],
            country=country(body, vendor),
        )
        for code in codes
    )


def _knows(script: str, key: str) -> bool:
    return next(iter(_values(script, key)), None) is not None


def _switched_on(fields: Any) -> tuple[str, ...] | None:
    """The names that are true in an object of flags; None where there is no such object."""
    return tuple(str(k)[:40] for k, v in fields.items() if v is True)[:20] if isinstance(fields, dict) else None


def _first(script: str, key: str, kind: type) -> Any:
    """The first value of a name that is of a kind: the same name may stand for a flag and for an object."""
    return next((v for v in _values(script, key) if isinstance(v, kind)), None)


def _common(script: str, key: str, kind: type, codes: list[str]) -> Any:
    """The first value of a name that is of a kind. Where several pixels are set up, only what all of them share.

    Which value is whose cannot be told from a script that is not run: a difference is "it does not say".
    """
    found = [v for v in _values(script, key) if isinstance(v, kind)]
    if len(codes) > 1 and (len(found) < len(codes) or any(v != found[0] for v in found)):
        return None
    return found[0] if found else None


def _values(script: str, key: str) -> list[Any]:
    """The values of a name, as `"name": value`, `name:value`, `.name = value`, in order."""
    found: list[Any] = []
    for place in re.finditer(rf"(?<![\w$])[\"']?{re.escape(key)}[\"']?\s*\]?\s*[:=]\s*(?!=)", script):
        if len(found) == MAX_PLACES:
            break
        value = _value(script, place.end())
        if value is not None:
            found.append(value)
    return found


def _value(script: str, at: int) -> Any:
    """The JSON value at a place of a script; minifiers write `!0` and `!1`, and quote with one tick."""
    start = script[at : at + 2]
    if start in ("!0", "!1"):
        return start == "!0"
    if start[:1] == "'":
        end = script.find("'", at + 1, at + 500)
        return script[at + 1 : end] if end > 0 else None
    text = script[at : at + 20_000] if start[:1] == "{" else script[at : at + 500]
    if start[:1] == "{":
        text = re.sub(r"(?<=[:,])\s*!([01])", lambda m: "true" if m[1] == "0" else "false", text)
        text = re.sub(r"([{,]\s*)([A-Za-z_$][\w$]*)(\s*:)", r'\1"\2"\3', text)
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except (ValueError, RecursionError):
        return None  # a name or a call stands there: not a value that can be read


def _near(script: str, code: str, key: str) -> Any:
    """The value of a name that is common elsewhere too: taken only from just beside the pixel's code."""
    at = script.find(code)
    while at >= 0:
        around = script[max(0, at - 40) : at + 1_500]
        opening = script.rfind("{", max(0, at - 1_000), at)
        if opening >= 0:
            around = script[opening : at + 1_500]
            closing = around.find("}", at - opening)
            around = around[: closing + 1] if closing > 0 else around
        found = _values(around, key)
        if found:
            return found[0]
        at = script.find(code, at + 1)
    return None


def _text(value: Any) -> str | None:
    if isinstance(value, bool) or value is None or isinstance(value, dict | list):
        return None
    return mask_text(str(value))[:200] or None
