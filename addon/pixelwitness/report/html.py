"""The report that is forwarded: one HTML file without script, bounded in size; nothing of the traffic is active in it.

Every value that a template prints goes through `_harmless` and then through Jinja's escaping. Nothing from the traffic
becomes an address, a style or an attribute other than quoted text; the page's own policy forbids everything but its one
style sheet, by hash.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pixelwitness.ledger.store import Ledger
from pixelwitness.observations import TIERS
from pixelwitness.report.evidence import MOST_HITS, Evidence, chosen, evidence
from pixelwitness.report.findings import Finding, Task, brief, findings, tasks
from pixelwitness.report.harmless import shortened, visible
from pixelwitness.report.summary import PropertySummary, Summary
from pixelwitness.report.timeline import Drawing, draw, points_of
from pixelwitness.report.words import (
    RESULTS,
    STATE_WORDS,
    TIER_WORDS,
    Matrix,
    choice_then,
    count,
    folded,
    headline,
    matrices,
    name_of,
    spots_by_kind,
)

MOST_PROPERTIES = 25
MOST_SESSIONS = 12
MOST_SENDS = 40
MOST_ROWS = 2_000
LONGEST_TEXT = 8_000


@dataclass(frozen=True)
class Section:
    """One property, ready to be printed."""

    summary: PropertySummary
    name: str
    findings: list[Finding]
    tasks: dict[str, list[Task]]
    matrices: list[Matrix]
    sessions: list[tuple[str, Drawing]]
    """Client and drawing."""
    sessions_left_out: int
    evidence: list[Evidence]


def render_html(ledger: Ledger, summary: Summary, command: str = "") -> str:
    """The whole report as one HTML document. `command` is how it was made."""
    sections = [_section(ledger, summary, one) for one in summary.properties[:MOST_PROPERTIES]]
    first, limits = headline(summary)
    style = files("pixelwitness.report").joinpath("templates/report.css").read_text("utf-8")
    text = _environment().get_template("report.html").render(
        summary=summary,
        sections=sections,
        left_out=summary.properties[MOST_PROPERTIES:],
        headline=first,
        limits=limits,
        broken=any(s.findings for s in sections),
        figures=_figures(summary, sections),
        spots=spots_by_kind(summary.blind_spots),
        style=Markup(style),  # noqa: S704  our own file
        policy=f"default-src 'none'; style-src 'sha256-{_hash(style)}'; base-uri 'none'; form-action 'none'",
        command=command,
        shown_evidence={e.hit["id"]: f"e{i}" for i, e in enumerate(_all(sections), 1)},
    )  # fmt: skip
    return "\n".join(line for line in text.splitlines() if line.strip()) + "\n"


def _hash(style: str) -> str:
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("pixelwitness.report", "templates"), autoescape=True, undefined=StrictUndefined,
        finalize=_harmless, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.globals |= {
        "states": STATE_WORDS, "results": RESULTS, "tier_words": TIER_WORDS, "tiers": TIERS, "most_sends": MOST_SENDS,
        "most_hits": MOST_HITS, "choice_then": choice_then,
    }  # fmt: skip
    made.filters |= {"count": count, "brief": brief, "folded": folded, "laid_out": _laid_out}
    return made


def _harmless(value: Any) -> Any:
    """Any value as text that can be shown: no control or direction characters, not too long, never None."""
    if isinstance(value, Markup | int | float):
        return value
    return shortened(visible("" if value is None else value, "\n\t"), LONGEST_TEXT)


def _laid_out(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _all(sections: list[Section]) -> list[Evidence]:
    return [e for s in sections for e in s.evidence]


def _section(ledger: Ledger, summary: Summary, one: PropertySummary) -> Section:
    found = findings(one)
    sessions, left_out = _sessions(ledger, summary, one, found)
    counted = [f for f in found if not f.contradicted] or found
    return Section(
        summary=one,
        name=name_of(one),
        findings=found,
        tasks=tasks(counted),
        matrices=matrices(one),
        sessions=sessions,
        sessions_left_out=left_out,
        evidence=evidence(ledger, found, chosen(found)),
    )


def _figures(summary: Summary, sections: list[Section]) -> list[tuple[str, str]]:
    """The few numbers that a manager reads."""
    hits = sum(p.hits for p in summary.properties)
    broken = {s.hit_id for one in sections for f in one.findings for s in f.sends if not s.contradicted}
    tested = {seen.state for one in sections for _, lines in one.matrices for seen, _ in lines if seen.page_views}
    tested |= {state for pages in summary.quiet_pages.values() for state in pages}
    unverified = sum(w.get("unverified", 0) for p in summary.properties for w in p.verdicts.values())
    return [
        (str(hits), "requests to TikTok"),
        (str(len(broken)), "of them broke a rule"),
        (str(unverified), "verdicts left open"),
        (f"{len(tested)} of 5", "consent states tested"),
    ]


def _sessions(
    ledger: Ledger, summary: Summary, one: PropertySummary, found: list[Finding]
) -> tuple[list[tuple[str, Drawing]], int]:
    """The drawings of a property's sessions, the ones with the most sends first, and how many are left out."""
    broken: dict[str, bool] = {}
    for finding in found:
        for send in finding.sends:
            broken[send.hit_id] = broken.get(send.hit_id, False) or not send.contradicted
    within = "run_id in (select id from runs where recording = (select recording from runs where id = ?))"
    query = "select {} from {} where coalesce(property, '') = ? and {} order by {} limit ?"
    rows: dict[str, list[dict[str, Any]]] = {}
    for table, order in (("hits", "occurred_at"), ("page_views", "viewed_at"), ("signals", "observed_at")):
        sql = query.format("*" if table != "hits" else HIT_COLUMNS, table, within, order)
        rows[table] = list(ledger.db.query(sql, [one.property, summary.run, MOST_ROWS]))
    for hit in rows["hits"]:
        hit["verdicts"] = json.loads(hit["verdicts"] or "{}")
    clients = {h["client"]: 0 for h in rows["hits"] + rows["page_views"]}
    for hit in rows["hits"]:
        clients[hit["client"]] += 1
    order_of = sorted(clients, key=lambda c: (-clients[c], c or ""))
    made = []
    for client in order_of[:MOST_SESSIONS]:
        points = points_of(
            [h for h in rows["hits"] if h["client"] == client],
            [v for v in rows["page_views"] if v["client"] == client],
            [s for s in rows["signals"] if s["client"] in (client, None)],
            broken,
        )
        if points:
            made.append((client or "", draw(points)))
    return made, max(len(order_of) - MOST_SESSIONS, 0)


HIT_COLUMNS = "id, client, occurred_at, tier, event, action, kind, consent_state, verdicts"
