"""Verdicts on mitmproxy's own flows: marked, commented and described, so that ~marked, ~comment and ~meta find them."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mitmproxy import http

from pixelwitness.audit.model import HitVerdict, Violation
from pixelwitness.observations import Hit
from pixelwitness.report.harmless import safe
from pixelwitness.rulebook.law import SEVERITIES

META = "pixelwitness"
MARKS = {
    "violation": ":red_circle:",
    "unverified": ":yellow_circle:",
    "compliant": ":green_circle:",
    "not_applicable": ":large_blue_circle:",
}
WORST_FIRST = tuple(MARKS)
MOST_FLOWS = 20_000


@dataclass(frozen=True)
class Told:
    """One hit with what was judged of it."""

    hit: Hit
    verdict: HitVerdict
    violations: tuple[Violation, ...] = ()
    was: str | None = None
    """The word before, where this is a revision."""

    @property
    def word(self) -> str:
        """The worst word of all regimes."""
        return worst(self.verdict.verdicts.values())


def worst(words: object) -> str:
    """The worst of some verdicts' words."""
    found = set(words)  # type: ignore[call-overload]
    return next((w for w in WORST_FIRST if w in found), "not_applicable")


class Flows:
    """The flows of exchanges that still live somewhere in mitmproxy; it keeps none alive, and not too many."""

    def __init__(self) -> None:
        self._flows: OrderedDict[str, weakref.ref[http.HTTPFlow]] = OrderedDict()

    def remember(self, exchange_id: str, flow: http.HTTPFlow) -> None:
        """Notes the flow of an exchange."""
        self._flows[exchange_id] = weakref.ref(flow)
        while len(self._flows) > MOST_FLOWS:
            self._flows.popitem(last=False)

    def find(self, exchange_id: str) -> http.HTTPFlow | None:
        """The flow of an exchange, unless nobody holds it any more."""
        held = self._flows.get(exchange_id)
        flow = held() if held is not None else None
        if held is not None and flow is None:
            del self._flows[exchange_id]
        return flow

    def __len__(self) -> int:
        return len(self._flows)


def mark(flow: http.HTTPFlow, told: Sequence[Told]) -> None:
    """Writes the verdicts of all hits of one flow on it. A mark or comment that the auditor made stays."""
    word = worst(t.word for t in told)
    before = flow.metadata.get(META)
    ours = before if isinstance(before, dict) else {}
    text = comment(told)
    if flow.marked in ("", ours.get("mark")):
        flow.marked = MARKS[word]
    if flow.comment in ("", ours.get("comment")):
        flow.comment = text
    violations = [v for t in told for v in t.violations]
    flow.metadata[META] = _storable(
        {
            "verdict": word,
            "mark": MARKS[word],
            "comment": text,
            "verdicts": {r: worst(t.verdict.verdicts.get(r, "not_applicable") for t in told) for r in _regimes(told)},
            "rules": sorted({v.rule for v in violations}),
            "severity": max((v.severity for v in violations), key=SEVERITIES.index, default=""),
            "property": told[0].verdict.property or "",
            "consent": sorted({t.verdict.consent_state for t in told}),
            "opt_outs": sorted({o for t in told for o in t.verdict.opt_outs}),
            "events": [t.hit.event or t.hit.action or t.hit.kind for t in told][:50],
            "reasons": {r: [t.verdict.reasons.get(r, "") for t in told][:50] for r in _regimes(told)},
            "findings": [v.explanation for v in violations][:50],
            "remedies": list(dict.fromkeys(v.remedy for v in violations)),
        }
    )


def _storable(value: Any) -> Any:
    """Text of a hostile page in a form that can be saved with the flow: half a character would make saving fail."""
    if isinstance(value, dict):
        return {k: _storable(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_storable(v) for v in value]
    return safe(value, 1000) if isinstance(value, str) else value


def comment(told: Sequence[Told]) -> str:
    """One line: each regime's worst word with the rules that were broken, and what was sent."""
    parts = []
    for regime in _regimes(told):
        word = worst(t.verdict.verdicts.get(regime, "not_applicable") for t in told)
        rules = sorted({v.rule for t in told for v in t.violations if v.regime == regime})
        parts.append(f"{regime}: {word}" + (f" ({', '.join(rules)})" if rules else ""))
    events = list(dict.fromkeys(t.hit.event or t.hit.action or t.hit.kind for t in told))
    return safe(f"{'; '.join(parts)} - {', '.join(events[:5])}", 400)


def _regimes(told: Sequence[Told]) -> list[str]:
    return list(dict.fromkeys(r for t in told for r in t.verdict.verdicts))
