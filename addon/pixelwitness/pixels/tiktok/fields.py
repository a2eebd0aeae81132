"""Identity fields: which are there, in what form, how they were collected, and what TikTok's client says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pixelwitness.identity import plaintext
from pixelwitness.mask import mask_text
from pixelwitness.observations import Identifier
from pixelwitness.rulebook.pixels import IdentityField

SHA256_HEX = re.compile(r"[0-9a-fA-F]{64}")
SHA256_BASE64 = re.compile(r"[A-Za-z0-9_+/-]{43}=?")
SHA1 = re.compile(r"[0-9a-fA-F]{40}")
MD5 = re.compile(r"[0-9a-fA-F]{32}")
NAME = re.compile(r"[^\W\d_]{2,30}(?:[ '-][^\W\d_]{1,30}){0,3}")
MAX_VALUES = 20


def at_path(value: Any, path: str) -> Any:
    """The value at a dotted path of objects, or None."""
    for step in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


def form_of(value: str, placeholders: dict[str, str], *, hashed: bool) -> str:
    """How a value is written. In a field that is meant for hashes everything else is clear text or malformed."""
    text = value.strip()
    if text.lower() in placeholders:
        return "placeholder_hash"
    if SHA256_HEX.fullmatch(text):
        return "sha256_hex"
    if SHA1.fullmatch(text):
        return "sha1"
    if MD5.fullmatch(text):
        return "md5"
    if SHA256_BASE64.fullmatch(text) and any(c.isdigit() for c in text):
        return "sha256_base64url"
    if plaintext.find(text, "") or (hashed and (plaintext.is_bare_phone(text) or NAME.fullmatch(text))):
        return "plaintext"
    return "malformed" if hashed else "plaintext"


def identifiers(message: Any, rules: Sequence[IdentityField], placeholders: dict[str, str]) -> Iterator[Identifier]:
    """Every identity field of a message that holds something."""
    for rule in rules:
        value = at_path(message, rule.path)
        for item in (value if isinstance(value, list) else [value])[:MAX_VALUES]:
            text = str(item) if isinstance(item, str | int) and not isinstance(item, bool) else ""
            if not text.strip():
                continue
            form = form_of(text, placeholders, hashed=rule.hashed)
            clear = form == "plaintext" and rule.hashed
            yield Identifier(
                field=rule.path,
                name=rule.name,
                form=form if rule.hashed or form != "plaintext" else _open_form(rule),
                collected=rule.collected,
                value=plaintext.hint(rule.name, text) if clear else mask_text(text[:200]),
                diagnostics=tuple(_diagnostics(message, rule.diagnostics)),
            )


def _open_form(rule: IdentityField) -> str:
    """The form of a value that is no hash and need not be one: an opaque id, or a word in clear."""
    return "other" if rule.collected not in ("manual", "automatic", "event_builder") else "plaintext"


def _diagnostics(message: Any, paths: Sequence[str]) -> Iterator[str]:
    for path in paths:
        said = at_path(message, path)
        for word in said if isinstance(said, list) else [said]:
            if isinstance(word, str) and word and word != "missing":
                yield word[:60]
