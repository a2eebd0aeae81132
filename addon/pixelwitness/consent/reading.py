"""What one consent value says, before it is tied to a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from pixelwitness.observations import Level, OptOutKind, State

Answer = Literal["granted", "denied"]


@dataclass(frozen=True)
class Reading:
    """One statement. `state` None: it does not say, and `reason` (a kind of blind spot) tells why if it could have."""

    state: State | None = None
    level: Level = "none"
    reason: str | None = None
    choice_made: bool | None = None
    effective_default: Answer | None = None
    effective_at: int | None = None
    region: str | None = None
    opt_out_kind: OptOutKind | None = None
    opt_out: bool | None = None
    detail: dict[str, Any] = field(default_factory=dict)


def answered(granted: bool, level: Level = "advertising", at: int | None = None, **more: Any) -> Reading:
    """Somebody chose, and this is what."""
    return Reading("granted" if granted else "denied", level, choice_made=True, effective_at=at, **more)


def unanswered(default: bool | None = None, **more: Any) -> Reading:
    """Nobody chose; `default` is what the system lets through meanwhile, where it says."""
    said: Answer | None = None if default is None else "granted" if default else "denied"
    return Reading("unanswered", choice_made=False, effective_default=said, **more)


def opted_out(kind: OptOutKind, value: bool | None, **detail: Any) -> Reading:
    """An opt-out signal: in force, not in force, or not saying."""
    return Reading(opt_out_kind=kind, opt_out=value, detail=detail)


def unsure(reason: str = "meaning_uncertain", *, effective_default: bool | None = None, **more: Any) -> Reading:
    """It speaks of consent, and what it says is not certain."""
    said: Answer | None = None if effective_default is None else "granted" if effective_default else "denied"
    return Reading(None, "advertising", reason, effective_default=said, **more)
