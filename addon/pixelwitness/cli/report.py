"""`pixelwitness report`: a run's summary again, from the ledger alone."""

from __future__ import annotations

from pathlib import Path

import click

from pixelwitness.cli.common import UsableError, ledger_argument, regimes_and_rules, show_summary


@click.command()
@ledger_argument
@click.option("--run", help="A run's id. Default: the newest.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--all", "everything", is_flag=True, help="Show every violation, not only the first of each group.")
def report(db: Path, run: str | None, as_json: bool, everything: bool) -> None:
    """The summary of a run again, from the ledger alone."""
    from pixelwitness.ledger.store import LedgerError, open_ledger

    _, book = regimes_and_rules((), ())
    try:
        ledger = open_ledger(db, create=False)
        show_summary(ledger, book, run, as_json, everything)
        ledger.close()
    except LedgerError as error:
        raise UsableError(str(error)) from error
