"""Two ledgers side by side: what an audit after a fix finds again, finds new, and does not find any more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from pixelwitness.audit.model import COVERAGE_STATES
from pixelwitness.ledger.store import Ledger


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Difference(_Model):
    """One rule on one property under one regime in one consent state. `status`: `new`, `gone` (the state was tested
    again and nothing breaks the rule), `not_seen` (nothing breaks it, but the state was not tested to the end) or
    `unchanged`."""

    status: str
    property: str
    regime: str
    rule: str
    state: str
    before: int
    after: int
    why: str = ""


class CoverageChange(_Model):
    """One state of one property under one regime, before and after; None: not judged."""

    property: str
    regime: str
    state: str
    before: str | None
    after: str | None


class Comparison(_Model):
    """What changed from one ledger to another."""

    differences: tuple[Difference, ...]
    coverage: tuple[CoverageChange, ...]
    """Only what changed."""
    notes: tuple[str, ...]

    def of(self, status: str) -> list[Difference]:
        """The differences of one status."""
        return [d for d in self.differences if d.status == status]


Key = tuple[str, str, str, str]


def compare(before: Ledger, after: Ledger) -> Comparison:
    """Compares the violations and the coverage of two ledgers, each with all its runs."""
    old, new = _violations(before), _violations(after)
    old_coverage, new_coverage = _coverage(before), _coverage(after)
    judged = {r for row in after.db.query("select regimes from runs") for r in json.loads(row["regimes"])}
    made = []
    for key in sorted({*old, *new}):
        prop, regime, rule, state = key
        b, a = old.get(key, 0), new.get(key, 0)
        status, why = "unchanged" if b and a else "new", ""
        if not a:
            status, why = _gone(key, new_coverage, judged)
        made.append(
            Difference(status=status, property=prop, regime=regime, rule=rule, state=state, before=b, after=a, why=why)
        )
    places = sorted({*old_coverage, *new_coverage}, key=lambda k: (k[0], k[1], COVERAGE_STATES.index(k[2])))
    changed = [
        CoverageChange(property=k[0], regime=k[1], state=k[2], before=old_coverage.get(k), after=new_coverage.get(k))
        for k in places
        if old_coverage.get(k) != new_coverage.get(k)
    ]  # fmt: skip
    return Comparison(differences=tuple(made), coverage=tuple(changed), notes=tuple(_notes(before, after)))


def _gone(key: Key, coverage: Mapping[tuple[str, str, Any], str], judged: set[str]) -> tuple[str, str]:
    """Silence is a fix only where the state was tested again."""
    prop, regime, rule, state = key
    if regime not in judged:
        return "not_seen", f"the regime {regime} was not judged after"
    rows = ("denied", "withdrawn") if state == "denied" else (state,)
    wanted = ("gpc",) if rule == "gpc-ignored" else rows
    results = [r for s in wanted if (r := coverage.get((prop, regime, s))) is not None]
    if any(r in ("pass", "fail") for r in results):
        return "gone", ""
    if state == "unknown" and rule != "gpc-ignored":
        tested = [r for (p, g, _), r in coverage.items() if (p, g) == (prop, regime)]
        if any(r in ("pass", "fail") for r in tested):
            return "gone", ""
    words = "unverified" if "unverified" in results else "not tested"
    return "not_seen", f"{' or '.join(wanted)} is {words} after: this is no proof of a fix"


def _violations(ledger: Ledger) -> dict[Key, int]:
    query = "select property, regime, rule, consent_state, count(*) as n from violations group by 1, 2, 3, 4"
    return {
        (r["property"] or "(no page)", r["regime"], r["rule"], r["consent_state"]): r["n"]
        for r in ledger.db.query(query)
    }  # fmt: skip


WORST = ("fail", "unverified", "pass", "not_tested")


def _coverage(ledger: Ledger) -> dict[tuple[str, str, Any], str]:
    """The worst result where several recordings have one."""
    found: dict[tuple[str, str, Any], str] = {}
    for row in ledger.db.query("select property, regime, state, result from coverage"):
        key = (row["property"], row["regime"], row["state"])
        known = found.get(key, "not_tested")
        found[key] = min(known, row["result"], key=WORST.index)
    return found


def _notes(before: Ledger, after: Ledger) -> list[str]:
    notes = []
    digests = [{r["rules_digest"] for r in side.db.query("select rules_digest from runs")} for side in (before, after)]
    if digests[0] != digests[1]:
        notes.append(
            "The two were recorded with different rules. `pixelwitness rejudge` on both makes them comparable."
        )
    for side, name in ((before, "before"), (after, "after")):
        if not list(side.db.query("select 1 from runs where complete = 1 limit 1")):
            notes.append(f"No run in the ledger {name} was read to its end.")
    regimes = [{r for row in side.db.query("select regimes from runs") for r in json.loads(row["regimes"])}
               for side in (before, after)]  # fmt: skip
    if regimes[0] != regimes[1]:
        notes.append(f"Regimes: {', '.join(sorted(regimes[0]))} before, {', '.join(sorted(regimes[1]))} after.")
    return notes
