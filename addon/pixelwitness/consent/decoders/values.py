"""Consent values as CMPs write them: percent-encoding, JSON, base64, times, yes and no."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any
from urllib.parse import unquote

from pixelwitness.exchange import from_iso

MAX_BRACKETS = 2_000
YES = frozenset({"true", "1", "yes", "y", "on", "allow", "allowed", "accept", "accepted", "granted", "grant", "opt_in"})
NO = frozenset({"false", "0", "no", "n", "off", "deny", "denied", "reject", "rejected", "revoked", "opt_out"})


def plain(value: str, rounds: int = 3) -> str:
    """Percent-decoding, repeated while it changes something: `+` is data."""
    for _ in range(rounds):
        if "%" not in value or (decoded := unquote(value)) == value:
            break
        value = decoded
    return value


def json_of(value: str) -> Any:
    """What a value holds as JSON, percent-encoded, quoted or in base64 as it may be. None: it is no JSON."""
    text = plain(value).strip()
    for _ in range(2):
        if text[:1] not in ('"', "'") or text[-1:] != text[:1] or len(text) < 2:
            break
        text = text[1:-1].replace('\\"', '"') if text[0] == "'" or not (inner := _loads(text)) else str(inner)
    if text[:1] in ("{", "["):
        return _loads(text) if text.count("{") + text.count("[") <= MAX_BRACKETS else None
    return base64_json(text)


def base64_json(value: str) -> Any:
    """JSON in base64: either alphabet, with or without padding, percent-encoded before or after."""
    bare = re.sub(r"\s", "+", plain(value).strip()).rstrip("=")
    if len(bare) < 2 or not re.fullmatch(r"[A-Za-z0-9+/_-]+", bare):
        return None
    try:
        raw = base64.b64decode(bare.translate(str.maketrans("-_", "+/")) + "=" * (-len(bare) % 4), validate=True)
        text = plain(raw.decode()).strip()
    except (binascii.Error, ValueError):
        return None
    return _loads(text) if text[:1] in ("{", "[") and text.count("{") + text.count("[") <= MAX_BRACKETS else None


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def dig(value: Any, path: str) -> Any:
    """What stands at a dotted path, through JSON that stands as text inside JSON; None where nothing does."""
    for step in path.split("."):
        if isinstance(value, str):
            value = json_of(value)
        value = value.get(step) if isinstance(value, dict) else None
    return value


def word(value: Any) -> str:
    """A scalar as the word that rules write: `true`, `1`, `allow`. Anything else: nothing."""
    if value is None or isinstance(value, dict | list):
        return ""
    return str(value).strip().lower()


def truth(value: Any) -> bool | None:
    """Yes or no in any of the ways in which CMPs write it; None for anything else."""
    said = word(value)
    return True if said in YES else False if said in NO else None


def moment(value: Any) -> int | None:
    """A time as CMPs write it, in milliseconds: ISO 8601 with a zone, or Unix seconds, or milliseconds."""
    if isinstance(value, str) and value.isdigit() and value.isascii():
        value = int(value[:20])
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value if value > 10**11 else value * 1000) if 10**9 < value < 10**14 else None
    if isinstance(value, str):
        try:
            return from_iso(value[:40])
        except (ValueError, OverflowError):
            return None
    return None


def place(value: Any, codes: dict[str, str] | None = None) -> str | None:
    """A region as ISO 3166 (`DE`, `US-CA`): from `de`, `us-06` (by `codes`), `USCA`, `CA#US`. Else None."""
    text = word(value).upper().replace("_", "-")
    text = "-".join(reversed(text.split("#"))) if "#" in text else text
    text = (codes or {}).get(text.lower(), text)
    if found := re.fullmatch(r"([A-Z]{2})-?([A-Z0-9]{1,3})?", text):
        return f"{found[1]}-{found[2]}" if found[2] else found[1]
    return None


def fold(name: str) -> str:
    """A name without case and separators: `Google_Ads` and `google-ads` are one."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def tokens(name: str) -> list[str]:
    """The words of a name in lower case: `marketingAndAnalytics`, `cookie_cat_marketing`."""
    return re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
