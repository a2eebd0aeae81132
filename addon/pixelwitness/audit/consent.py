"""The consent that was in force at a moment of a session: which states were possible, by whose word.

Every consent system gives evidence at one or more levels of detail. Inside one system the more specific level decides;
between systems that were both seen loading the more restrictive one does. What cannot be read stays open, with the
reason.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from typing import Literal

from pixelwitness.audit.clock import ClientClock
from pixelwitness.audit.session import Session
from pixelwitness.audit.timeline import CHOICES, AtMoment, Evidence, at_moment, by_client_time, settle
from pixelwitness.observations import FirstParty, Level, Signal
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.law import Judging

LEVELS: tuple[Level, ...] = ("vendor", "category", "advertising", "tcf", "none")
RESTRICTIVE = ("denied", "unanswered", "granted")
HIDDEN_STORES = frozenset({"opaque_cookie", "local_storage", "server"})
ACTS = frozenset({"cmp_call", "mark"})
"""Sources that tell of an act of the visitor, at the moment of that act."""
LOADING = frozenset({"cmp_loaded", "cmp_call", "cmp_config"})
DAY = 86_400_000


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
    conflict: bool = False
    other_host: bool = False
    """Read on another host of the property than the hit's page."""
    store: bool = False
    """A consent store exists that could hold a no, or it could not be looked at."""

    @property
    def state(self) -> str:
        """The one state if only one was possible, else `unknown`."""
        return next(iter(self.possible)) if len(self.possible) == 1 else "unknown"


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
    _settled: dict[tuple[Level, str | None], list[Evidence]] = field(default_factory=dict)

    def settled(self, level: Level, host: str | None) -> list[Evidence]:
        """The evidence of a level for a page on a host, in the order in which it came into force; asked for only once
        all of it is there. A jar without this system's cookie says nothing of another host than its own: whether the
        cookie is bound to its host cannot be seen.
        """
        host = host if self.id and host in self._bare_hosts else None if not self.id or host is None else ""
        if (level, host) not in self._settled:
            found = [e for e in self.levels.get(level, ()) if e.signal or host is None or e.host == host]
            self._settled[level, host] = settle(found)
        return self._settled[level, host]

    @cached_property
    def first_seen(self) -> int:
        """When anything was first seen of it in this stretch."""
        return min(e.seen for evidence in self.levels.values() for e in evidence)

    @cached_property
    def _bare_hosts(self) -> frozenset[str | None]:
        return frozenset(e.host for evidence in self.levels.values() for e in evidence if not e.signal)


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


class ConsentTimeline:
    """Answers what was in force at any moment of one session."""

    def __init__(self, session: Session, book: Rulebook) -> None:
        self._rules, self._clock = book.judging, session.clock
        self._stretches = [_stretch(session, book, start, end) for start, end in _bounds(session)]

    def at(self, moment: int, host: str | None = None, client_time: int | None = None) -> ConsentAt:
        """The consent in force at a moment (milliseconds), for a page on a host of the property.

        `client_time` is the client's own time of what arrived at that moment, where it says one.
        """
        client_time = self._credible(moment, client_time)
        stretch = next((s for s in reversed(self._stretches) if s.start <= moment), self._stretches[0])
        said = [(s, _read(s, moment, host, self._rules, client_time)) for s in stretch.systems]
        readings = [(s, r) for s, r in said if r is not None]
        primary = [(s, r) for s, r in readings if r.level != "tcf"] or readings
        # Before it was seen loading, a system of which nothing had been seen was not there yet.
        there = [(s, r) for s, r in primary if s.begins is None or moment >= min(s.begins, s.first_seen)]
        primary = there or primary
        if not primary:
            aside = stretch.stale_signals
            return ConsentAt(frozenset(CHOICES), stretch.reasons, stretch.hidden, set_aside=aside, store=stretch.store)
        merged = _merged(primary, moment)
        used = [r for _, r in primary]
        aside = tuple(s for _, r in readings if r not in used for s in r.signals)
        return replace(merged, set_aside=(*merged.set_aside, *aside, *stretch.stale_signals), store=True)

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


def _of_consent(signal: Signal) -> bool:
    """Whether a signal is about consent, and not an opt-out or Google's own mode, which decide nothing here."""
    return signal.opt_out_kind is None and signal.source != "google" and (signal.source in LOADING or _speaks(signal))


def _answers_in_page(signal: Signal) -> bool:
    """Whether a system's own JavaScript interface answered the probe: then it runs, as surely as if it were loaded."""
    return signal.source == "probe" and signal.level != "tcf" and signal.detail.get("probe", {}).get("kind") == "api"


def _bounds(session: Session) -> list[tuple[int, int | None]]:
    fresh = sorted(m.observed_at for m in session.marks if m.name == "fresh_profile")
    starts = [-(2**62), *fresh]
    return list(zip(starts, [*fresh, None], strict=True))


def _stretch(session: Session, book: Rulebook, start: int, end: int | None) -> Stretch:
    rules = book.judging

    def within(at: int) -> bool:
        return start <= at and (end is None or at < end)

    signals = [s for s in session.signals if within(s.observed_at) and _of_consent(s)]
    marks = [m for m in session.marks if within(m.observed_at)]
    requests = [f for f in session.first_party if within(f.at)]
    loaded = {s.cmp for s in signals if s.cmp and (s.source in LOADING or _answers_in_page(s))}
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
    sightings = _jar_sightings(requests)
    documents = sorted(f.at for f in requests if f.document)
    hosts = frozenset(f.host for f in requests if f.document)
    for cmp in sorted(c for c in named | tcf if c):
        own = [s for s in signals if s.cmp == cmp]
        system = _system(cmp, own, marks, session.clock, rules)
        system.begins = _document_of(min((s.observed_at for s in own if s.source in LOADING), default=None), documents)
        _add_absences(system, own, generic, sightings, hosts, book)
        if any(system.levels.values()):
            stretch.systems.append(system)
    _note_replaced(stretch.systems, signals)
    if any(set(s.levels) - {"tcf"} for s in stretch.systems):
        stretch.systems += _unread(signals, {s.id for s in stretch.systems}, book)
    speaking = [s for s in stretch.systems if any(e.signal for es in s.levels.values() for e in es)]
    if not named - tcf:
        if generic:
            stretch.systems.append(_home_made(generic, marks, session.clock, rules))
        elif not tcf and (mechanism := _no_mechanism(session, requests, sightings, marks, start, rules)):
            stretch.systems.append(mechanism)
        elif marks_system := _by_marks(marks, session.clock, rules):
            stretch.systems.append(marks_system)
    stretch.reasons = _why_silent(session, signals, requests, sightings, bool(named), book)
    unreadable = {r.id for r in book.consent if r.store in HIDDEN_STORES}
    stretch.hidden = next((s.cmp for s in signals if s.cmp in unreadable and s.source in LOADING), None)
    stretch.store = bool(named or generic or speaking) or any(
        r in stretch.reasons for r in ("cookies_not_captured", "no_first_party_traffic", "app_consent_unknown")
    )
    return stretch


# --- evidence ---------------------------------------------------------------------------------------------------


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


def _system(cmp: str, signals: Sequence[Signal], marks: Sequence[Signal], clock: ClientClock, rules: Judging) -> System:
    system = System(cmp)
    answers = [s for s in signals if s.source not in ("cmp_loaded", "cmp_config") and _speaks(s)]
    categories = _tiktok_category(signals)
    levels: set[Level] = {s.level for s in answers if s.state != "unanswered" and s.source != "cmp_call"}
    levels = levels or {s.level for s in answers if s.state != "unanswered"} or {"advertising"}
    if categories is not None and any("categories" in s.detail for s in answers):
        levels.add("category")
    acted = {s.id for s in answers if s.source in ACTS}
    for level in levels:
        found = []
        for s in answers:
            by_category = level == "category" and "categories" in s.detail
            everywhere = s.state == "unanswered" or (s.source == "cmp_call" and not by_category)
            if s.level == level or everywhere:
                found.append(evidence_of(s, clock, rules))
            elif level == "category" and categories is not None and "categories" in s.detail:
                flags = [s.detail["categories"][c] for c in categories if c in s.detail["categories"]]
                if flags:
                    # In several categories at once: each of them must have been allowed.
                    value = all(flags)
                    state = "granted" if value else "denied"
                    found.append(evidence_of(s.model_copy(update={"state": state, "reason": None}), clock, rules))
        found += [evidence_of(m, clock, rules) for m in marks if m.state is not None]
        found = [e for e in found if not (e.written and e.value == "unknown" and _told_by_stamp(e, found, rules))]
        if any(s.source in ACTS and s.state is not None for s in (*answers, *marks)):
            # An act that was seen tells more than a cookie that cannot be read.
            found = [e for e in found if e.value != "unknown" or e.signal in acted]
        if found:
            system.levels[level] = found
    for s in (*answers, *marks):
        if s.effective_default is not None:
            system.defaults[s.id] = s.effective_default
    return system


def _speaks(signal: Signal) -> bool:
    return signal.state is not None or signal.reason is not None


def _told_by_stamp(call: Evidence, found: Iterable[Evidence], rules: Judging) -> bool:
    """Whether an answer whose trusted stamp lies at a call says what the call itself does not."""
    return any(
        e.since is not None and e.stamp is not None and not e.written and e.value in ("granted", "denied")
        and abs(e.stamp - call.seen) <= rules.unanswered_holds_ms
        for e in found
    )  # fmt: skip


def _tiktok_category(signals: Iterable[Signal]) -> tuple[str, ...] | None:
    """The categories that the site's own CMP configuration gives to TikTok's cookies or host."""
    return next(
        (
            tuple(str(c) for c in s.detail.get("tiktok_categories", (s.detail["tiktok_category"],)))
            for s in signals
            if s.source == "cmp_config" and "tiktok_category" in s.detail
        ),
        None,
    )


# --- what absence says -------------------------------------------------------------------------------------------


def _jar_sightings(requests: Sequence[FirstParty]) -> list[FirstParty]:
    """First-party requests that show the site's cookie jar: those with a Cookie header, and navigations without one.

    In a HAR a missing header counts only where the recorder keeps cookies for this property, and only before any
    cookie was seen: a browser that has a cookie does not stop sending it.
    """
    sanitised = [f for f in requests if not f.cookies_complete]
    readable = _readable(requests)
    first_cookie = min((f.at for f in sanitised if f.cookie_names is not None), default=None)

    def shows_jar(f: FirstParty) -> bool:
        if f.cookie_names is not None:
            return f.own_page
        before_any = readable and (first_cookie is None or f.at < first_cookie)
        return f.authoritative and (f.cookies_complete or before_any)

    return [f for f in requests if shows_jar(f)]


def _readable(requests: Sequence[FirstParty]) -> bool:
    """Whether the capture shows the cookies of this property at all."""
    if any(f.cookies_complete or f.cookie_names is not None for f in requests):
        return True
    got = {f.host: f.at for f in requests if f.set_cookie_names}
    # A visitor who got a cookie and then navigates without one: the recorder leaves Cookie headers out.
    return bool(got) and not any(f.document and f.at > got.get(f.host, f.at) for f in requests)


def _document_of(loaded: int | None, documents: Sequence[int]) -> int | None:
    """When the document was asked for that loaded something at a moment; the moment itself where none was seen."""
    if loaded is None:
        return None
    index = bisect_right(documents, loaded)
    return documents[index - 1] if index else loaded if documents else -(2**62)


def _note_replaced(systems: Sequence[System], signals: Sequence[Signal]) -> None:
    """Which systems were never seen loading again from the document on that first loaded another one."""
    for system in systems:
        loads = [s.observed_at for s in signals if s.cmp == system.id and s.source in LOADING]
        later = [o.begins for o in systems if o.begins is not None and loads and o.begins > max(loads)]
        system.replaced = min(later, default=None)


def _add_absences(
    system: System,
    signals: Sequence[Signal],
    generic: Sequence[Signal],
    sightings: Sequence[FirstParty],
    pages: frozenset[str],
    book: Rulebook,
) -> None:
    """A readable jar without this system's cookie, where the system keeps its answer in one: nobody has answered.

    It counts on the hosts where the cookie was ever seen, else on those of the `pages`: a cookie bound to its host
    never reaches a host of assets. Before the system was there its absence says nothing.
    """
    if not _keeps_cookie(system.id, book):
        return
    jars = ("cookie", "set_cookie", "probe")
    shown = {s.exchange_id for s in signals if s.source in jars}
    hosts = {s.host for s in signals if s.source in jars} or pages
    begins = system.begins if system.begins is not None else -(2**62)
    # A renamed cookie of this very system looks home-made: then its absence proves nothing.
    home_made = {s.exchange_id for s in generic}
    absent = [
        Evidence("unanswered", f.at, f.at, None, "", None, host=f.host, exchange=f.id)
        for f in sightings
        if f.id not in shown and f.id not in home_made and (not hosts or f.host in hosts) and f.at >= begins
    ]
    if not absent:
        return
    if not system.levels:
        system.levels["advertising"] = []
    for evidence in system.levels.values():
        evidence.extend(absent)


def _keeps_cookie(cmp: str, book: Rulebook) -> bool:
    return any(rule.id == cmp and rule.store == "cookie" for rule in book.consent)


def _unread(signals: Sequence[Signal], heard: set[str], book: Rulebook) -> list[System]:
    """Systems that were seen loading and keep their answer where it cannot be read: beside one that can be read they
    may still hold a no."""
    hidden = {r.id for r in book.consent if r.store in HIDDEN_STORES} - heard
    loaded = {s.cmp: s for s in reversed(signals) if s.cmp in hidden and s.source in LOADING}
    return [
        # In force from the start of the stretch: what it holds was answered before it loaded, or never.
        System(s.cmp, {"none": [Evidence("unknown", s.observed_at, -(2**62), None, s.id, "opaque_store")]})
        for s in loaded.values()
        if s.cmp is not None
    ]


def _no_mechanism(
    session: Session, requests: Sequence[FirstParty], sightings: Sequence[FirstParty], marks: Sequence[Signal],
    start: int, rules: Judging,
) -> System | None:  # fmt: skip
    """A site that offers no way to choose, shown for a visitor shown to be new."""
    if any(m.state in ("granted", "denied") for m in marks):
        return None  # somebody clicked something, so there is a mechanism
    documents = [v for v in session.page_views if v.at >= start]
    if not documents or not sightings or not _readable(requests) or session.app:
        return None
    first = min(requests, key=lambda f: (f.at, f.id))
    fresh_mark = any(m.name == "fresh_profile" for m in marks)
    if not fresh_mark and (first.cookie_names is not None or first not in sightings):
        return None
    found = [Evidence("unanswered", f.at, f.at, None, "", None, host=f.host, exchange=f.id) for f in sightings]
    found += [evidence_of(m, session.clock, rules) for m in marks if m.state is not None]
    return System("", {"none": found})


def _home_made(generic: Sequence[Signal], marks: Sequence[Signal], clock: ClientClock, rules: Judging) -> System:
    found = [evidence_of(s, clock, rules) for s in generic]
    said = [evidence_of(m, clock, rules) for m in marks if m.state is not None]
    # The auditor's word decides between sightings of a cookie that nobody can read.
    return System("", {"none": said or found})


def _by_marks(marks: Sequence[Signal], clock: ClientClock, rules: Judging) -> System | None:
    said = [evidence_of(m, clock, rules) for m in marks if m.state is not None]
    return System("", {"advertising": said}) if said else None


def _why_silent(
    session: Session, signals: Sequence[Signal], requests: Sequence[FirstParty], sightings: Sequence[FirstParty],
    named: bool, book: Rulebook,
) -> tuple[str, ...]:  # fmt: skip
    """Why nothing can be said of consent where no system speaks: kinds of blind spot."""
    if session.app:
        return ("app_consent_unknown",)
    reasons = [s.reason for s in signals if s.state is None and s.reason]
    opaque = [
        rule.id for rule in book.consent if rule.store in HIDDEN_STORES
        and any(s.cmp == rule.id and s.source in LOADING for s in signals)
    ]  # fmt: skip
    if opaque:
        reasons.append("opaque_store")
    if not requests:
        reasons.append("no_first_party_traffic")
    elif not _readable(requests):
        reasons.append("cookies_not_captured")
    elif not named and not reasons:
        reasons.append("visitor_not_fresh" if session.page_views else "no_first_party_traffic")
    elif not sightings and not reasons:
        reasons.append("cookies_not_captured")
    return tuple(dict.fromkeys(reasons)) or ("opaque_store",)


# --- reading ------------------------------------------------------------------------------------------------------


def _read(
    system: System, moment: int, host: str | None, rules: Judging, client_time: int | None = None
) -> ConsentAt | None:
    """What one system says at a moment: by its most specific level that says anything."""
    fallback: ConsentAt | None = None
    for level in LEVELS:
        settled = system.settled(level, host)
        if not settled:
            continue
        if client_time is not None and any(e.on_client for e in settled):
            near = rules.least_clock_error_ms
            settled = settle([by_client_time(e, moment, client_time, near) for e in settled])
        reading = at_moment(settled, moment, every=CHOICES, fleeting="unanswered", holds=rules.unanswered_holds_ms)
        result = _result(system, level, reading, settled, host)
        if len(result.possible) < len(CHOICES):
            return result
        fallback = fallback or result
    return fallback


def _result(system: System, level: Level, reading: AtMoment, settled: list[Evidence], host: str | None) -> ConsentAt:
    deciding = [e for e in reading.decided_by if e.signal]
    default = next((system.defaults[e.signal] for e in deciding if e.signal in system.defaults), None)
    current = reading.decided_by[0] if reading.decided_by else None
    denied = current is not None and reading.values == {"denied"}
    withdrawn = denied and current is not None and any(e.value == "granted" and e.by < current.by for e in settled)
    hosts = {e.host for e in deciding if e.host}
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
        no_mechanism=system.id == "" and level == "none" and not deciding,
        conflict=reading.reason == "signal_conflict",
        other_host=bool(hosts) and host is not None and host not in hosts,
    )


def _merged(readings: Sequence[tuple[System, ConsentAt]], moment: int) -> ConsentAt:
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
