"""What the cookies of a request say of consent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from pixelwitness.consent.decoders import DECODERS, MAX_VALUE
from pixelwitness.consent.decoders.values import plain
from pixelwitness.consent.index import index_of
from pixelwitness.consent.reading import Reading
from pixelwitness.rulebook import Rulebook

MAX_COOKIES = 400
STANDARD = re.compile(
    r'(?:"|%22)?(?:C[A-Za-z0-9_-]{38}|DB[A-Za-z0-9_-]{2,60}(?:~|%7[Ee])|1(?:[YN]|-|%2[Dd]){3}"?$|2(?:~|%7[Ee])[0-9~%])'
)
"""How a standard string begins: whatever else begins so is told apart by reading it."""


def claimed_cookies(names: Iterable[str], book: Rulebook) -> frozenset[str]:
    """Those of some cookie names whose values may be stored: a consent rule, or the generic one, claims them."""
    return frozenset(n for n in names if (_is_claimed(n, book) if len(n) <= 200 else _is_claimed.__wrapped__(n, book)))


@lru_cache(8192)
def _is_claimed(name: str, book: Rulebook) -> bool:
    index = index_of(book)
    return (
        name in index.by_name
        or name == "OptanonAlertBoxClosed"
        or index.generic.fullmatch(name[:200]) is not None
        or any(p.fullmatch(name[:200]) for p, _, _ in index.by_pattern)
    )


@lru_cache(4096)
def _read_header(header: str, book: Rulebook) -> tuple[tuple[str, str | None, Reading], ...]:
    jar: dict[str, str] = {}
    for pair in header.split(";")[:MAX_COOKIES]:
        name, equals, value = pair.strip().partition("=")
        if equals and name not in jar:
            jar[name] = value.strip().strip('"')
    found: list[tuple[str, str | None, Reading]] = []
    for name, value in jar.items():
        found += [(name, cmp, reading) for cmp, reading in _read_cookie(name, value, jar, book)]
    return tuple(found)


def read_cookies(header: str, book: Rulebook) -> tuple[tuple[str, str | None, Reading], ...]:
    """What a Cookie header says of consent, as (cookie, system, reading). An unchanged header costs a look-up."""
    return _read_header(header, book) if len(header) <= 16_384 else _read_header.__wrapped__(header, book)


def _read_cookie(name: str, value: str, jar: Mapping[str, str], book: Rulebook) -> list[tuple[str | None, Reading]]:
    index = index_of(book)
    rules = list(index.by_name.get(name, ()))
    rules += [(rule, cookie) for pattern, rule, cookie in index.by_pattern if pattern.fullmatch(name[:200])]
    if len(value) > MAX_VALUE:
        return [(None, Reading(None, "advertising", "home_made_consent"))] if rules else []
    for rule, cookie in rules:
        if not value or (cookie.shape and not re.search(cookie.shape, plain(value[:4096]))):
            continue
        said = DECODERS[cookie.decoder](value, jar, {**cookie.params, "lists": index.lists})
        if said is not None:
            return [(rule.id, reading) for reading in said]
    if STANDARD.match(value):
        for rule_id, decoder in index.strings:
            if (said := DECODERS[decoder](value, jar, {"strict": True})) is not None:
                return [(rule_id, reading) for reading in said]
    if rules or index.generic.fullmatch(name[:200]):
        return [
            (None, Reading(None, "advertising", "home_made_consent", detail={"named_like": [r.id for r, _ in rules]}))
        ]
    return []
