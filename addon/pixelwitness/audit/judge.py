"""Judging: from everything observed in one recording to verdicts, violations and coverage. Pure and complete.

Live runs, replays and rejudging all end here: the same rows give the same judgement.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pixelwitness.audit.consent import ConsentAt, ConsentTimeline
from pixelwitness.audit.coverage import SeenHit, SeenView, coverage
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
from pixelwitness.audit.optouts import OptOutsAt, OptOutTimeline
from pixelwitness.audit.pixels import notices, pixel_records
from pixelwitness.audit.placing import Place
from pixelwitness.audit.regions import applicability, region_words
from pixelwitness.audit.session import Placed, Session, sessions_of
from pixelwitness.audit.timeline import CHOICES
from pixelwitness.audit.verdict import Decision, decide, tier_of
from pixelwitness.audit.words import clock_time, collected, listing, opt_out_words, reason, sent, state_words, what
from pixelwitness.observations import BlindSpot, Hit, PageView, State
from pixelwitness.property import host_of
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.law import Regime, Severity, severity_of

NOTHING_KNOWN = ConsentAt(frozenset(CHOICES), ("no_page",), store=True)


@dataclass
class _Notes:
    """What the judgement collects on its way."""

    verdicts: list[HitVerdict] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    seen_hits: list[SeenHit] = field(default_factory=list)
    seen_views: list[SeenView] = field(default_factory=list)
    blocked: Counter[tuple[str, CoverageState]] = field(default_factory=Counter)
    blind_spots: dict[tuple[str | None, str | None, str, str], BlindSpot] = field(default_factory=dict)
    page_states: dict[str, dict[str, Any]] = field(default_factory=dict)

    def spot(self, session: Session | None, kind: str, detail: str, at: int | None, client: str | None = None) -> None:
        """A blind spot, once per client, property, kind and detail."""
        client = session.client if session else client
        prop = session.property if session else None
        key = (client, prop, kind, detail)
        self.blind_spots.setdefault(key, BlindSpot(client=client, property=prop, kind=kind, detail=detail, at=at))


@dataclass(frozen=True)
class _Case:
    """One hit with everything that its verdicts rest on."""

    hit: Hit
    place: Place
    consent: ConsentAt
    opt_outs: OptOutsAt
    copy_of: str | None
    confidence: Confidence


def judge(rows: Rows, regimes: Sequence[Regime], book: Rulebook, named: Collection[str] = ()) -> Judgement:
    """The judgement of one recording under some regimes.

    `named` are the regimes that the auditor asked for by name: for these a contradicted applicability changes nothing
    but the wording.
    """
    placed = sessions_of(rows, book.judging)
    copies = first_party_copies([h for s in placed.sessions.values() for h, _ in s.hits], book)
    names = {rule.id: rule.name for rule in book.consent}
    notes = _Notes()
    for session in placed.sessions.values():
        _judge_session(session, regimes, book, frozenset(named), copies, names, notes)
    for hit, place in placed.unplaced_hits:
        notes.spot(None, "no_page", what(hit), hit.occurred_at, hit.client)
        case = _Case(hit, place, NOTHING_KNOWN, OptOutsAt(("gpc",) if hit.gpc else ()), None, "low")
        _judge_hit(case, None, regimes, book, frozenset(named), {}, names, notes)
    records = pixel_records(rows.hits, rows.settings, {v.hit_id: v.property for v in notes.verdicts}, book)
    return Judgement(
        verdicts=tuple(notes.verdicts),
        violations=tuple(sorted(notes.violations, key=lambda v: (v.occurred_at, v.hit_id, v.regime, v.rule))),
        coverage=tuple(_coverage(placed, regimes, notes)),
        blind_spots=tuple(notes.blind_spots.values()),
        page_states=notes.page_states,
        signal_properties=placed.signal_properties,
        pixels=records,
        notices=notices(records, book),
    )


def first_party_copies(hits: Sequence[Hit], book: Rulebook) -> dict[str, str]:
    """First-party copies by hit id, with the hit at the vendor that each repeats: same client, pixel and event id."""
    originals: dict[tuple[str, str], list[Hit]] = defaultdict(list)
    for hit in hits:
        if hit.event_id and not hit.first_party_host:
            originals[hit.client, hit.event_id].append(hit)
    window = book.judging.copy_window_ms
    copies: dict[str, str] = {}
    for hit in hits:
        if not (hit.event_id and hit.first_party_host):
            continue
        for original in originals.get((hit.client, hit.event_id), ()):
            near = abs(original.occurred_at - hit.occurred_at) <= window
            if near and original.event == hit.event and set(original.pixel_codes) & set(hit.pixel_codes):
                copies[hit.id] = original.id
                break
    return copies


def _judge_session(
    session: Session, regimes: Sequence[Regime], book: Rulebook, named: frozenset[str], copies: dict[str, str],
    names: dict[str, str], notes: _Notes,
) -> None:  # fmt: skip
    consent = ConsentTimeline(session, book)
    opt_outs = OptOutTimeline(session, book.judging)
    applies = _applicabilities(session, regimes)
    for view in session.page_views:
        _judge_view(view, session, consent, opt_outs, notes)
    for hit, place in session.hits:
        at = consent.at(hit.occurred_at, host_of(place.page), hit.event_time)
        out = opt_outs.at_hit(hit, place.page)
        case = _Case(hit, place, at, out, copies.get(hit.id), _confidence(place, at))
        _judge_hit(case, session, regimes, book, named, applies, names, notes)
    for spot in session.blocked:
        key = (session.client, session.property, "blocked_send", spot.detail)
        notes.blind_spots.setdefault(key, spot.model_copy(update={"property": session.property}))
        for state in _coverage_states(consent.at(spot.at or 0), None):
            notes.blocked[session.property, state] += 1
    for system in consent.stale:
        notes.spot(session, "stale_cookie", names.get(system, system), None)
    if session.clock.whole.offset:
        notes.spot(session, "clock_skew", f"{session.clock.whole.offset} ms ahead", None)


def _judge_view(
    view: PageView, session: Session, consent: ConsentTimeline, opt_outs: OptOutTimeline, notes: _Notes
) -> None:
    at = consent.at(view.at, view.host)
    gpc = "gpc" in opt_outs.at_view(view).in_force
    notes.page_states[view.id] = {"property": session.property, "consent_state": at.state, "gpc": gpc}
    # A redirect, an error page or a prerendered page that nobody saw is no page view.
    shown = not view.prerender and (view.status is None or view.status == 304 or 200 <= view.status < 300)
    if shown:
        notes.seen_views.append(SeenView(session.property, _coverage_states(at, gpc)))


def _judge_hit(
    case: _Case, session: Session | None, regimes: Sequence[Regime], book: Rulebook, named: frozenset[str],
    applies: dict[str, Applicability], names: dict[str, str], notes: _Notes,
) -> None:  # fmt: skip
    hit, consent = case.hit, case.consent
    decisions = {regime.id: decide(regime, hit, consent, case.opt_outs) for regime in regimes}
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
            mitigations=_mitigations(hit),
            confidence=case.confidence,
            cmp=consent.cmp,
            signals=tuple(dict.fromkeys((*consent.signals, *case.opt_outs.signals))),
            set_aside=tuple(dict.fromkeys(consent.set_aside)),
            shown_by=consent.shown_by,
            unknown_because=consent.reasons,
            copy_of=case.copy_of,
        )
    )
    if consent.state == "unknown":
        for kind in consent.reasons:
            notes.spot(session, kind, names.get(consent.cmp or "", ""), hit.occurred_at, hit.client)
    if consent.conflict:
        notes.spot(session, "signal_conflict", names.get(consent.cmp or "", ""), hit.occurred_at)
    if case.place.attribution == "latest_document":
        notes.spot(session, "attribution_by_time", hit.host, hit.occurred_at)
    if case.copy_of is not None:
        return  # counted with the send that it repeats
    gpc = "gpc" in case.opt_outs.in_force
    for regime in regimes:
        decision = decisions[regime.id]
        application = applies.get(regime.id, "assumed")
        muted = application == "contradicted" and regime.id not in named
        made = [_violation(case, rule, regime, decision, application, muted, book, names) for rule in decision.rules]
        if decision.word != "not_applicable":
            notes.violations += made
        if case.place.property is not None:
            notes.seen_hits.append(_seen_hit(case, regime, decision.word, gpc, fails=bool(made) and not muted))


def _seen_hit(case: _Case, regime: Regime, word: VerdictWord, gpc: bool, *, fails: bool) -> SeenHit:
    states = _coverage_states(case.consent, gpc)
    maybe: set[CoverageState] = set()
    if len(case.consent.possible) > 1:
        for state in _states(case.consent):
            # Where it would be compliant if this state were the true one, it leaves that state's row alone.
            alone = replace(case.consent, possible=frozenset({state}))
            if decide(regime, case.hit, alone, case.opt_outs).word != "compliant":
                maybe.add(state)
    return SeenHit(
        case.place.property or "",
        regime.id,
        tier_of(case.hit),
        states,
        frozenset(maybe),
        word,
        fails and word == "violation",
    )


def _violation(
    case: _Case, rule: str, regime: Regime, decision: Decision, application: Applicability, muted: bool,
    book: Rulebook, names: dict[str, str],
) -> Violation:  # fmt: skip
    hit, consent = case.hit, case.consent
    finding = book.findings[rule]
    state = state_words(consent, names)
    deciding = opt_out_words(decision.opt_outs, case.opt_outs) or state
    basis = deciding if decision.why == "opted_out" else state
    text = finding.explanation.format(
        what=_capital(what(hit)),
        when=clock_time(hit.occurred_at),
        property=case.place.property or "an unknown page",
        state=state,
        opt_out=deciding,
        basis=basis,
        sent=listing(tuple(dict.fromkeys(i.name for i in hit.matching))),
        collected=listing(collected(hit)),
        plaintext=listing(tuple(dict.fromkeys(f"{p.kind} ({p.where})" for p in hit.plaintext))),
    )
    if application == "contradicted":
        text += f" The traffic suggests that the law of {regime.name} does not apply to this visitor."
    return Violation(
        id=hashlib.sha256(f"{hit.id}|{rule}|{regime.id}".encode()).hexdigest()[:24],
        rule=rule,
        severity=_severity(rule, hit, consent, regime, book, muted),
        regime=regime.id,
        vendor=hit.vendor,
        property=case.place.property,
        client=hit.client,
        occurred_at=hit.occurred_at,
        tier=tier_of(hit),
        event=hit.event or hit.action,
        pixel_codes=hit.pixel_codes,
        request_url=hit.request_url,
        page_url=case.place.page or hit.page_url,
        consent_state=consent.state,
        effective_default=consent.effective_default,
        opt_outs=case.opt_outs.in_force,
        cmp=consent.cmp,
        sent=sent(hit),
        mitigations=_mitigations(hit),
        confidence=case.confidence,
        applicability=application,
        explanation=text,
        remedy=finding.remedy,
        citation=regime.citations.get(rule, ""),
        hit_id=hit.id,
        signals=tuple(dict.fromkeys((*consent.signals, *case.opt_outs.signals))),
    )


def _severity(rule: str, hit: Hit, consent: ConsentAt, regime: Regime, book: Rulebook, muted: bool) -> Severity:
    if muted:
        return "info"
    tier = tier_of(hit)
    # A set of states that all break the rule is weighed as its mildest.
    state = "unanswered" if "unanswered" in consent.possible else consent.state
    own = severity_of(regime.severities.get(rule, ()), tier, state)
    return own or severity_of(book.findings[rule].severities, tier, state) or "info"


def _applicabilities(session: Session, regimes: Sequence[Regime]) -> dict[str, Applicability]:
    regions, gdpr = region_words(session)
    return {regime.id: applicability(regime, regions, gdpr) for regime in regimes}


def _coverage(placed: Placed, regimes: Sequence[Regime], notes: _Notes) -> list[Coverage]:
    """Rows for every property that a hit was put on, or whose pages were seen."""
    properties = {p for (_, p), s in placed.sessions.items() if s.hits or s.blocked}
    properties |= {v.property for v in notes.seen_views}
    return coverage(properties, [r.id for r in regimes], notes.seen_views, notes.seen_hits, notes.blocked)


def _coverage_states(consent: ConsentAt, gpc: bool | None) -> frozenset[CoverageState]:
    """The coverage row of a moment: none where the state was not certain; GPC counts beside it."""
    states: set[CoverageState] = set()
    if len(consent.possible) == 1:
        (state,) = consent.possible
        if state == "denied" and consent.withdrawn:
            states.add("withdrawn")
        elif state in ("granted", "denied", "unanswered"):
            states.add(state)  # type: ignore[arg-type]
    if gpc:
        states.add("gpc")
    return frozenset(states)


def _states(consent: ConsentAt) -> tuple[State, ...]:
    order: tuple[State, ...] = ("granted", "denied", "unanswered")
    return tuple(s for s in order if s in consent.possible)


def _state_word(consent: ConsentAt) -> Any:
    return consent.state


def _mitigations(hit: Hit) -> tuple[str, ...]:
    return ("limited_data_use",) if hit.limited_data_use is True else ()


def _confidence(place: Place, consent: ConsentAt) -> Confidence:
    if place.attribution == "latest_document" or not place.sure:
        return "low"
    weak = place.attribution in ("frame", "own_host") or consent.other_host or consent.conflict
    return "medium" if weak or (len(consent.possible) == 1 and not consent.confirmed) else "high"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
