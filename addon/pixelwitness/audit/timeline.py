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

UNANSWERED = "unanswered"
ANSWERS = frozenset({"granted", "denied"})
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
    called_on: str | None = None
    """The host of the page that made a call, which speaks for that page's cookies."""
    choice_made: bool | None = None
    exchange: str | None = None
    """The request that showed it, where no signal of its own did (a jar without the cookie)."""
    revived: bool = False
    """It was found, then no answer was, then this very answer again by its stamp: two cookie jars behind one
    client (a private window, two profiles), of which nothing tells whose a request is."""
    stamp: int | None = None
    """The moment to name in a sentence: the stamp in the recorder's time, else when it was seen."""
    on_client: tuple[int, int] | None = None
    """On the client's own clock: when at the earliest, and by when, it had come into force (the probe tells)."""


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
    acts = [e for e in evidence if e.written]
    settled = sorted(
        (_undated(e, seen) if _contradicted(e, seen, acts) else _narrowed(e, seen) for e in evidence),
        key=lambda e: (e.by, e.seen, e.on_client or (0, 0), e.signal),
    )
    return [e for i, e in enumerate(settled) if not _inside_run(settled, i)]


def by_client_time(e: Evidence, at: int, client_time: int, near: int) -> Evidence:
    """Evidence with a client's own time, ordered against something that the same client stamped with `client_time`
    and that arrived at `at`: one clock needs no correction. What was made before the change began but arrived within
    `near` milliseconds of its report may have waited to be sent: both orders stay possible.
    """
    if e.on_client is None:
        return e
    since, by = e.on_client
    if client_time >= by:
        return replace(e, since=None if e.since is None else min(e.since, at), by=min(e.by, at))
    if client_time < since and e.seen - at > near:
        return replace(e, since=None if e.since is None else max(e.since, at + 1), by=max(e.by, at + 1))
    return replace(e, since=at if e.since is None else min(e.since, at), by=at + 1)


def _undated(e: Evidence, seen: dict[Value, list[int]]) -> Evidence:
    bare = seen.get(UNANSWERED, ())
    found = max(e.by, seen[e.value][0])
    two_jars = e.value in ANSWERS and bisect_right(bare, found) < bisect_left(bare, e.seen)
    return replace(e, since=None, by=e.seen, revived=two_jars)


def _narrowed(e: Evidence, seen: dict[Value, list[int]]) -> Evidence:
    """A stamp whose span holds a sighting of another value: the answer came after that sighting."""
    if e.written or e.since is None:
        return e
    others = (times[i - 1] for v, times in seen.items() if v != e.value and (i := bisect_right(times, e.by)))
    latest = max((t for t in others if t >= e.since), default=None)
    return e if latest is None else replace(e, since=min(latest + 1, e.by))


def _contradicted(e: Evidence, seen: dict[Value, list[int]], acts: Sequence[Evidence]) -> bool:
    """Whether another value was found, or chosen, after the stamp of this evidence and before its sighting."""
    if e.written or e.since is None:
        return False
    if any(a.value != e.value and a.since is not None and e.by < a.since and a.by <= e.seen for a in acts):
        return True
    return any(
        value != e.value and bisect_right(times, e.by) < bisect_left(times, e.seen) for value, times in seen.items()
    )


def _inside_run(settled: list[Evidence], index: int) -> bool:
    """Whether the evidence only repeats its neighbours: of a run of equal sightings the first and last are enough."""
    if index == 0 or index == len(settled) - 1:
        return False
    kinds = {(e.value, e.since is None, e.written, e.reason) for e in settled[index - 1 : index + 2]}
    before, e = settled[index - 1], settled[index]
    reaches_back = e.since is not None and before.since is not None and e.since < before.since
    return len(kinds) == 1 and not reaches_back


def at_moment(
    settled: Sequence[Evidence], at: int, *, every: frozenset[Value], fleeting: Value | None, holds: int
) -> AtMoment:
    """What was possible at a moment, from evidence that `settle` has ordered.

    `every` are all values there are; `fleeting` is the value that is known only while it is seen (`unanswered`: the
    next moment may change it), for `holds` milliseconds after its last sighting.
    """
    # By the last moment at which each was known to be in force: a stamped answer, whenever it was found.
    before = sorted((e for e in settled if e.by <= at), key=lambda e: e.by if e.written else min(e.seen, at))
    after = [e for e in settled if e.by > at]
    straddling = [e for e in after if e.since is not None and e.since <= at]
    following = next((e for e in after if e.since is None or e.since > at), None)
    if not before:
        return _before_all(straddling, following, every, fleeting)

    # A stamped answer that is still found after the moment was in force throughout; acts near its stamp came first.
    lasting = [e for e in before if not e.written and e.seen >= at]
    current = lasting[-1] if lasting else before[-1]
    decided = [current, *(e for e in lasting if e.value != current.value)] if lasting else [current, *straddling]
    if lasting:
        # What had been seen by then is named beside what confirmed it.
        decided += [e for e in before if e.seen <= at and e.value == current.value][-1:]
    later = next((e for e in after if not e.written and e not in straddling), None)
    act = None if lasting else _disputed(before) or _out_of_order(before, later, fleeting)
    act = act or next((e for e in settled if e.revived and current.value == fleeting), None)
    if act is None and current.revived:
        act = next((e for e in settled if e.value == fleeting), None)
    if act is not None:
        decided.append(act)
    held = bool(lasting) or any(not e.written for e in straddling)
    open_end = following is not None and not held and not _dated(following, after, at)
    if open_end and following is not None and following.value != current.value:
        decided.append(following)
    agreed = later is not None and later.value == current.value and not straddling
    confirmed = agreed or any(e.seen > at for e in lasting)
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
    if current.expires is not None and at > current.expires and fleeting is not None and fleeting not in values:
        values.add(fleeting)
        reason = reason or "answer_expired"
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


def _dated(following: Evidence, after: Sequence[Evidence], at: int) -> bool:
    """Whether the value found next is known to have come into force after the moment: by its stamp, or by an act."""
    return following.since is not None or any(
        e.value == following.value and e.since is not None and at < e.since <= following.by for e in after
    )


def _out_of_order(before: Sequence[Evidence], later: Evidence | None, fleeting: Value | None) -> Evidence | None:
    """What may have come after the last act: another act near to it, or a state found near to it that was not there
    before. A state found later tells."""
    current = before[-1]
    if not current.written or current.since is None or (later is not None and later.value == current.value):
        return None
    near = [e for e in before[:-1] if e.value != current.value and e.by >= current.since]
    acts = [e for e in near if e.written and e.by > current.since]
    prior = next((e.value for e in reversed(before[:-1]) if e.by < current.since), None)
    # A state from before the act may still be found for a moment, until the act's own value was found.
    kept = [e.seen for e in before if not e.written and e.value == current.value and e.by >= current.since]
    late = min(kept, default=None)
    found = [
        e for e in near
        if not e.written and e.value != fleeting and (e.value != prior or (late is not None and e.seen > late))
    ]  # fmt: skip
    return next(iter([*reversed(acts), *found]), None)


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
