"""Masks clear text of persons and secrets before anything is stored.

Everything that `identity.plaintext.find` would find is gone afterwards, in whatever encoding it stood; the encoding
stays, so that a masked URL is still a URL and masked base64 is base64 of the mask.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import lru_cache
from typing import Any

from pixelwitness.exchange import Headers
from pixelwitness.identity import plaintext
from pixelwitness.identity.layers import CODINGS, Coding, parse_json

MARKS = {"email": "[masked:email]", "phone": "[masked:phone]"}
EMAIL_MARK, PHONE_MARK = MARKS["email"], MARKS["phone"]
TEXT_MARK = "[masked:text]"
"""Instead of a whole text whose clear text could not be cut out of its encodings."""
SECRET_MARK = "[masked]"  # noqa: S105  a mark, not a secret
NEVER = frozenset(
    {"authorization", "proxy-authorization", "x-api-key", "api-key", "access-token", "x-access-token", "x-auth-token"}
    | {"x-csrf-token", "x-xsrf-token", "x-amz-security-token", "authentication-info", "proxy-authentication-info"}
)
PASSES = 3
MAX_CACHED = 2048


def mask_text(text: str, path: str = "") -> str:
    """The text with every clear e-mail address and telephone number replaced, also inside encodings. Idempotent.

    `path` names where the text stands: below a name that says telephone a bare number is one.
    """
    return _cached(text, path) if len(text) <= MAX_CACHED else _settled(text, path)


@lru_cache(4096)
def _cached(text: str, path: str) -> str:
    return _settled(text, path)


def _settled(text: str, path: str) -> str:
    """Masked until nothing changes: a mask can bring two halves together that were apart before."""
    for _ in range(PASSES):
        masked = _once(text, path, plaintext.MAX_DEPTH, 0)
        if masked == text:
            return text
        text = masked
    return TEXT_MARK if plaintext.find(text, path) or _once(text, path, plaintext.MAX_DEPTH, 0) != text else text


def _once(text: str, path: str, depth: int, nesting: int) -> str:
    parsed = parse_json(text) if depth > 0 else None
    if parsed is not None:
        masked = _json(parsed, path, depth - 1, nesting + 1)
        return text if masked == parsed else json.dumps(masked, ensure_ascii=False, separators=(",", ":"))
    text = _replace(text, path)
    if depth > 0:
        for coding in CODINGS:
            if coding.hint in text:
                text = _recoded(text, coding, path, depth, nesting)
    return text


def _replace(text: str, path: str) -> str:
    parts, done = [], 0
    for kind, start, end in plaintext.spans(text, path):
        parts += [text[done:start], MARKS[kind]]
        done = end
    return "".join((*parts, text[done:])) if parts else text


def _recoded(text: str, coding: Coding, path: str, depth: int, nesting: int) -> str:
    parts, done = [], 0
    for run in coding.runs.finditer(text):
        inner = coding.undo(run[0])
        if inner is None:
            continue
        masked = _once(inner, path, depth - 1, nesting)
        if masked != inner:
            parts += [text[done : run.start()], coding.redo(masked, run[0])]
            done = run.end()
    return "".join((*parts, text[done:])) if parts else text


def mask_json(value: Any, path: str = "") -> Any:
    """A JSON-like value with every string and key in it masked; a number under a name that says telephone too."""
    return _json(value, path, None, 0)


def _json(value: Any, path: str, depth: int | None, nesting: int) -> Any:
    """`depth` None: each string may be as deep in encodings as a text of its own."""
    if isinstance(value, dict | list | tuple) and nesting > plaintext.MAX_NESTING:
        return "[nested too deeply]"
    if isinstance(value, dict):
        made: dict[str, Any] = {}
        for key, child in value.items():
            name = _string(str(key), "", depth, nesting)
            while name in made:
                name += "'"  # two addresses as keys: both values are kept
            made[name] = _json(child, f"{path}.{key}" if path else str(key), depth, nesting + 1)
        return made
    if isinstance(value, list | tuple):
        return [_json(child, f"{path}[{i}]", depth, nesting + 1) for i, child in enumerate(value)]
    if isinstance(value, str):
        return _string(value, path, depth, nesting)
    if isinstance(value, int) and not isinstance(value, bool) and plaintext.is_phone_name(path):
        return PHONE_MARK if value.bit_length() <= 64 and plaintext.is_bare_phone(str(value)) else value
    return value


def _string(text: str, path: str, depth: int | None, nesting: int) -> str:
    return mask_text(text, path if plaintext.is_phone_name(path) else "") if depth is None else _once(
        text, path, depth, nesting
    )  # fmt: skip


def mask_body(body: bytes) -> bytes:
    """A body with clear text masked, byte for byte as it was where there is none. One that is not text is replaced
    by its length."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return f"[{len(body)} bytes that are not text]".encode()
    masked = mask_text(text)
    return body if masked == text else masked.encode("utf-8", "replace")


def mask_headers(headers: Headers, keep: Collection[str] = (), *, plain: bool = False) -> Headers:
    """Header fields as they may be stored: no credentials, no cookie values but those of the names in `keep`.

    `plain` leaves clear text in the other fields; credentials and cookies go in any case.
    """
    rows = []
    for name, value in headers:
        lower = name.lower()
        if lower in NEVER:
            value = SECRET_MARK
        elif lower in ("cookie", "cookie2"):
            value = "; ".join(_cookie(pair.strip(), keep) for pair in value.split(";"))
        elif lower in ("set-cookie", "set-cookie2"):
            first, semicolon, rest = value.partition(";")
            value = _cookie(first.strip(), keep) + semicolon + rest
        elif not plain:
            value = mask_text(value)
        rows.append((name, value))
    return tuple(rows)


def _cookie(pair: str, keep: Collection[str]) -> str:
    """One cookie; without an equals sign all of it is a value (RFC 6265bis 5.6)."""
    name, equals, value = pair.partition("=")
    if not equals:
        return SECRET_MARK if name else ""
    kept = mask_text(value, name if plaintext.is_phone_name(name) else "") if name in keep else SECRET_MARK
    return f"{mask_text(name)}={kept}"
