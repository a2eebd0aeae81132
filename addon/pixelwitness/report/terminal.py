"""The summary on a terminal: reads well at 80 columns, without colour, and shows hostile text harmlessly."""

from __future__ import annotations

import json
import unicodedata
from typing import IO, Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pixelwitness.report.summary import Group, PropertySummary, Summary, tiers_in_order

MOST = 5
STYLES = {
    "fail": "bold red", "violation": "bold red", "pass": "green", "compliant": "green", "unverified": "yellow",
    "critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "info": "dim",
}  # fmt: skip
SHORT = {
    "contact": "contact", "identifier": "id", "event": "event", "auto_collected": "auto",
    "advanced_matching": "match", "plaintext": "CLEAR",
}  # fmt: skip


def safe(text: Any, most: int = 300) -> str:
    """Text from the traffic as it may reach a terminal: no control, escape or direction characters, not too long."""
    clean = "".join(c if unicodedata.category(c)[0] != "C" else "\ufffd" for c in str(text))
    return clean if len(clean) <= most else clean[: most - 3] + "..."


def render(summary: Summary, stream: IO[str], *, everything: bool = False, width: int | None = None) -> None:
    """Writes the summary; colour only where the stream is a terminal that has it."""
    console = Console(file=stream, width=width, highlight=False, soft_wrap=False, emoji=False)
    if width is None and not console.is_terminal:
        console.width = 80
    _head(console, summary)
    for one in summary.properties:
        _property(console, one, summary, everything)
    if summary.quiet:
        console.print(Text("Seen without any TikTok traffic: " + safe(", ".join(summary.quiet), 600)))
        console.print()
    _blind_spots(console, summary)
    _foot(console, summary)


def _head(console: Console, summary: Summary) -> None:
    console.print(Text("pixelwitness", "bold") + Text(f"  run {summary.run}, {summary.started_at}"))
    for name in summary.inputs[:10]:
        console.print(Text(f"  {safe(name)}"))
    if not summary.complete and summary.note:
        console.print(Text("INCOMPLETE: ", "bold yellow") + Text(safe(summary.note, 600)))
    elif not summary.complete:
        console.print(Text("Still running, or ended without being closed: not final.", "yellow"))
    console.print(_verdict_line(summary))
    console.print()


def _verdict_line(summary: Summary) -> Text:
    """The first thing a person reads: what was found, and what silence means."""
    count = sum(len(g.violations) for p in summary.properties for g in p.groups)
    unverified = sum(w.get("unverified", 0) for p in summary.properties for w in p.verdicts.values())
    hits = sum(p.hits for p in summary.properties) + summary.unplaced_hits
    if count:
        line = Text(f"{count} violations", "bold red") + Text(f" in {hits} requests to TikTok.")
    elif hits:
        line = Text(f"No violation was established in {hits} requests to TikTok.")
    else:
        line = Text("No request to TikTok was seen. That is no all-clear: see what was tested, and the blind spots.")
    if unverified:
        many = "verdict is" if unverified == 1 else "verdicts are"
        line += Text(f" {unverified} {many} UNVERIFIED: not an all-clear.", "yellow")
    return line


def _property(console: Console, one: PropertySummary, summary: Summary, everything: bool) -> None:
    console.rule(Text(safe(one.property), "bold"), align="left", characters="=")
    for regime, words in one.verdicts.items():
        said = ", ".join(f"{n} {word}" for word, n in sorted(words.items()))
        console.print(Text(f"{regime}: ", "bold") + Text(f"{safe(summary.regimes.get(regime, regime))}: {said}"))
    console.print()
    for regime, rows in one.coverage.items():
        table = Table(box=None, pad_edge=False, title=f"Coverage, {regime}", title_justify="left", title_style="bold")
        for name, right in (("state", False), ("pages", True), ("sent to TikTok", False), ("result", False),
                            ("control", False)):  # fmt: skip
            table.add_column(name, justify="right" if right else "left", header_style="underline")
        for row in rows:
            sent = " ".join(f"{n} {SHORT[t]}" for t, n in tiers_in_order(row.hits)) or "-"
            control = f"{row.control_hits} hits" if row.control_hits else "none"
            table.add_row(row.state, str(row.page_views), sent, Text(row.result, STYLES.get(row.result, "")), control)
        console.print(table)
        console.print()
    for group in one.groups:
        _group(console, group, everything)
    for notice in one.notices:
        console.print(Text("NOTE ", STYLES["info"]) + Text(safe(notice["title"]), "bold"))
        console.print(Padding(Text(safe(notice["explanation"], 600)), (0, 0, 0, 4)))
        console.print(Padding(Text("What to do: ", "bold") + Text(notice["remedy"].strip()), (0, 0, 0, 2)))
        console.print()
    _pixels(console, one.pixels)


def _pixels(console: Console, pixels: list[dict[str, Any]]) -> None:
    for pixel in pixels:
        said = [f"made {pixel['created_at'][:10]}"] if pixel["created_at"] else []
        said += [f"set up by {safe(pixel['partner'], 60)}"] if pixel["partner"] else []
        if pixel["automatic_matching"] is not None:
            fields = ", ".join(f.removeprefix("auto_") for f in json.loads(pixel["automatic_matching"]))
            said.append(f"automatic matching: {safe(fields, 80) or 'off'}")
        if pixel["first_party_cookies"] is not None:
            said.append(f"first-party cookies {'on' if pixel['first_party_cookies'] else 'off'}")
        changed = len(json.loads(pixel["changes"] or "[]")) - 1
        said += [f"settings changed {changed}x during the recording"] if changed > 0 else []
        named = Text("Pixel ", "dim") + Text(safe(pixel["code"], 40))
        console.print(named + Text(f" ({pixel['hits']} requests)" + "".join(f"; {w}" for w in said), "dim"))
    if pixels:
        console.print()


def _group(console: Console, group: Group, everything: bool) -> None:
    head = Text(f"{group.severity.upper()} ", STYLES.get(group.severity, "")) + Text(safe(group.title), "bold")
    console.print(head + Text(f"  [{group.rule}, {group.regime}] x{len(group.violations)}"))
    if group.applicability == "contradicted":
        console.print(Text("  The traffic suggests that this law does not apply to the visitor.", "yellow"))
    shown = group.violations if everything else group.violations[:MOST]
    for v in shown:
        codes = ", ".join(safe(c, 40) for c in v["pixel_codes"]) or "no pixel code"
        line = f"{v['occurred_at'][11:]}  {safe(v['event'] or '-', 60)}  {codes}  ({v['consent_state']})"
        console.print(Padding(Text(line), (0, 0, 0, 2)))
        console.print(Padding(Text(safe(v["explanation"], 600)), (0, 0, 0, 4)))
        if v["sent"]:
            most = v["sent"] if everything else v["sent"][:6]
            more = f" and {len(v['sent']) - len(most)} more" if len(most) < len(v["sent"]) else ""
            console.print(Padding(Text("sent: " + safe("; ".join(most), 600) + more, "dim"), (0, 0, 0, 4)))
        for word in v["mitigations"]:
            console.print(Padding(Text(f"mitigation: {word.replace('_', ' ')}"), (0, 0, 0, 4)))
    if len(shown) < len(group.violations):
        console.print(Text(f"  and {len(group.violations) - len(shown)} more (report --all shows every one)"))
    console.print(Padding(Text("What to do: ", "bold") + Text(group.remedy.strip()), (0, 0, 0, 2)))
    if group.citation:
        console.print(Padding(Text(f"Law: {group.citation}", "dim"), (0, 0, 0, 2)))
    console.print()


def _blind_spots(console: Console, summary: Summary) -> None:
    if not summary.blind_spots:
        return
    console.rule(Text("Blind spots", "bold"), align="left", characters="=")
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for spot in summary.blind_spots:
        by_kind.setdefault(spot["kind"], []).append(spot)
    for kind, spots in by_kind.items():
        where = sorted({safe(s["property"] or s["client"] or "", 80) for s in spots} - {""})
        total = sum(s["count"] for s in spots)
        console.print(Text(kind, "yellow") + Text(f" x{total}" + (f": {', '.join(where[:6])}" if where else "")))
        details = sorted({safe(s["detail"], 200) for s in spots if s["detail"]})
        if details:
            console.print(Padding(Text("; ".join(details[:3]), "dim"), (0, 0, 0, 2)))
        if spots[0]["remedy"]:
            console.print(Padding(Text(f"What to do: {spots[0]['remedy']}"), (0, 0, 0, 2)))
    console.print()


def _foot(console: Console, summary: Summary) -> None:
    if summary.traffic:
        counts = ", ".join(f"{n} {category}" for category, n in summary.traffic.items())
        console.print(Text(f"Requests by class: {counts}", "dim"))
    console.print(Text(f"Chain head: {summary.chain_head}", "dim"))
