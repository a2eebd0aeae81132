"""The summary as Markdown for an issue or a pull request. What came from the traffic stands in code spans only."""

from __future__ import annotations

import html
import re
from typing import Any

from pixelwitness.report.findings import Finding, brief, findings, tasks
from pixelwitness.report.harmless import shortened, visible
from pixelwitness.report.summary import PropertySummary, Summary
from pixelwitness.report.words import (
    RESULTS,
    choice_then,
    count,
    headline,
    matrices,
    name_of,
    spots_by_kind,
)

MOST_SENDS = 10
MOST_PROPERTIES = 40
LARGEST = 60_000
"""GitHub refuses a comment beyond 65,536 characters."""


def as_markdown(summary: Summary) -> str:
    """The whole summary, cut at a bound that it names."""
    first, limits = headline(summary)
    lines = ["# TikTok Pixel audit", "", f"**{first}**", ""]
    lines += [f"- {words(limit)}" for limit in limits]
    for one in summary.properties[:MOST_PROPERTIES]:
        lines += _property(summary, one)
    if summary.quiet:
        lines += ["", "Seen without any TikTok traffic: " + ", ".join(code(q) for q in summary.quiet[:40])]
    if summary.blind_spots:
        lines += ["", "## Blind spots", ""]
        for kind, spots in spots_by_kind(summary.blind_spots).items():
            named = f"{words(spots[0]['title'])} ({code(kind)}, {sum(s['count'] for s in spots)}x)"
            lines.append(f"- {named}. {words(spots[0]['remedy'])}")
    made = f"{words(summary.program)}, rules {code(summary.rules_digest[:16])}"
    lines += ["", f"Run {code(summary.run)}, {made}, chain head {code(summary.chain_head)}."]
    text = "\n".join(lines) + "\n"
    if len(text) <= LARGEST:
        return text
    whole = text[:LARGEST].rpartition("\n")[0]
    return whole + "\n\nThe rest is left out here: `pixelwitness report` shows it.\n"


def _property(summary: Summary, one: PropertySummary) -> list[str]:
    lines = ["", f"## {code(name_of(one))}"]
    found = findings(one)
    for finding in found:
        lines += _finding(finding)
    if found:
        lines += ["", "### What to do", ""]
        for label, steps in tasks([f for f in found if not f.contradicted] or found).items():
            lines += [f"- {label}:", *(f"  - {words(step.text)}" for step in steps)]
    for regimes, rows in matrices(one):
        lines += [
            "",
            "### What was tested",
            "",
            f"| state | pages | {' | '.join(regimes)} |",
            f"|---|--:|{'---|' * len(regimes)}",
        ]
        lines += [
            f"| {seen.state} | {seen.page_views} | {' | '.join(RESULTS[r.result] for r in each)} |"
            for seen, each in rows
        ]
    return lines


def _finding(finding: Finding) -> list[str]:
    lines = ["", f"### {finding.severity.upper()}: {words(finding.title)} (`{finding.rule}`)", ""]
    for weight in finding.weights:
        against = ". The traffic suggests that it does not apply" if weight.contradicted else ""
        lines.append(
            f"- {weight.regime}, {weight.severity}, {count(weight.count, 'send')}: {words(weight.citation)}{against}"
        )
    lines += ["", "| time | event | choice then | sent |", "|---|---|---|---|"]
    for send in finding.counted[:MOST_SENDS]:
        row = send.row
        sent = ", ".join(brief(row["sent"]))
        cells = [
            row["occurred_at"],
            code(row["event"] or row["tier"]),
            choice_then(row),
            code(sent) if sent else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    left = len(finding.counted) - MOST_SENDS
    return lines + (["", f"and {left} more"] if left > 0 else [])


def code(text: Any) -> str:
    """A code span: nothing in it is markup, a link or a mention. Bars are written so that they end no table cell."""
    clean = shortened(visible(text), 200).replace("`", "'").replace("|", "\u2223").strip()
    return f"`{clean or ' '}`"


def words(text: str) -> str:
    """Our own sentences, in which names from outside may stand: no markup, no link, no mention."""
    clean = html.escape(shortened(visible(text), 600), quote=False)
    clean = re.sub(r"([\\`*_\[\]#|~])", r"\\\1", clean)
    return clean.replace("@", "@\u200b").replace("://", "&#58;//").replace("www.", "www&#46;")
