"""The rules about consent, ready for look-up: cookies by name, calls and scripts by host."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.consent import CallRule, ConfigRule, ConsentRule, CookieRule, HeaderRule, LoadRule
from pixelwitness.rulebook.hosts import HostIndex
from pixelwitness.rulebook.regex import BESIDE

GENERIC = "generic"
STRINGS = ("tcf", "gpp", "usp", "ac")
"""Standard strings that are recognised by their shape under any cookie's name."""
ABOUT = ("gdpr", "gpp_sid")
"""Parameters that say something about a standard string beside them."""
GOOGLE = ("gcs", "gcd")
ANYWHERE = "*"
MAX_NAME = 200


class ByHost[T]:
    """Values by host suffix, and those that hold on any host (`*`)."""

    def __init__(self) -> None:
        self._hosts: HostIndex[T] = HostIndex()
        self._anywhere: list[T] = []
        self._known = lru_cache(4096)(self._lookup)

    def add(self, host: str, value: T) -> None:
        """Put a value under a host suffix, `=host` or `*`."""
        if host == ANYWHERE:
            self._anywhere.append(value)
        else:
            self._hosts.add(host, value)

    def lookup(self, host: str) -> tuple[T, ...]:
        """All values that hold for a host, the most specific first."""
        return self._known(host) if len(host) <= MAX_NAME else self._lookup(host)

    def _lookup(self, host: str) -> tuple[T, ...]:
        return (*self._hosts.lookup(host), *self._anywhere)


@dataclass
class Index:
    """One rulebook's rules about consent."""

    by_name: dict[str, list[tuple[ConsentRule, CookieRule]]] = field(default_factory=dict)
    by_pattern: list[tuple[re.Pattern[str], ConsentRule, CookieRule]] = field(default_factory=list)
    renamed: list[tuple[ConsentRule, CookieRule]] = field(default_factory=list)
    companions: list[re.Pattern[str]] = field(default_factory=list)
    generic: re.Pattern[str] = re.compile(r"(?!)")
    calls: ByHost[tuple[ConsentRule, CallRule]] = field(default_factory=ByHost)
    loads: ByHost[tuple[ConsentRule, LoadRule]] = field(default_factory=ByHost)
    configs: ByHost[tuple[ConsentRule, ConfigRule]] = field(default_factory=ByHost)
    headers: dict[str, list[tuple[ConsentRule, HeaderRule]]] = field(default_factory=dict)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    strings: list[tuple[str, str]] = field(default_factory=list)
    query: dict[str, str] = field(default_factory=dict)
    """URL parameters that carry a standard string, with the string's rule."""
    google: dict[str, tuple[str, ...]] = field(default_factory=dict)
    apps: dict[str, tuple[str, ...]] = field(default_factory=dict)

    header_sizes: frozenset[int] = frozenset()
    """How long the names are of the header fields of a response that are read, Set-Cookie with them."""
    parameters: tuple[str, ...] = ()
    """What stands in a query, in small letters, that has a parameter of which consent is read."""

    def __post_init__(self) -> None:
        self._known_paths = lru_cache(4096)(self._paths)
        self._known_rules = lru_cache(8192)(self._rules_for)
        self._known_concern = lru_cache(8192)(self._concerns)

    def paths(self, host: str) -> tuple[str, ...]:
        """How the paths begin of all calls, and of all scripts of consent systems, that are known on a host."""
        return self._known_paths(host) if len(host) <= MAX_NAME else self._paths(host)

    def _paths(self, host: str) -> tuple[str, ...]:
        called = [call.path.removesuffix("*") for _, call in self.calls.lookup(host)]
        loaded = [path for _, load in self.loads.lookup(host) for path in load.paths or ("",)]
        return tuple(dict.fromkeys((*called, *loaded)))

    def rules_for(self, name: str) -> tuple[tuple[ConsentRule, CookieRule], ...]:
        """The cookie rules that claim a name, an exact name before a pattern."""
        return self._known_rules(name[: MAX_NAME + 1])

    def concerns(self, name: str) -> bool:
        """Whether a cookie of this name may bear on consent: a rule, the generic one or a companion claims it."""
        return self._known_concern(name[: MAX_NAME + 1])

    def _rules_for(self, name: str) -> tuple[tuple[ConsentRule, CookieRule], ...]:
        short = name[:MAX_NAME]
        found = list(self.by_name.get(name, ()))
        return (*found, *((rule, cookie) for pattern, rule, cookie in self.by_pattern if pattern.fullmatch(short)))

    def _concerns(self, name: str) -> bool:
        short = name[:MAX_NAME]
        return bool(
            self.rules_for(name) or self.generic.fullmatch(short) or any(p.fullmatch(short) for p in self.companions)
        )


@lru_cache(8)
def index_of(book: Rulebook) -> Index:
    """The index of a rulebook."""
    index = Index()
    for rule in book.consent:
        for cookie in rule.cookies:
            _add_cookie(index, rule, cookie)
        index.companions += [re.compile(p) for p in rule.companions]
        for call in rule.calls:
            index.calls.add(call.host, (rule, call))
        for load in rule.loads:
            index.loads.add(load.host, (rule, load))
        for config in rule.configs:
            index.configs.add(config.host, (rule, config))
        for header in rule.headers:
            index.headers.setdefault(header.name.lower(), []).append((rule, header))
    index.header_sizes = frozenset(len(name) for name in (*index.headers, "set-cookie"))
    index.lists = dict(system(book, "services").phrases)
    index.query = {name: r.id for r in book.consent if r.id in STRINGS for name in r.query}
    index.parameters = tuple(f"{name}=" for name in (*index.query, *ABOUT, *GOOGLE))
    index.google = next((r.phrases for r in book.consent if r.id == "google"), {})
    index.apps = next((r.phrases for r in book.consent if r.id == "apps"), {})
    index.strings = [(r.id, c.decoder) for r in book.consent if r.id in STRINGS for c in r.cookies[:1]]
    return index


def _add_cookie(index: Index, rule: ConsentRule, cookie: CookieRule) -> None:
    if rule.id == GENERIC and cookie.pattern:
        index.generic = re.compile(cookie.pattern)
    elif cookie.name is not None:
        index.by_name.setdefault(cookie.name, []).append((rule, cookie))
    elif cookie.pattern is not None:
        index.by_pattern.append((re.compile(cookie.pattern), rule, cookie))
    if cookie.renamed:
        index.renamed.append((rule, cookie))
    # What a decoder looks for beside its own cookie is read along.
    for param in BESIDE:
        index.companions += [re.compile(name) for name in cookie.params.get(param, ())]


def system(book: Rulebook, name: str) -> ConsentRule:
    """The rule of a consent system by its id. Raises KeyError."""
    for rule in book.consent:
        if rule.id == name:
            return rule
    raise KeyError(name)
