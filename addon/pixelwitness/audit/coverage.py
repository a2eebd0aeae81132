"""Whether each state was tested, and what TikTok got in it. Silence counts only where pages were seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pixelwitness.audit.model import COVERAGE_STATES, Coverage, CoverageResult, CoverageState
from pixelwitness.observations import TIERS, Tier


@dataclass(frozen=True)
class SeenView:
    """A page view of a property, with its consent state and whether GPC was on."""

    property: str
    states: frozenset[CoverageState]
    blocked: int = 0


@dataclass(frozen=True)
class SeenHit:
    """A send of a property under one regime.

    `maybe` are the states that were possible, not certain, and in which it would not be compliant.
    """

    property: str
    regime: str
    tier: Tier
    states: frozenset[CoverageState]
    maybe: frozenset[CoverageState]
    word: str
    fails: bool
    """Whether its violations count against the property (a contradicted regime's do not)."""


def coverage(
    properties: Iterable[str], regimes: Sequence[str], views: Sequence[SeenView], hits: Sequence[SeenHit],
    blocked: Counter[tuple[str, CoverageState]],
) -> list[Coverage]:  # fmt: skip
    """One row per property, regime and state. `blocked` counts sends that were tried and did not leave."""
    rows = []
    for prop in sorted(properties):
        own_views = [v for v in views if v.property == prop]
        for regime in regimes:
            own_hits = [h for h in hits if h.property == prop and h.regime == regime]
            rows += [_row(prop, regime, state, own_views, own_hits, blocked[prop, state]) for state in COVERAGE_STATES]
    return rows


def _row(
    prop: str, regime: str, state: CoverageState, views: list[SeenView], hits: list[SeenHit], blocked: int
) -> Coverage:
    seen = sum(1 for v in views if state in v.states)
    here = [h for h in hits if state in h.states]
    perhaps = [h for h in hits if state in h.maybe]
    elsewhere = [h for h in hits if h.states and state not in h.states]
    by_tier = Counter(h.tier for h in here)
    notes = []
    result: CoverageResult
    if any(h.fails for h in here):
        result = "fail"
    elif not seen and not here:
        result = "not_tested"
        notes.append("no page view was seen in this state")
    elif any(h.word != "compliant" for h in here) or perhaps or blocked or not seen:
        result = "unverified"
        notes += ["hits without a page view"] if not seen else []
    else:
        result = "pass"
    if perhaps:
        notes.append(f"{len(perhaps)} sends may belong here: the state was not certain")
    if blocked:
        notes.append(f"{blocked} sends were tried and blocked in the browser")
    if result == "unverified" and any(h.word == "violation" for h in here):
        notes.append("the traffic suggests that this regime does not apply to the visitor")
    if all(h.word == "not_applicable" for h in here) and here:
        notes.append("not in force on that day")
    if not elsewhere:
        notes.append("no_control")
    return Coverage(
        property=prop,
        regime=regime,
        state=state,
        page_views=seen,
        hits={tier: by_tier[tier] for tier in TIERS if by_tier[tier]},
        result=result,
        control_hits=len(elsewhere) or None,
        note="; ".join(notes),
    )
