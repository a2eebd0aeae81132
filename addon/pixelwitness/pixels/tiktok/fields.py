"""Identity fields: which are there, in what form, how they were collected, and what TikTok's client says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl

from pixelwitness.exchange import Exchange
from pixelwitness.identity import plaintext
from pixelwitness.identity.people import Match, People
from pixelwitness.identity.stamps import created_at
from pixelwitness.mask import mask_text
from pixelwitness.observations import Identifier
from pixelwitness.pixels.tiktok.paths import all_at, at_path
from pixelwitness.pixels.vendor import Vendor

SHA512 = re.compile(r"[0-9a-fA-F]{128}")
SHA256_HEX = re.compile(r"[0-9a-fA-F]{64}")
SHA256_BASE64 = re.compile(r"[A-Za-z0-9_+/-]{43}=?")
SHA1 = re.compile(r"[0-9a-fA-F]{40}")
MD5 = re.compile(r"[0-9a-fA-F]{32}")
NAME = re.compile(r"[^\W\d_]{2,30}(?:[ '-][^\W\d_]{1,30}){0,3}")
OPEN = ("manual", "automatic", "event_builder")
"""Collected so, a value that is no hash is a word in clear; else it is an opaque id."""
SCRAMBLED = "SHA-256"


def form_of(value: str, placeholders: dict[str, str], *, hashed: bool) -> str:
    """How a value is written. In a field that is meant for hashes everything else is clear text or malformed."""
    text = value.strip()
    if text.lower() in placeholders:
        return "placeholder_hash"
    for name, shape in (("sha256_hex", SHA256_HEX), ("sha1", SHA1), ("md5", MD5), ("sha512", SHA512)):
        if shape.fullmatch(text):
            return name
    if SHA256_BASE64.fullmatch(text) and any(c.isdigit() for c in text):
        return "sha256_base64url"
    if plaintext.find(text, "") or (hashed and (plaintext.is_bare_phone(text) or NAME.fullmatch(text))):
        return "plaintext"
    return "malformed" if hashed else "plaintext"


def identifiers(message: Any, vendor: Vendor, people: People) -> Iterator[Identifier]:
    """Every identity field of a message that holds something."""
    for rule in vendor.identity:
        for item in all_at(message, rule.path):
            text = str(item) if isinstance(item, str | int) and not isinstance(item, bool) else ""
            if not text.strip():
                continue
            form = form_of(text, vendor.placeholders, hashed=rule.hashed)
            clear = form == "plaintext" and rule.hashed
            match = people.whose(text)
            yield Identifier(
                field=rule.path,
                name=rule.name,
                form=form if rule.hashed or form != "plaintext" else _open_form(rule.collected),
                collected=rule.collected,
                value=plaintext.hint(rule.name, text) if clear else mask_text(text[:200]),
                diagnostics=tuple(_diagnostics(message, rule.diagnostics)),
                created_at=created_at(text.strip(), rule.created),
                **attributed(match, vendor),
            )


def _open_form(collected: str) -> str:
    return "plaintext" if collected in OPEN else "other"


def attributed(match: Match | None, vendor: Vendor) -> dict[str, Any]:
    """Whose value it is, as fields of an Identifier. Of a hash it is also said whether it follows the vendor's rule."""
    if match is None or match.control:
        return {}
    rule = vendor.documented.get(match.attribute)
    follows = None
    if rule is not None and match.hashed is not None:
        follows = match.hashed == SCRAMBLED and match.spelling in rule.spellings
    return {
        "persona": match.persona, "attribute": match.attribute, "variant": match.variant, "follows_rule": follows,
    }  # fmt: skip


def _diagnostics(message: Any, paths: Sequence[str]) -> Iterator[str]:
    for path in paths:
        said = at_path(message, path)
        for word in said if isinstance(said, list) else [said]:
            if isinstance(word, str) and word and word not in ("missing", "empty_value"):
                yield word[:60]


def cookie_identifiers(exchange: Exchange, vendor: Vendor, people: People) -> Iterator[Identifier]:
    """Identifier cookies on the request: the vendor's own, or the site's where the request is a first-party copy."""
    side = "vendor" if vendor.owns(exchange.host) else "site"
    for pair in exchange.fields.get("cookie", "").split(";")[:300]:
        name, _, value = pair.strip().partition("=")
        for rule in vendor.cookies:
            if rule.on == side and value and _names(rule.name, name):
                yield Identifier(
                    field=f"cookie.{mask_text(name[:80])}",
                    name=rule.name.rstrip("*_"),
                    form="other",
                    collected=rule.collected,
                    created_at=created_at(value, rule.created),
                    **attributed(people.whose(value), vendor),
                )


def _names(rule: str, name: str) -> bool:
    return name.startswith(rule[:-1]) if rule.endswith("*") else name == rule


def url_identifiers(url: str | None, where: str, vendor: Vendor) -> Iterator[Identifier]:
    """Identifiers among the parameters of a page's URL."""
    query = (url or "").partition("?")[2].partition("#")[0]
    if not query:
        return
    try:
        pairs = parse_qsl(query, max_num_fields=200)
    except ValueError:
        return  # so many parameters are no landing URL
    for name, value in pairs:
        for rule in vendor.url_identifiers:
            if name == rule.parameter and value:
                yield Identifier(
                    field=f"{where}?{name}",
                    name=rule.name,
                    form="other",
                    collected=rule.collected,
                    value=mask_text(value[:200]),
                )
