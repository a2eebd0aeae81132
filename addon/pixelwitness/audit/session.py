"""One client on one property: its rows in the order of time, and its clock."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pixelwitness.audit.clock import ClientClock, clock_of
from pixelwitness.audit.model import Rows
from pixelwitness.audit.placing import Pages, Place, pages_of, place_hit, place_signal
from pixelwitness.observations import BlindSpot, FirstParty, Hit, PageView, Signal
from pixelwitness.property import property_of, registrable_domain
from pixelwitness.rulebook.law import Judging


@dataclass
class Session:
    """Consent is judged inside a session, never across clients. Every list is in the order of time."""

    client: str
    property: str
    clock: ClientClock
    hits: list[tuple[Hit, Place]] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    marks: list[Signal] = field(default_factory=list)
    page_views: list[PageView] = field(default_factory=list)
    first_party: list[FirstParty] = field(default_factory=list)
    blocked: list[BlindSpot] = field(default_factory=list)
    """Sends that were tried and did not leave the browser."""
    app: bool = False


@dataclass
class Placed:
    """All sessions of a recording, and what could not be put on any property."""

    sessions: dict[tuple[str, str], Session] = field(default_factory=dict)
    unplaced_hits: list[tuple[Hit, Place]] = field(default_factory=list)
    signal_properties: dict[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class _Sorted:
    """A recording's rows, each once and in the order of time, with each client's documents and clock."""

    hits: list[Hit]
    views: list[PageView]
    first_party: list[FirstParty]
    signals: list[Signal]
    pages: dict[str, Pages]
    clocks: dict[str, ClientClock]


def sessions_of(rows: Rows, rules: Judging) -> Placed:
    """Sorts a recording's rows into sessions."""
    ready = _sort(rows, rules)
    placed = Placed()

    def session(client: str, prop: str) -> Session:
        return placed.sessions.setdefault(
            (client, prop), Session(client, prop, ready.clocks.get(client, ClientClock()))
        )

    for hit in ready.hits:
        place = place_hit(hit, ready.pages.get(hit.client, Pages()))
        if place.property is None:
            placed.unplaced_hits.append((hit, place))
            continue
        home = session(hit.client, place.property)
        home.hits.append((hit, place))
        home.app = home.app or place.attribution == "app"
    for view in ready.views:
        session(view.client, registrable_domain(view.host)).page_views.append(view)
    for request in ready.first_party:
        session(request.client, registrable_domain(request.host)).first_party.append(request)
    for signal in ready.signals:
        if signal.source == "mark" or signal.client is None:
            continue
        prop = place_signal(signal, ready.pages.get(signal.client, Pages())).property
        prop = prop or _only_app(signal.client, placed, ready)
        placed.signal_properties[signal.id] = prop
        if prop is not None:
            session(signal.client, prop).signals.append(signal)
    for spot in blocked_sends(rows, rules):
        prop = spot.property or property_of(spot.page)
        if spot.client is not None and prop is not None:
            session(spot.client, prop).blocked.append(spot)
    for mark in ready.signals:
        if mark.source == "mark":
            placed.signal_properties[mark.id] = mark.property
            _give_mark(mark, placed)
    return placed


def _only_app(client: str, placed: Placed, ready: _Sorted) -> str | None:
    """The app of a client on which nothing but one app was seen: what names no page can only be that app's."""
    pages = ready.pages.get(client)
    apps = [s for (c, _), s in placed.sessions.items() if c == client]
    return apps[0].property if len(apps) == 1 and apps[0].app and not (pages and pages.views) else None


def _sort(rows: Rows, rules: Judging) -> _Sorted:
    # An exchange is observed again when its response comes: the later version of a row replaces the earlier one.
    hits = sorted({h.id: h for h in rows.hits}.values(), key=lambda h: (h.occurred_at, h.id))
    views = sorted({v.id: v for v in rows.page_views}.values(), key=lambda v: (v.at, v.id))
    first_party = sorted({f.id: f for f in rows.first_party}.values(), key=lambda f: (f.at, f.id))
    signals = sorted({s.id: s for s in rows.signals}.values(), key=lambda s: (s.observed_at, s.id))
    frames = list({f.id: f for f in rows.frames}.values())
    by_client = {h.client for h in hits} | {v.client for v in views} | {f.client for f in first_party}
    by_client |= {s.client for s in signals if s.client is not None}
    sanitised = {f.client for f in first_party if not f.cookies_complete}
    return _Sorted(
        hits,
        views,
        first_party,
        signals,
        {c: pages_of([v for v in views if v.client == c], [f for f in frames if f.client == c]) for c in by_client},
        {c: _clock(c, hits, signals, rules, one_clock=c in sanitised) for c in by_client},
    )


def _clock(client: str, hits: list[Hit], signals: list[Signal], rules: Judging, *, one_clock: bool) -> ClientClock:
    lags = [
        (h.occurred_at, h.event_time - h.occurred_at) for h in hits if h.client == client and h.event_time is not None
    ]
    leads = [
        s.effective_at - s.observed_at
        for s in signals
        if s.client == client and s.effective_at is not None and s.source != "mark"
    ]
    return clock_of(lags, leads, rules, one_clock=one_clock)


def _give_mark(mark: Signal, placed: Placed) -> None:
    """An auditor's mark speaks of the client and property that it names, and of all where it names none."""
    for (client, prop), session in placed.sessions.items():
        if mark.client in (None, client) and mark.property in (None, prop):
            session.marks.append(mark)


def bare_views(session: Session) -> frozenset[str]:
    """Ids of the documents after which, up to the next one, no other request of the session's pages was seen."""
    documents = [v for v in session.page_views if not v.prerender]
    ids = {v.id for v in session.page_views}
    other = [f.at for f in session.first_party if not f.document] + [h.occurred_at for h, _ in session.hits]
    other += [s.observed_at for s in session.signals if s.exchange_id not in ids] + [b.at or 0 for b in session.blocked]
    other.sort()
    ends = [*(v.at for v in documents[1:]), 2**62]
    return frozenset(
        v.id for v, end in zip(documents, ends, strict=False) if bisect_left(other, v.at) >= bisect_left(other, end)
    )


def blocked_sends(rows: Rows, rules: Judging) -> list[BlindSpot]:
    """Sends that were tried and did not leave: preflights without their POST, requests that the browser blocked."""
    spots = _once(rows.blind_spots)
    asked = [s for s in spots if s.kind == "preflight" and s.client is not None and s.at is not None]
    unanswered = set(_without_post(asked, rows.hits, spots, rules.preflight_window_ms))
    return [
        spot.model_copy(update={"kind": "blocked_send"}) if spot.kind == "preflight" else spot
        for spot in spots
        if spot.kind == "blocked_send" or spot in unanswered
    ]


def _without_post(
    preflights: Iterable[BlindSpot], hits: Iterable[Hit], spots: Iterable[BlindSpot], window: int
) -> Iterator[BlindSpot]:  # fmt: skip
    """Preflights that no request of their own followed. A request answers one preflight, the earliest that waits.

    Those that need one come first: what browsers send without asking (a beacon of text) answers only what is left. A
    request that was itself blocked is counted already, so it answers its preflight too.
    """
    type Target = tuple[str | None, str]
    posts: dict[Target, dict[tuple[int, str], None]] = defaultdict(dict)
    simple: dict[Target, dict[tuple[int, str], None]] = defaultdict(dict)
    for hit in hits:
        if hit.method == "POST":
            kind = simple if hit.transport == "beacon" else posts
            kind[hit.client, hit.request_url][hit.occurred_at, hit.exchange_id] = None
    for spot in spots:
        if spot.kind == "blocked_send" and spot.at is not None:
            posts[spot.client, spot.url or ""][spot.at, spot.exchange_id or ""] = None
    waiting: dict[Target, list[BlindSpot]] = defaultdict(list)
    for spot in sorted(preflights, key=lambda s: (s.at or 0, s.exchange_id or "")):
        waiting[spot.client, spot.url or ""].append(spot)
    for target, asked in waiting.items():
        left = _unmatched(asked, sorted(at for at, _ in posts.get(target, ())), window)
        yield from _unmatched(left, sorted(at for at, _ in simple.get(target, ())), window)


def _unmatched(asked: list[BlindSpot], times: Iterable[int], window: int) -> list[BlindSpot]:
    """Of some preflights, by time, those without a request of their own among some times, in order."""
    left: list[BlindSpot] = []
    index = 0
    for time in times:
        while index < len(asked) and (asked[index].at or 0) < time - window:
            left.append(asked[index])
            index += 1
        if index < len(asked) and (asked[index].at or 0) <= time:
            index += 1
    return [*left, *asked[index:]]


def _once(spots: Iterable[BlindSpot]) -> list[BlindSpot]:
    return list(dict.fromkeys(spots))
