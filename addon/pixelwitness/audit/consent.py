"""The consent that was in force at a moment of a session: which states were possible, by whose word.

Every consent system gives evidence at one or more levels of detail (`evidence`, `absence`). Inside one system the more
specific level decides; between systems that were both seen loading the more restrictive one does (`reading`). What
cannot be read stays open, with the reason. Nothing before a fresh profile speaks of what comes after it (`stretch`).
"""

from __future__ import annotations

from dataclasses import replace

from pixelwitness.audit.moment import ConsentAt, merged, read
from pixelwitness.audit.session import Session
from pixelwitness.audit.stretch import bounds, stretch_between
from pixelwitness.audit.timeline import CHOICES
from pixelwitness.rulebook import Rulebook


class ConsentTimeline:
    """Answers what was in force at any moment of one session."""

    def __init__(self, session: Session, book: Rulebook) -> None:
        self._rules, self._clock = book.judging, session.clock
        self._stretches = [stretch_between(session, book, start, end) for start, end in bounds(session)]
        self._jar_unseen = session.jar_unseen
        # In which of several browsers the auditor clicked no mark says.
        several = bool(session.agent and session.marks)
        self._unmarked = ConsentTimeline(replace(session, marks=[]), book) if several else None

    def at(self, moment: int, host: str | None = None, client_time: int | None = None) -> ConsentAt:
        """The consent in force at a moment (milliseconds), for a page on a host of the property.

        `client_time` is the client's own time of what arrived at that moment, where it says one.
        """
        if self._jar_unseen:
            return ConsentAt(frozenset(CHOICES), ("several_browsers",), store=True)
        said = self._at(moment, host, client_time)
        other = self._unmarked.at(moment, host, client_time) if self._unmarked is not None else said
        if said.possible == other.possible:
            return said
        return replace(
            said, possible=said.possible | other.possible, reasons=(*said.reasons, "several_browsers"),
            withdrawn=False, no_mechanism=False, refused_at=None, confirmed=False, store=True,
        )  # fmt: skip

    def _at(self, moment: int, host: str | None, client_time: int | None) -> ConsentAt:
        client_time = self._credible(moment, client_time)
        stretch = next((s for s in reversed(self._stretches) if s.start <= moment), self._stretches[0])
        said = [(s, read(s, moment, host, self._rules, client_time)) for s in stretch.systems]
        readings = [(s, r) for s, r in said if r is not None]
        primary = [(s, r) for s, r in readings if r.level != "tcf"]
        # What a system keeps where it cannot be read may still stand in its TC string.
        primary = readings if all(r.reasons == ("opaque_store",) for _, r in primary) else primary
        # Before it was seen loading, a system of which nothing had been seen was not there yet.
        there = [(s, r) for s, r in primary if s.begins is None or moment >= min(s.begins, s.first_seen)]
        primary = there or primary
        if not primary:
            aside = stretch.stale_signals
            return ConsentAt(frozenset(CHOICES), stretch.reasons, stretch.hidden, set_aside=aside, store=stretch.store)
        together = merged(primary, moment)
        used = [r for _, r in primary]
        aside = tuple(s for _, r in readings if r not in used for s in r.signals)
        return replace(together, set_aside=(*together.set_aside, *aside, *stretch.stale_signals), store=True)

    def _credible(self, moment: int, client_time: int | None) -> int | None:
        """A client's time that can be true of something that arrived at a moment; else None."""
        if client_time is None:
            return None
        late = moment - (client_time - self._clock.whole.offset)
        early = self._rules.least_clock_error_ms + self._clock.whole.uncertainty
        return client_time if -early <= late <= self._rules.longest_send_ms else None

    @property
    def stale(self) -> tuple[str, ...]:
        """Consent systems whose cookies were seen and set aside: another one was seen loading."""
        return tuple(dict.fromkeys(name for s in self._stretches for name in s.stale))
