"""The words that all reports share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pixelwitness.report.findings import findings
from pixelwitness.report.summary import CoverageRow, Open, PropertySummary, Summary

NO_PAGE = "no known page"
STATE_WORDS = {
    "unanswered": "nothing chosen yet", "granted": "accepted", "denied": "refused",
    "withdrawn": "accepted, then withdrawn", "gpc": "Global Privacy Control on", "unknown": "not known",
}  # fmt: skip
RESULTS = {
    "fail": "FAIL", "pass": "pass", "unverified": "unverified", "not_tested": "not tested",
}  # fmt: skip
TIER_WORDS = {
    "contact": "contact", "identifier": "identifier", "event": "event", "auto_collected": "page content",
    "advanced_matching": "identity data", "plaintext": "CLEAR TEXT",
}  # fmt: skip


def choice_then(row: Mapping[str, Any], words: Mapping[str, str] | None = None) -> str:
    """What a visitor had chosen: the states that are possible where the evidence leaves two of them open."""
    words = words or {}
    states = [row["consent_state"]]
    if states == ["unknown"] and len(row["possible_states"]) == 2:
        states = [s for s in STATE_WORDS if s in row["possible_states"]]
    return " or ".join(words.get(s, str(s)) for s in states)


def name_of(one: PropertySummary) -> str:
    """What a report calls a property."""
    return one.property or NO_PAGE


def count(number: int, one: str, many: str = "") -> str:
    """`1 page`, `2 pages`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def late(delay: int) -> str:
    """How long a message was under way, and what that can mean. `delay` in milliseconds."""
    return f"{delay / 1000:.1f} s after it was made, by the page's own clock: held back, queued, or by another clock"


def headline(summary: Summary) -> tuple[str, list[str]]:
    """The first thing a person reads (what was found), and what keeps it from being an all-clear."""
    hits = sum(p.hits for p in summary.properties)
    found = [f for p in summary.properties for f in findings(p)]
    every = {s.hit_id for f in found for s in f.sends}
    broken = {s.hit_id for f in found for s in f.sends if not s.contradicted}
    all_rows = [v for p in summary.properties for g in p.groups for v in g.violations]
    rows = sum(v["applicability"] != "contradicted" for v in all_rows) or len(all_rows)
    limits = []
    if rows:
        first = (
            f"{count(rows, 'violation')}: {len(broken or every)} of {count(hits, 'request')} to TikTok broke a rule."
        )
    elif hits:
        first = f"No violation was established in {count(hits, 'request')} to TikTok."
    else:
        first = "No request to TikTok was seen. That is no all-clear: see what was tested, and the blind spots."
    if found and all(f.contradicted for f in found):
        limits.append("The traffic suggests that the laws they break do not apply to this visitor.")
    elif len(every) > len(broken):
        limits.append(f"{len(every - broken)} more only under law that seems not to apply to this visitor.")
    unverified = sum(w.get("unverified", 0) for p in summary.properties for w in p.verdicts.values())
    if unverified:
        limits.append(f"{count(unverified, 'verdict is', 'verdicts are')} UNVERIFIED: not an all-clear.")
    untested = sum(1 for p in summary.properties for rows in _states(p).values() if not any(r.page_views for r in rows))
    if untested:
        limits.append(f"{count(untested, 'state was', 'states were')} not tested.")
    if summary.provisional:
        limits.append("The run is not over: verdicts are provisional.")
    if not summary.complete:
        limits.append(f"INCOMPLETE: {summary.note or 'still running, or ended without being closed'}")
    return first, limits


def _states(one: PropertySummary) -> dict[str, list[CoverageRow]]:
    made: dict[str, list[CoverageRow]] = {}
    for rows in one.coverage.values():
        for row in rows:
            made.setdefault(row.state, []).append(row)
    return made


type Matrix = tuple[list[str], list[tuple[CoverageRow, list[CoverageRow]]]]
"""Regimes, and a line a state: what was seen, and the row of each regime."""


def matrices(one: PropertySummary) -> list[Matrix]:
    """Coverage of a property with the regimes side by side, where they count the same pages and sends alike."""
    alike: dict[str, list[str]] = {}
    for regime, rows in one.coverage.items():
        key = repr([(r.state, r.page_views, r.hits, r.control_hits) for r in rows])
        alike.setdefault(key, []).append(regime)
    made: list[Matrix] = []
    for regimes in alike.values():
        tables = [one.coverage[r] for r in regimes]
        made.append((regimes, [(rows[0], list(rows)) for rows in zip(*tables, strict=True)]))
    return made


def folded(
    items: Sequence[Open], key: Callable[[Open], str] = lambda o: o.reason
) -> list[tuple[str, list[str], int]]:  # fmt: skip
    """Open verdicts by reason: reason, regimes, the largest number of sends under one of them."""
    by_reason: dict[str, list[Open]] = {}
    for item in items:
        by_reason.setdefault(key(item), []).append(item)
    return [(why, [o.regime for o in some], max(o.hits for o in some)) for why, some in by_reason.items()]


def spots_by_kind(spots: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Blind spots by kind, the order kept."""
    made: dict[str, list[dict[str, Any]]] = {}
    for spot in spots:
        made.setdefault(spot["kind"], []).append(spot)
    return made
