"""Consent values as CMPs write them: percent-encoding, JSON, base64, times, words."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any
from urllib.parse import unquote

from pixelwitness.exchange import from_iso


def plain(value: str, rounds: int = 3) -> str:
    """Percent-decoding, repeated while it changes something: `+` is data."""
    for _ in range(rounds):
        if "%" not in value or (decoded := unquote(value)) == value:
            break
        value = decoded
    return value


def json_of(value: str) -> Any:
    text = plain(value).strip()
    if text[:1] not in '{["' or text.count("{") + text.count("[") > 2_000:
        return None
    try:
        parsed = json.loads(text)
        return json.loads(parsed) if isinstance(parsed, str) else parsed
    except (ValueError, RecursionError):
        return None


def base64_json(value: str) -> Any:
    bare = plain(value).strip().rstrip("=")
    try:
        raw = base64.b64decode(bare.translate(str.maketrans("-_", "+/")) + "=" * (-len(bare) % 4), validate=True)
        return json.loads(raw)
    except (binascii.Error, ValueError, RecursionError):
        return None


def dig(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def word(value: Any) -> str:
    return (
        {True: "true", False: "false", None: ""}.get(value, str(value)).lower() if not isinstance(value, dict) else ""
    )


def moment(value: Any) -> int | None:
    """A time as CMPs write it: ISO 8601, or Unix seconds, or milliseconds."""
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value if value > 10**11 else value * 1000) if 10**9 < value < 10**14 else None
    if isinstance(value, str):
        try:
            return from_iso(value[:40])
        except ValueError:
            return None
    return None
