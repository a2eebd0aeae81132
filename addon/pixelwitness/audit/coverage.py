"""Whether each state was tested, and what TikTok got in it. Silence counts only where pages were seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pixelwitness.audit.model import COVERAGE_STATES, Coverage, CoverageResult, CoverageState
from pixelwitness.observations import TIERS, Tier

NO_PAGE = 204, 205
NOT_MODIFIED = 304
NOT_THEIRS = "the traffic suggests that this regime does not apply to the visitor"
NOT_YET = "not in force on that day"
DOCUMENTS_ONLY = (
    "beside the documents themselves no request of these pages to the site or its consent system was seen, so that "
    "it is not shown that a send would have been"
)


@dataclass(frozen=True)
class SeenView:
    """A page view of a property, with its consent state and whether GPC was on.

    `muted` are the regimes that the traffic suggests do not apply to this visitor, and nobody asked for: a site may
    treat those visitors otherwise. `early` are those that were not in force on that day.
    """

    property: str
    states: frozenset[CoverageState]
    muted: frozenset[str] = frozenset()
    early: frozenset[str] = frozenset()
    bare: bool = False
    """No other request of the page was seen: a recording of documents only, or everything came from a cache."""


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
    muted: bool = False
    """The traffic suggests that the regime does not apply to this visitor, and nobody asked for it."""
    around: bool = False
    """Sent so close to a withdrawal that the recorder's time does not tell which came first; by the device's own clock
    it was made before the withdrawal (the pixel reports the click on the banner itself)."""


@dataclass(frozen=True)
class Unseen:
    """What silence does not rule out, for all properties.

    `blocked` counts sends by property and state that were tried and did not leave the browser, `doubts` says why sends
    of a property may have gone unseen, and `unplaced` counts by regime and property the sends of its visitors that
    could not be put on any page and would not be compliant there.
    """

    blocked: Counter[tuple[str, CoverageState]] = field(default_factory=Counter)
    doubts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unplaced: Counter[tuple[str, str]] = field(default_factory=Counter)


def is_view(status: int | None, *, prerender: bool) -> bool:
    """Whether a document request ended in a page that somebody saw.

    A redirect, an error page, an answer without content, one that never came, or a page rendered ahead that nobody may
    have looked at is none. `304` is one: the page stood in the browser's cache.
    """
    if prerender or status is None or status in NO_PAGE:
        return False
    return status == NOT_MODIFIED or 200 <= status < 300


def coverage(
    properties: Iterable[str], regimes: Sequence[str], views: Sequence[SeenView], hits: Sequence[SeenHit],
    unseen: Unseen,
) -> list[Coverage]:  # fmt: skip
    """One row per property, regime and state."""
    rows = []
    for prop in sorted(properties):
        own_views = [v for v in views if v.property == prop]
        for regime in regimes:
            own_hits = [h for h in hits if h.property == prop and h.regime == regime]
            rows += [_row(prop, regime, state, own_views, own_hits, unseen) for state in COVERAGE_STATES]
    return rows


def _row(
    prop: str, regime: str, state: CoverageState, views: list[SeenView], hits: list[SeenHit], unseen: Unseen
) -> Coverage:
    own_views = [v for v in views if state in v.states]
    seen = len(own_views)
    lawful = [v for v in own_views if regime not in v.muted | v.early]
    telling = sum(1 for v in lawful if not v.bare)
    here = [h for h in hits if state in h.states]
    perhaps = [h for h in hits if state in h.maybe]
    elsewhere = [h for h in hits if h.states and state not in h.states]
    blocked = unseen.blocked[prop, state]
    because = _because(here, perhaps, blocked, seen, unseen.unplaced[regime, prop], unseen.doubts.get(prop, ()))
    if seen and not lawful:
        muted, early = (any(regime in v.muted for v in own_views), any(regime in v.early for v in own_views))
        said = [NOT_THEIRS] * muted + [NOT_YET] * early
        because = list(dict.fromkeys([*because, *said]))
    elif lawful and not telling:
        because = [*because, DOCUMENTS_ONLY]
    result: CoverageResult
    if any(h.fails for h in here):
        result = "fail"
    elif not seen and not here:
        result = "not_tested"
        because = ["no page view was seen in this state", *because]
    else:
        result = "unverified" if because else "pass"
    notes = [_passed(telling, here, elsewhere)] if result == "pass" else because
    if result == "pass" and state == "withdrawn" and (around := sum(1 for h in hits if h.around)):
        notes.append(f"{around} sends at the very moment of the choice are left open")
    if not elsewhere:
        notes.append("no_control")
    by_tier = Counter(h.tier for h in here)
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


def _because(
    here: list[SeenHit], perhaps: list[SeenHit], blocked: int, seen: int, unplaced: int, doubts: tuple[str, ...]
) -> list[str]:
    """Why a row is no pass, apart from violations that count; nothing where it is one."""
    words = ["hits without a page view"] if here and not seen else []
    if open_ones := sum(1 for h in here if h.word == "unverified"):
        words.append(f"{open_ones} sends could not be verified")
    if any(h.word == "violation" and h.muted for h in here):
        words.append(NOT_THEIRS)
    if any(h.word == "not_applicable" for h in here):
        words.append(NOT_YET)
    if perhaps:
        words.append(f"{len(perhaps)} sends may belong here: the state was not certain")
    if blocked:
        words.append(f"{blocked} sends were tried and blocked in the browser")
    if unplaced:
        words.append(f"{unplaced} sends of this visitor could not be put on any page")
    return [*words, *doubts]


def _passed(seen: int, here: list[SeenHit], elsewhere: list[SeenHit]) -> str:
    """How much a pass rests on: page views, what was sent all the same, and where the pixel was seen at work."""
    views = "1 page view" if seen == 1 else f"{seen} page views"
    sent = f", {len(here)} sends, all compliant" if here else ", nothing sent"
    by_state = Counter(s for h in elsewhere for s in h.states)
    control = ", ".join(f"{by_state[s]} when {s}" for s in COVERAGE_STATES if by_state[s])
    return f"{views}{sent}" + (f"; control: sends seen {control}" if control else "")
