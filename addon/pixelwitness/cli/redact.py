"""`pixelwitness redact`: a copy of a ledger for sharing."""

from __future__ import annotations

from pathlib import Path

import click

from pixelwitness.cli.common import UsableError, ledger_argument, regimes_and_rules, rules_option

KINDS = ("bodies", "cookies", "clients", "urls", "identifiers", "content", "files")


@click.command()
@ledger_argument
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--keep", multiple=True, type=click.Choice(KINDS), help="Leave this kind of values in the copy.")
@rules_option
def redact(db: Path, out: Path, keep: tuple[str, ...], rules: tuple[Path, ...]) -> None:
    """Write a copy for sharing: verdicts and evidence of consent stay, what identifies people goes; it verifies."""
    from pixelwitness.ledger.redact import share
    from pixelwitness.ledger.sharing import CATEGORIES
    from pixelwitness.ledger.store import LedgerError, read_ledger

    _, book = regimes_and_rules((), rules)
    try:
        source = read_ledger(db)
        try:
            done = share(source, out, book, keep)
            heads = list(source.db.query("select id, chain_head from runs order by rowid"))
        finally:
            source.close()
    except LedgerError as error:
        raise UsableError(str(error)) from error
    click.echo(f"{out}: {done.observations} observations. Taken out:")
    for kind in KINDS:
        if kind not in keep:
            click.echo(f"  {done.taken[kind]:>6}  {CATEGORIES[kind]}")
    for kind in keep:
        click.echo(f"    kept  {CATEGORIES[kind]}")
    click.echo(
        "Kept: verdicts, findings and coverage; hosts and paths of URLs; times; names of fields and cookies; values of "
        "consent cookies; the auditor's marks; other headers. Read it once before you hand it over."
    )
    for row in heads:
        click.echo(f"Check it with: pixelwitness verify {out} --run {row['id']} --head {row['chain_head']}")
