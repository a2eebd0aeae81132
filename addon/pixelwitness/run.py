"""One run: exchanges in, observations into the ledger, judgement out. Live and replay both go this way."""

from __future__ import annotations

import json
import platform
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

from pixelwitness.audit.judge import judge
from pixelwitness.audit.model import Judgement
from pixelwitness.audit.regions import AUTO
from pixelwitness.consent.probe import CATEGORY
from pixelwitness.consent.read import claimed_cookies
from pixelwitness.exchange import Exchange
from pixelwitness.glance import silent_request, silent_response
from pixelwitness.hostname import ascii_host
from pixelwitness.identity.people import NOBODY, People
from pixelwitness.ingest import observe_request, observe_response
from pixelwitness.ledger.parts import MAX_BODY, Claims, Storing
from pixelwitness.ledger.project import project
from pixelwitness.ledger.store import Ledger, Prepared, Record
from pixelwitness.observations import BlindSpot, Observed, Signal
from pixelwitness.pixels.decode import page_of
from pixelwitness.property import host_of, property_of, registrable_domain
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.law import Regime

OWN_HOST = "pixelwitness.local"
"""Where the add-on shows its own page, which is no traffic of anybody's."""
NOT_TRAFFIC = frozenset({OWN_HOST, "mitm.it"})


def chosen_regimes(names: Sequence[str], book: Rulebook) -> tuple[Regime, ...]:
    """The regimes asked for by name, or the default ones; `auto` is none, and judging resolves it.

    Raises ValueError, with the names that there are.
    """
    unknown = [n for n in names if n not in book.regimes and n != AUTO]
    if unknown:
        raise ValueError(f"no regime {', '.join(unknown)}. There are: {', '.join((AUTO, *sorted(book.regimes)))}")
    return tuple(book.regimes[n] for n in dict.fromkeys(names or book.judging.default_regimes) if n != AUTO)


def now() -> int:
    """The present, in milliseconds."""
    return time.time_ns() // 1_000_000


def program() -> str:
    """Name and version of this program, and of the Python that runs it."""
    return f"pixelwitness {_version('pixelwitness')}, Python {platform.python_version()}"


def mitmproxy_version() -> str:
    """The installed mitmproxy."""
    return _version("mitmproxy")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown (not installed)"


@dataclass(frozen=True)
class Scope:
    """Which hosts and apps (by package or bundle id) are the auditor's business; empty: all."""

    hosts: tuple[str, ...] = ()

    def covers(self, exchange: Exchange) -> bool:
        """Whether an exchange is a host's in scope, or belongs to a page of one. The proxy's own pages never are."""
        if exchange.host in NOT_TRAFFIC:
            return False
        if not self.hosts:
            return True
        named = [exchange.host, host_of(page_of(exchange)), host_of(exchange.fields.get("origin"))]
        return any(self._in(host) for host in named if host)

    def covers_hit(self, observed: Observed) -> bool:
        """Whether a message names a page or an app in scope in its payload."""
        pages = [host_of(url) for hit in observed.hits for url in (hit.page_url, hit.page_referrer)]
        return any(self._in(name) for name in (*pages, *(hit.app_id for hit in observed.hits)) if name)

    def _in(self, host: str) -> bool:
        return any(host == h or host.endswith("." + h) for h in map(ascii_host, self.hosts))


@dataclass
class Tally:
    """Requests by property, host and class, for the `traffic` table."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def add(self, exchange: Exchange, category: str) -> None:
        """Counts one request under the page that it belongs to, or under its own host."""
        prop = property_of(page_of(exchange)) or registrable_domain(exchange.host)
        self.counts[prop, exchange.host, category] += 1

    def record(self, key: str, at: int) -> Record:
        """The counts as a record; the same key is written only once."""
        counts = {json.dumps(k): n for k, n in self.counts.items()}
        return Record("traffic", Observed(), at, id=key, counts=counts)


@dataclass(frozen=True)
class Lens:
    """With what exchanges are read: the rules, what is the auditor's business, and whose values are known."""

    book: Rulebook
    scope: Scope = field(default_factory=Scope)
    people: People = NOBODY
    statements: tuple[Signal, ...] = ()
    """What the auditor's property file says."""


def speaks(observed: Observed) -> bool:
    """Whether an observation holds anything that is worth keeping."""
    o = observed
    return bool(
        o.hits or o.signals or o.blind_spots or o.page_view or o.first_party or o.frame or o.settings or o.hosted
    )  # fmt: skip


def request_record(exchange: Exchange, lens: Lens, tally: Tally, capture: str = "") -> Record | None:
    """A request as a record; None where it says nothing or is out of scope."""
    category = silent_request(exchange, lens.book)
    if category is not None:
        if lens.scope.covers(exchange):
            tally.add(exchange, category)
        return None
    observed = observe_request(exchange, lens.book, lens.people)
    if not lens.scope.covers(exchange) and not lens.scope.covers_hit(observed):
        return _homeless(exchange, observed)
    if observed.category != CATEGORY:
        tally.add(exchange, observed.category)
    if not speaks(observed):
        return None
    return Record("request", observed, exchange.started_at, exchange, capture=capture)


def _homeless(exchange: Exchange, observed: Observed) -> Record | None:
    """A send that names no page at all may have been one of a page in scope: that much is kept of it, and no more."""
    origins = (h.origin for h in observed.hits if h.origin != "null")
    named = any(any((h.page_url, h.page_referrer, h.referer, h.app_id)) for h in observed.hits) or any(origins)
    if not observed.hits or named:
        return None
    spot = BlindSpot(
        client=exchange.client, host=exchange.host, kind="out_of_scope_send", detail=exchange.host,
        at=exchange.started_at,
    )  # fmt: skip
    return spot_record(spot, f"scope.{exchange.id}", exchange.started_at)


def response_record(exchange: Exchange, lens: Lens, capture: str = "") -> Record | None:
    """A response as a record; None where it adds nothing or is out of scope."""
    if exchange.response is None or silent_response(exchange, lens.book):
        return None
    observed = observe_response(exchange, lens.book, lens.people)
    if not lens.scope.covers(exchange) and not lens.scope.covers_hit(observe_request(exchange, lens.book)):
        return None
    if not speaks(observed) and not (observed.category.startswith("pixel_") or observed.category == "app_sdk"):
        return None
    return Record("response", observed, exchange.response.at, exchange, capture=capture)


def spot_record(spot: BlindSpot, key: str, at: int) -> Record:
    """A blind spot without an exchange as a record."""
    return Record("blind_spot", Observed(blind_spots=(spot,)), at, id=key)


def mark_record(mark: Signal) -> Record:
    """An auditor's mark as a record."""
    return Record("mark", Observed(signals=(mark,)), mark.observed_at, id=mark.id)


def storing(
    book: Rulebook, *, keep_plaintext: bool, max_body: int = MAX_BODY, people: People = NOBODY
) -> Storing:  # fmt: skip
    """What may be stored by the rules: of cookies the values that a consent rule claims."""
    return Storing(_claims(book), keep_plaintext, max_body, people)


@lru_cache(8)
def _claims(book: Rulebook) -> Claims:
    """The same for the same rules, so that what was found out by it can be remembered."""
    return lambda names: claimed_cookies(names, book)


def write(
    ledger: Ledger, run_id: str, batch: Sequence[Record | Prepared], book: Rulebook, *, keep_plaintext: bool,
    max_body: int = MAX_BODY, people: People = NOBODY,
) -> int:  # fmt: skip
    """Writes records with the masking that the rules ask for; some may have been prepared by it before."""
    how = storing(book, keep_plaintext=keep_plaintext, max_body=max_body, people=people)
    return ledger.record(run_id, batch, how)


def judge_recording(
    ledger: Ledger, run_id: str, regimes: Sequence[Regime], book: Rulebook, *, named: Iterable[str] = (),
    provisional: bool = False,
) -> Judgement:  # fmt: skip
    """Judges the recording that a run belongs to, and writes the public tables anew."""
    recording = ledger.recording_of(run_id)
    named = frozenset(named)
    recorded = ledger.recorded(recording)
    judgement = judge(recorded.rows, regimes, book, named)
    log = provisional or ledger.is_open_live(run_id)
    project(ledger, run_id, recorded, judgement, book, named=named, provisional=provisional, at=now(), log=log)
    return judgement
