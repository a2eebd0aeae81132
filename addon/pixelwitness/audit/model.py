"""What judging says. All of it is a projection: rebuilt from observations at any time, never the source of anything."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pixelwitness.observations import (
    BlindSpot,
    FirstParty,
    Frame,
    Hit,
    HostedScript,
    Observation,
    PageView,
    PixelSettings,
    Signal,
    State,
    Tier,
)
from pixelwitness.rulebook.law import Severity

VerdictWord = Literal["violation", "compliant", "unverified", "not_applicable"]
Applicability = Literal["shown", "assumed", "contradicted"]
CoverageState = Literal["unanswered", "granted", "denied", "withdrawn", "gpc"]
COVERAGE_STATES: tuple[CoverageState, ...] = ("unanswered", "granted", "denied", "withdrawn", "gpc")
CoverageResult = Literal["pass", "fail", "unverified", "not_tested"]

Attribution = Literal["payload", "referer", "origin", "frame", "latest_document", "app", "own_host", "none"]
Confidence = Literal["high", "medium", "low"]


class Rows(Observation):
    """Everything that was observed in one recording, in no particular order: the only input of judging."""

    hits: tuple[Hit, ...] = ()
    signals: tuple[Signal, ...] = ()
    page_views: tuple[PageView, ...] = ()
    first_party: tuple[FirstParty, ...] = ()
    frames: tuple[Frame, ...] = ()
    blind_spots: tuple[BlindSpot, ...] = ()
    settings: tuple[PixelSettings, ...] = ()
    hosted: tuple[HostedScript, ...] = ()


class HitVerdict(Observation):
    """One hit, placed and judged."""

    hit_id: str
    property: str | None
    attribution: Attribution
    consent_state: Literal["granted", "denied", "unanswered", "unknown"]
    """The one state if only one was possible at the hit's start, else `unknown`."""
    possible_states: tuple[State, ...]
    effective_default: Literal["granted", "denied"] | None = None
    opt_outs: tuple[str, ...] = ()
    verdicts: dict[str, VerdictWord]
    reasons: dict[str, str] = Field(default_factory=dict)
    """One sentence a regime: why this verdict."""
    mitigations: tuple[str, ...] = ()
    confidence: Confidence
    cmp: str | None = None
    signals: tuple[str, ...] = ()
    """Ids of the signals that decided."""
    set_aside: tuple[str, ...] = ()
    """Ids of the signals that were looked at and did not decide (stale, less specific, contradicted)."""
    shown_by: tuple[str, ...] = ()
    """Ids of the first-party requests that decided by what their cookies lacked."""
    unknown_because: tuple[str, ...] = ()
    """Kinds of blind spot that kept the state open."""
    copy_of: str | None = None
    """The hit of which this one is the first-party copy: the two are one send."""
    repeats: str | None = None
    """The hit whose event this one sends once more, to another host of the vendor: a send of its own."""


class Violation(Observation):
    """One hit under one rule of one regime."""

    id: str
    rule: str
    severity: Severity
    severity_why: str
    """Why it is as grave as it is, as a clause."""
    regime: str
    vendor: str
    property: str | None
    client: str
    occurred_at: int
    tier: Tier
    event: str | None
    pixel_codes: tuple[str, ...]
    request_url: str
    page_url: str | None
    consent_state: str
    effective_default: str | None
    opt_outs: tuple[str, ...]
    cmp: str | None
    sent: tuple[str, ...]
    """What was sent, in words: field names, forms, content."""
    mitigations: tuple[str, ...]
    confidence: Confidence
    applicability: Applicability
    explanation: str
    remedy: str
    citation: str
    hit_id: str
    signals: tuple[str, ...]


class Coverage(Observation):
    """Whether a property was seen in a state, under one regime, and what TikTok got then."""

    property: str
    regime: str
    state: CoverageState
    page_views: int
    hits: dict[str, int]
    """Sends by tier."""
    result: CoverageResult
    control_hits: int | None
    """Hits seen on this property in another state; None: no control."""
    note: str


class PixelRecord(Observation):
    """One pixel on one property, with its settings where a loader disclosed them."""

    property: str | None
    vendor: str
    code: str
    created_at: int | None
    """When the pixel was made, by its code."""
    first_seen: int
    last_seen: int
    hits: int
    matched: bool
    """Identity data was handed over under this code in the recording."""
    history: tuple[PixelSettings, ...]
    """The settings at their first sighting and at each change."""


class Notice(Observation):
    """A fact worth knowing that breaks no rule by itself."""

    id: str
    rule: str
    property: str | None
    vendor: str
    pixel_code: str
    noticed_at: int
    explanation: str
    remedy: str
    hit_id: str | None
    """The hit that showed it; None where no hit did."""


class Judgement(Observation):
    """The projections of one recording under its regimes."""

    verdicts: tuple[HitVerdict, ...]
    violations: tuple[Violation, ...]
    coverage: tuple[Coverage, ...]
    blind_spots: tuple[BlindSpot, ...]
    """Those of judging, added to the observed ones; each with client and property."""
    page_states: dict[str, dict[str, Any]]
    """By page view id: property, state (or `unknown`), gpc."""
    signal_properties: dict[str, str | None]
    """By signal id: the property it was placed on."""
    pixels: tuple[PixelRecord, ...] = ()
    notices: tuple[Notice, ...] = ()
    regimes: tuple[str, ...] = ()
    """The regimes that were judged, in order."""
    proposed: dict[str, str] = Field(default_factory=dict)
    """By regime that the traffic itself proposed: why, in a sentence."""
