"""`pixelwitness verify`: whether a ledger is what was recorded."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pixelwitness.cli.common import UsableError, ledger_argument


@click.command()
@ledger_argument
@click.option("--head", help="The chain head that the run printed: with it a cut tail is found too.")
@click.option("--run", help="A run's id. Default: all runs.")
def verify(db: Path, head: str | None, run: str | None) -> None:
    """Check the hash chain of a ledger's observations."""
    from pixelwitness.ledger.chain import faults
    from pixelwitness.ledger.store import LedgerError, open_ledger

    try:
        ledger = open_ledger(db, create=False)
    except LedgerError as error:
        raise UsableError(str(error)) from error
    runs = [r["id"] for r in ledger.db.query("select id from runs order by started_at") if run in (None, r["id"])]
    if head and len(runs) != 1:
        raise UsableError(f"--head belongs to one run: name it with --run (there are {len(runs)})")
    found = [fault for name in runs for fault in faults(ledger.db, name, head)]
    ledger.close()
    for fault in found:
        click.echo(fault)
    click.echo(f"{len(runs)} runs checked: " + (f"{len(found)} faults" if found else "every chain is sound"))
    sys.exit(1 if found else 0)
