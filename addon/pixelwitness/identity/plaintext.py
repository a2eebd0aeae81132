"""Finds a person's clear text (e-mail addresses, telephone numbers) in anything, through layers of encoding.

No vendor in it. Work is bounded: depth, number of strings, length of each. Careful rather than eager: asset names
(`logo@2x.png`), package versions (`pkg@1.2.3`), DSNs, hashes, prices and ids are not people.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from pixelwitness.observations import Plaintext

MAX_DEPTH = 4
MAX_STRINGS = 5_000
MAX_LENGTH = 262_144
MAX_FINDINGS = 50
MAX_NESTING = 64

EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+@-])([A-Za-z0-9][A-Za-z0-9._%+-]{0,63})@((?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24})"
    r"(?![A-Za-z0-9@-])(?!\.[A-Za-z0-9])"
)
NOT_DOMAINS = frozenset(
    {"png", "jpg", "jpeg", "gif", "webp", "svg", "avif", "ico", "css", "js", "mjs", "cjs", "map", "json", "html"}
    | {"htm", "xml", "txt", "pdf", "mp4", "webm", "mp3", "woff", "woff2", "ttf", "min"}
)
PHONE = re.compile(r"(?<![0-9A-Za-z+])\+[1-9](?:[ .()\-]{0,2}[0-9]){7,14}(?![0-9A-Za-z])")
TEL = re.compile(r"\btel:[0-9][0-9 .()\-]{6,20}[0-9]")
PHONE_KEY = re.compile(r"(?:^|[._\-])(?:phone|telephone|tel|mobile|msisdn|cellphone|phone_?number)s?$", re.I)
BARE_PHONE = re.compile(r"^\+?[0-9][0-9 .()\-]{5,20}[0-9]$")
BASE64 = re.compile(r"(?<![A-Za-z0-9+/_=%-])[A-Za-z0-9+/_-]{12,}={0,2}(?![A-Za-z0-9+/_=-])")
HEX = re.compile(r"^[0-9a-fA-F]+$")
ENTITY = re.compile(r"&(?:#|[a-z])", re.I)


def emails(text: str) -> Iterator[re.Match[str]]:
    """Matches of e-mail addresses in a text, without look-alikes."""
    if "@" not in text:
        return
    for found in EMAIL.finditer(text):
        top = found[2].rpartition(".")[2].lower()
        if top in NOT_DOMAINS or ".." in found[0] or _is_dsn(text, found):
            continue
        yield found


def _is_dsn(text: str, found: re.Match[str]) -> bool:
    """`https://key@host/1`, `https://user:word@host/`: a credential in a URL, not an address."""
    before = text[max(0, found.start() - 200) : found.start()]
    return "://" in before and not any(c in "/?#@ " for c in before.rpartition("://")[2])


def phones(text: str) -> Iterator[re.Match[str]]:
    """Matches of telephone numbers in a form that nothing else has: E.164 with a plus, or a `tel:` link."""
    if "+" in text:
        yield from PHONE.finditer(text)
    if "tel:" in text:
        yield from TEL.finditer(text)


def find(value: Any, where: str) -> list[Plaintext]:
    """Clear text of a person in a string or JSON-like value; `where` is the path that findings are named by."""
    found: dict[tuple[str, str, str], Plaintext] = {}
    for path, text, layers in strings(value, where):
        for kind, clear in _in_text(text, path):
            key = (kind, path, clear.lower())
            if key not in found and len(found) < MAX_FINDINGS:
                found[key] = Plaintext(kind=kind, where=path, layers=layers, masked=hint(kind, clear))
    return list(found.values())


def hint(kind: str, clear: str) -> str:
    """Enough of a value to recognise one's own test data, and no more: `j***@e***.com`, `+1***53`."""
    if kind == "email":
        local, _, domain = clear.partition("@")
        return f"{local[:1]}***@{domain[:1]}***.{domain.rpartition('.')[2]}"
    digits = clear.strip()
    return f"{digits[:2]}***{digits[-2:]}"


def _in_text(text: str, path: str) -> Iterator[tuple[str, str]]:
    for address in emails(text):
        yield "email", address[0]
    for number in phones(text):
        yield "phone", number[0]
    if PHONE_KEY.search(path) and BARE_PHONE.match(text.strip()) and sum(c.isdigit() for c in text) <= 15:
        yield "phone", text.strip()


def strings(value: Any, where: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Every string in a value as (path, text, layers), with the texts that stand encoded inside it."""
    budget = MAX_STRINGS
    todo: list[tuple[str, Any, tuple[str, ...], int]] = [(where, value, (), 0)]
    while todo and budget > 0:
        path, item, layers, nesting = todo.pop()
        if isinstance(item, dict) and nesting < MAX_NESTING:
            for key, child in item.items():
                todo.append((f"{path}.{key}" if path else str(key), child, layers, nesting + 1))
                if isinstance(key, str) and "@" in key:
                    todo.append((f"{path}.[key]", key, layers, nesting + 1))
        elif isinstance(item, list | tuple) and nesting < MAX_NESTING:
            todo += [(f"{path}[{i}]", child, layers, nesting + 1) for i, child in enumerate(item[:MAX_STRINGS])]
        elif isinstance(item, int) and not isinstance(item, bool) and PHONE_KEY.search(path):
            todo.append((path, str(item), layers, nesting + 1))
        elif isinstance(item, str) and item:
            budget -= 1
            text = item[:MAX_LENGTH]
            yield path, text, layers
            if len(layers) < MAX_DEPTH:
                todo += [(path, inner, (*layers, layer), nesting) for layer, inner in _inside(text)]


def _inside(text: str) -> Iterator[tuple[str, Any]]:
    """What stands encoded in a text, one layer down."""
    if "%" in text and (plain := unquote(text)) != text:
        yield "percent", plain
    if "&" in text and ENTITY.search(text) and (plain := html.unescape(text)) != text:
        yield "html", plain
    if "\\u" in text or "\\/" in text or text[:1] in '{["':
        parsed = parse_json(text)
        if parsed is not None:
            yield "json", parsed
    for token in BASE64.findall(text)[:200]:
        if (inner := parse_base64(token)) is not None:
            yield "base64", inner


def parse_json(text: str) -> Any:
    stripped = text.strip()
    if stripped[:1] not in ("{", "[", '"') or stripped.count("[") + stripped.count("{") > 10_000:
        return None
    try:
        parsed = json.loads(stripped)
    except (ValueError, RecursionError):
        return None
    return parsed if parsed != text else None


def parse_base64(token: str) -> str | None:
    """The text in a base64 token, where it is text; a hash in hex is not tried."""
    bare = token.rstrip("=")
    if HEX.match(bare) or len(bare) % 4 == 1:
        return None
    try:
        raw = base64.b64decode(bare.translate(str.maketrans("-_", "+/")) + "=" * (-len(bare) % 4), validate=True)
        text = raw.decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    return text if text.isprintable() or "\n" in text else None
