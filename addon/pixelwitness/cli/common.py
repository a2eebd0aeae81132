"""What the commands share: errors, exit codes, and the options that choose rules, law and scope."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixelwitness.report.harmless import printable

if TYPE_CHECKING:
    from pixelwitness.identity.people import People
    from pixelwitness.observations import Signal
    from pixelwitness.rulebook import Rulebook
    from pixelwitness.rulebook.law import Regime

SEVERITIES = ("info", "low", "medium", "high", "critical")
UNUSABLE, FAULT = 2, 3


class UsableError(click.ClickException):
    """An input or option that cannot be used: one line, exit code 2."""

    exit_code = UNUSABLE

    def show(self, file: Any = None) -> None:
        """Prints what is wrong; names of files and what stands in them may be anything."""
        click.echo(f"pixelwitness: {printable(self.format_message())}", err=True, file=file)


db_option = click.option(
    "--db", type=click.Path(path_type=Path), default=Path("audit.db"), show_default=True, help="The ledger."
)
ledger_argument = click.argument("db", type=click.Path(path_type=Path))
keep_plaintext_option = click.option(
    "--keep-plaintext", is_flag=True, help="Store clear text of persons unmasked (cookies and credentials never)."
)
max_body_option = click.option(
    "--max-body", default="256k", show_default=True, callback=lambda ctx, option, value: size_in_bytes(value),
    help="Store at most so much of a request's body, e.g. 64k or 4M; of a larger one only its length.",
)  # fmt: skip
KEEPING = (
    "--keep-plaintext: addresses, headers and bodies of requests are stored as they were sent, with clear text of "
    "persons (cookies and credentials are masked in headers all the same). Keep the ledger as you keep their files."
)


def size_in_bytes(text: str) -> int:
    """`64k`, `4M`, `1000` as bytes. Raises click.BadParameter."""
    found = re.fullmatch(r"(\d{1,9})\s*([kKmM]?)[bB]?", text.strip())
    if found is None:
        raise click.BadParameter(f"{text!r} is no size. Give bytes, or e.g. 64k or 4M")
    return int(found[1]) * {"": 1, "k": 1024, "m": 1024 * 1024}[found[2].lower()]


def regimes_and_rules(names: Sequence[str], rules: Sequence[Path]) -> tuple[tuple[Regime, ...], Rulebook]:
    """The asked-for regimes and the rulebook. Raises UsableError."""
    from pixelwitness.rulebook import RuleError, load_rulebook
    from pixelwitness.run import chosen_regimes

    try:
        book = load_rulebook(tuple(rules))
    except RuleError as error:
        raise UsableError(str(error)) from error
    try:
        return chosen_regimes(names, book), book
    except ValueError as error:
        raise UsableError(str(error)) from error


rules_option = click.option(
    "--rules", multiple=True, type=click.Path(path_type=Path), help="A folder of rules that adds to or replaces ours."
)
regime_option = click.option(
    "--regime", multiple=True,
    help="A body of law, e.g. eu; `auto`: those that the traffic proposes. Default: eu and us-ca.",
)  # fmt: skip
scope_option = click.option(
    "--scope", multiple=True, help="Keep only this host, its subdomains and its pages' traffic."
)

identity_option = click.option(
    "--identity", type=click.Path(path_type=Path), help="A YAML file of test personas: whose value is each hash?"
)


properties_option = click.option(
    "--properties", type=click.Path(path_type=Path),
    help="A YAML file of what no traffic shows: sensitive pages, safeguards of transfers.",
)  # fmt: skip


def statements(path: Path | None, book: Rulebook) -> tuple[Signal, ...]:
    """The statements of a property file. Raises UsableError."""
    from pixelwitness.rulebook import RuleError
    from pixelwitness.statements import read_statements

    try:
        return tuple(read_statements(path, book)) if path else ()
    except RuleError as error:
        raise UsableError(f"--properties: {error}") from error


def personas(path: Path | None, book: Rulebook) -> People:
    """The test personas of a file. Raises UsableError."""
    from pixelwitness.identity.people import load_people
    from pixelwitness.rulebook import RuleError

    try:
        return load_people(path, book.identity)
    except (RuleError, OSError) as error:
        raise UsableError(f"--identity: {error}") from error


def show_summary(ledger: Any, book: Any, run: str | None, as_json: bool, everything: bool) -> None:
    """Prints the summary of a run, for people or for machines."""
    from pixelwitness.report.summary import summarise

    summary = summarise(ledger, book, run)
    if as_json:
        click.echo(summary.model_dump_json(indent=2))
        return
    from pixelwitness.report.terminal import render

    render(summary, sys.stdout, everything=everything)
