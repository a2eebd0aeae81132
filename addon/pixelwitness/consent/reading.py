"""What one consent value says, before it is tied to a request, and as a signal of one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Literal

from pixelwitness.exchange import Exchange
from pixelwitness.observations import Level, OptOutKind, Signal, Source, State

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


def as_signal(
    exchange: Exchange, source: Source, name: str, cmp: str | None, reading: Reading, key: str, **more: Any
) -> Signal:  # fmt: skip
    """A reading as a signal of the exchange that it was found in.

    `key` tells it from all other signals of that exchange; `more` are fields of the signal beside the reading's own.
    """
    fields: dict[str, Any] = {
        "id": hashlib.sha256(f"{exchange.id}|{key}".encode("utf-8", "replace")).hexdigest()[:24],
        "exchange_id": exchange.id,
        "client": exchange.client,
        "agent": exchange.agent,
        "observed_at": exchange.started_at,
        "effective_at": reading.effective_at,
        "source": source,
        "cmp": cmp,
        "name": name[:200],
        "level": reading.level,
        "state": reading.state,
        "reason": reading.reason,
        "choice_made": reading.choice_made,
        "effective_default": reading.effective_default,
        "opt_out_kind": reading.opt_out_kind,
        "opt_out": reading.opt_out,
        "region": reading.region,
        "detail": dict(reading.detail),
    }
    return Signal(**{**fields, **more})
