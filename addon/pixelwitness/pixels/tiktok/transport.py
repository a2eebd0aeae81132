"""Gets the JSON message out of a request, whatever carries it. Content types say nothing: everything is tried."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from pixelwitness.exchange import Exchange
from pixelwitness.pixels.tiktok.jsontext import MAX_JSON, Parsed, parse, parse_forgiving
from pixelwitness.sources.content import decode as unpack

MAX_ENVELOPE = 20
MAX_FIELDS = 200
MIN_MESSAGE = 40
"""Characters of the shortest parameter that is tried as a message under another name."""
OWN_KEYS = frozenset({"context", "event", "action", "metric_name", "batch", "event_source"})
"""Keys at the top of every message, batch and telemetry of TikTok's clients; without any a body is an envelope."""
PARAMETER = "analytics_message"
"""The only query parameter of the image transport (TikTok's client 2.2.1, recorded)."""
PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\x78\x9c": "deflate", b"\x78\xda": "deflate"}
"""First bytes of packed bodies, for recorders that lost the Content-Encoding."""
FORM = re.compile(r"[\w.\[\]%$-]{1,100}=[^&\s]*(?:&[\w.\[\]%$-]{1,100}=[^&\s]*)*")


def message(exchange: Exchange) -> Parsed | None:
    """The decoded message (an object or a list), or None where nothing in the request is one."""
    query = _parameter(exchange.parts.query)
    if query is not None:
        return Parsed(query)
    body = _unpacked(exchange.body or b"")
    parsed = parse_forgiving(body)
    if parsed is not None:
        return Parsed(_unwrapped(parsed.value), parsed.flaw)
    coded = _decoded(body.strip().decode("latin-1")) if len(body) <= MAX_JSON else None
    found = coded or _form(body) or _multipart(exchange, body)
    return Parsed(found) if found is not None else None


def flat(exchange: Exchange) -> dict[str, Any] | None:
    """The fields of a form or a query as a message, for hand-made images and forms that carry no JSON at all."""
    text = exchange.parts.query if exchange.method == "GET" else _form_text(exchange.body or b"")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return None  # so many fields are no message of a pixel
    made: dict[str, Any] = {}
    for name, value in pairs:
        _put(made, [step for step in re.split(r"[.\[\]]+", name) if step][:10] or [name], value)
    return made or None


def _put(into: dict[str, Any], steps: list[str], value: str) -> None:
    """`a.b` and `a[b]` are objects; what cannot be put there keeps its whole name."""
    place = into
    for step in steps[:-1]:
        inner = place.setdefault(step, {})
        if not isinstance(inner, dict):
            place, steps = into, [".".join(steps)]
            break
        place = inner
    name = steps[-1]
    while name in place:
        name += "'"
    place[name] = value


def _form_text(body: bytes) -> str:
    text = body[: 1 << 20].decode("utf-8", "replace").strip()
    return text if FORM.fullmatch(text) else ""


def _unpacked(body: bytes) -> bytes:
    name = next((name for magic, name in PACKED.items() if body.startswith(magic)), None)
    if name is None:
        return body
    undone, state = unpack(body, name)
    return undone if undone is not None and state == "complete" else body


def _unwrapped(value: Any) -> Any:
    """The message inside an envelope of somebody's own (a relay's `{"data": "<message>"}`), or the value."""
    if not isinstance(value, dict) or len(value) > MAX_ENVELOPE or OWN_KEYS.intersection(value):
        return value
    for inner in value.values():
        found = parse(inner.encode("utf-8", "replace")) or _decoded(inner) if isinstance(inner, str) else inner
        if isinstance(found, dict) and OWN_KEYS.intersection(found):
            return found
    return value


def _parameter(query: str) -> Any:
    """The message in a query: in the parameter that the client uses, else in any (a relay's own name for it)."""
    pairs = [pair.partition("=") for pair in query.split("&")[:100]] if "=" in query else []
    for name, _, value in sorted(pairs, key=lambda pair: pair[0] != PARAMETER):
        found = _value(value) if len(value) >= MIN_MESSAGE or name == PARAMETER else None
        if found is not None and (name == PARAMETER or (isinstance(found, dict) and OWN_KEYS.intersection(found))):
            return found
    return None


def _value(value: str) -> Any:
    raw = value.encode("utf-8", "replace")
    # Relays encode what was encoded already; a message never contains a percent sign in base64.
    for _ in range(3):
        raw = unquote_to_bytes(raw)
        found = parse(raw) or _decoded(raw.decode("latin-1"))
        if found is not None:
            return found
    return None


def _decoded(text: str) -> Any:
    """Base64 or base64url, padded or not, of JSON, packed or not."""
    bare = re.sub(r"[\r\n]", "", text).replace(" ", "+").rstrip("=")
    if len(bare) < 4 or not re.fullmatch(r"[A-Za-z0-9+/_-]+", bare):
        return parse(text.encode("utf-8", "replace"))
    try:
        raw = base64.b64decode(bare.translate(str.maketrans("-_", "+/")) + "=" * (-len(bare) % 4))
    except (binascii.Error, ValueError):
        return None
    return parse(_unpacked(raw))


def _form(body: bytes) -> Any:
    if b"=" not in body[:2048] or len(body) > MAX_JSON:
        return None
    try:
        pairs = parse_qsl(body.decode("utf-8", "replace"), max_num_fields=MAX_FIELDS)
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
    for part in re.split(rb"\r?\n\r?\n", body)[1:50]:
        content = re.split(rb"\r?\n--", part)[0]
        found = parse(content) or (_decoded(content.decode("latin-1")) if len(content) <= MAX_JSON else None)
        if found is not None:
            return found
    return None
