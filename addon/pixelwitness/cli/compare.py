"""`pixelwitness compare`: the audit before a fix and the one after it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pixelwitness.cli.common import UsableError

if TYPE_CHECKING:
    from pixelwitness.report.compare import Comparison

HEADS = {
    "new": "NEW",
    "unchanged": "UNCHANGED",
    "not_seen": "NOT SEEN AGAIN, and not tested: no proof of a fix",
    "gone": "GONE",
}


@click.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option("--fail-on-new", is_flag=True, help="Exit 1 if a violation is new, or a state fails that did not fail.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def compare(before: Path, after: Path, fail_on_new: bool, as_json: bool) -> None:
    """What is new, gone and unchanged from one ledger to another, by property, rule and consent state."""
    from pixelwitness.ledger.store import LedgerError, read_ledger
    from pixelwitness.report.compare import compare as side_by_side

    try:
        ledgers = [read_ledger(path) for path in (before, after)]
    except LedgerError as error:
        raise UsableError(str(error)) from error
    found = side_by_side(*ledgers)
    for ledger in ledgers:
        ledger.close()
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    else:
        _print(found)
    fails = any(c.after == "fail" and c.before != "fail" for c in found.coverage)
    if fail_on_new and (found.of("new") or fails):
        sys.exit(1)


def _print(found: Comparison) -> None:
    from pixelwitness.report.harmless import safe

    for note in found.notes:
        click.echo(f"note: {safe(note, 400)}")
    for status, head in HEADS.items():
        rows = found.of(status)
        if not rows:
            continue
        click.echo(f"{head}: {len(rows)}")
        for d in rows:
            click.echo(f"  {safe(d.property, 60)}  {d.regime}  {d.rule}  ({d.state}): {d.before} -> {d.after}")
            if d.why:
                click.echo(f"    {safe(d.why, 200)}")
    if found.coverage:
        click.echo("COVERAGE that changed:")
        for c in found.coverage:
            click.echo(f"  {safe(c.property, 60)}  {c.regime}  {c.state}: {c.before or '-'} -> {c.after or '-'}")
    if not found.differences and not found.coverage:
        click.echo("No violation in either, and the same coverage.")
