"""`pixelwitness timeline`: one session drawn as text."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from pixelwitness.cli.common import UsableError, ledger_argument

if TYPE_CHECKING:
    from pixelwitness.report.sessions import Drawn

WIDTH = 80
SIGNS = {"page": "PAGE", "consent": "CONSENT", "opt_out": "OPT-OUT", "mark": "MARK", "hit": "HIT", "loaded": "loads"}


@click.command()
@ledger_argument
@click.option("--property", "prop", required=True, help="The site (registrable domain) or app.")
@click.option("--client", help="One client. Default: all, one after the other.")
@click.option("--all", "everything", is_flag=True, help="Show every sighting, also those that only repeat.")
@click.option("--json", "as_json", is_flag=True, help="Print the sessions as JSON.")
def timeline(db: Path, prop: str, client: str | None, everything: bool, as_json: bool) -> None:
    """Draw a session: page views, what changed in consent, sends by tier, and their verdicts."""
    from pixelwitness.ledger.store import LedgerError, read_ledger
    from pixelwitness.report.sessions import sessions

    try:
        ledger = read_ledger(db)
        drawn = sessions(ledger, prop, client, everything=everything)
        ledger.close()
    except LedgerError as error:
        raise UsableError(str(error)) from error
    if as_json:
        click.echo(json.dumps([d.model_dump() for d in drawn], indent=2, ensure_ascii=False))
        return
    for one in drawn:
        _draw(one)


def _draw(one: Drawn) -> None:
    from pixelwitness.report.harmless import safe
    from pixelwitness.report.sessions import SHORT as WORDS
    from pixelwitness.report.terminal import SHORT

    click.echo(safe(f"{one.property}, client {one.client}", WIDTH))
    day = ""
    for m in one.moments:
        if m.at[:10] != day:
            day = m.at[:10]
            click.echo(f"--- {day} (UTC) " + "-" * (WIDTH - 21))
        text = safe(m.text, 200) + (f" (again {m.repeats}x)" if m.repeats else "")
        if m.kind == "page":
            text += f" [{m.state}]" if m.state else ""
        if m.kind == "hit":
            said = ", ".join(f"{safe(r, 20)} {WORDS.get(w, w)}" for r, w in m.verdicts.items())
            text = f"{SHORT.get(m.tier or '', m.tier or '')} {text} [{m.state}] {said}"
        head = f"{m.at[11:23]} {SIGNS[m.kind]:8}"
        lines = wrap(text, WIDTH - len(head), break_long_words=True) or [""]
        click.echo(head + lines[0])
        for line in lines[1:]:
            click.echo(" " * len(head) + line)
    click.echo("")
