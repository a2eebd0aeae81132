"""What the consent systems of a stretch say at one moment: one system by its most specific level, several together by
the more restrictive answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Literal

from pixelwitness.audit.evidence import LEVELS, System
from pixelwitness.audit.timeline import CHOICES, AtMoment, Evidence, at_moment, by_client_time, settle
from pixelwitness.observations import Level
from pixelwitness.rulebook.law import Judging

"""From the most specific to the least."""
RESTRICTIVE = ("denied", "unanswered", "granted")


@dataclass(frozen=True)
class ConsentAt:
    """The states that were possible at a moment; none at all means that nothing speaks of consent."""

    possible: frozenset[str]
    reasons: tuple[str, ...] = ()
    """Kinds of blind spot that kept the state open."""
    cmp: str | None = None
    effective_default: Literal["granted", "denied"] | None = None
    level: Level = "none"
    signals: tuple[str, ...] = ()
    set_aside: tuple[str, ...] = ()
    shown_by: tuple[str, ...] = ()
    """Ids of the first-party requests that decided by what their cookies lacked."""
    confirmed: bool = False
    since: int | None = None
    """When the state that decided came into force, or was first seen."""
    withdrawn: bool = False
    """It is denied, and had been granted earlier in the session."""
    no_mechanism: bool = False
    refused_at: int | None = None
    """Where a refusal is among what decided, and carries a trusted stamp: that stamp, in the recorder's time."""
    conflict: bool = False
    other_host: bool = False
    """Read on another host of the property than the hit's page."""
    store: bool = False
    """A consent store exists that could hold a no, or it could not be looked at."""

    @property
    def state(self) -> str:
        """The one state if only one was possible, else `unknown`."""
        return next(iter(self.possible)) if len(self.possible) == 1 else "unknown"


def read(
    system: System, moment: int, host: str | None, rules: Judging, client_time: int | None = None
) -> ConsentAt | None:
    """What one system says at a moment, for a page on a host: of every cookie jar that may count there."""
    ask = _Question(system, moment, host, rules, client_time)
    said = [r for r in (_in_jar(ask, without) for without in system.jars(host)) if r is not None]
    return reduce(_either, said) if said else None


@dataclass(frozen=True)
class _Question:
    system: System
    moment: int
    host: str | None
    rules: Judging
    client_time: int | None


def _in_jar(ask: _Question, without: frozenset[str], levels: Sequence[Level] = LEVELS) -> ConsentAt | None:
    """What one system says by one jar: by its most specific level that says anything."""
    system, moment, host, rules = ask.system, ask.moment, ask.host, ask.rules
    fallback: ConsentAt | None = None
    for i, level in enumerate(levels):
        settled = system.settled(level, host, without)
        if not settled:
            continue
        if ask.client_time is not None and any(e.on_client for e in settled):
            near = rules.least_clock_error_ms
            settled = settle([by_client_time(e, moment, ask.client_time, near) for e in settled])
        reading = at_moment(settled, moment, every=CHOICES, fleeting="unanswered", holds=rules.unanswered_holds_ms)
        result = _result(system, level, reading, settled, host)
        late = tuple(e.signal for e in system.overtaken.get(level, ()) if e.seen <= moment)
        result = replace(result, set_aside=late) if late else result
        if len(result.possible) < len(CHOICES):
            result = _heard_here(result, system, level, moment, host, rules)
            # Without the cookie of this level, a page on this host may go by what the others say.
            below = _in_jar(ask, without, levels[i + 1 :]) if host in system.unreached.get(level, ()) else None
            return _either(result, below) if below is not None else result
        fallback = fallback or result
    return fallback


def _either(one: ConsentAt, other: ConsentAt) -> ConsentAt:
    """Two readings of one system, by different cookies, of which either may count on the page."""
    possible = one.possible | other.possible
    if possible == one.possible:
        return replace(one, set_aside=tuple(dict.fromkeys((*one.set_aside, *other.signals, *other.set_aside))))
    return replace(
        one,
        possible=possible,
        reasons=tuple(dict.fromkeys((*one.reasons, *other.reasons, "consent_elsewhere"))),
        signals=tuple(dict.fromkeys((*one.signals, *other.signals))),
        set_aside=tuple(dict.fromkeys((*one.set_aside, *other.set_aside))),
        shown_by=tuple(dict.fromkeys((*one.shown_by, *other.shown_by))),
        withdrawn=False,
        refused_at=None,
        confirmed=False,
        other_host=True,
    )


def _heard_here(
    result: ConsentAt, system: System, level: Level, moment: int, host: str | None, rules: Judging
) -> ConsentAt:  # fmt: skip
    """A choice that was seen on other hosts of the site alone may not count on one that asks by itself and whose jar
    holds no answer; an act that was seen counts everywhere."""
    bare = [e for e in system.unheard.get(host or "", ()) if e.by <= moment]
    if not bare or "unanswered" in result.possible:
        return result
    own = settle([*bare, *(e for e in system.levels.get(level, ()) if e.written)])
    here = at_moment(own, moment, every=CHOICES, fleeting="unanswered", holds=rules.unanswered_holds_ms)
    if "unanswered" not in here.values:
        return result
    return replace(
        result, possible=result.possible | {"unanswered"}, reasons=(*result.reasons, "consent_elsewhere"),
        shown_by=(*result.shown_by, *(e.exchange for e in bare[-1:] if e.exchange)), withdrawn=False,
    )  # fmt: skip


def _result(system: System, level: Level, reading: AtMoment, settled: list[Evidence], host: str | None) -> ConsentAt:
    deciding = [e for e in reading.decided_by if e.signal]
    default = next((system.defaults[e.signal] for e in deciding if e.signal in system.defaults), None)
    current = reading.decided_by[0] if reading.decided_by else None
    denied = current is not None and reading.values == {"denied"}
    withdrawn = denied and current is not None and any(e.value == "granted" and e.by < current.by for e in settled)
    hosts = {e.host for e in deciding if e.host}
    refusals = [e.stamp for e in deciding if e.value == "denied" and e.since is not None and not e.written]
    return ConsentAt(
        frozenset(reading.values),
        reasons=(reading.reason,) if reading.reason and len(reading.values) > 1 else (),
        cmp=system.id or None,
        effective_default=default if "unanswered" in reading.values else None,
        level=level,
        signals=tuple(dict.fromkeys(e.signal for e in deciding)),
        shown_by=tuple(dict.fromkeys(e.exchange for e in reading.decided_by if not e.signal and e.exchange)),
        confirmed=reading.confirmed,
        since=(current.stamp or current.by) if current is not None else None,
        withdrawn=withdrawn,
        refused_at=min((stamp for stamp in refusals if stamp is not None), default=None),
        no_mechanism=system.id == "" and level == "none" and not deciding,
        conflict=reading.reason == "signal_conflict",
        other_host=bool(hosts) and host is not None and host not in hosts,
    )


def merged(readings: Sequence[tuple[System, ConsentAt]], moment: int) -> ConsentAt:
    """What several systems say together: the more restrictive answer. One that another has replaced on the page since
    may still be there, out of a cache, or be gone: both are possible."""
    gone = [r for s, r in readings if s.replaced is not None and moment >= s.replaced]
    here = [r for s, r in readings if s.replaced is None or moment < s.replaced]
    merged = reduce(_stricter, here or gone)
    if not here or not gone:
        return merged
    both = reduce(_stricter, [*here, *gone])
    if both.possible == merged.possible:
        return replace(merged, set_aside=tuple(dict.fromkeys((*merged.set_aside, *both.set_aside))))
    return replace(
        merged, possible=merged.possible | both.possible, reasons=(*merged.reasons, "signal_conflict"), conflict=True,
        set_aside=tuple(dict.fromkeys((*merged.set_aside, *both.set_aside))),
    )  # fmt: skip


def _stricter(one: ConsentAt, other: ConsentAt) -> ConsentAt:
    """Two systems that both count: the more restrictive answer of every combination that was possible."""
    possible = frozenset(min(a, b, key=RESTRICTIVE.index) for a in one.possible for b in other.possible)
    conflict = not one.possible & other.possible
    leading, second = (one, other) if possible == one.possible or possible != other.possible else (other, one)
    return replace(
        leading,
        possible=possible,
        reasons=() if len(possible) == 1 else tuple(dict.fromkeys((*one.reasons, *other.reasons))),
        set_aside=(*leading.set_aside, *second.signals),
        conflict=one.conflict or other.conflict or conflict,
        withdrawn=leading.withdrawn and possible == {"denied"},
        confirmed=one.confirmed and other.confirmed,
    )
