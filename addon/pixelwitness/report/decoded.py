"""An explained request on a terminal: what it is, what it carries about the person, and every field by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pixelwitness.exchange import iso
from pixelwitness.observations import Hit, Identifier
from pixelwitness.pixels.explain import Explained, Explanation, Field
from pixelwitness.report.harmless import safe
from pixelwitness.report.words import late

TIERS = {
    "contact": "contact: TikTok was contacted, no more",
    "identifier": "identifier: an id of this browser or device",
    "event": "event: what the visitor did, and on which page",
    "auto_collected": "auto-collected: content that the client read off the page by itself",
    "advanced_matching": "advanced matching: who the visitor is, hashed",
    "plaintext": "PLAINTEXT: who the visitor is, in clear text",
}


def render(explanation: Explanation, stream: IO[str], titles: dict[str, str], *, width: int | None = None) -> None:
    """Writes it; colour only where the stream is a terminal that has it. `titles` are those of blind spots."""
    console = Console(file=stream, width=width, highlight=False, soft_wrap=False, emoji=False)
    if width is None and not console.is_terminal:
        console.width = 100
    console.print(Text(safe(f"{explanation.method} {explanation.url}", 500), "bold"))
    for number, one in enumerate(explanation.hits, 1):
        if len(explanation.hits) > 1:
            console.rule(Text(f"message {number} of {len(explanation.hits)}"), align="left")
        _hit(console, one)
    for spot in explanation.blind_spots:
        title = titles.get(spot.kind, spot.kind)
        console.print(Text("NOT READ: ", "yellow") + Text(safe(f"{title} ({spot.detail})")))


def _hit(console: Console, one: Explained) -> None:
    for name, value in _facts(one):
        console.print(Text(f"{name:<18}", "dim") + Text(safe(value, 500)))
    _table(console, "About the person", ("field", "what", "form", "whose, and how written"), _identity(one.hit))
    clear = [(p.where, p.kind, p.masked, _behind(p.layers, p.persona)) for p in one.hit.plaintext]
    _table(console, "Clear text of a person", ("where", "what", "masked", "behind, whose"), clear)
    taken = [(r.where, r.token, r.meaning) for r in one.hit.redactions]
    _table(console, "Taken out by TikTok's client", ("where", "mark", "what"), taken)
    content = [(c.what, str(c.size), c.sample) for c in one.hit.content]
    _table(console, "Read off the page", ("what", "characters", "begins with"), content)
    known = [f for f in one.fields if f.means is not None]
    _table(console, "Every field", ("field", "value", "meaning"), _fields(known))
    unknown = [f for f in one.fields if f.means is None]
    _table(console, "Unknown fields: the site's own, or new", ("field", "value", "meaning"), _fields(unknown))
    console.print()


def _facts(one: Explained) -> Iterable[tuple[str, str]]:
    hit = one.hit
    yield "what", " ".join(w for w in (hit.kind, hit.event or hit.action or "", _renamed(hit)) if w)
    yield "discloses", TIERS[hit.tier]
    for code, made in one.pixels.items():
        yield "pixel", code + (f" (made {iso(made)[:10]})" if made is not None else "")
    facts: dict[str, Any] = {
        "app": hit.app_id, "page": hit.page_url, "page before": hit.page_referrer, "referer": hit.referer,
        "sent as": hit.transport, "client": hit.library_version, "deployed by": hit.partner, "event id": hit.event_id,
        "limited data use": hit.limited_data_use, "happened at": iso(hit.event_time) if hit.event_time else None,
        "sent at": f"{iso(hit.occurred_at)}: {late(one.delay)}" if one.held and one.delay else None,
    }  # fmt: skip
    yield from ((name, str(value)) for name, value in facts.items() if value not in (None, ""))
    if hit.gpc:
        yield "Sec-GPC", "1: the visitor opted out of sale and sharing"
    if hit.first_party_host:
        yield "host", f"{hit.host}: a first-party copy, not TikTok's own host"
    if one.repeats is not None:
        event = f"{one.repeated_event}, " if one.repeated_event else ""
        yield "repeats", f"{event}message {one.repeats}: sent once more, so that TikTok sees another address"


def _renamed(hit: Hit) -> str:
    return f"(sent as {hit.event_raw})" if hit.event_raw and hit.event_raw != hit.event else ""


def _identity(hit: Hit) -> Iterable[tuple[str, ...]]:
    for i in hit.identifiers:
        how = f"{i.name}, {i.collected.replace('_', ' ')}"
        yield i.field, how, i.form.replace("_", " "), "; ".join(_whose(i))


def _whose(one: Identifier) -> Iterable[str]:
    if one.persona:
        yield f"{one.attribute} of {one.persona}: {one.variant}"
    if one.follows_rule is False:
        yield "does not follow TikTok's own rule"
    if one.created_at is not None:
        yield f"made {iso(one.created_at)}"
    if one.diagnostics:
        yield "TikTok's client: " + ", ".join(one.diagnostics)
    if not one.persona and one.value:
        yield one.value


def _behind(layers: tuple[str, ...], persona: str | None) -> str:
    said = ["encoded as " + ", then ".join(layers)] if layers else []
    return "; ".join(said + ([f"of {persona}"] if persona else []))


def _fields(fields: Iterable[Field]) -> Iterable[tuple[str, ...]]:
    for field in fields:
        value = "" if field.value is None else str(field.value)
        yield field.path, value if value else "(empty)", field.means or "unknown"


def _table(console: Console, title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    table = Table(box=None, pad_edge=False, title=title, title_justify="left", title_style="bold")
    for name in columns:
        table.add_column(name, header_style="underline", overflow="fold")
    for row in rows:
        table.add_row(*(Text(safe(cell, 200)) for cell in row))
    if table.row_count:
        console.print(Padding(table, (1, 0, 0, 0)))
