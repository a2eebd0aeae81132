"""What a ledger says of one recording, gathered from its public tables for any kind of report."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, WithJsonSchema

from pixelwitness.audit.model import COVERAGE_STATES
from pixelwitness.ledger.schema import VIOLATIONS
from pixelwitness.ledger.store import Ledger, LedgerError
from pixelwitness.observations import TIERS
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.law import SEVERITIES, Actor


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


LISTS = ("pixel_codes", "opt_outs", "sent", "mitigations", "signals", "possible_states")
"""Columns of `violations`, and of its hit, that hold JSON lists."""


def _violation_schema() -> dict[str, Any]:
    kinds = {str: "string", int: "integer"}
    properties: dict[str, Any] = {name: {"type": [kinds[kind], "null"]} for name, kind in VIOLATIONS.items()}
    properties |= {name: {"type": "array", "items": {"type": "string"}} for name in LISTS}
    properties["fingerprint"] = {
        "type": "string",
        "description": "What went wrong, without the time and the visit: the same from one recording to the next.",
    }
    required = ["id", "fingerprint", "rule", "severity", "regime", "occurred_at", "hit_id", "explanation", "remedy"]
    return {"type": "object", "properties": properties, "required": required}


ViolationRow = Annotated[dict[str, Any], WithJsonSchema(_violation_schema())]
"""A row of the table `violations`, its lists unpacked, with its `fingerprint` and its hit's `possible_states`."""


class CoverageRow(_Model):
    """One line of a coverage table; `hits` counts sends by tier."""

    state: str
    page_views: int
    hits: dict[str, int]
    result: str
    control_hits: int | None
    note: str


class Group(_Model):
    """All violations of one rule under one regime on one property. `violations` are rows of the table."""

    rule: str
    title: str
    regime: str
    severity: str
    applicability: str
    citation: str
    remedy: str
    act: dict[Actor, str]
    """The remedy as a task for each who must act."""
    precedent: list[str]
    violations: list[ViolationRow]


class Open(_Model):
    """Sends whose verdict is `unverified` under one regime for one reason."""

    regime: str
    reason: str
    hits: int
    first_at: str


class Source(_Model):
    """What was read: the name of a capture and the SHA-256 of its bytes."""

    name: str
    sha256: str


class PropertySummary(_Model):
    """One audited site or app; `property` is empty for what no page could be found for."""

    property: str
    hits: int
    verdicts: dict[str, dict[str, int]]
    """By regime: how many sends got which verdict."""
    coverage: dict[str, list[CoverageRow]]
    """By regime."""
    groups: list[Group]
    open: list[Open]
    """Why verdicts stayed open, the most frequent reason first."""
    pixels: list[dict[str, Any]]
    """Rows of the table `pixels`."""
    notices: list[dict[str, Any]]
    """Rows of the table `notices`, each with its `title`."""


class Summary(_Model):
    """One recording: its runs, its properties with pixel traffic first, blind spots, traffic by class."""

    run: str
    kind: str
    """`replay` or `live`."""
    complete: bool
    note: str
    started_at: str
    finished_at: str | None
    seen_from: str | None
    """The first and last request of the recording that says anything."""
    seen_to: str | None
    chain_head: str
    observations: int
    program: str
    mitmproxy: str
    rules_digest: str
    inputs: list[str]
    sources: list[Source]
    named: list[str]
    """Regimes that the auditor asked for by name."""
    regimes: dict[str, str]
    proposed: dict[str, str]
    """With `--regime auto`: the regimes that the traffic proposed, each with the reason."""
    properties: list[PropertySummary]
    quiet: list[str]
    """Properties whose pages were seen, without any hit."""
    quiet_pages: dict[str, dict[str, int]]
    """Of these: page views by state."""
    unplaced_hits: int
    """Hits of no known page: those of the property with the empty name."""
    blind_spots: list[dict[str, Any]]
    traffic: dict[str, int]
    provisional: bool


def summarise(ledger: Ledger, book: Rulebook, run: str | None = None) -> Summary:
    """The summary of a run's recording; the newest run where none is named. Raises LedgerError."""
    runs = list(ledger.db.query("select * from runs order by started_at desc, rowid desc"))
    chosen = next((r for r in runs if run in (None, r["id"])), None)
    if chosen is None:
        known = ", ".join(r["id"] for r in runs) or "none"
        raise LedgerError(f"{ledger.path}: has no run {run or ''}. Its runs: {known}")
    recording = chosen["recording"]
    within = "run_id in (select id from runs where recording = ?)"

    def rows(query: str) -> list[dict[str, Any]]:
        return list(ledger.db.query(query.replace("WITHIN", within), [recording]))

    hits = rows(
        "select property, verdicts, reasons, copy_of, occurred_at from hits where WITHIN order by occurred_at, id"
    )
    violations = rows(
        "select *, (select possible_states from hits where hits.id = hit_id) as possible_states"
        " from violations where WITHIN order by occurred_at, id"
    )
    coverage = rows("select * from coverage where recording = ?")
    spots = [
        {"title": book.blind_spots[s["kind"]].title if s["kind"] in book.blind_spots else s["kind"], **s}
        for s in rows("select * from blind_spots where recording = ? order by count desc, kind, id")
    ]
    traffic = Counter(
        {
            r["category"]: r["n"]
            for r in rows(
                "select category, sum(requests) as n from traffic where recording = ? group by category order by n desc"
            )
        }
    )
    pixels = rows("select * from pixels where recording = ? order by first_seen, code")
    notices = [
        {**n, "title": book.findings[n["rule"]].title if n["rule"] in book.findings else n["rule"]}
        for n in rows("select * from notices where recording = ? order by noticed_at, id")
    ]
    regimes = list(json.loads(chosen["regimes"]))
    seen = sorted({h["property"] or "" for h in hits}, key=lambda name: (not name, name))
    tried = {s["property"] for s in spots if s["kind"] == "blocked_send"}
    span = rows("select min(started_at) as first, max(started_at) as last from exchanges where WITHIN")[0]
    quiet = sorted({c["property"] for c in coverage} - set(seen) - tried)
    return Summary(
        run=chosen["id"],
        kind=chosen["kind"],
        complete=bool(chosen["complete"]),
        note=chosen["note"] or "",
        started_at=chosen["started_at"],
        finished_at=chosen["finished_at"],
        seen_from=span["first"],
        seen_to=span["last"],
        chain_head=chosen["chain_head"],
        observations=chosen["observations"],
        program=chosen["program"],
        mitmproxy=chosen["mitmproxy"],
        rules_digest=chosen["rules_digest"],
        inputs=[i["name"] for i in json.loads(chosen["inputs"])],
        sources=[Source.model_validate(i) for i in json.loads(chosen["inputs"])],
        named=json.loads(chosen["named"] or "[]"),
        proposed=json.loads(chosen["proposed"] or "{}"),
        regimes={r: book.regimes[r].name if r in book.regimes else r for r in regimes},
        properties=[
            _property(p, regimes, hits, violations, coverage, book, pixels=pixels, notices=notices) for p in seen
        ],
        quiet=quiet,
        quiet_pages={q: _pages(q, coverage) for q in quiet},
        unplaced_hits=sum(1 for h in hits if not h["property"]),
        blind_spots=spots,
        traffic=dict(traffic.most_common()),
        provisional=any(v["provisional"] for v in violations),
    )  # fmt: skip


def _property(
    name: str, regimes: list[str], hits: list[dict[str, Any]], violations: list[dict[str, Any]],
    coverage: list[dict[str, Any]], book: Rulebook, *, pixels: list[dict[str, Any]], notices: list[dict[str, Any]],
) -> PropertySummary:  # fmt: skip
    own = [h for h in hits if (h["property"] or "") == name and not h["copy_of"]]
    words: dict[str, Counter[str]] = {r: Counter() for r in regimes}
    for hit in own:
        for regime, word in json.loads(hit["verdicts"] or "{}").items():
            words.setdefault(regime, Counter())[word] += 1
    tables: dict[str, list[CoverageRow]] = {}
    for row in sorted(coverage, key=lambda c: COVERAGE_STATES.index(c["state"])):
        if row["property"] == name:
            row = {**row, "hits": json.loads(row["hits"])}
            tables.setdefault(row["regime"], []).append(CoverageRow.model_validate(row))
    return PropertySummary(
        property=name,
        hits=len(own),
        verdicts={r: dict(w) for r, w in words.items()},
        coverage=tables,
        groups=_groups([v for v in violations if (v["property"] or "") == name], book),
        open=_open(own),
        pixels=[p for p in pixels if (p["property"] or "") == name],
        notices=[n for n in notices if (n["property"] or "") == name],
    )


def _pages(name: str, coverage: list[dict[str, Any]]) -> dict[str, int]:
    pages: dict[str, int] = {}
    for row in coverage:
        if row["property"] == name and row["page_views"]:
            pages[row["state"]] = max(pages.get(row["state"], 0), row["page_views"])
    return pages


def _open(hits: list[dict[str, Any]]) -> list[Open]:
    found: dict[tuple[str, str], list[str]] = {}
    for hit in hits:
        reasons = json.loads(hit["reasons"] or "{}")
        for regime, word in json.loads(hit["verdicts"] or "{}").items():
            if word == "unverified":
                found.setdefault((regime, reasons.get(regime, "")), []).append(hit["occurred_at"])
    made = [Open(regime=r, reason=why, hits=len(at), first_at=min(at)) for (r, why), at in found.items()]
    return sorted(made, key=lambda o: (-o.hits, o.first_at, o.regime))


def _groups(violations: list[dict[str, Any]], book: Rulebook) -> list[Group]:
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for violation in violations:
        for field in LISTS:
            violation[field] = json.loads(violation[field] or "[]")
        violation["fingerprint"] = fingerprint(violation)
        grouped.setdefault((violation["rule"], violation["regime"]), []).append(violation)
    made = []
    for (rule, regime), rows in grouped.items():
        worst = max((r["severity"] for r in rows), key=SEVERITIES.index)
        finding = book.findings.get(rule)
        made.append(
            Group(
                rule=rule,
                title=finding.title if finding else rule,
                regime=regime,
                severity=worst,
                applicability=_applicability(rows),
                citation=rows[0]["citation"],
                remedy=rows[0]["remedy"],
                act=finding.act if finding else {},
                precedent=list(finding.precedent) if finding else [],
                violations=rows,
            )
        )
    return sorted(made, key=lambda g: (-SEVERITIES.index(g.severity), g.regime, g.rule))


def _applicability(rows: list[dict[str, Any]]) -> str:
    """`contradicted` only where it is so for all: one visitor to whom the law may apply is enough."""
    words = [row["applicability"] for row in rows]
    return next((w for w in ("shown", "assumed") if w in words), "contradicted")


def fingerprint(violation: dict[str, Any]) -> str:
    """What went wrong, without the time, the visit and the query: the same from one recording to the next."""
    where = (violation["request_url"] or "").partition("?")[0]
    codes = sorted(violation["pixel_codes"])
    what = [violation[k] for k in ("property", "rule", "regime", "event", "tier", "consent_state")]
    return hashlib.sha256(json.dumps([*what, codes, where]).encode()).hexdigest()[:24]


def tiers_in_order(hits: dict[str, int]) -> list[tuple[str, int]]:
    """Counts by tier, the least first."""
    return [(t, hits[t]) for t in TIERS if hits.get(t)]
