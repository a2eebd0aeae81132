"""The summary on a terminal: reads well at 80 columns, without colour, and shows hostile text harmlessly.

In an auditor's order: what was found, why, what to do, what was not tested, how to check it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import IO, Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pixelwitness.report.findings import Finding, Send, brief, findings, tasks
from pixelwitness.report.harmless import safe, visible
from pixelwitness.report.summary import PropertySummary, Summary, tiers_in_order
from pixelwitness.report.words import (
    RESULTS,
    TIER_WORDS,
    choice_then,
    count,
    folded,
    headline,
    matrices,
    name_of,
    spots_by_kind,
)

MOST = 5
MOST_PROPERTIES = 200
WIDEST = 120
STYLES = {
    "fail": "bold red", "violation": "bold red", "pass": "green", "compliant": "green", "unverified": "yellow",
    "not_tested": "yellow", "critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "info": "dim",
}  # fmt: skip
SHORT = {
    "contact": "contact", "identifier": "id", "event": "event", "auto_collected": "auto",
    "advanced_matching": "match", "plaintext": "CLEAR",
}  # fmt: skip


def render(summary: Summary, stream: IO[str], *, everything: bool = False, width: int | None = None) -> None:
    """Writes the summary; colour only where the stream is a terminal that has it."""
    console = Console(file=stream, width=width, highlight=False, soft_wrap=False, emoji=False)
    if width is None:
        console.width = min(console.width, WIDEST) if console.is_terminal else 80
    _head(console, summary)
    for one in summary.properties[:MOST_PROPERTIES]:
        _property(console, one, summary, everything)
    if len(summary.properties) > MOST_PROPERTIES:
        _say(console, f"{len(summary.properties) - MOST_PROPERTIES} more sites: --json or --html show them.")
    _limits(console, summary)
    _foot(console, summary)


def _say(console: Console, text: str | Text, indent: int = 0, style: str = "") -> None:
    line = Text(text, style) if isinstance(text, str) else text
    line.plain = visible(line.plain)  # whatever came from outside, and whatever somebody wrote into the ledger
    console.print(Padding(line, (0, 0, 0, indent), expand=False))


def _head(console: Console, summary: Summary) -> None:
    _say(console, Text("pixelwitness", "bold") + Text(f"  run {summary.run}, {summary.started_at}"))
    for name in summary.inputs[:10]:
        _say(console, safe(name), 2)
    if len(summary.inputs) > 10:
        _say(console, f"and {len(summary.inputs) - 10} more captures", 2)
    for regime, why in summary.proposed.items():
        _say(console, Text(f"Regime {safe(regime)}: ", "bold") + Text(safe(why, 600)))
    first, limits = headline(summary)
    broken = any(p.groups for p in summary.properties)
    _say(console, first, style="bold red" if broken else "bold")
    for limit in limits:
        _say(console, safe(limit, 600), style="yellow")
    console.print()


def _property(console: Console, one: PropertySummary, summary: Summary, everything: bool) -> None:
    console.rule(Text(safe(name_of(one)), "bold"), align="left", characters="=")
    for regime, words in one.verdicts.items():
        said = ", ".join(f"{n} {word.replace('_', ' ')}" for word, n in sorted(words.items()))
        _say(console, Text(f"{regime}: ", "bold") + Text(f"{safe(summary.regimes.get(regime, regime))}: {said}"))
    console.print()
    found = findings(one)
    for finding in found:
        if not finding.contradicted:
            _finding(console, finding, everything)
    _contradicted(console, [f for f in found if f.contradicted], summary, everything)
    for notice in one.notices:
        _say(console, Text("NOTE ", STYLES["info"]) + Text(safe(notice["title"]), "bold"))
        _say(console, safe(notice["explanation"], 600), 2)
        _say(console, Text("What to do: ", "bold") + Text(notice["remedy"].strip()), 2)
        console.print()
    _tasks(console, [f for f in found if not f.contradicted] or found)
    _coverage(console, one)
    _pixels(console, one.pixels)


def _finding(console: Console, finding: Finding, everything: bool) -> None:
    head = Text(f"{finding.severity.upper()} ", STYLES.get(finding.severity, ""))
    _say(console, head + Text(finding.title, "bold") + Text(f"  [{finding.rule}]", "dim"))
    for weight in finding.weights:
        law = f": {weight.citation}" if weight.citation else ""
        line = f"{weight.regime}, {weight.severity}, {count(weight.count, 'send')}{law}"
        _say(console, line + (" (the traffic suggests that it does not apply)" if weight.contradicted else ""), 2)
    sends = finding.sends if everything else finding.counted
    _say(console, Text("Why: ", "bold") + Text(safe(next(iter(sends[0].explanations.values())), 600)), 2)
    _sends(console, sends, everything)
    left = len(finding.sends) - len(sends)
    if left:
        _say(console, f"and {left} more only under law that seems not to apply", 2)
    console.print()


def _sends(console: Console, sends: Sequence[Send], everything: bool) -> None:
    shown = sends if everything else sends[:MOST]
    days = {s.row["occurred_at"][:10] for s in sends}
    for send in shown:
        row = send.row
        time = row["occurred_at"] if len(days) > 1 else row["occurred_at"][11:]
        codes = ", ".join(safe(c, 40) for c in row["pixel_codes"]) or "no pixel code"
        line = f"{time}  {safe(row['event'] or row['tier'], 60)}  {codes}  ({choice_then(row)})"
        _say(console, line, 2)
        if everything:
            _say(console, safe(next(iter(send.explanations.values())), 600), 4)
            _say(console, f"hit {send.hit_id}, {row['confidence']} confidence", 4, "dim")
        carried = row["sent"] if everything else brief(row["sent"])
        if carried:
            _say(console, "sent: " + safe("; ".join(carried), 2000 if everything else 240), 4, "dim")
        for word in row["mitigations"]:
            _say(console, f"mitigation: {word.replace('_', ' ')}", 4)
    if len(shown) < len(sends):
        _say(console, f"and {len(sends) - len(shown)} more (report --all shows every one)", 2)


def _contradicted(console: Console, found: list[Finding], summary: Summary, everything: bool) -> None:
    if not found:
        return
    names = sorted({w.regime for f in found for w in f.weights})
    laws = ", ".join(safe(summary.regimes.get(n, n)) for n in names)
    _say(console, Text("INFO ", STYLES["info"]) + Text(f"Only under law that seems not to apply: {laws}", "bold"))
    _say(console, f"The traffic suggests that it does not apply to this visitor. If it does: --regime {names[0]}", 2)
    for finding in found:
        if everything:
            _finding(console, finding, everything)
        else:
            _say(console, f"{count(len(finding.sends), 'send')}: {finding.title} [{finding.rule}]", 2)
    console.print()


def _tasks(console: Console, found: list[Finding]) -> None:
    if not found:
        return
    _say(console, "What to do:", style="bold")
    for label, steps in tasks(found).items():
        _say(console, f"{label}:", 2)
        for step in steps:
            table = Table.grid(padding=(0, 1))
            table.add_row(Text("-"), Text(visible(step.text)))
            console.print(Padding(table, (0, 0, 0, 4), expand=False))
    console.print()


def _coverage(console: Console, one: PropertySummary) -> None:
    for regimes, lines in matrices(one):
        for start in range(0, len(regimes), 4):
            some = regimes[start : start + 4]
            title = f"Coverage, {', '.join(some)}"
            table = Table(box=None, pad_edge=False, title=title, title_justify="left", title_style="bold")
            table.add_column("state", header_style="underline")
            table.add_column("pages", justify="right", header_style="underline")
            for name in ("sent to TikTok", "control", *some):
                table.add_column(name, header_style="underline")
            for seen, rows in lines:
                sent = " ".join(f"{n} {SHORT[t]}" for t, n in tiers_in_order(seen.hits)) or "-"
                control = f"{seen.control_hits} hits" if seen.control_hits else "none"
                words = [Text(RESULTS[r.result], STYLES[r.result]) for r in rows[start : start + 4]]
                table.add_row(seen.state, str(seen.page_views), sent, control, *words)
            console.print(table)
        tiers = [t for seen, _ in lines for t, _ in tiers_in_order(seen.hits) if SHORT[t] != t]
        if tiers:
            legend = ", ".join(f"{SHORT[t]}: {TIER_WORDS[t]}" for t in dict.fromkeys(tiers))
            _say(console, legend, 2, "dim")
        notes: dict[str, list[str]] = {}
        for seen, rows in lines:
            for row in rows:
                for note in row.note.split("; "):
                    if note and note not in ("no_control", "no page view was seen in this state"):
                        notes.setdefault(note, []).append(seen.state)
        for note, states in notes.items():
            _say(console, f"{', '.join(dict.fromkeys(states))}: {note}", 2, "dim")
        untested = [seen.state for seen, _ in lines if not seen.page_views]
        if untested:
            _say(console, f"Not tested: {', '.join(untested)}. Silence there proves nothing.", style="yellow")
    for why, regimes, hits in folded(one.open)[:MOST]:
        _say(console, Text(f"Open, {', '.join(regimes)}, {count(hits, 'send')}: ", "yellow") + Text(safe(why, 400)))
    if one.coverage or one.open:
        console.print()


def _pixels(console: Console, pixels: list[dict[str, Any]]) -> None:
    for pixel in pixels[:50]:
        said = [f"made {pixel['created_at'][:10]}"] if pixel["created_at"] else []
        said += [f"set up by {safe(pixel['partner'], 60)}"] if pixel["partner"] else []
        if pixel["automatic_matching"] is not None:
            fields = ", ".join(f.removeprefix("auto_") for f in json.loads(pixel["automatic_matching"]))
            said.append(f"automatic matching: {safe(fields, 80) or 'off'}")
        if pixel["first_party_cookies"] is not None:
            said.append(f"first-party cookies {'on' if pixel['first_party_cookies'] else 'off'}")
        changed = len(json.loads(pixel["changes"] or "[]")) - 1
        said += [f"settings changed {changed}x during the recording"] if changed > 0 else []
        named = f"Pixel {safe(pixel['code'], 40)} ({count(pixel['hits'], 'request')})"
        _say(console, named + "".join(f"; {w}" for w in said), style="dim")
    if pixels:
        console.print()


def _limits(console: Console, summary: Summary) -> None:
    if summary.quiet:
        said = [f"{name}{_pages(summary.quiet_pages[name])}" for name in summary.quiet]
        _say(console, "Seen without any TikTok traffic: " + safe(", ".join(said), 600))
        console.print()
    if not summary.blind_spots:
        return
    console.rule(Text("Blind spots: what could not be judged", "bold"), align="left", characters="=")
    for kind, spots in spots_by_kind(summary.blind_spots).items():
        where = sorted({safe(s["property"] or s["client"] or "", 80) for s in spots} - {""})
        total = sum(s["count"] for s in spots)
        more = f" and {len(where) - 6} more" if len(where) > 6 else ""
        named = Text(spots[0]["title"], "yellow") + Text(f"  [{kind}]", "dim")
        _say(console, named + Text(f" x{total}" + (f": {', '.join(where[:6])}{more}" if where else "")))
        details = sorted({safe(s["detail"], 200) for s in spots if s["detail"]})
        if details:
            more = f" and {len(details) - 3} more" if len(details) > 3 else ""
            _say(console, "; ".join(details[:3]) + more, 2, "dim")
        if spots[0]["remedy"]:
            _say(console, f"What to do: {spots[0]['remedy']}", 2)
    console.print()


def _pages(pages: dict[str, int]) -> str:
    return f" (pages: {', '.join(f'{n} {state}' for state, n in pages.items())})" if pages else ""


def _foot(console: Console, summary: Summary) -> None:
    if summary.traffic:
        counts = ", ".join(f"{n} {category}" for category, n in summary.traffic.items())
        _say(console, f"Requests by class: {counts}", style="dim")
    _say(console, f"Rules {summary.rules_digest[:16]}, {summary.program}", style="dim")
    _say(console, f"Chain head: {summary.chain_head}", style="dim")
