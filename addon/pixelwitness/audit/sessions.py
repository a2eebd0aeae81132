"""A recording's rows, sorted into sessions: by client, property and browser."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from pixelwitness.audit.blocked import blocked_sends
from pixelwitness.audit.clock import ClientClock, clock_of
from pixelwitness.audit.devices import taken_apart
from pixelwitness.audit.model import Rows
from pixelwitness.audit.placing import Pages, pages_of, place_hit, place_signal
from pixelwitness.audit.session import Placed, Session
from pixelwitness.observations import FirstParty, Frame, Hit, PageView, Signal
from pixelwitness.property import property_of, registrable_domain
from pixelwitness.rulebook.law import Judging


@dataclass(frozen=True)
class _Sorted:
    """A recording's rows, each once and in the order of time, with each client's documents."""

    hits: list[Hit]
    views: list[PageView]
    first_party: list[FirstParty]
    signals: list[Signal]
    pages: dict[str, Pages]
    sanitised: frozenset[str]
    """Clients of which the recorder may have left cookies out: those of HAR, with the browser's clock in all of it."""


def sessions_of(rows: Rows, rules: Judging) -> Placed:
    """Sorts a recording's rows into sessions."""
    ready = _sort(rows)
    placed = Placed()

    hits_of, signals_of = by_client(ready.hits), by_client(ready.signals)
    clocks = {
        client: _clock(hits_of.get(client, []), signals_of.get(client, []), rules, one_clock=client in ready.sanitised)
        for client in ready.pages
    }

    documents = {v.id for v in ready.views}

    def session(client: str, prop: str) -> Session:
        return placed.sessions.setdefault((client, prop, ""), Session(client, prop, clocks.get(client, ClientClock())))

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
        embedding = placed.sessions.get((signal.client, property_of(signal.page) or "", ""))
        kept = signal.cmp is not None and signal.source in ("cookie", "set_cookie")
        if embedding is not None and embedding.property != prop and kept and signal.exchange_id not in documents:
            embedding.embedded.append(signal)
    for spot in blocked_sends(rows, rules):
        prop = spot.property or property_of(spot.page)
        if spot.client is not None and prop is not None:
            session(spot.client, prop).blocked.append(spot)
    placed.sessions = {
        (part.client, part.property, part.agent): part
        for one in placed.sessions.values()
        for part in taken_apart(one, partial(_clock, rules=rules, one_clock=one.client in ready.sanitised))
    }
    for mark in ready.signals:
        if mark.source == "mark":
            placed.signal_properties[mark.id] = mark.property
            _give_mark(mark, placed)
    return placed


def by_client[T: (Hit, PageView, Frame, Signal)](rows: Iterable[T]) -> dict[str | None, list[T]]:
    """Rows by their client, in their order: a long recording holds thousands of clients."""
    found: dict[str | None, list[T]] = {}
    for row in rows:
        found.setdefault(row.client, []).append(row)
    return found


def _only_app(client: str, placed: Placed, ready: _Sorted) -> str | None:
    """The app of a client on which nothing but one app was seen: what names no page can only be that app's."""
    pages = ready.pages.get(client)
    apps = [s for (c, *_), s in placed.sessions.items() if c == client]
    return apps[0].property if len(apps) == 1 and apps[0].app and not (pages and pages.views) else None


def _sort(rows: Rows) -> _Sorted:
    # An exchange is observed again when its response comes: the later version of a row replaces the earlier one.
    hits = sorted({h.id: h for h in rows.hits}.values(), key=lambda h: (h.occurred_at, h.id))
    views = sorted({v.id: v for v in rows.page_views}.values(), key=lambda v: (v.at, v.id))
    first_party = sorted({f.id: f for f in rows.first_party}.values(), key=lambda f: (f.at, f.id))
    signals = sorted({s.id: s for s in rows.signals}.values(), key=lambda s: (s.observed_at, s.id))
    frames = list({f.id: f for f in rows.frames}.values())
    clients = {h.client for h in hits} | {v.client for v in views} | {f.client for f in first_party}
    clients |= {s.client for s in signals if s.client is not None}
    views_of, frames_of = by_client(views), by_client(frames)
    sanitised = frozenset(f.client for f in first_party if not f.cookies_complete)
    return _Sorted(
        hits,
        views,
        first_party,
        signals,
        {c: pages_of(views_of.get(c, []), frames_of.get(c, [])) for c in clients},
        sanitised,
    )


def _clock(hits: list[Hit], signals: list[Signal], rules: Judging, *, one_clock: bool) -> ClientClock:
    lags = [(h.occurred_at, h.event_time - h.occurred_at) for h in hits if h.event_time is not None]
    leads = [s.effective_at - s.observed_at for s in signals if s.effective_at is not None and s.source != "mark"]
    return clock_of(lags, leads, rules, one_clock=one_clock)


def _give_mark(mark: Signal, placed: Placed) -> None:
    """An auditor's mark speaks of the client and property that it names, and of all where it names none."""
    for (client, prop, _), session in placed.sessions.items():
        if mark.client in (None, client) and mark.property in (None, prop):
            session.marks.append(mark)
