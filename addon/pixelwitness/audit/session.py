"""One client on one property: its rows in the order of time, and its clock."""

from __future__ import annotations

from dataclasses import dataclass, field

from pixelwitness.audit.clock import ClientClock
from pixelwitness.audit.placing import Place
from pixelwitness.observations import BlindSpot, FirstParty, Hit, PageView, Signal


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
