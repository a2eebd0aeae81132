"""One client on one property: its rows in the order of time, and its clock."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from pixelwitness.audit.clock import ClientClock
from pixelwitness.audit.placing import Place
from pixelwitness.observations import NEVER_SENT, BlindSpot, FirstParty, Hit, PageView, Signal


@dataclass
class Session:
    """Consent is judged inside a session, never across clients. Every list is in the order of time."""

    client: str
    property: str
    clock: ClientClock
    agent: str = ""
    """Which of several browsers behind one client (`audit.devices`); empty where there is one."""
    hits: list[tuple[Hit, Place]] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    embedded: list[Signal] = field(default_factory=list)
    """What consent systems keep on other domains that the pages embed: they speak of those, and show that one may be
    asked there on this property's behalf."""
    marks: list[Signal] = field(default_factory=list)
    page_views: list[PageView] = field(default_factory=list)
    first_party: list[FirstParty] = field(default_factory=list)
    blocked: list[BlindSpot] = field(default_factory=list)
    """Sends that were tried and did not leave the browser."""
    app: bool = False
    jar_unseen: bool = False
    """Of several browsers it cannot be told which one it was, or this one never showed its cookies."""


@dataclass
class Placed:
    """All sessions of a recording, and what could not be put on any property."""

    sessions: dict[tuple[str, str, str], Session] = field(default_factory=dict)
    """By client, property and browser (`Session.agent`)."""
    unplaced_hits: list[tuple[Hit, Place]] = field(default_factory=list)
    signal_properties: dict[str, str | None] = field(default_factory=dict)


def bare_views(session: Session) -> frozenset[str]:
    """Ids of the documents after which, up to the next one, no other request of the session's pages was seen: what was
    blocked shows nothing, since a page of which all else is blocked sends nothing either."""
    documents = [v for v in session.page_views if not v.prerender]
    ids = {v.id for v in session.page_views}
    other = [f.at for f in session.first_party if not f.document] + [h.occurred_at for h, _ in session.hits]
    other += [s.observed_at for s in session.signals if s.exchange_id not in ids and NEVER_SENT not in s.detail]
    other.sort()
    ends = [*(v.at for v in documents[1:]), 2**62]
    return frozenset(
        v.id for v, end in zip(documents, ends, strict=False) if bisect_left(other, v.at) >= bisect_left(other, end)
    )
