"""`pixelwitness export-evidence`: one violation, so that a third party can check it."""

from __future__ import annotations

from pathlib import Path

import click

from pixelwitness.cli.common import UsableError, db_option


@click.command("export-evidence")
@click.argument("violation")
@db_option
@click.option("--out", type=click.Path(path_type=Path), help="The zip file. Default: evidence-VIOLATION.zip.")
def export_evidence(violation: str, db: Path, out: Path | None) -> None:
    """Write the evidence of one violation as a zip file that can be checked without this program."""
    from pixelwitness.ledger.store import LedgerError, read_ledger
    from pixelwitness.report.proof.export import export

    try:
        ledger = read_ledger(db)
        try:
            name = "".join(c for c in violation if c.isalnum())[:40]
            written = export(ledger, violation, out or Path(f"evidence-{name}.zip"))
        finally:
            ledger.close()
    except LedgerError as error:
        raise UsableError(str(error)) from error
    click.echo(f"{written}: unpack it, then: python check.py HEAD (the head that the run printed)")
