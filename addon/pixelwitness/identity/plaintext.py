"""Finds a person's clear text (e-mail addresses, telephone numbers) in anything, through layers of encoding.

No vendor in it. Work is bounded: depth, number and total length of strings. Careful rather than eager: asset names
(`logo@2x.png`), package versions (`pkg@1.2.3`), DSNs, hashes, prices and ids are not people. A telephone number is
one only where nothing else looks like it: E.164 with a plus and an existing country code, a `tel:` link, or a value
under a name that says so (`phone`, `customerPhone`, `?tel=`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import unquote, unquote_plus

from pixelwitness.identity.layers import CODINGS, holds_nothing, parse_json
from pixelwitness.observations import Plaintext
from pixelwitness.property import is_top_level

MAX_DEPTH = 4
MAX_STRINGS = 20_000
MAX_CHARACTERS = 16_000_000
"""Over all strings and layers of one search: a body of 16 MB is read once."""
MAX_FINDINGS = 50
MAX_SPANS = 1_000
"""In one text: who repeats an address a hundred thousand times is found out by the first ones."""
MAX_NESTING = 64
MAX_NAME = 120
"""Characters at the end of a path that are looked at for a name."""
MAX_REMEMBERED = 2048
"""Characters of a text whose answer is remembered: pages, titles and user agents come with every request."""

LOCAL = re.compile(r"[\w.+'-]{1,64}\Z")
DOMAIN = re.compile(
    r"(?:[^\W_](?:[^\W_]|-){0,62}\.){1,8}(?:xn--[a-z0-9-]{2,59}|[^\W\d_]{2,24})(?![^\W_])(?!\.[^\W\d_])", re.I
)
RESERVED = frozenset(
    {"example", "test", "invalid", "localhost", "local", "internal", "lan", "corp", "home", "intranet"}
)
"""Top levels outside of the root that addresses are written with: RFC 2606, RFC 6762, and private networks."""
FILE_ENDINGS = frozenset({"zip", "mov", "map", "md", "py", "sh", "rs", "ps", "so", "pl", "ai"})
"""Endings of files that are top-level domains as well: an address only where the name before is no version."""
VERSION = re.compile(r"v?[0-9]+[a-z]?(?:[.-][0-9]+)*", re.I)

CALLING_CODE = (
    r"(?:1|7|20|27|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|21[1-8]|22\d|23\d|24\d|25[0-8]|26\d|29[0178]"
    r"|35\d|37\d|38[0-35-79]|42[013]|50\d|59\d|67[02-9]|68\d|69[0-2]|80[08]|85[02356]|87[08]|88[0-368]"
    r"|96[0-8]|97[0-79]|99[2-68])"
)
"""ITU-T E.164: the assigned country codes."""
PHONE = re.compile(r"(?<![\w+])\+[1-9](?:[ .()/\-]{0,2}[0-9]){7,14}(?![\w])")
E164 = re.compile(rf"(?:1[2-9]\d{{9}}|7\d{{10}}|(?!1|7){CALLING_CODE}\d{{4,13}})")
TEL = re.compile(r"\b(?:tel|callto|sms):(\+?[(0-9][0-9 .()/\-]{5,22}[0-9])", re.I)
PHONE_WORD = (
    r"(?:(?:phone|telephone|tel|telefono|telefone|telefon|mobile|mobil|handy|celular|gsm|whatsapp|msisdn|cellphone|cell)"
    r"(?:[_ -]?(?:number|numero|nummer|num|nr|no|e164))?s?|contact[_ -]?(?:number|no))"
)
PHONE_NAME = re.compile(rf"(?:.*[^a-z0-9])?{PHONE_WORD}\Z")
NAMED = re.compile(
    r"(?<![\w.%\[\]-])([\w.%\[\]-]{2,}+)=([^&#;\s\"'<>]{7,80})|\"([\w.-]{2,80})\"\s*:\s*\"([^\"]{7,40})\""
)
BARE_PHONE = re.compile(r"\+?[(0-9][0-9 .()/\-]{5,22}[0-9]")


type Text = tuple[str, str, tuple[str, ...]]
"""Path, text, and the layers of encoding that it was found behind."""


@dataclass(slots=True)
class Spent:
    """How much a search looked at."""

    strings: int = 0
    characters: int = 0

    def add(self, strings: int, characters: int) -> None:
        self.strings += strings
        self.characters += characters

    @property
    def bounded(self) -> bool:
        """Whether a search may have been ended by its bounds."""
        return self.strings >= MAX_STRINGS or self.characters >= MAX_CHARACTERS


class Span(NamedTuple):
    """Clear text in a text: what kind, and from where to where."""

    kind: str
    start: int
    end: int


def find(value: Any, where: str) -> list[Plaintext]:
    """Clear text of a person in a string or JSON-like value; `where` is the path that findings are named by."""
    found: dict[tuple[str, str, str], Plaintext] = {}
    for path, text, layers in strings(value, where):
        if len(found) >= MAX_FINDINGS:
            break
        for kind, start, end in spans(text, path, MAX_SPANS):
            clear = text[start:end]
            key = (kind, path, clear.lower())
            if key not in found and len(found) < MAX_FINDINGS:
                found[key] = Plaintext(kind=kind, where=path, layers=layers, masked=hint(kind, clear))
    return list(found.values())


def spans(text: str, path: str = "", most: int | None = None) -> list[Span]:
    """Where clear text stands in one text, undecoded, in order and without overlap; `most` of each kind."""
    if is_phone_name(path) and is_bare_phone(text):
        return [Span("phone", 0, len(text))]
    return list(_remembered(text)) if len(text) <= MAX_REMEMBERED else _spans(text, most)


@lru_cache(4096)
def _remembered(text: str) -> tuple[Span, ...]:
    return tuple(_spans(text))


def _spans(text: str, most: int | None = None) -> list[Span]:
    if not ("@" in text or "+" in text or ":" in text or "=" in text):
        return []  # none of the shapes below does without
    made = [*islice(emails(text), most), *islice(phones(text), most)]
    made.sort(key=lambda s: (s.start, -s.end))
    kept: list[Span] = []
    for span in made:
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def emails(text: str) -> Iterator[Span]:
    """E-mail addresses, without look-alikes."""
    at = text.find("@")
    while at >= 0:
        if (span := _address(text, at)) is not None:
            yield span
        at = text.find("@", at + 1)


def _address(text: str, at: int) -> Span | None:
    before, after = LOCAL.search(text, max(0, at - 64), at), DOMAIN.match(text, at + 1, at + 255)
    if before is None or after is None:
        return None
    local = before[0]
    if before.start() and text[before.start() - 1] == "%" and re.match(r"[0-9a-fA-F]{2}", local):
        local = local[2:]  # the end of an escape, not of a name
    local = local.lstrip(".+'-")
    start = at - len(local)
    if not local or local.endswith(".") or ".." in local:
        return None
    if start and text[start - 1] == "@":
        return None  # @handle@host
    if not _is_domain(after[0].lower()) or _is_credential(text, start) or _is_remote(local, text[after.end() :][:1]):
        return None
    return Span("email", start, after.end())


def _is_domain(domain: str) -> bool:
    labels = domain.split(".")
    top = labels[-1]
    if all(VERSION.fullmatch(label) for label in labels[:-1]) and (len(labels) > 2 or re.fullmatch(r"\d+x", labels[0])):
        return False  # pkg@1.2.beta, logo@2x.zip; 163.com is a domain
    if top in FILE_ENDINGS and VERSION.fullmatch(labels[-2]):
        return False
    return top in RESERVED or not top.isascii() or top.startswith("xn--") or is_top_level(top)


def _is_credential(text: str, start: int) -> bool:
    """`https://key@host/1`, `https://user:word@host/`: the user of a URL, not an address."""
    before = text[max(0, start - 200) : start]
    for said in (before, unquote(before)):
        _, slashes, user = said.rpartition("//")
        if slashes and (said.endswith("://" + user) or said == "//" + user) and not any(c in "/?#@ " for c in user):
            return True
    return False


def _is_remote(local: str, following: str) -> bool:
    """`git@github.com:owner/name`: an account of a machine."""
    return local == "git" and following in (":", "/")


def phones(text: str) -> Iterator[Span]:
    """Telephone numbers in a form that nothing else has, or under a name that says what they are."""
    if "+" in text:
        for found in PHONE.finditer(text):
            if is_e164(found[0]):
                yield Span("phone", *found.span())
    if ":" in text:
        for found in TEL.finditer(text):
            if _digits(found[1]) >= 7:
                yield Span("phone", *found.span(1))
    for found in NAMED.finditer(text) if "=" in text or (":" in text and '":' in text.replace(" ", "")) else ():
        name, value, which = (found[1], found[2], 2) if found[1] else (found[3], found[4], 4)
        if is_phone_name(unquote(name[-MAX_NAME:])) and is_bare_phone(unquote_plus(value)):
            yield Span("phone", *found.span(which))


def is_e164(text: str) -> bool:
    """Whether a number with a plus can be one: an existing country code and a possible length."""
    return E164.fullmatch(re.sub(r"\D", "", text)) is not None


def is_phone_name(path: str) -> bool:
    """Whether the last name in a path says telephone: `user.phone`, `customerPhone`, `contact[tel]`, `phone[0]`."""
    return _says_phone(path[-MAX_NAME:])


@lru_cache(4096)
def _says_phone(end: str) -> bool:
    name = re.sub(r"(?:\[\d+\])+\Z", "", end)
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower().rstrip("]")
    return PHONE_NAME.match(name) is not None


def is_number(value: Any) -> bool:
    """Whether a value is an integer that may be looked at as text."""
    return isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 64


def is_bare_phone(text: str) -> bool:
    """Whether a text is nothing but a telephone number in any spelling; one digit repeated is a placeholder."""
    text = text.strip()
    digits = re.sub(r"\D", "", text)
    return BARE_PHONE.fullmatch(text) is not None and 7 <= len(digits) <= 15 and len(set(digits)) > 1


def _digits(text: str) -> int:
    return sum(c.isdigit() for c in text)


def hint(kind: str, clear: str) -> str:
    """Enough of a value to recognise one's own test data, and no more: `j***@e***.com`, `+1***53`, `J***`."""
    clear = clear.strip()
    if kind == "email" and "@" in clear:
        local, _, domain = clear.partition("@")
        return f"{local[:1]}***@{domain[:1]}***.{domain.rpartition('.')[2]}"
    return f"{clear[:2]}***{clear[-2:]}" if _digits(clear) >= 7 else f"{clear[:1]}***"


def strings(
    value: Any, where: str, unread: list[str] | None = None, spent: Spent | None = None, nesting: int = 0
) -> Iterator[Text]:  # fmt: skip
    """Every string in a value as (path, text, layers), with the texts that stand encoded inside it.

    Where a bound ends it, the path of what was not looked at is put into `unread`. `spent` is told how much was looked
    at; `nesting` is how deep the value stands in others.
    """
    left, characters = MAX_STRINGS, MAX_CHARACTERS
    todo: list[tuple[str, Any, tuple[str, ...], int]] = [(where, value, (), nesting)]
    while todo and left > 0 and characters > 0:
        path, item, layers, nesting = todo.pop()
        if isinstance(item, dict) and nesting < MAX_NESTING:
            for key, child in reversed(item.items()):
                todo.append((f"{path}.{key}" if path else str(key), child, layers, nesting + 1))
                if isinstance(key, str):
                    todo.append((f"{path}.[key]", key, layers, nesting + 1))
        elif isinstance(item, list | tuple) and nesting < MAX_NESTING:
            numbered = [(f"{path}[{i}]", child, layers, nesting + 1) for i, child in enumerate(item[:MAX_STRINGS])]
            todo += reversed(numbered)
        elif is_number(item) and is_phone_name(path):
            todo.append((path, str(item), layers, nesting + 1))
        elif isinstance(item, str) and item:
            text = item[:characters]
            left, characters = left - 1, characters - len(text)
            if holds_nothing(text):
                yield path, text, layers
                continue
            parsed = parse_json(text) if len(layers) < MAX_DEPTH else None
            if parsed is not None:
                todo.append((path, parsed, (*layers, "json"), nesting + 1))
                continue  # the values inside have better paths than the text around them
            yield path, text, layers
            if len(layers) < MAX_DEPTH:
                cut: list[str] = []
                for coding in CODINGS:
                    todo += [(path, inner, (*layers, coding.name), nesting) for inner in coding.inside(text, cut)]
                if cut and unread is not None:
                    unread.append(path)
    if todo and unread is not None:
        unread.append(todo[-1][0])
    if spent is not None:
        spent.add(MAX_STRINGS - left, MAX_CHARACTERS - characters)
