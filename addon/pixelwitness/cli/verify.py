"""`pixelwitness verify`: whether a ledger is what was recorded."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pixelwitness.cli.common import UNUSABLE, UsableError, ledger_argument, regimes_and_rules, rules_option
from pixelwitness.cli.timestamp import given_roots, tsa_ca_option

MOST = 100


@click.command()
@ledger_argument
@click.option("--head", help="A chain head that the run printed: with it a cut tail is found too.")
@click.option("--run", help="A run's id. Default: all runs.")
@click.option("--chain-only", is_flag=True, help="Leave out the tables that follow from the observations.")
@tsa_ca_option
@rules_option
def verify(
    db: Path, head: str | None, run: str | None, chain_only: bool, tsa_ca: Path | None, rules: tuple[Path, ...]
) -> None:
    """Check that a ledger is what was recorded: its chains, and every table that follows from them.

    Exit code 0 if it is; 1 if something was changed; 2 if it cannot be read, or not all of it can be checked.
    """
    from pixelwitness.ledger.store import LedgerError, read_ledger
    from pixelwitness.ledger.verify import verify as check
    from pixelwitness.report.harmless import safe

    roots = given_roots(tsa_ca)
    _, book = regimes_and_rules((), rules)
    try:
        ledger = read_ledger(db)
        try:
            given = head.strip().lower() if head else None
            found = check(ledger, book, run=run, head=given, tables=not chain_only, roots=roots)
        finally:
            ledger.close()
    except LedgerError as error:
        raise UsableError(str(error)) from error
    for fault in found.faults[:MOST]:
        click.echo(safe(fault, 600))
    if len(found.faults) > MOST:
        click.echo(f"and {len(found.faults) - MOST} more")
    for note in (*found.notes, *found.unchecked):
        click.echo(f"Note: {safe(note, 600)}")
    if found.redacted or found.removed:
        click.echo(
            f"redacted: {found.redacted + found.removed} parts ({found.removed} of them removed); "
            "what is left is as it was recorded"
        )
    click.echo(_last_line(found.runs, found.observations, len(found.faults), bool(found.unchecked), chain_only))
    sys.exit(1 if found.faults else UNUSABLE if found.unchecked else 0)


def _last_line(runs: int, observations: int, faults: int, unchecked: bool, chain_only: bool) -> str:
    checked = f"{runs} {'run' if runs == 1 else 'runs'}, {observations} observations checked: "
    if faults:
        return checked + f"{faults} faults"
    if unchecked:
        return checked + "every chain is sound; the tables were NOT fully checked"
    return checked + "every chain is sound" + ("" if chain_only else ", and the tables follow from it")
