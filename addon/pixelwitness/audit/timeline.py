"""What one source says was in force at a moment: the set of values that were possible, and why.

A source (one CMP at one level of detail, or one opt-out string) gives evidence in time: "at `seen` the value was v, and
it had been in force since somewhere between `since` and `by`". A trusted stamp makes that interval narrow; without one
the value may have come into force at any time after the sighting before.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, replace

type Value = str
"""`granted`, `denied`, `unanswered` or `unknown` for consent; `yes`, `no` or `unknown` for an opt-out."""

CHOICES = frozenset({"granted", "denied", "unanswered"})


@dataclass(frozen=True)
class Evidence:
    """One sighting of a value. Times in milliseconds."""

    value: Value
    seen: int
    """When the recorder saw it."""
    by: int
    """The latest moment at which it came into force."""
    since: int | None
    """The earliest moment at which it can have come into force; None: not known (no trusted stamp)."""
    signal: str
    reason: str | None = None
    expires: int | None = None
    written: bool = False
    """An act at this moment (a CMP's call, an auditor's mark, a Set-Cookie), not a state that was found."""
    host: str | None = None
    choice_made: bool | None = None
    stamp: int | None = None
    """The moment to name in a sentence: the stamp in the recorder's time, else when it was seen."""


@dataclass(frozen=True)
class AtMoment:
    """The values that were possible at a moment, and what made them so."""

    values: frozenset[Value]
    decided_by: tuple[Evidence, ...] = ()
    confirmed: bool = False
    """Seen again, unchanged, after the moment."""
    reason: str | None = None
    """Why more than one value is possible, as a kind of blind spot."""


def settle(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Evidence in the order in which it came into force, ready for `at_moment`.

    A stamp that a sighting contradicts (another value was found between the stamp and the sighting that carries it)
    proves nothing and is dropped. A state found after an act that says otherwise, with nothing to show that the act
    was ever recorded, is kept beside the act: see `_disputed`.
    """
    seen: dict[Value, list[int]] = {}
    for e in evidence:
        if not e.written:
            insort(seen.setdefault(e.value, []), e.seen)
    settled = sorted(
        (replace(e, since=None, by=e.seen) if _contradicted(e, seen) else e for e in evidence),
        key=lambda e: (e.by, e.seen, e.signal),
    )
    return [e for i, e in enumerate(settled) if not _inside_run(settled, i)]


def _contradicted(e: Evidence, seen: dict[Value, list[int]]) -> bool:
    """Whether another value was found after the stamp of this evidence and before the sighting that carries it."""
    if e.written or e.since is None:
        return False
    return any(
        value != e.value and bisect_right(times, e.by) < bisect_left(times, e.seen) for value, times in seen.items()
    )


def _inside_run(settled: list[Evidence], index: int) -> bool:
    """Whether the evidence only repeats its neighbours: of a run of equal sightings the first and last are enough."""
    if index == 0 or index == len(settled) - 1:
        return False
    kinds = {(e.value, e.since is None, e.written, e.reason) for e in settled[index - 1 : index + 2]}
    return len(kinds) == 1


def at_moment(
    settled: Sequence[Evidence], at: int, *, every: frozenset[Value], fleeting: Value | None, holds: int
) -> AtMoment:
    """What was possible at a moment, from evidence that `settle` has ordered.

    `every` are all values there are; `fleeting` is the value that is known only while it is seen (`unanswered`: the
    next moment may change it), for `holds` milliseconds after its last sighting.
    """
    before = [e for e in settled if e.by <= at]
    after = [e for e in settled if e.by > at]
    straddling = [e for e in after if e.since is not None and e.since <= at]
    following = next((e for e in after if e.since is None or e.since > at), None)
    if not before:
        return _before_all(straddling, following, every, fleeting)

    current = before[-1]
    decided = [current, *straddling]
    act = _disputed(before)
    if act is not None:
        decided.append(act)
    if following is not None and following.since is None and following.value != current.value:
        decided.append(following)
    confirmed = any(e.value == current.value and e.seen > at for e in settled)
    if (
        current.value == fleeting
        and not confirmed
        and not straddling
        and following is None
        and at - current.seen > holds
    ):
        return AtMoment(every, tuple(decided), False, "no_choice_seen")

    values: set[Value] = set()
    reason = None
    for e in decided:
        if e.value == "unknown":
            values |= {"granted", "denied"} & every if e.choice_made else every
            reason = reason or e.reason
        else:
            values.add(e.value)
    if current.expires is not None and at > current.expires and fleeting is not None:
        values.add(fleeting)
    if reason is None and act is not None and len(values) > 1:
        reason = "signal_conflict"
    if reason is None and len(values) > 1:
        reason = "around_a_choice"
    return AtMoment(frozenset(values), tuple(decided), confirmed, reason)


def _disputed(before: Sequence[Evidence]) -> Evidence | None:
    """The act that the state found last contradicts, if nothing since that act has agreed with it."""
    current = before[-1]
    if current.written or current.since is not None:
        return None
    for index in range(len(before) - 2, -1, -1):
        earlier = before[index]
        if earlier.written:
            agreed = any(e.value == earlier.value for e in before[index + 1 :])
            return None if agreed or earlier.value == current.value else earlier
    return None


def _before_all(
    straddling: list[Evidence], following: Evidence | None, every: frozenset[Value], fleeting: Value | None
) -> AtMoment:
    """Nothing in force is known from before: only what comes later can speak."""
    if following is not None and following.value == fleeting and not straddling:
        # A pre-choice form proves that nobody had answered before it.
        return AtMoment(frozenset({following.value}), (following,), True)
    later = tuple(straddling) or ((following,) if following else ())
    reason = next((e.reason for e in later if e.reason), "visitor_not_fresh")
    return AtMoment(every, later, False, reason if later else None)
