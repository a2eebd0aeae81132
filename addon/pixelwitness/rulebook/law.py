"""Models of the rules that give weight: regimes, findings, blind spots."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from pixelwitness.observations import TIERS, OptOutKind, Tier
from pixelwitness.rulebook.load import Rule, SourcedRule

Severity = Literal["info", "low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "low", "medium", "high", "critical")

Actor = Literal["cmp", "tag_manager", "developer", "pixel_account"]
ACTORS: dict[Actor, str] = {
    "cmp": "whoever runs the consent platform (CMP)",
    "tag_manager": "whoever runs the tag manager",
    "developer": "the site's or app's developers",
    "pixel_account": "whoever has the pixel's account (TikTok Events Manager)",
}
"""Who can put something right, and how a report calls them."""


class Period(Rule):
    """When a regime, or one of its duties, is in force; `until` is the first day on which it is not."""

    since: date
    until: date | None = None
    citation: str


class Binding(Rule):
    """An opt-out signal that binds under a regime, in which periods, and what happens when it is gone again."""

    signal: OptOutKind
    periods: tuple[Period, ...]
    once_seen: Literal["ends", "persists", "unclear"] = "ends"
    """After it was seen and is gone: `ends`; `persists` (still in force: violation); `unclear` (unverified)."""


class SeverityCase(Rule):
    """The severity of a finding for a tier (or worse) and states; the first case that fits is taken."""

    tier: Tier | None = None
    states: tuple[str, ...] | None = None
    severity: Severity
    why: str


class Regime(SourcedRule):
    """A body of law as data."""

    id: str
    name: str
    model: Literal["opt_in", "opt_out"]
    periods: tuple[Period, ...]
    binds: tuple[Binding, ...] = ()
    findings: tuple[str, ...]
    """The ids of the findings that this regime gives weight to."""
    severities: dict[str, tuple[SeverityCase, ...]] = Field(default_factory=dict)
    """Overrides of a finding's own severities, by finding."""
    citations: dict[str, str] = Field(default_factory=dict)
    """The provision for each finding."""
    regions: tuple[str, ...]
    """Region codes (ISO 3166, `US-CA`) that show that the regime applies to a visitor."""
    max_severity: Severity = "critical"
    notes: str = ""
    examples: tuple[RegimeExample, ...]


class RegimeExample(Rule):
    """A date and whether the regime is in force then."""

    date: date
    in_force: bool


class Finding(SourcedRule):
    """What is wrong, why it matters and what to do. Regimes decide where and how much."""

    id: str
    title: str
    explanation: str
    """One sentence, with `{...}` fields that the judge fills in."""
    remedy: str
    act: dict[Actor, str] = Field(default_factory=dict)
    """The remedy as a task for each who must act."""
    severities: tuple[SeverityCase, ...]
    notice: bool = False
    """A fact worth knowing that breaks no rule by itself: no violation, under no regime."""
    precedent: tuple[str, ...] = ()
    examples: tuple[FindingExample, ...]


class FindingExample(Rule):
    """A tier and state, and the severity that the finding then has."""

    tier: Tier
    state: str
    severity: Severity


class BlindSpotRule(Rule):
    """A kind of blind spot: what it is called and what the auditor can do about it."""

    title: str
    remedy: str


class BlindSpots(SourcedRule):
    """All kinds of blind spot."""

    blind_spots: dict[str, BlindSpotRule]
    examples: tuple[str, ...]
    """Kinds that must exist."""


class SentExample(Rule):
    """A network error and whether the request had left the browser all the same."""

    error: str
    sent: bool


class Judging(SourcedRule):
    """The figures that judging uses. Times in milliseconds unless the name says days."""

    unanswered_holds_ms: int
    """How long `unanswered`, seen before a hit and not again, is taken to last."""
    least_clock_error_ms: int
    largest_clock_offset_ms: int
    clock_window_ms: int
    """Within how long around a stamp other hits tell of the same setting of the clock."""
    mark_lag_ms: int
    """How long after the act an auditor's mark may be set."""
    answer_holds_days: int
    longest_send_ms: int
    """How long after its own time stamp a message may arrive for the stamp to be its time of sending."""
    preflight_window_ms: int
    copy_window_ms: int
    never_sent: tuple[str, ...]
    examples: tuple[SentExample, ...]

    def was_sent(self, error: str | None) -> bool:
        """Whether a request that ended with this error had left the browser."""
        return not (error and any(name in error for name in self.never_sent))


def in_force(periods: tuple[Period, ...], day: date) -> Period | None:
    """The period that covers a day, or None."""
    for period in periods:
        if period.since <= day and (period.until is None or day < period.until):
            return period
    return None


def severity_of(cases: tuple[SeverityCase, ...], tier: Tier, state: str) -> Severity | None:
    """The severity of the first case that fits; None where none does."""
    for case in cases:
        if case.tier is not None and TIERS.index(tier) < TIERS.index(case.tier):
            continue
        if case.states is not None and state not in case.states:
            continue
        return case.severity
    return None
