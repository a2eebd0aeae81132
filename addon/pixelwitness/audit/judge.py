"""Judging: from everything observed in one recording to verdicts, violations and coverage. Pure and complete.

Live runs, replays and rejudging all end here: the same rows give the same judgement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pixelwitness.audit.bare import CookieName, bare_views, cookies_answered
from pixelwitness.audit.blocked import blocked_sends, unfollowed
from pixelwitness.audit.clock import Clock
from pixelwitness.audit.copies import first_party_copies, repetitions
from pixelwitness.audit.coverage import SeenHit, SeenView, Unseen, coverage, is_view
from pixelwitness.audit.doubts import doubts_of
from pixelwitness.audit.known import NO_SITE, Known
from pixelwitness.audit.model import (
    Applicability,
    Confidence,
    Coverage,
    CoverageState,
    HitVerdict,
    Judgement,
    Rows,
    VerdictWord,
    Violation,
)
from pixelwitness.audit.moment import ConsentAt
from pixelwitness.audit.notices import SiteNotices
from pixelwitness.audit.optouts import OptOutsAt
from pixelwitness.audit.pixels import hosted_notices, notices, pixel_records
from pixelwitness.audit.placing import Place
from pixelwitness.audit.regions import AUTO, applicability, propose, signs_of
from pixelwitness.audit.session import Placed, Session
from pixelwitness.audit.sessions import sessions_of
from pixelwitness.audit.sites import STATEMENT, Site, sites_of
from pixelwitness.audit.timeline import CHOICES
from pixelwitness.audit.verdict import Decision, applies_on, decide, tier_of
from pixelwitness.audit.violations import Case, Weight, mitigations, violations_of
from pixelwitness.audit.words import reason, what
from pixelwitness.observations import BlindSpot, Hit, PageView, State
from pixelwitness.property import host_of
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.law import Judging, Regime

NOTHING_KNOWN = ConsentAt(frozenset(CHOICES), ("no_page",), store=True)


@dataclass
class _Notes:
    """What the judgement collects on its way."""

    site_notices: SiteNotices
    verdicts: list[HitVerdict] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    seen_hits: list[SeenHit] = field(default_factory=list)
    seen_views: list[SeenView] = field(default_factory=list)
    blocked: Counter[tuple[str, CoverageState]] = field(default_factory=Counter)
    copies: list[tuple[Case, dict[str, Decision]]] = field(default_factory=list)
    unplaced: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By regime and client: sends that could not be placed and would not be compliant."""
    blind_spots: dict[tuple[str | None, str | None, str, str], BlindSpot] = field(default_factory=dict)
    page_states: dict[str, dict[str, Any]] = field(default_factory=dict)

    def spot(self, session: Session | None, kind: str, detail: str, at: int | None, client: str | None = None) -> None:
        """A blind spot, once per client, property, kind and detail."""
        client = session.client if session else client
        prop = session.property if session else None
        key = (client, prop, kind, detail)
        self.blind_spots.setdefault(key, BlindSpot(client=client, property=prop, kind=kind, detail=detail, at=at))


@dataclass(frozen=True)
class _Court:
    """What is the same for every hit: the law, the rules, and what is known of the sites."""

    regimes: tuple[Regime, ...]
    book: Rulebook
    named: frozenset[str]
    names: dict[str, str]
    copies: dict[str, str]
    repeats: dict[str, str]
    sites: Mapping[str, Site]
    answered: frozenset[CookieName]
    """Cookies of which an answer in the recording set one."""

    def weights(self, session: Session | None) -> dict[str, Weight]:
        """How each regime weighs what it finds about one visitor."""
        signs = signs_of(session, self.names) if session else []
        made = {}
        for regime in self.regimes:
            applies: Applicability = applicability(regime, signs)
            made[regime.id] = Weight(regime, applies, applies == "contradicted" and regime.id not in self.named)
        return made


def judge(rows: Rows, regimes: Sequence[Regime], book: Rulebook, named: Collection[str] = ()) -> Judgement:
    """The judgement of one recording under some regimes.

    `named` are the regimes that the auditor asked for by name: for these a contradicted applicability changes nothing
    but the wording. Where `auto` is among them, the regimes that the traffic proposes are judged beside those named.
    """
    placed = sessions_of(rows, book.judging)
    names = {rule.id: rule.name for rule in book.consent}
    proposed: dict[str, str] = {}
    if AUTO in named:
        proposed = propose(placed.sessions.values(), book.regimes, book.judging.default_regimes, names)
        wanted = [*(r.id for r in regimes if r.id in named), *proposed]
        regimes = [book.regimes[r] for r in dict.fromkeys(wanted)]
    places = {**placed.signal_properties, **{s.id: s.property for s in rows.signals if s.source == STATEMENT}}
    court = _Court(
        tuple(regimes), book, frozenset(named), names, first_party_copies(rows.hits, book),
        repetitions(rows.hits, book), sites_of(rows.signals, places, book.contexts),
        cookies_answered(placed.sessions.values()),
    )  # fmt: skip
    notes = _Notes(SiteNotices(book))
    for session in placed.sessions.values():
        _judge_session(session, court, notes)
    lost = unfollowed(rows, book.judging)
    for spot in lost:
        notes.blind_spots[spot.client, None, spot.kind, spot.detail] = spot
    for hit, place in placed.unplaced_hits:
        notes.spot(None, "no_page", what(hit), hit.occurred_at, hit.client)
        out = OptOutsAt(("gpc",) if hit.gpc else ())
        _judge_hit(Case(hit, place, NOTHING_KNOWN, out, None, "low"), None, court, court.weights(None), notes)
    _weigh_copies(notes)
    records = pixel_records(rows.hits, rows.settings, {v.hit_id: v.property for v in notes.verdicts}, book)
    return Judgement(
        verdicts=tuple(notes.verdicts),
        violations=tuple(sorted(notes.violations, key=lambda v: (v.occurred_at, v.hit_id, v.regime, v.rule))),
        coverage=tuple(_coverage(rows, placed, court, notes, lost)),
        blind_spots=tuple(notes.blind_spots.values()),
        page_states=notes.page_states,
        signal_properties=places,
        pixels=records,
        notices=(*notices(records, book), *hosted_notices(rows.hosted, book), *notes.site_notices.all()),
        regimes=tuple(r.id for r in court.regimes),
        proposed=proposed,
    )


def _judge_session(session: Session, court: _Court, notes: _Notes) -> None:
    known = Known(session, court.book, court.sites.get(session.property, NO_SITE))
    consent, opt_outs = known.consent, known.opt_outs
    weights = court.weights(session)
    bare = bare_views(session, court.answered)
    for view in session.page_views:
        _judge_view(view, session, known, weights, notes, bare=view.id in bare)
    for hit, place in session.hits:
        at, out, said = known.at_hit(hit, place)
        early = _made_before_refusal(hit, at, session.clock.whole, court.book.judging)
        case = Case(hit, place, at, out, court.copies.get(hit.id), _confidence(place, at), said, early)
        _judge_hit(case, session, court, weights, notes)
    for spot in session.blocked:
        key = (session.client, session.property, "blocked_send", spot.detail)
        notes.blind_spots.setdefault(key, spot.model_copy(update={"property": session.property}))
        at = consent.at(spot.at or 0, host_of(spot.page))
        for state in _possible_states(at, "gpc" in opt_outs.at_moment(spot.at or 0, spot.page).in_force):
            notes.blocked[session.property, state] += 1
    for system in consent.stale:
        notes.spot(session, "stale_cookie", court.names.get(system, system), None)
    if session.agent:
        notes.spot(session, "several_browsers", "", None)
    if session.clock.whole.offset:
        notes.spot(session, "clock_skew", f"{session.clock.whole.offset} ms ahead", None)


def _judge_view(
    view: PageView, session: Session, known: Known, weights: Mapping[str, Weight], notes: _Notes, *, bare: bool
) -> None:  # fmt: skip
    at = known.consent.at(view.at, view.host)
    gpc = "gpc" in known.opt_outs.at_view(view).in_force
    notes.page_states[view.id] = {"property": session.property, "consent_state": at.state, "gpc": gpc}
    if is_view(view.status, prerender=view.prerender) and view.is_page:
        muted = frozenset(r for r, weight in weights.items() if weight.muted)
        early = frozenset(r for r, weight in weights.items() if not applies_on(weight.regime, view.at))
        notes.seen_views.append(SeenView(session.property, _coverage_states(at, gpc), muted, early, bare))


def _judge_hit(
    case: Case, session: Session | None, court: _Court, weights: Mapping[str, Weight], notes: _Notes
) -> None:  # fmt: skip
    hit, consent, names = case.hit, case.consent, court.names
    decisions = {r.id: decide(r, hit, consent, case.opt_outs, case.site) for r in court.regimes}
    notes.verdicts.append(
        HitVerdict(
            hit_id=hit.id,
            property=case.place.property,
            attribution=case.place.attribution,
            consent_state=_state_word(consent),
            possible_states=_states(consent),
            effective_default=consent.effective_default,
            opt_outs=case.opt_outs.in_force,
            verdicts={r: d.word for r, d in decisions.items()},
            reasons={r: reason(d, hit, consent, case.opt_outs, names) for r, d in decisions.items()},
            mitigations=mitigations(hit),
            confidence=case.confidence,
            cmp=consent.cmp,
            signals=tuple(dict.fromkeys((*consent.signals, *case.opt_outs.signals))),
            set_aside=tuple(dict.fromkeys(consent.set_aside)),
            shown_by=consent.shown_by,
            unknown_because=consent.reasons,
            copy_of=case.copy_of,
            repeats=court.repeats.get(hit.id),
        )
    )
    _spots(case, session, names, notes)
    judged = [(r, decisions[r.id], weights[r.id].muted) for r in court.regimes]
    notes.site_notices.see(case, court.sites.get(case.place.property or "", NO_SITE), judged, names)
    if case.copy_of is not None:
        notes.copies.append((case, decisions))
        return  # counted with the send that it repeats
    gpc = "gpc" in case.opt_outs.in_force
    for regime in court.regimes:
        decision, weight = decisions[regime.id], weights[regime.id]
        made = violations_of(case, decision, weight, court.book, names)
        notes.violations += made
        if case.place.property is not None:
            fails = bool(made) and not weight.muted
            notes.seen_hits.append(_seen_hit(case, regime, decision.word, gpc, fails=fails, muted=weight.muted))
        elif decision.word not in ("compliant", "not_applicable"):
            notes.unplaced[regime.id, hit.client] += 1


def _spots(case: Case, session: Session | None, names: dict[str, str], notes: _Notes) -> None:
    """What kept a verdict open or weakened it, as blind spots."""
    hit, consent = case.hit, case.consent
    system = names.get(consent.cmp or "", "")
    if consent.state == "unknown":
        for kind in consent.reasons:
            notes.spot(session, kind, system, hit.occurred_at, hit.client)
    if consent.conflict:
        notes.spot(session, "signal_conflict", system, hit.occurred_at)
    if case.place.attribution == "latest_document":
        notes.spot(session, "attribution_by_time", hit.host, hit.occurred_at)


def _weigh_copies(notes: _Notes) -> None:
    """A copy is one send with its original. Where it left at a moment that has another verdict (the visitor refused in
    between), that moment is no all-clear, and no violation: the event itself was from before."""
    words = {v.hit_id: v.verdicts for v in notes.verdicts}
    for case, decisions in notes.copies:
        states = _possible_states(case.consent, "gpc" in case.opt_outs.in_force)
        for regime, decision in decisions.items():
            worse = decision.word in ("violation", "unverified")
            if case.place.property is not None and worse and decision.word != words[case.copy_of or ""][regime]:
                prop, tier = case.place.property, tier_of(case.hit)
                notes.seen_hits.append(SeenHit(prop, regime, tier, frozenset(), states, decision.word, fails=False))


def _made_before_refusal(hit: Hit, consent: ConsentAt, clock: Clock, rules: Judging) -> bool:
    """Whether a send at the very moment of a withdrawal was made before it, by the one clock that stamped both.

    The pixel reports the click on the banner itself. Such a send says nothing of what came after the withdrawal; where
    no two stamps tell the order, it may.
    """
    if consent.reasons != ("around_a_choice",) or consent.refused_at is None or hit.event_time is None:
        return False
    made = hit.event_time - clock.offset
    return made <= consent.refused_at and hit.occurred_at - made <= rules.held_ms


def _seen_hit(case: Case, regime: Regime, word: VerdictWord, gpc: bool, *, fails: bool, muted: bool) -> SeenHit:
    states = _coverage_states(case.consent, gpc)
    maybe: set[CoverageState] = set()
    if len(case.consent.possible) > 1:
        for state in _states(case.consent):
            # Where it would be compliant if this state were the true one, it leaves that state's row alone.
            alone = replace(case.consent, possible=frozenset({state}))
            if decide(regime, case.hit, alone, case.opt_outs, case.site).word != "compliant":
                maybe.add(state)
        if "denied" in maybe and not case.made_before_refusal:
            maybe.add("withdrawn")
    if not gpc and "gpc" in case.opt_outs.possible:
        maybe.add("gpc")
    return SeenHit(
        case.place.property or "",
        regime.id,
        tier_of(case.hit),
        states,
        frozenset(maybe),
        word,
        fails and word == "violation",
        muted,
        around=len(case.consent.possible) > 1 and "denied" in maybe and "withdrawn" not in maybe,
    )


def _coverage(
    rows: Rows, placed: Placed, court: _Court, notes: _Notes, lost: Sequence[BlindSpot]
) -> list[Coverage]:  # fmt: skip
    """Rows for every property that a hit was put on, or whose pages were seen."""
    properties = {s.property for s in placed.sessions.values() if s.hits or s.blocked}
    properties |= {v.property for v in notes.seen_views}
    unplaced: Counter[tuple[str, str]] = Counter()
    for (regime, client), count in notes.unplaced.items():
        for prop in {s.property for s in placed.sessions.values() if s.client == client}:
            unplaced[regime, prop] += count
    blocked = blocked_sends(rows, court.book.judging)
    doubts = doubts_of((*rows.blind_spots, *lost), blocked, rows.hits, placed, court.book)
    unseen = Unseen(notes.blocked, doubts, unplaced)
    return coverage(properties, [r.id for r in court.regimes], notes.seen_views, notes.seen_hits, unseen)


def _coverage_states(consent: ConsentAt, gpc: bool | None) -> frozenset[CoverageState]:
    """The coverage row of a moment: none where the state was not certain; GPC counts beside it."""
    states: set[CoverageState] = set()
    if len(consent.possible) == 1:
        states.update({"withdrawn"} if consent.withdrawn and consent.state == "denied" else _states(consent))
    if gpc:
        states.add("gpc")
    return frozenset(states)


def _possible_states(consent: ConsentAt, gpc: bool) -> frozenset[CoverageState]:
    """Every coverage row that a moment may belong to."""
    states: set[CoverageState] = set(_coverage_states(consent, gpc))
    if len(consent.possible) > 1:
        states |= set(_states(consent))
        states |= {"withdrawn"} if "denied" in consent.possible else set()
    return frozenset(states)


def _states(consent: ConsentAt) -> tuple[State, ...]:
    order: tuple[State, ...] = ("granted", "denied", "unanswered")
    return tuple(s for s in order if s in consent.possible)


def _state_word(consent: ConsentAt) -> Any:
    return consent.state


def _confidence(place: Place, consent: ConsentAt) -> Confidence:
    if place.attribution == "latest_document" or not place.sure:
        return "low"
    weak = place.attribution in ("frame", "own_host") or consent.other_host or consent.conflict
    return "medium" if weak or (len(consent.possible) == 1 and not consent.confirmed) else "high"
