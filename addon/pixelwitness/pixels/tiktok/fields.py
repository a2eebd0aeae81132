"""Identity fields: which are there, in what form, how they were collected, and what TikTok's client says of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

from pixelwitness.exchange import Exchange
from pixelwitness.identity import plaintext
from pixelwitness.identity.people import Match, People, digest_of, without_label
from pixelwitness.identity.stamps import created_at
from pixelwitness.mask import mask_text
from pixelwitness.observations import NOTHING, Identifier
from pixelwitness.pixels.tiktok.paths import all_at, at_path, leading, leaves
from pixelwitness.pixels.vendor import Placeholders, Vendor

SHAPES = (
    ("sha256_hex", re.compile(r"[0-9a-fA-F]{64}")),
    ("sha1", re.compile(r"[0-9a-fA-F]{40}")),
    ("md5", re.compile(r"[0-9a-fA-F]{32}")),
    ("sha512", re.compile(r"[0-9a-fA-F]{128}")),
    ("other", re.compile(r"[0-9a-fA-F]{56}|[0-9a-fA-F]{96}")),  # SHA-224, SHA-384
)
SHA256_BASE64 = re.compile(r"[A-Za-z0-9_+/-]{43}=?")
NAME = re.compile(r"[^\W\d_]{1,30}\.?(?:[ .'\u2019-]{1,2}[^\W\d_]{1,30}\.?){0,5}")
POSTAL = re.compile(r"(?=[^\d]*\d)[A-Za-z0-9]{2,10}(?:[ -][A-Za-z0-9]{2,5})?")
WORDS = frozenset({"first_name", "last_name", "full_name", "external_username"})
OPEN = ("manual", "automatic", "event_builder")
"""Collected so, a value that is no hash is a word in clear; else it is an opaque id."""
SCRAMBLED = "SHA-256"
MAX_UNKNOWN = 50
MAX_REMEMBERED = 1024
"""Characters of a value of which it is remembered what it is."""
MAX_HEADER = 16_384
"""Characters of a Cookie header of which it is remembered who is identified in it."""
ATTRIBUTES = {"phone_number": "phone"}
"""What a persona calls the value of a field, where it is not the field's own name."""


def form_of(value: str, nothing: Placeholders, *, hashed: bool, name: str = "", owned: bool = False) -> str:
    """How a value is written. In a field that is meant for hashes everything else is clear text or malformed.

    `owned`: it is a test persona's own value for this field, and so no placeholder, whatever it looks like.
    """
    text = without_label(value)
    digest = digest_of(text)
    if not owned and digest is not None and nothing.is_digest(digest, is_name=name in WORDS):
        return "placeholder_hash"
    if not owned and nothing.is_text(text, is_name=name in WORDS) and not plaintext.find(text, ""):
        return "placeholder"
    for form, shape in SHAPES:
        if shape.fullmatch(text):
            return form
    if SHA256_BASE64.fullmatch(text) and any(c.isdigit() for c in text):
        return "sha256_base64url"
    if digest is not None and len(text) > 43:
        return "other"  # base64 of a digest in hex, or of SHA-512
    return "plaintext" if _is_clear(text, name, hashed=hashed) else "malformed" if hashed else "plaintext"


def _is_clear(text: str, name: str, *, hashed: bool) -> bool:
    if plaintext.find(text, ""):
        return True
    if not hashed:
        return False
    if name == "zip_code":
        return POSTAL.fullmatch(text) is not None
    # A word in a field for an address or a number ("guest") is neither.
    return plaintext.is_bare_phone(text) or (name in WORDS and NAME.fullmatch(text) is not None)


def identifiers(message: Any, vendor: Vendor, people: People) -> Iterator[Identifier]:
    """Every identity field of a message that holds something; then those that no rule knows."""
    for number in leading(message, vendor.identity_paths):
        rule = vendor.identity[number]
        for text in _texts(all_at(message, rule.path)):
            read = _read_again if len(text) <= MAX_REMEMBERED else _read
            one = read(vendor, number, text, people)
            said = tuple(dict.fromkeys(_diagnostics(message, rule.diagnostics))) if rule.diagnostics else ()
            yield one.model_copy(update={"diagnostics": said}) if said else one
    yield from islice(_unknown(message, vendor, people), MAX_UNKNOWN)


@lru_cache(2048)
def _read_again(vendor: Vendor, number: int, text: str, people: People) -> Identifier:
    """The same person's fields come with every hit."""
    return _read(vendor, number, text, people)


def _read(vendor: Vendor, number: int, text: str, people: People) -> Identifier:
    """What the identity rule of a number says of a text, without the diagnostics that stand elsewhere."""
    rule = vendor.identity[number]
    match = people.whose(text)
    owned = _owned(match, rule.name)
    form = form_of(text, vendor.placeholders, hashed=rule.hashed, name=rule.name, owned=owned)
    clear = form == "plaintext" and rule.hashed
    said = {} if form in NOTHING else attributed(match, vendor, form)
    if rule.collected == "suggested":
        said.pop("follows_rule", None)  # the vendor's client made it: no rule of the site's to follow
    return Identifier(
        field=rule.path,
        name=rule.name,
        form=form if rule.hashed or form != "plaintext" else _open_form(rule.collected),
        collected=rule.collected,
        value=plaintext.hint(rule.name, text) if clear else mask_text(text[:200]),
        created_at=created_at(text.strip(), rule.created),
        **said,
    )


def _owned(match: Match | None, name: str) -> bool:
    """Whether it is a test persona's value of this very field: 'null' as an e-mail is nobody's."""
    return match is not None and not match.control and match.attribute == ATTRIBUTES.get(name, name)


def _texts(values: Iterable[Any]) -> Iterator[str]:
    for item in values:
        text = str(item) if isinstance(item, str | int) and not isinstance(item, bool) else ""
        if text.strip():
            yield text


def _unknown(message: Any, vendor: Vendor, people: People) -> Iterator[Identifier]:
    """Fields of the objects that describe the person which no rule names: a relay's own, or new ones."""
    for place in vendor.person_objects:
        for path, leaf in leaves(at_path(message, place) or {}, place):
            plain = re.sub(r"\[\d+\]", "", path) if "[" in path else path
            name = plain.rsplit(".", 1)[-1]
            if plain in vendor.known_paths or plain == place or name in vendor.not_identity:
                continue
            for text in _texts([leaf]):
                form = form_of(text, vendor.placeholders, hashed=False)
                if form == "plaintext":
                    form = "other"
                yield Identifier(
                    field=path[:200],
                    name=mask_text(name[:60]),
                    form=form,
                    collected="manual" if form not in ("other", "placeholder") else "unknown",
                    value=mask_text(text[:200], path if plaintext.is_phone_name(path) else ""),
                    **attributed(people.whose(text), vendor, form),
                )


def _open_form(collected: str) -> str:
    return "plaintext" if collected in OPEN else "other"


def attributed(match: Match | None, vendor: Vendor, form: str = "") -> dict[str, Any]:
    """Whose value it is, as fields of an Identifier. Of a hash it is also said whether it follows the vendor's rule."""
    if match is None or match.control:
        return {}
    rule = vendor.documented.get(match.attribute)
    follows = None
    if rule is not None and match.hashed is not None:
        follows = match.hashed == SCRAMBLED and match.spelling in rule.spellings and form in ("", "sha256_hex")
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
    header = exchange.fields.get("cookie")
    if header:
        read = _in_header_again if len(header) <= MAX_HEADER else _in_header
        yield from read(header, "vendor" if vendor.owns(exchange.host) else "site", vendor, people)


@lru_cache(256)
def _in_header_again(header: str, side: str, vendor: Vendor, people: People) -> tuple[Identifier, ...]:
    return tuple(_in_header(header, side, vendor, people))


def _in_header(header: str, side: str, vendor: Vendor, people: People) -> Iterator[Identifier]:
    for pair in header.split(";")[:300]:
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
