"""The rules about consent, ready for look-up: cookies by name, calls and scripts by host."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.consent import CallRule, ConsentRule, CookieRule
from pixelwitness.rulebook.hosts import HostIndex

GENERIC = "generic"
STRINGS = ("tcf", "gpp", "usp", "ac")
"""Standard strings that are recognised by their shape under any cookie's name."""


@dataclass(frozen=True)
class Index:
    by_name: dict[str, list[tuple[ConsentRule, CookieRule]]]
    by_pattern: list[tuple[re.Pattern[str], ConsentRule, CookieRule]]
    generic: re.Pattern[str]
    calls: HostIndex[tuple[ConsentRule, CallRule]]
    loads: HostIndex[tuple[ConsentRule, tuple[str, ...]]]
    lists: dict[str, tuple[str, ...]]
    strings: tuple[tuple[str, str], ...]
    query: dict[str, str]
    google: dict[str, tuple[str, ...]]
    apps: dict[str, tuple[str, ...]]


@lru_cache(8)
def index_of(book: Rulebook) -> Index:
    by_name: dict[str, list[tuple[ConsentRule, CookieRule]]] = {}
    by_pattern = []
    calls: HostIndex[tuple[ConsentRule, CallRule]] = HostIndex()
    loads: HostIndex[tuple[ConsentRule, tuple[str, ...]]] = HostIndex()
    generic = re.compile(r"(?!)")
    for rule in book.consent:
        for cookie in rule.cookies:
            if rule.id == GENERIC and cookie.pattern:
                generic = re.compile(cookie.pattern)
            elif cookie.name is not None:
                by_name.setdefault(cookie.name, []).append((rule, cookie))
            elif cookie.pattern is not None:
                by_pattern.append((re.compile(cookie.pattern), rule, cookie))
        for call in rule.calls:
            calls.add(call.host, (rule, call))
        for load in rule.loads:
            loads.add(load.host, (rule, load.paths))
    lists = system(book, "services").phrases if any(r.id == "services" for r in book.consent) else {}
    strings = tuple((r.id, c.decoder) for r in book.consent if r.id in STRINGS for c in r.cookies[:1])
    query = {name: r.id for r in book.consent if r.id in STRINGS for name in r.query}
    google = next((r.phrases for r in book.consent if r.id == "google"), {})
    apps = next((r.phrases for r in book.consent if r.id == "apps"), {})
    return Index(by_name, by_pattern, generic, calls, loads, lists, strings, query, google, apps)


def system(book: Rulebook, name: str) -> ConsentRule:
    """The rule of a consent system by its id. Raises KeyError."""
    for rule in book.consent:
        if rule.id == name:
            return rule
    raise KeyError(name)
