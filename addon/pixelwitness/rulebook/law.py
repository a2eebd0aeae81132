"""Models of the rules that give weight: regimes, findings, blind spots."""

from __future__ import annotations

from datetime import date
from string import Formatter
from typing import Literal, Self

from pydantic import Field, model_validator

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


MEMORY_LIMIT: Severity = "medium"
"""The most that may rest on what no source was found for."""


class Period(Rule):
    """When a regime, or one of its duties, is in force; `until` is the first day on which it is not."""

    since: date
    until: date | None = None
    citation: str
    memory: bool = False
    """No source was found for the dates or the duty: nothing that rests on it is worse than `medium`."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until is not None and self.until <= self.since:
            raise ValueError("`until` must lie after `since`")
        if "memory" in self.citation.lower().split("(")[-1] and not self.memory:
            raise ValueError("a citation from memory needs `memory: true`")
        return self


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
    vague_regions: tuple[str, ...] = ()
    """Region codes that speak neither for this regime nor against it (`EU`, as consent systems use it, for the UK)."""
    gdpr_applies: Literal["shows", "needs", "silent"] = "silent"
    """What a TCF string's gdprApplies says: a yes `shows` that the regime applies and a no contradicts it; the regime
    `needs` a yes, which others share; or it is `silent` about it."""
    max_severity: Severity = "critical"
    memory: bool = False
    """No source was found for this body of law as a whole: nothing under it is worse than `medium`."""
    arguable: tuple[str, ...] = ()
    """Where the law is open to argument, and which way this file goes. One sentence each; the docs print them."""
    notes: str = ""
    examples: tuple[RegimeExample, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.memory and SEVERITIES.index(self.max_severity) > SEVERITIES.index(MEMORY_LIMIT):
            raise ValueError(f"what rests on memory needs `max_severity: {MEMORY_LIMIT}` or less")
        if missing := [f for f in self.findings if f not in self.citations]:
            raise ValueError(f"no citation for {', '.join(missing)}")
        if stray := [f for f in (*self.citations, *self.severities) if f not in self.findings]:
            raise ValueError(f"gives weight to what is not among its findings: {', '.join(stray)}")
        if self.model == "opt_in" and self.binds:
            raise ValueError("an opt-in regime has no binding opt-outs: they decide nothing there")
        return self


class RegimeExample(Rule):
    """A date and whether the regime is in force then."""

    date: date
    in_force: bool


FIELDS = frozenset(
    {
        *(
            "what",
            "when",
            "property",
            "host",
            "hosts",
            "operator",
            "known",
            "page",
            "code",
            "partner",
            "roles",
            "vendor",
        ),
        *("state", "opt_out", "basis", "conflict", "claimed", "as_of", "missing", "context", "marked"),
        *("sent", "collected", "plaintext", "cookie", "fields"),
    }
)
"""What an explanation may name in braces."""


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
    reasoning: str = ""
    """Why it is weighed so, and why it is a violation or only a notice."""
    memory: bool = False
    """No source was found for the rule: it is never worse than `medium`."""
    precedent: tuple[str, ...] = ()
    examples: tuple[FindingExample, ...]

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        worst = MEMORY_LIMIT if self.memory else "info" if self.notice else "critical"
        if any(SEVERITIES.index(c.severity) > SEVERITIES.index(worst) for c in self.severities):
            raise ValueError(f"a notice is `info`, and what rests on memory `{MEMORY_LIMIT}` at most")
        named = {name for _, name, _, _ in Formatter().parse(self.explanation) if name is not None}
        if unknown := sorted(named - FIELDS):
            raise ValueError(f"the explanation names what there is not: {', '.join(unknown)}")
        return self


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
    held_ms: int
    """How long after its own time a message must arrive for that to be worth saying."""
    preflight_window_ms: int
    copy_window_ms: int
    never_sent: tuple[str, ...]
    default_regimes: tuple[str, ...]
    """The regimes that are judged where none is asked for."""
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


def capped(severity: Severity, *limits: Severity) -> Severity:
    """A severity, and no more than any of the limits."""
    return min((severity, *limits), key=SEVERITIES.index)


def case_of(cases: tuple[SeverityCase, ...], tier: Tier, state: str) -> SeverityCase | None:
    """The first case that fits a tier and state; None where none does."""
    for case in cases:
        if case.tier is not None and TIERS.index(tier) < TIERS.index(case.tier):
            continue
        if case.states is not None and state not in case.states:
            continue
        return case
    return None


def severity_of(cases: tuple[SeverityCase, ...], tier: Tier, state: str) -> Severity | None:
    """The severity of the first case that fits; None where none does."""
    case = case_of(cases, tier, state)
    return case.severity if case else None
