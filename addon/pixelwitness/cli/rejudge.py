"""`pixelwitness rejudge`: verdicts, violations and coverage again, from the ledger alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pixelwitness.cli.common import UsableError, ledger_argument, regime_option, regimes_and_rules, rules_option

if TYPE_CHECKING:
    from pixelwitness.rejudge import Rejudged

MOST = 20


@click.command()
@ledger_argument
@click.option("--run", help="Only the recording of this run. Default: all.")
@regime_option
@rules_option
@click.option("--dry-run", is_flag=True, help="Say what would change and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the changes as JSON.")
@click.option("--all", "everything", is_flag=True, help="Show every change, not only the first of each kind.")
def rejudge(
    db: Path, run: str | None, regime: tuple[str, ...], rules: tuple[Path, ...], dry_run: bool, as_json: bool,
    everything: bool,
) -> None:  # fmt: skip
    """Judge again from the stored observations: under other regimes, by newer rules, or just to check.

    Without --regime the regimes of the last judgement are kept.
    """
    from pixelwitness.audit.regions import AUTO
    from pixelwitness.ledger.store import LedgerError, open_ledger
    from pixelwitness.rejudge import rejudge as judge_again

    chosen, book = regimes_and_rules(regime, rules)
    try:
        ledger = open_ledger(db, create=False)
        asked = chosen if regime else ()
        done = judge_again(ledger, book, run=run, regimes=asked, auto=AUTO in regime, dry_run=dry_run)
        ledger.close()
    except LedgerError as error:
        raise UsableError(str(error)) from error
    if as_json:
        click.echo(json.dumps([d.model_dump() for d in done], indent=2, ensure_ascii=False))
        return
    _print(done, dry_run, everything)


def _print(done: Sequence[Rejudged], dry_run: bool, everything: bool) -> None:
    from pixelwitness.report.harmless import safe

    for one in done:
        click.echo(f"Recording {one.recording}: {one.hits} hits under {', '.join(one.regimes) or 'no regime'}")
        for note in one.notes:
            click.echo(f"  note: {safe(note, 600)}")
        for kind in ("verdict", "violation", "severity", "coverage"):
            found = [c for c in one.changes if c.kind == kind]
            for c in found if everything else found[:MOST]:
                click.echo(f"  {kind}, {c.regime}, {safe(c.property or 'no page', 80)}: {safe(c.what, 120)}")
                click.echo(f"    {c.was or '-'} -> {c.became or '-'}")
                if c.why:
                    click.echo(f"    {safe(c.why, 600)}")
            if len(found) > MOST and not everything:
                click.echo(f"  and {len(found) - MOST} more of this kind (--all shows every one)")
        many = len(one.changes)
        click.echo(f"  {many} changes" + (", nothing was written" if dry_run else "") if many else "  nothing changed")
        if many and not dry_run:
            for run, head in zip(one.runs, one.heads, strict=True):
                click.echo(f"  chain head of {run} now: {head}")
    if not done:
        click.echo("The ledger holds no recording.")
