"""Gets the JSON message out of a request, whatever carries it. Content types say nothing: everything is tried."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from pixelwitness.exchange import Exchange

MAX_JSON = 16 * 1024 * 1024
MAX_DEPTH = 200
MAX_ENVELOPE = 20
OWN_KEYS = frozenset({"context", "event", "action", "metric_name", "batch"})
"""Keys at the top of every message, batch and telemetry of TikTok's clients; without any a body is an envelope."""
PARAMETER = "analytics_message"
"""The only query parameter of the image transport (TikTok's client 2.2.1, recorded)."""


def message(exchange: Exchange) -> Any:
    """The decoded message (an object or a list), or None where nothing in the request is one."""
    query = _parameter(exchange.parts.query)
    if query is not None:
        return query
    body = exchange.body
    if not body:
        return None
    parsed = parse(body)
    if parsed is not None:
        return _unwrapped(parsed)
    coded = _decoded(body.strip().decode("latin-1")) if len(body) <= MAX_JSON else None
    if coded is not None:
        return coded
    return _form(body) or _multipart(exchange, body)


def _unwrapped(value: Any) -> Any:
    """The message inside an envelope of somebody's own (a relay's `{"data": "<message>"}`), or the value."""
    if not isinstance(value, dict) or len(value) > MAX_ENVELOPE or OWN_KEYS.intersection(value):
        return value
    for inner in value.values():
        found = parse(inner.encode("utf-8", "replace")) or _decoded(inner) if isinstance(inner, str) else inner
        if isinstance(found, dict) and OWN_KEYS.intersection(found):
            return found
    return value


def parse(raw: bytes) -> Any:
    """JSON as an object or list; None for anything else, too deep, or too large."""
    text = raw.strip()
    if text.startswith(b"\xef\xbb\xbf"):
        text = text[3:]
    if text[:1] not in (b"{", b"[") or len(text) > MAX_JSON or _deep(text):
        return None
    try:
        value = json.loads(
            text.decode("utf-8", "replace"), parse_int=_integer, parse_float=_fraction, parse_constant=str
        )
    except (ValueError, RecursionError):
        return None
    if b"\\ud" in text.lower():
        value = _without_surrogates(value)
    return value if isinstance(value, dict | list) else None


def _without_surrogates(value: Any) -> Any:
    """JSON may escape half a character, which no database and no terminal can take."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_without_surrogates(v) for v in value]
    if isinstance(value, dict):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    return value


def _integer(digits: str) -> Any:
    return int(digits) if len(digits) <= 40 else digits


def _fraction(digits: str) -> Any:
    """Beyond the range of a double the text itself is kept."""
    value = float(digits)
    return value if math.isfinite(value) else digits[:400]


def _deep(text: bytes) -> bool:
    """A cheap upper bound on nesting, before the parser is let near it."""
    if text.count(b"{") + text.count(b"[") <= MAX_DEPTH:
        return False
    depth = 0
    for token in re.finditer(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', text):
        first = token[0][:1]
        if first in (b"{", b"["):
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif first in (b"}", b"]"):
            depth -= 1
    return False


def _parameter(query: str) -> Any:
    if PARAMETER not in query:
        return None
    for pair in query.split("&")[:100]:
        name, _, value = pair.partition("=")
        if name == PARAMETER and value:
            raw = unquote_to_bytes(value)
            return parse(raw) or _decoded(raw.decode("latin-1"))
    return None


def _decoded(text: str) -> Any:
    """Base64 or base64url, padded or not, of JSON."""
    bare = text.replace(" ", "+").rstrip("=")
    if len(bare) < 4 or not re.fullmatch(r"[A-Za-z0-9+/_-]+", bare):
        return parse(text.encode("utf-8", "replace"))
    try:
        raw = base64.b64decode(bare.translate(str.maketrans("-_", "+/")) + "=" * (-len(bare) % 4))
    except (binascii.Error, ValueError):
        return None
    return parse(raw)


def _form(body: bytes) -> Any:
    if b"=" not in body[:2048] or len(body) > MAX_JSON:
        return None
    try:
        pairs = parse_qsl(body.decode("utf-8", "replace"), max_num_fields=200)
    except ValueError:
        return None
    for _, value in pairs:
        found = parse(value.encode("utf-8", "replace")) or _decoded(value)
        if found is not None:
            return found
    return None


def _multipart(exchange: Exchange, body: bytes) -> Any:
    if "multipart/" not in exchange.fields.get("content-type", ""):
        return None
    for part in body.split(b"\r\n\r\n")[1:50]:
        found = parse(part.rpartition(b"\r\n--")[0] or part)
        if found is not None:
            return found
    return None
