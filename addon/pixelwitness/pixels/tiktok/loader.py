"""What the loader's body discloses: how the pixel is set up. The body is a script; only values of known names are read.

The names stand in the rules. The script is never run: its JSON-like values are parsed where they stand, and what does
not parse is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from pixelwitness.mask import mask_text
from pixelwitness.pixels.vendor import Vendor

MAX_BODY = 2_000_000
MAX_PLACES = 60
MAX_REMEMBERED = 128 * 1024
"""Bytes of a script of which it is remembered what it discloses."""
WRITTEN = re.compile(
    r"""("(?:[^"\\]|\\.)*+")|'([^'"\\\n]*+)'|([:,\[]\s*)!([01])|([{,]\s*)([A-Za-z_$][\w$]*+)(?=\s*:)""", re.S
)
"""What a script writes otherwise than JSON does: texts in single quotes, `!0` and `!1`, names without quotes."""


def country(body: bytes | None, vendor: Vendor) -> str | None:
    """The country that the vendor derived from the visitor's address."""
    if not body or vendor.loader is None:
        return None
    return (_country_again if len(body) <= MAX_REMEMBERED else _country_in)(body, vendor.loader.country)


@lru_cache(16)
def _country_again(body: bytes, key: str) -> str | None:
    """Each page of a site loads the same script."""
    return _country_in(body, key)


def _country_in(body: bytes, key: str) -> str | None:
    return _country(body[:MAX_BODY].decode("utf-8", "replace"), key)


def _country(script: str, key: str) -> str | None:
    for value in _values(script, key):
        if isinstance(value, str) and re.fullmatch(r"[A-Za-z]{2}", value):
            return value.upper()
    return None


def settings(body: bytes, vendor: Vendor, asked: Sequence[str] = ()) -> tuple[dict[str, Any], ...]:
    """The settings of each pixel that a script names, as fields of PixelSettings from `code` on; not to be changed.

    `asked` are the codes of the request: the first is taken where the script sets a pixel up and does not name it.
    """
    return (_settings_again if len(body) <= MAX_REMEMBERED else _settings)(body, vendor, tuple(asked))


@lru_cache(16)
def _settings_again(body: bytes, vendor: Vendor, asked: tuple[str, ...]) -> tuple[dict[str, Any], ...]:
    return _settings(body, vendor, asked)


def _settings(body: bytes, vendor: Vendor, asked: tuple[str, ...]) -> tuple[dict[str, Any], ...]:
    script = body[:MAX_BODY].decode("utf-8", "replace")
    return tuple(_by_keys(script, vendor, asked)) or tuple(_by_calls(script, vendor, asked))


def _by_keys(script: str, vendor: Vendor, asked: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The loader since 2021: the settings stand in it as objects."""
    keys = vendor.loader
    if keys is None:
        return
    plugins = _first(script, keys.plugins, dict) or {}
    switched_off = plugins.get(keys.automatic_matching) is False
    known = any(_first(script, key, dict) is not None for key in (keys.manual_matching, keys.automatic_matching))
    codes = [v for v in _values(script, keys.code) if isinstance(v, str) and v] or list(asked[:1])
    if not codes or not (known or _first(script, keys.first_party_cookies, bool) is not None):
        return
    codes = list(dict.fromkeys(codes))
    cookies = _common(script, keys.first_party_cookies, bool, codes)
    manual = _common(script, keys.manual_matching, dict, codes)
    automatic = _common(script, keys.automatic_matching, dict, codes)
    for code in codes:
        yield {
            "code": code[:40],
            "name": _text(_near(script, code, keys.name)),
            "partner": _text(_near(script, code, keys.partner)),
            "setup_mode": _text(_near(script, code, keys.setup_mode)),
            "status": _text(_near(script, code, keys.status)),
            "first_party_cookies": cookies,
            "manual_matching": _switched_on(manual),
            "automatic_matching": () if switched_off else _switched_on(automatic),
            "plugins": tuple(sorted(str(k)[:40] for k, v in plugins.items() if v is True))[:50],
            "country": _country(script, keys.country),
        }


def _by_calls(script: str, vendor: Vendor, asked: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The configuration file of older loaders: the settings are handed to calls, each on the pixel it is of."""
    calls, keys = vendor.loader_calls, vendor.loader
    if calls is None or keys is None:
        return
    cookies = _argument(script, rf"\.{re.escape(calls.first_party_cookies)}\(", bool)
    told = re.compile(rf"\.{re.escape(calls.instance)}\(\s*([\"'])([^\"']{{0,40}})\1\s*\)\s*\.\s*")
    named = dict.fromkeys(found[2] for found in told.finditer(script))
    for code in list(named)[:MAX_PLACES]:
        own = rf"\.{re.escape(calls.instance)}\(\s*[\"']{re.escape(code)}[\"']\s*\)\s*\.\s*"
        flags = _argument(script, own + re.escape(calls.matching) + r"\(", dict)
        info = _argument(script, own + re.escape(calls.info) + r"\(", dict) or {}
        if flags is None or not (code or asked):
            continue
        automatic = {k: v for k, v in flags.items() if str(k).startswith(calls.automatic_prefix)}
        yield {
            "code": (code or asked[0])[:40],
            "name": _text(info.get(keys.name)),
            "partner": _text(info.get(keys.partner)),
            "setup_mode": _text(info.get(keys.setup_mode)),
            "status": _text(info.get(keys.status)),
            "first_party_cookies": cookies,
            "manual_matching": _switched_on({k: v for k, v in flags.items() if k not in automatic}),
            "automatic_matching": _switched_on(automatic),
        }


def _argument(script: str, call: str, kind: type) -> Any:
    """The first argument of a kind that a call is given; a test for the call (`x.f && x.f(1)`) gives it none."""
    values = (_value(script, found.end()) for found in re.finditer(call + r"\s*", script))
    return next((v for v in values if isinstance(v, kind)), None)


def _switched_on(fields: Any) -> tuple[str, ...] | None:
    """The names that are true in an object of flags; None where there is no such object."""
    return tuple(str(k)[:40] for k, v in fields.items() if v is True)[:20] if isinstance(fields, dict) else None


def _first(script: str, key: str, kind: type) -> Any:
    """The first value of a name that is of a kind: the same name may stand for a flag and for an object."""
    return next((v for v in _values(script, key, nulls=kind is dict) if isinstance(v, kind)), None)


def _common(script: str, key: str, kind: type, codes: list[str]) -> Any:
    """The first value of a name that is of a kind. Where several pixels are set up, only what all of them share.

    Which value is whose cannot be told from a script that is not run: a difference is "it does not say".
    """
    found = [v for v in _values(script, key, nulls=kind is dict) if isinstance(v, kind)]
    if len(codes) > 1 and (len(found) < len(codes) or any(v != found[0] for v in found)):
        return None
    return found[0] if found else None


def _values(script: str, key: str, *, nulls: bool = False) -> list[Any]:
    """The values of a name, as `"name": value`, `name:value`, `.name = value`, in order.

    `nulls`: a null is an object without any flag, as loaders write what is switched off.
    """
    found: list[Any] = []
    for place in re.finditer(rf"(?<![\w$])[\"']?{re.escape(key)}[\"']?\s*\]?\s*[:=]\s*(?!=)", script):
        if len(found) == MAX_PLACES:
            break
        value = _value(script, place.end())
        if value is None and nulls and re.compile(r"null\b").match(script, place.end()):
            value = {}
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
        text = WRITTEN.sub(_as_json, text)
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except (ValueError, RecursionError):
        return None  # a name or a call stands there: not a value that can be read


def _as_json(found: re.Match[str]) -> str:
    if found[1] is not None:
        return found[1]
    if found[2] is not None:
        return json.dumps(found[2])
    if found[4] is not None:
        return found[3] + ("true" if found[4] == "0" else "false")
    return f'{found[5]}"{found[6]}"'


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
