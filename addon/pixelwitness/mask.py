"""Masks clear text of persons and secrets before anything is stored."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection
from typing import Any
from urllib.parse import quote, unquote

from pixelwitness.exchange import Headers
from pixelwitness.identity import plaintext

EMAIL_MARK = "[masked:email]"
PHONE_MARK = "[masked:phone]"
SECRET_MARK = "[masked]"  # noqa: S105  a mark, not a secret
NEVER = frozenset({"authorization", "proxy-authorization", "x-api-key", "access-token", "x-csrf-token"})
PERCENT_TOKEN = re.compile(r"[^\s&=?#\"'<>/;,{}\[\]\\]*%[^\s&=?#\"'<>/;,{}\[\]\\]*")
MAX_DEPTH = 4


def mask_text(text: str, depth: int = 0) -> str:
    """The text with every clear e-mail address and telephone number replaced, also inside encodings. Idempotent."""
    text = _replace(text)
    if depth >= MAX_DEPTH:
        return text
    if "%" in text:
        text = PERCENT_TOKEN.sub(lambda m: _recoded(m[0], unquote, _quoted, depth), text)
    if text[:1] in '{["' and (parsed := plaintext.parse_json(text)) is not None:
        masked = mask_json(parsed, depth + 1)
        if masked != parsed:
            text = json.dumps(masked, ensure_ascii=False, separators=(",", ":"))
    if plaintext.ENTITY.search(text) and plaintext.find(text, ""):
        import html

        text = _replace(html.unescape(text))
    return plaintext.BASE64.sub(lambda m: _base64(m[0], depth), text)


def _replace(text: str) -> str:
    for found in reversed(list(plaintext.emails(text))):
        text = text[: found.start()] + EMAIL_MARK + text[found.end() :]
    for found in sorted(plaintext.phones(text), key=lambda m: -m.start()):
        text = text[: found.start()] + PHONE_MARK + text[found.end() :]
    return text


def _quoted(text: str) -> str:
    return quote(text, safe="[]:")


def _recoded(token: str, undo: Any, redo: Any, depth: int) -> str:
    plain = undo(token)
    if plain == token:
        return token
    masked = mask_text(plain, depth + 1)
    return redo(masked) if masked != plain else token


def _base64(token: str, depth: int) -> str:
    plain = plaintext.parse_base64(token)
    if plain is None:
        return token
    masked = mask_text(plain, depth + 1)
    if masked == plain:
        return token
    coded = base64.b64encode(masked.encode()).decode()
    return coded.translate(str.maketrans("+/", "-_")).rstrip("=") if "=" not in token else coded


def mask_json(value: Any, depth: int = 0, path: str = "", nesting: int = 0) -> Any:
    """A JSON-like value with every string in it masked; a value under a key that names a telephone number too."""
    if nesting > plaintext.MAX_NESTING:
        return "[nested too deeply]"
    if isinstance(value, dict):
        return {
            mask_text(str(k), depth): mask_json(v, depth, f"{path}.{k}", nesting + 1) for k, v in value.items()
        }  # fmt: skip
    if isinstance(value, list | tuple):
        return [mask_json(v, depth, f"{path}[{i}]", nesting + 1) for i, v in enumerate(value)]
    if isinstance(value, str):
        if plaintext.PHONE_KEY.search(path) and plaintext.BARE_PHONE.match(value.strip()):
            return PHONE_MARK
        return mask_text(value, depth)
    if isinstance(value, int) and not isinstance(value, bool) and plaintext.PHONE_KEY.search(path):
        return PHONE_MARK
    return value


def mask_body(body: bytes) -> bytes:
    """A body with clear text masked; one that is not text is replaced by its length."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return f"[{len(body)} bytes that are not text]".encode()
    parsed = plaintext.parse_json(text)
    if parsed is not None:
        return json.dumps(mask_json(parsed), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return mask_text(text).encode("utf-8", "replace")


def mask_headers(headers: Headers, keep: Collection[str] = (), *, plain: bool = False) -> Headers:
    """Header fields as they may be stored: no credentials, no cookie values but those of the names in `keep`.

    `plain` leaves clear text in the other fields; credentials and cookies go in any case.
    """
    rows = []
    for name, value in headers:
        lower = name.lower()
        if lower in NEVER:
            value = SECRET_MARK
        elif lower == "cookie":
            value = "; ".join(_cookie(pair.strip(), keep) for pair in value.split(";"))
        elif lower == "set-cookie":
            first, semicolon, rest = value.partition(";")
            value = _cookie(first.strip(), keep) + semicolon + rest
        elif not plain:
            value = mask_text(value)
        rows.append((name, value))
    return tuple(rows)


def _cookie(pair: str, keep: Collection[str]) -> str:
    name, equals, value = pair.partition("=")
    if not equals:
        return name
    return f"{name}={mask_text(value) if name in keep else SECRET_MARK}"
