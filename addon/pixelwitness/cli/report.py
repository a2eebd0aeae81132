"""`pixelwitness report`: a run's summary again, from the ledger alone, for people and for machines."""

from __future__ import annotations

import io
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from pixelwitness.cli.common import UsableError, ledger_argument, regimes_and_rules, rules_option

FORMATS = ("terminal", "json", "csv", "sarif", "junit", "markdown", "html")


@click.command()
@ledger_argument
@click.option("--run", help="A run's id. Default: the newest.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="terminal", show_default=True, help="For whom.")
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file, readable by you alone.")
@click.option("--html", type=click.Path(path_type=Path), help="Short for --format html --out FILE.")
@click.option("--json", "as_json", is_flag=True, help="Short for --format json.")
@click.option("--all", "everything", is_flag=True, help="Show every violation, not only the first of each group.")
@rules_option
def report(
    db: Path, run: str | None, form: str, out: Path | None, html: Path | None, as_json: bool, everything: bool,
    rules: tuple[Path, ...],
) -> None:  # fmt: skip
    """The summary of a run again, from the ledger alone: on the terminal, as HTML, or for machines."""
    from pixelwitness.ledger.store import LedgerError, read_ledger
    from pixelwitness.report.summary import summarise

    if html and (out or as_json or form not in ("terminal", "html")):
        raise UsableError("--html writes one HTML file: leave out --out, --json and --format")
    form, out = ("html", html) if html else ("json" if as_json else form, out)
    if form == "html" and out is None and sys.stdout.isatty():
        raise UsableError("--format html needs --out FILE, or a pipe to write to")
    _, book = regimes_and_rules((), rules)
    try:
        ledger = read_ledger(db)
        try:
            text = _rendered(ledger, summarise(ledger, book, run), form, out, everything=everything)
        finally:
            ledger.close()
    except LedgerError as error:
        raise UsableError(str(error)) from error
    if out is None or text is None:
        _print(text)
        return
    from pixelwitness.report.write import write_private

    try:
        write_private(out, text)
    except OSError as error:
        raise UsableError(f"{out}: cannot be written ({error.strerror}). Choose another file") from error
    click.echo(f"written: {out}", err=True)


def _rendered(ledger: Any, summary: Any, form: str, out: Path | None, *, everything: bool) -> str | None:
    """The report as text; None where it went to the terminal itself."""
    if form == "terminal":
        from pixelwitness.report.terminal import render

        if out is None:
            render(summary, sys.stdout, everything=everything)
            return None
        page = io.StringIO()
        render(summary, page, everything=everything)
        return page.getvalue()
    if form == "html":
        from pixelwitness.report.html import render_html

        return render_html(ledger, summary, shlex.join(["pixelwitness", *sys.argv[1:]]))
    from pixelwitness.report.formats import FORMATS as MADE

    return MADE[form](summary)


def _print(text: str | None) -> None:
    if text is not None:
        # Bytes, so that neither line ends nor the machine's code page change what was made.
        sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        sys.stdout.buffer.flush()
