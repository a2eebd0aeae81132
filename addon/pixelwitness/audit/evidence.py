"""What each signal proves: a consent system's evidence, in time and by level of detail."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Literal

from pixelwitness.audit.categories import Placement, placements, read_by_category
from pixelwitness.audit.clock import ClientClock
from pixelwitness.audit.timeline import ANSWERS, CHOICES, Evidence, Value, settle
from pixelwitness.observations import NEVER_SENT, Level, Signal
from pixelwitness.property import host_of
from pixelwitness.rulebook.law import Judging

ACTS = frozenset({"cmp_call", "mark"})
"""Sources that tell of an act of the visitor, at the moment of that act."""
LOADING = frozenset({"cmp_loaded", "cmp_call", "cmp_config"})
"""Sources that show that a consent system runs on the page (`runs`)."""
JARS = frozenset({"cookie", "set_cookie", "probe"})
"""Sources that show the visitor's cookies."""
LEVELS: tuple[Level, ...] = ("vendor", "category", "advertising", "tcf", "none")
"""The most specific first."""
DAY = 86_400_000
NO_HOSTS: frozenset[str] = frozenset()
MOST_JARS = 50
"""Hosts of one site that are compared; with more, what they contradict each other in stays open."""


@dataclass
class System:
    """One consent system in one stretch of a session: its evidence by level."""

    id: str
    levels: dict[Level, list[Evidence]] = field(default_factory=dict)
    defaults: dict[str, Literal["granted", "denied"]] = field(default_factory=dict)
    """Effective default by signal id."""
    begins: int | None = None
    """When the document was asked for in which it was first seen loading; None: it was not seen loading."""
    replaced: int | None = None
    """When a document was asked for in which another system was first seen loading, and this one never again."""
    unheard: dict[str, list[Evidence]] = field(default_factory=dict)
    """By host: jars without this system's cookie where it was seen loading, and the cookie only on other hosts."""
    unreached: dict[Level, frozenset[str | None]] = field(default_factory=dict)
    """By level: hosts that were seen with cookies of this system, and never with the one that speaks on that level."""
    apart: dict[str, frozenset[str]] = field(default_factory=dict)
    """By host, those that are shown to have cookies of their own beside it."""
    overtaken: dict[Level, tuple[Evidence, ...]] = field(default_factory=dict)
    """By level: sightings that newer ones had overtaken on their way, which decide nothing."""
    _settled: dict[tuple[Level, str | None, frozenset[str]], list[Evidence]] = field(default_factory=dict)

    def settled(self, level: Level, host: str | None, without: frozenset[str] = NO_HOSTS) -> list[Evidence]:
        """The evidence of a level for a page on a host, in the order in which it came into force; asked for only once
        all of it is there. What some hosts said is left out. A jar without this system's cookie says nothing of another
        host than its own: whether the cookie is bound to its host cannot be seen.
        """
        host = host if self.id and host in self._bare_hosts else None if not self.id or host is None else ""
        key = level, host, without
        if key not in self._settled:
            found = [e for e in self.levels.get(level, ()) if e.signal or host is None or e.host == host]
            self._settled[key] = settle([e for e in found if (e.host or e.called_on) not in without])
        return self._settled[key]

    def jars(self, host: str | None) -> tuple[frozenset[str], ...]:
        """The cookie jars that may count for a page on a host, each by the hosts whose word is no part of it.

        Where two hosts are shown to keep cookies of their own, one counts by its own; what a third host says may
        count beside it, or not. For a page on any other host each of them may be the one that counts.
        """
        if host in self.apart:
            hosts = {h for evidence in self.levels.values() for e in evidence if (h := e.host or e.called_on)}
            return tuple(dict.fromkeys((frozenset(hosts - {host}), self.apart[host])))
        return tuple(dict.fromkeys(self.apart[h] for h in sorted(self.apart))) or (NO_HOSTS,)

    @cached_property
    def first_seen(self) -> int:
        """When anything was first seen of it in this stretch."""
        return min(e.seen for evidence in self.levels.values() for e in evidence)

    @cached_property
    def _bare_hosts(self) -> frozenset[str | None]:
        return frozenset(e.host for evidence in self.levels.values() for e in evidence if not e.signal)


def _in_two_jars(evidence: Sequence[Evidence], late: int) -> set[tuple[str, str]]:
    """Pairs of hosts with a cookie each: an answer was found on one, in force since before another value was found on
    the other and until after it, by more than requests may overtake each other (`late` milliseconds). Where that other
    value was found on its own host as well, two visitors are behind one client."""
    found: dict[Value, dict[str, list[int]]] = {}
    answers: dict[tuple[Value, str, int], int] = {}
    for e in evidence:
        if e.written or not e.signal or e.host is None or e.value not in CHOICES:
            continue
        insort(found.setdefault(e.value, {}).setdefault(e.host, []), e.seen)
        if e.since is not None and e.value in ANSWERS:
            key = e.value, e.host, e.by
            answers[key] = max(e.seen, answers.get(key, e.seen))
    if len({host for by_host in found.values() for host in by_host}) > MOST_JARS:
        return set()
    pairs = set()
    for (value, host, by), until in answers.items():
        others = {
            other
            for v, by_host in found.items() if v != value
            for other, times in by_host.items() if bisect_right(times, by) < bisect_left(times, until - late)
        }  # fmt: skip
        if host not in others:
            pairs |= {(min(host, other), max(host, other)) for other in others}
    return pairs


def evidence_of(signal: Signal, client_clock: ClientClock, rules: Judging) -> Evidence:
    """A signal as evidence in time, with its stamp corrected by the client's clock."""
    value = signal.state or "unknown"
    written = signal.source in (*ACTS, "set_cookie") and value != "unanswered"
    seen = signal.observed_at
    since: int | None = None
    by = seen
    on_client: tuple[int, int] | None = None
    resolution = int(signal.detail.get("resolution_ms", 0) or 0)
    if signal.source == "mark" and written:
        # People act first and note it then.
        error = max(rules.least_clock_error_ms, resolution)
        since, by = seen - max(error, rules.mark_lag_ms), seen + error
    elif signal.source == "probe":
        written, since, by, on_client = _probed(signal, client_clock)
    elif written:
        # A call follows the click, and a beacon sent before the click may arrive after the call.
        since, by = seen - rules.least_clock_error_ms, seen + rules.least_clock_error_ms
    elif signal.effective_at is not None and value != "unanswered":
        clock = client_clock.near(seen, signal.effective_at)
        earliest = clock.earliest(signal.effective_at, resolution)
        # A stamp that lies after the request that showed it is no stamp.
        if earliest <= seen:
            since, by = earliest, min(seen, clock.latest(signal.effective_at, resolution))
    holds = rules.answer_holds_days * DAY
    began = signal.effective_at if since is not None and signal.effective_at is not None else None
    expires = signal.expires_at or (began + holds if began is not None and value in ("granted", "denied") else None)
    stamp = (
        signal.effective_at - client_clock.whole.offset
        if since is not None and signal.effective_at is not None
        else seen
    )
    return Evidence(
        value,
        seen,
        by,
        since,
        signal.id,
        reason=signal.reason,
        expires=expires,
        written=written,
        host=signal.host,
        called_on=host_of(signal.page) if signal.source == "cmp_call" else None,
        choice_made=signal.choice_made,
        stamp=stamp,
        on_client=on_client,
    )


def _probed(signal: Signal, client_clock: ClientClock) -> tuple[bool, int | None, int, tuple[int, int] | None]:
    """What the probe saw: whether it was an act, since when and by when in the recorder's time, and in the client's.

    A change happened between `since` and `at` of the client; what was found when the page was first looked at had been
    in force since its own stamp, or since nobody knows when.
    """
    probe = signal.detail.get("probe", {})
    seen, at, began = signal.observed_at, probe.get("at"), probe.get("since")
    if not isinstance(at, int) or not isinstance(began, int):
        return False, None, seen, None
    clock = client_clock.near(seen, at)
    if probe.get("act"):
        # Only a choice is an act: a pre-choice form that a system writes is a state like any other.
        chosen = signal.state in ("granted", "denied")
        return chosen, min(clock.earliest(began), seen), min(seen, clock.latest(at)), (began, at)
    stamp = signal.effective_at
    if stamp is not None and signal.state != "unanswered" and clock.earliest(stamp) <= seen:
        return False, clock.earliest(stamp), min(seen, clock.latest(stamp)), None
    return False, None, seen, None


def system_of(
    cmp: str, signals: Sequence[Signal], marks: Sequence[Signal], clock: ClientClock, rules: Judging
) -> System:
    """One consent system by its own signals, with the auditor's word among them."""
    system = System(cmp)
    answers = [s for s in signals if s.source not in ("cmp_loaded", "cmp_config") and speaks(s)]
    placed = placements(signals)
    levels: set[Level] = {s.level for s in answers if s.state != "unanswered" and s.source != "cmp_call"}
    levels = levels or {s.level for s in answers if s.state != "unanswered"} or {"advertising"}
    if placed and any("categories" in s.detail for s in answers):
        levels.add("category")
    acted = {s.id for s in answers if s.source in ACTS}
    for level in levels:
        said = _at_level(level, answers, placed)
        found = [evidence_of(s, clock, rules) for s in (*said, *_no_longer(level, said, answers))]
        found += [evidence_of(m, clock, rules) for m in marks if m.state is not None]
        found = [e for e in found if not (e.written and e.value == "unknown" and _told_by_stamp(e, found, rules))]
        if any(s.source in ACTS and s.state is not None for s in (*answers, *marks)):
            # An act that was seen tells more than a cookie that cannot be read.
            found = [e for e in found if e.value != "unknown" or e.signal in acted]
        late = _overtaken(found, rules.least_clock_error_ms)
        if late:
            system.overtaken[level] = tuple(e for e in found if e in late)
            found = [e for e in found if e not in late]
        if found:
            system.levels[level] = found
            system.unreached[level] = _unreached(_cookies_of(said), answers)
    pairs = {pair for found in system.levels.values() for pair in _in_two_jars(found, rules.least_clock_error_ms)}
    system.apart = {h: frozenset(b if a == h else a for a, b in pairs if h in (a, b)) for p in pairs for h in p}
    for s in (*answers, *marks):
        if s.effective_default is not None:
            system.defaults[s.id] = s.effective_default
    return system


def _overtaken(evidence: Sequence[Evidence], late: int) -> frozenset[Evidence]:
    """Sightings of an answer that arrived at most `late` milliseconds after the first one of another answer on the same
    host, which by its stamp is newer: requests overtake each other on their way. Where the older answer does stand
    again, later requests show it.
    """
    stamped: dict[tuple[Value, str | None], list[tuple[int, int]]] = {}
    for e in evidence:
        if _is_stamped(e):
            stamped.setdefault((e.value, e.host), []).append((e.since or 0, e.seen))
    if len({value for value, _ in stamped}) < len(ANSWERS):
        return frozenset()
    firsts = {key: _first_seen(sorted(sightings)) for key, sightings in stamped.items()}

    def overtaken(e: Evidence) -> bool:
        for value in ANSWERS - {e.value}:
            since, first = firsts.get((value, e.host), ((), ()))
            newer = bisect_right(since, e.by)
            if newer < len(since) and first[newer] <= e.seen <= first[newer] + late:
                return True
        return False

    return frozenset(e for e in evidence if _is_stamped(e) and overtaken(e))


def _first_seen(sightings: Sequence[tuple[int, int]]) -> tuple[Sequence[int], Sequence[int]]:
    """From stamps in order, each with the time of its sighting: the stamps, and when one of that age or newer was first
    seen."""
    first = list(accumulate((seen for _, seen in reversed(sightings)), min))
    return [since for since, _ in sightings], first[::-1]


def _is_stamped(e: Evidence) -> bool:
    return not e.written and e.since is not None and e.value in ANSWERS


def _at_level(level: Level, answers: Sequence[Signal], placed: Collection[Placement]) -> list[Signal]:
    """What the signals say on one level; on that of the site's own category for TikTok, where it is `placed`."""
    said = []
    for s in answers:
        by_category = level == "category" and "categories" in s.detail
        everywhere = s.state == "unanswered" or (s.source == "cmp_call" and not by_category)
        if s.level == level or everywhere:
            said.append(s)
        elif by_category and (read := read_by_category(s, placed)) is not None:
            said.append(read)
    return said


def _no_longer(level: Level, said: Sequence[Signal], answers: Sequence[Signal]) -> list[Signal]:
    """Sightings of the visitor's cookies in which nothing stands on this level, as it did at another time: what they
    say on the next one is then all that the system says. So a later answer by category ends an earlier one by service,
    and the other way round. Of a Set-Cookie and a report of the probe, which show one cookie, only of that cookie. A
    host that never got the cookie of this level ends nothing: it may be bound to another host.
    """
    below = LEVELS[LEVELS.index(level) + 1 :]
    spoke = {s.id for s in said}
    names = _cookies_of(said)
    unreached = _unreached(names, answers)
    sightings: dict[tuple[str | None, str | None], list[Signal]] = {}
    for s in answers:
        if s.source == "cookie" and names and s.host not in unreached:
            sightings.setdefault((s.exchange_id, None), []).append(s)
        elif s.source in JARS and s.name in names:
            sightings.setdefault((s.exchange_id, s.name), []).append(s)
    found = []
    for sighting in sightings.values():
        if not any(s.id in spoke for s in sighting):
            under = next((s for lower in below for s in sighting if s.level == lower), None)
            found += [under] if under is not None else []
    return found


def _cookies_of(said: Sequence[Signal]) -> frozenset[str]:
    """The cookies that speak on a level."""
    return frozenset(s.name for s in said if s.source in JARS and s.state != "unanswered")


def _unreached(names: Collection[str], answers: Sequence[Signal]) -> frozenset[str | None]:
    """Hosts that were seen with cookies of a system and never with any of those named."""
    shown = [s for s in answers if s.source in JARS]
    return frozenset(s.host for s in shown if names) - {s.host for s in shown if s.name in names}


def runs(signal: Signal) -> bool:
    """Whether a signal shows that a consent system runs on the page: a script that was blocked does not."""
    return signal.source in LOADING and not kept_out(signal)


def kept_out(signal: Signal) -> bool:
    """Whether a signal tells of a consent system's script that the browser or a tool did not let load."""
    return signal.source == "cmp_loaded" and NEVER_SENT in signal.detail


def speaks(signal: Signal) -> bool:
    """Whether a signal says something of consent: a state, or why it cannot be read."""
    return signal.state is not None or signal.reason is not None


def _told_by_stamp(call: Evidence, found: Iterable[Evidence], rules: Judging) -> bool:
    """Whether an answer whose trusted stamp lies at a call says what the call itself does not."""
    return any(
        e.since is not None and e.stamp is not None and not e.written and e.value in ("granted", "denied")
        and abs(e.stamp - call.seen) <= rules.unanswered_holds_ms
        for e in found
    )  # fmt: skip


def home_made(generic: Sequence[Signal], marks: Sequence[Signal], clock: ClientClock, rules: Judging) -> System:
    """A consent cookie that no rule can read: that it is there is all that it says."""
    found = [evidence_of(s, clock, rules) for s in generic]
    said = [evidence_of(m, clock, rules) for m in marks if m.state is not None]
    # The auditor's word decides between sightings of a cookie that nobody can read.
    return System("", {"none": said or found})


def by_marks(marks: Sequence[Signal], clock: ClientClock, rules: Judging) -> System | None:
    """Nothing but the auditor\'s word."""
    said = [evidence_of(m, clock, rules) for m in marks if m.state is not None]
    return System("", {"advertising": said}) if said else None
