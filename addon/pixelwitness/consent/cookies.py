"""What the cookies of a request say of consent.

A busy site sends 60 cookies with every request. A header that has not changed costs a look-up; one in which only
cookies changed that have nothing to do with consent costs its splitting.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from pixelwitness.consent.decoders import DECODERS, MAX_VALUE
from pixelwitness.consent.decoders.names import names_service
from pixelwitness.consent.decoders.values import json_of, plain
from pixelwitness.consent.index import MAX_NAME, Index, index_of
from pixelwitness.consent.reading import Reading
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.consent import ConsentRule, CookieRule
from pixelwitness.rulebook.regex import SHAPE

MAX_COOKIES = 400
STANDARD = re.compile(
    r'(?:"|%22)?(?:C[A-Za-z0-9_-]{38}|DB[A-Za-z0-9_-]{2,60}(?:~|%7[Ee])|1(?:[YN]|-|%2[Dd]){3}"?$|2(?:~|%7[Ee])[0-9~%])'
)
"""How a standard string begins: whatever else begins so is told apart by reading it."""
PERHAPS_RENAMED = re.compile(r'(?:"|%22)?(?:\{|%7[Bb]|!|%21)')
"""How the cookies begin that are known by their shape under any name (`unmistakable` in their rule)."""
MAX_SHAPE = SHAPE
"""So much of a value shows its shape: a pattern may go over it more than once. No browser keeps a longer cookie."""
MAX_CACHED = 16_384
"""Longer headers are read each time, so that the cache is bounded in bytes."""
MAX_REMEMBERED = 4_096
"""So long are the values of which it is remembered that they are none of consent."""
MAX_FLAGS = 100

type Said = tuple[tuple[str, str | None, Reading], ...]
"""Cookie, system (None: a consent-like cookie of nobody's), reading."""


def claimed_cookies(names: Iterable[str], book: Rulebook) -> frozenset[str]:
    """Those of some cookie names whose values may be stored: a consent rule, or the generic one, claims them."""
    index = index_of(book)
    return frozenset(n for n in names if index.concerns(n))


def read_cookies(header: str, book: Rulebook) -> Said:
    """What a Cookie header says of consent."""
    return _read_header(header, book) if len(header) <= MAX_CACHED else _read_header.__wrapped__(header, book)


@lru_cache(1024)
def _read_header(header: str, book: Rulebook) -> Said:
    index = index_of(book)
    jar: dict[str, str] = {}
    for pair in header.split(";", MAX_COOKIES)[:MAX_COOKIES]:
        name, equals, value = pair.strip().partition("=")
        value = value.strip()
        if equals and name not in jar and (index.concerns(name) or _speaks(value, book)):
            jar[name] = _unquoted(value)
    relevant = tuple(jar.items())
    small = sum(len(v) for v in jar.values()) <= MAX_CACHED
    return _read_jar(relevant, book) if small else _read_jar.__wrapped__(relevant, book)


@lru_cache(1024)
def _read_jar(cookies: tuple[tuple[str, str], ...], book: Rulebook) -> Said:
    jar = dict(cookies)
    found: list[tuple[str, str | None, Reading]] = []
    for name, value in cookies:
        found += [(name, cmp, reading) for cmp, reading in _read_cookie(name, value, jar, index_of(book))]
    return tuple(found)


def _read_cookie(name: str, value: str, jar: Mapping[str, str], index: Index) -> list[tuple[str | None, Reading]]:
    rules = index.rules_for(name)
    if len(value) > MAX_VALUE:
        return [(None, Reading(None, "advertising", "home_made_consent", detail={"size": len(value)}))] if rules else []
    text = plain(value)
    for rule, cookie in rules:
        if not value or not _has_shape(cookie, text):
            continue
        if _yields(name, cookie, jar):
            return []
        said = DECODERS[cookie.decoder](value, jar, {**cookie.params, "lists": index.lists})
        if said is not None:
            return [(rule.id, reading) for reading in said]
    if STANDARD.match(value):
        for rule_id, decoder in index.strings:
            if (said := DECODERS[decoder](value, jar, {"strict": True})) is not None:
                return [(rule_id, reading) for reading in said]
    if not rules and not index.generic.fullmatch(name[:MAX_NAME]):
        said_so = _read_renamed(value, text, jar, index, any_name=True)
        if said_so or not _names_services(value, index):
            return said_so
    return _read_renamed(value, text, jar, index) or [
        (None, Reading(None, "advertising", "home_made_consent", detail={"named_like": _ids(rules)}))
    ]


def _speaks(value: str, book: Rulebook) -> bool:
    """Whether a value is one of consent by its shape, whatever its name."""
    if STANDARD.match(value):
        return True
    if not PERHAPS_RENAMED.match(value) or len(value) > MAX_VALUE:
        return False
    return _shaped(value, book) if len(value) <= MAX_REMEMBERED else _shaped.__wrapped__(value, book)


@lru_cache(1024)
def _shaped(value: str, book: Rulebook) -> bool:
    index = index_of(book)
    text = plain(value)
    return any(c.unmistakable and _has_shape(c, text) for _, c in index.renamed) or _names_services(value, index)


def _names_services(value: str, index: Index) -> bool:
    """Whether a value is a yes or no a service, of which one is known: a consent system's under a name of the site's
    own, or not. Nothing tells."""
    flags = json_of(value) if len(value) <= MAX_REMEMBERED else None
    if not isinstance(flags, dict) or not 0 < len(flags) <= MAX_FLAGS:
        return False
    if any(type(v) not in (bool, int) or v not in (0, 1) for v in flags.values()):
        return False
    return any(names_service(str(name), index.lists) for name in flags)


def _read_renamed(
    value: str, text: str, jar: Mapping[str, str], index: Index, *, any_name: bool = False
) -> list[tuple[str | None, Reading]]:
    """A known system's cookie under a name of the site's own; `any_name`: one that does not sound of consent."""
    for rule, cookie in index.renamed:
        if (cookie.unmistakable or not any_name) and _has_shape(cookie, text):
            said = DECODERS[cookie.decoder](value, jar, {**cookie.params, "lists": index.lists})
            if said:
                return [(rule.id, reading) for reading in said]
    return []


def _has_shape(cookie: CookieRule, text: str) -> bool:
    return cookie.shape is None or re.search(cookie.shape, text[:MAX_SHAPE]) is not None


def _unquoted(value: str) -> str:
    """A value without the quotes around it; those of a JSON string belong to it."""
    quoted = len(value) > 1 and value[0] == value[-1] == '"' and '"' not in value[1:-1]
    return value[1:-1] if quoted else value


def _yields(name: str, cookie: CookieRule, jar: Mapping[str, str]) -> bool:
    return any(
        other != name and value and re.fullmatch(pattern, other[:MAX_NAME])
        for pattern in cookie.yields_to
        for other, value in jar.items()
    )


def _ids(rules: Iterable[tuple[ConsentRule, CookieRule]]) -> list[str]:
    return list(dict.fromkeys(rule.id for rule, _ in rules))
