"""Why a verdict is another one than before: what evidence came or went between two judgements of the same hit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pixelwitness.audit.model import HitVerdict
from pixelwitness.audit.words import clock_time
from pixelwitness.observations import NEVER_SENT, Signal


@dataclass(frozen=True)
class Stand:
    """What a verdict rested on."""

    verdicts: Mapping[str, str]
    property: str | None
    attribution: str | None
    states: tuple[str, ...]
    opt_outs: tuple[str, ...]
    signals: tuple[str, ...]


def stand_of(verdict: HitVerdict) -> Stand:
    """What the verdict on a hit rests on."""
    return Stand(
        verdict.verdicts, verdict.property, verdict.attribution, verdict.possible_states, verdict.opt_outs,
        verdict.signals,
    )  # fmt: skip


def why_changed(before: Stand, after: Stand, signals: Mapping[str, Signal], *, same_rules: bool = True) -> str:
    """One sentence or more: what made the difference. `signals` by id."""
    said = []
    if (before.property, before.attribution) != (after.property, after.attribution):
        said.append(
            f"It is put on {after.property or 'no page'} (by {_words(after.attribution)}); "
            f"before, on {before.property or 'no page'} (by {_words(before.attribution)})."
        )
    if set(before.states) != set(after.states):
        said.append(f"Possible states: {_states(before.states)} before, {_states(after.states)} now.")
    if set(before.opt_outs) != set(after.opt_outs):
        said.append(
            f"Opt-outs: {', '.join(before.opt_outs) or 'none'} before, {', '.join(after.opt_outs) or 'none'} now."
        )
    came = [i for i in after.signals if i not in before.signals]
    went = [i for i in before.signals if i not in after.signals]
    said += [f"Now decided by {_signals(came, signals)}."] if came else []
    said += [f"No longer by {_signals(went, signals)}."] if went else []
    if not said and same_rules:
        said.append("What the response or later requests showed of this hit changed its tier or content.")
    elif not said:
        said.append("The same evidence, judged by other rules.")
    return " ".join(said)


def _words(attribution: str | None) -> str:
    return (attribution or "nothing").replace("_", " ")


def _states(states: Collection[str]) -> str:
    return " or ".join(states) or "none"


def _signals(ids: Collection[str], signals: Mapping[str, Signal], most: int = 3) -> str:
    named = [describe(signals[i]) if i in signals else i for i in list(ids)[:most]]
    more = f" and {len(ids) - most} more" if len(ids) > most else ""
    return "; ".join(named) + more


def describe(signal: Signal) -> str:
    """A signal in a few words: what was seen, when, and what it says. The name comes from the traffic."""
    says = signal.state or ("opt-out" if signal.opt_out else "no opt-out" if signal.opt_out is False else None)
    why = f" ({signal.reason.replace('_', ' ')})" if signal.reason and not says else ""
    dated = f", dated {clock_time(signal.effective_at)}" if signal.effective_at is not None else ""
    text = f"{signal.source.replace('_', ' ')} {signal.name[:60]}"
    stopped = " (blocked)" if NEVER_SENT in signal.detail else ""
    return f"{text}{stopped} at {clock_time(signal.observed_at)}{dated}" + (f": {says}" if says else why)
