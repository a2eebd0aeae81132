"""Gets the JSON message out of a request, whatever carries it. Content types say nothing: everything is tried."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from pixelwitness.exchange import Exchange
from pixelwitness.pixels.tiktok.jsontext import MAX_JSON, Parsed, parse, parse_forgiving
from pixelwitness.sources.content import decode as unpack

MAX_ENVELOPE = 20
MAX_ENVELOPES = 3
"""Envelopes inside each other."""
MAX_PARTS = 50
MAX_FIELDS = 200
MIN_MESSAGE = 40
"""Characters of the shortest parameter that is tried as a message under another name."""
OWN_KEYS = frozenset({"context", "event", "action", "metric_name", "batch", "event_source"})
"""Keys at the top of every message, batch and telemetry of TikTok's clients; without any a body is an envelope."""
PARAMETER = "analytics_message"
"""The only query parameter of the image transport (TikTok's client 2.2.1, recorded)."""
BATCHES = frozenset({"batch", "data"})
"""Names under which TikTok's own clients and interfaces send several messages."""
PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"} | dict.fromkeys(
    (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"), "deflate"
)
"""First bytes of packed bodies, for recorders that lost the Content-Encoding."""
FORM = re.compile(r"[\w.\[\]%$-]{1,100}=[^&\s]*(?:&[\w.\[\]%$-]{1,100}=[^&\s]*)*")


def message(exchange: Exchange) -> Parsed | None:
    """The decoded message (an object or a list), or None where nothing in the request is one."""
    query = _parameter(exchange.parts.query)
    if query is not None:
        return Parsed(query)
    body = _unpacked(exchange.body or b"")
    return _in_body(body, exchange) or _percent_encoded(body, exchange) or _packed_without_a_mark(body, exchange)


def _in_body(body: bytes, exchange: Exchange) -> Parsed | None:
    parsed = parse_forgiving(body)
    if parsed is not None:
        value, around = _unwrapped(parsed.value)
        return Parsed(value, parsed.flaw, around)
    text = body.strip() if len(body) <= MAX_JSON else b""
    coded = _decoded(_unquoted(text))
    return Parsed(coded) if coded is not None else _form(body) or _multipart(exchange, body)


def _unquoted(text: bytes) -> str:
    """A text, or the text in a JSON string: messages are written as JSON twice."""
    if text[:1] == b'"':
        try:
            inner = json.loads(text)
        except ValueError:
            inner = None  # it only begins like one
        if isinstance(inner, str):
            return inner.strip()
    return text.decode("latin-1")


def _percent_encoded(body: bytes, exchange: Exchange) -> Parsed | None:
    """A body that is percent-encoded as a whole."""
    if body[:3].lower() not in (b"%7b", b"%5b") or len(body) > MAX_JSON:
        return None
    return _in_body(unquote_to_bytes(body), exchange)


def _packed_without_a_mark(body: bytes, exchange: Exchange) -> Parsed | None:
    """Brotli and bare deflate have no first bytes to be known by: they are tried on what is no text."""
    if not body or len(body) > MAX_JSON or _is_text(body[:1024]):
        return None
    for name in ("deflate", "br"):
        undone, state = unpack(body, name)
        found = _in_body(undone, exchange) if undone and state == "complete" else None
        if found is not None:
            return found
    return None


def _is_text(start: bytes) -> bool:
    return not any(byte < 9 or 13 < byte < 32 for byte in start) and b"\xff" not in start and start.isascii()


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


def _unwrapped(value: Any, depth: int = 0) -> tuple[Any, Any]:
    """The message inside an envelope of somebody's own (a relay's `{"data": "<message>"}`), and what else was in it."""
    if not isinstance(value, dict) or len(value) > MAX_ENVELOPE or OWN_KEYS.intersection(value):
        return value, None
    for name, inner in value.items():
        found = parse(inner.encode("utf-8", "replace")) or _decoded(inner) if isinstance(inner, str) else inner
        if isinstance(found, list) and found and all(isinstance(one, dict) for one in found):
            found = {"batch": found} if OWN_KEYS.intersection(found[0]) and name not in BATCHES else found
        deeper = depth < MAX_ENVELOPES and isinstance(found, dict) and not OWN_KEYS.intersection(found)
        inside, beside = _unwrapped(found, depth + 1) if deeper else (found, None)
        if isinstance(inside, dict) and OWN_KEYS.intersection(inside):
            around = {k: v for k, v in value.items() if k != name}
            return inside, {**around, **({name: beside} if beside else {})} or None
    return value, None


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


def _form(body: bytes) -> Parsed | None:
    if b"=" not in body[:2048] or len(body) > MAX_JSON:
        return None
    try:
        pairs = parse_qsl(body.decode("utf-8", "replace"), max_num_fields=MAX_FIELDS)
    except ValueError:
        return None
    return _one_of(pairs)


def _one_of(fields: list[tuple[str, str]]) -> Parsed | None:
    """The first field that holds a message, with the others around it."""
    for i, (_, value) in enumerate(fields):
        found = parse(value.encode("utf-8", "replace")) or _decoded(value)
        if found is not None:
            others = [list(pair) for pair in (*fields[:i], *fields[i + 1 :])]
            return Parsed(found, around=_named(others))
    return None


def _named(pairs: list[list[str]]) -> dict[str, Any] | None:
    made: dict[str, Any] = {}
    for name, value in pairs:
        _put(made, [name], value)
    return made or None


def _multipart(exchange: Exchange, body: bytes) -> Parsed | None:
    if "multipart/" not in exchange.fields.get("content-type", "") and not re.match(rb"--[^\r\n]{1,72}\r?\n", body):
        return None
    fields: list[tuple[str, str]] = []
    for part in re.split(rb"(?:\A|\r?\n)--", body)[:MAX_PARTS]:
        head_end = re.search(rb"\r?\n\r?\n", part)
        if head_end is not None and len(part) <= MAX_JSON:
            name = re.search(rb'name="([^"]{0,100})"', part[: head_end.start()])
            content = part[head_end.end() :].decode("utf-8", "replace")
            fields.append((name[1].decode("utf-8", "replace") if name else "part", content))
    return _one_of(fields)
