"""A session between two fresh profiles: which consent systems speak in it, and why there is silence where none does."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from pixelwitness.audit.absence import (
    HIDDEN_STORES,
    add_absences,
    jar_sightings,
    no_mechanism,
    unread_beside,
    why_silent,
)
from pixelwitness.audit.evidence import LOADING, System, by_marks, home_made, kept_out, runs, speaks, system_of
from pixelwitness.audit.session import Session
from pixelwitness.observations import Signal
from pixelwitness.rulebook import Rulebook


@dataclass
class Stretch:
    """A session between two fresh profiles: nothing before a fresh profile speaks of what comes after it."""

    start: int
    end: int | None
    systems: list[System] = field(default_factory=list)
    stale: tuple[str, ...] = ()
    stale_signals: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    """Why nothing can be said where no system speaks."""
    hidden: str | None = None
    """A system that was seen loading and keeps its answer where it cannot be read."""
    store: bool = True


def bounds(session: Session) -> list[tuple[int, int | None]]:
    """Where the stretches of a session begin and end: at each fresh profile."""
    fresh = sorted(m.observed_at for m in session.marks if m.name == "fresh_profile")
    starts = [-(2**62), *fresh]
    return list(zip(starts, [*fresh, None], strict=True))


def stretch_between(session: Session, book: Rulebook, start: int, end: int | None) -> Stretch:
    """What speaks of consent in a session from one fresh profile to the next."""
    rules = book.judging

    def within(at: int) -> bool:
        return start <= at and (end is None or at < end)

    signals = [s for s in session.signals if within(s.observed_at) and _of_consent(s)]
    marks = [m for m in session.marks if within(m.observed_at)]
    requests = [f for f in session.first_party if within(f.at)]
    loaded = {s.cmp for s in signals if s.cmp and (runs(s) or _answers_in_page(s))}
    with_cookie = {s.cmp for s in signals if s.cmp and s.source not in LOADING}
    named = loaded or with_cookie
    tcf = {s.cmp for s in signals if s.cmp and s.level == "tcf"} - loaded
    stale = sorted((with_cookie - named - tcf) - {None}) if loaded else []
    stretch = Stretch(
        start,
        end,
        stale=tuple(s for s in stale if s),
        stale_signals=tuple(s.id for s in signals if s.cmp in stale and s.source not in LOADING),
    )
    generic = [s for s in signals if s.cmp is None and s.reason == "home_made_consent"]
    sightings = jar_sightings(requests)
    documents = sorted(f.at for f in requests if f.document)
    hosts = frozenset(f.host for f in requests if f.document)
    for cmp in sorted(c for c in named | tcf if c):
        own = [s for s in signals if s.cmp == cmp]
        system = system_of(cmp, own, marks, session.clock, rules)
        system.begins = _document_of(min((s.observed_at for s in own if runs(s)), default=None), documents)
        add_absences(system, own, generic, sightings, hosts, book)
        if any(system.levels.values()):
            stretch.systems.append(system)
    _note_replaced(stretch.systems, signals)
    if any(set(s.levels) - {"tcf"} for s in stretch.systems):
        stretch.systems += unread_beside(signals, {s.id for s in stretch.systems}, book)
    speaking = [s for s in stretch.systems if any(e.signal for es in s.levels.values() for e in es)]
    foreign = not named and any(within(s.observed_at) for s in session.embedded)
    blocked = not named and any(kept_out(s) for s in signals)
    if not named - tcf:
        if generic:
            stretch.systems.append(home_made(generic, marks, session.clock, rules))
        elif not (tcf or foreign or blocked) and (
            mechanism := no_mechanism(session, requests, sightings, marks, start, rules)
        ):
            stretch.systems.append(mechanism)
        elif marks_system := by_marks(marks, session.clock, rules):
            stretch.systems.append(marks_system)
    stretch.reasons = why_silent(session, signals, requests, sightings, bool(named), book)
    if foreign:
        stretch.reasons = ("foreign_consent", *(r for r in stretch.reasons if r != "visitor_not_fresh"))
    if blocked:
        stretch.reasons = ("cmp_blocked", *(r for r in stretch.reasons if r != "visitor_not_fresh"))
    unreadable = {r.id for r in book.consent if r.store in HIDDEN_STORES}
    stretch.hidden = next((s.cmp for s in signals if s.cmp in unreadable and runs(s)), None)
    stretch.store = bool(named or generic or speaking or foreign or blocked) or any(
        r in stretch.reasons for r in ("cookies_not_captured", "no_first_party_traffic", "app_consent_unknown")
    )
    return stretch


def _of_consent(signal: Signal) -> bool:
    """Whether a signal is about consent, and not an opt-out or Google's own mode, which decide nothing here."""
    return signal.opt_out_kind is None and signal.source != "google" and (signal.source in LOADING or speaks(signal))


def _answers_in_page(signal: Signal) -> bool:
    """Whether a system's own JavaScript interface answered the probe: then it runs, as surely as if it were loaded."""
    return signal.source == "probe" and signal.level != "tcf" and signal.detail.get("probe", {}).get("kind") == "api"


def _document_of(loaded: int | None, documents: Sequence[int]) -> int | None:
    """When the document was asked for that loaded something at a moment; the moment itself where none was seen."""
    if loaded is None:
        return None
    index = bisect_right(documents, loaded)
    return documents[index - 1] if index else loaded if documents else -(2**62)


def _note_replaced(systems: Sequence[System], signals: Sequence[Signal]) -> None:
    """Which systems were never seen loading again from the document on that first loaded another one."""
    for system in systems:
        loads = [s.observed_at for s in signals if s.cmp == system.id and runs(s)]
        later = [o.begins for o in systems if o.begins is not None and loads and o.begins > max(loads)]
        system.replaced = min(later, default=None)
