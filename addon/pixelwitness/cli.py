"""The command line. What is heavy is imported inside the commands, so that help comes at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pixelwitness.identity.people import People
    from pixelwitness.rulebook import Rulebook
    from pixelwitness.rulebook.law import Regime

SEVERITIES = ("info", "low", "medium", "high", "critical")
UNUSABLE, FAULT = 2, 3


class UsableError(click.ClickException):
    """An input or option that cannot be used: one line, exit code 2."""

    exit_code = UNUSABLE

    def show(self, file: Any = None) -> None:
        """Prints the one line."""
        click.echo(f"pixelwitness: {self.format_message()}", err=True, file=file)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--debug", is_flag=True, help="Show a traceback for a fault of the program.")
@click.version_option(package_name="pixelwitness")
def cli(debug: bool) -> None:
    """Privacy audits of the TikTok Pixel: what was sent, what the visitor had consented to, and the evidence."""


def regimes_and_rules(names: Sequence[str], rules: Sequence[Path]) -> tuple[tuple[Regime, ...], Rulebook]:
    """The asked-for regimes and the rulebook. Raises UsableError."""
    from pixelwitness.rulebook import RuleError, load_rulebook
    from pixelwitness.run import DEFAULT_REGIMES

    try:
        book = load_rulebook(tuple(rules))
    except RuleError as error:
        raise UsableError(str(error)) from error
    unknown = [n for n in names if n not in book.regimes]
    if unknown:
        raise UsableError(f"no regime {', '.join(unknown)}. There are: {', '.join(sorted(book.regimes))}")
    return tuple(book.regimes[n] for n in dict.fromkeys(names or DEFAULT_REGIMES)), book


rules_option = click.option(
    "--rules", multiple=True, type=click.Path(path_type=Path), help="A folder of rules that adds to or replaces ours."
)
regime_option = click.option("--regime", multiple=True, help="A body of law, e.g. eu. Default: eu and us-ca.")
scope_option = click.option(
    "--scope", multiple=True, help="Keep only this host, its subdomains and its pages' traffic."
)

identity_option = click.option(
    "--identity", type=click.Path(path_type=Path), help="A YAML file of test personas: whose value is each hash?"
)


def personas(path: Path | None, book: Rulebook) -> People:
    """The test personas of a file. Raises UsableError."""
    from pixelwitness.identity.people import load_people
    from pixelwitness.rulebook import RuleError

    try:
        return load_people(path, book.identity)
    except (RuleError, OSError) as error:
        raise UsableError(f"--identity: {error}") from error


@cli.command()
@click.argument("captures", nargs=-1, required=True, metavar="CAPTURE...")
@click.option("--db", type=click.Path(path_type=Path), default=Path("audit.db"), show_default=True, help="The ledger.")
@regime_option
@rules_option
@identity_option
@click.option("--client", help="The name of whoever the captures' requests came from.")
@click.option("--separate", is_flag=True, help="Each capture is a client of its own.")
@scope_option
@click.option("--fail-on", type=click.Choice(SEVERITIES), help="Exit 1 if a violation is at least this severe.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--all", "everything", is_flag=True, help="Show every violation, not only the first of each group.")
@click.option(
    "--keep-plaintext", is_flag=True, help="Store clear text of persons unmasked (cookies and credentials never)."
)
def replay(
    captures: tuple[str, ...], db: Path, regime: tuple[str, ...], rules: tuple[Path, ...], identity: Path | None,
    client: str | None, separate: bool, scope: tuple[str, ...], fail_on: str | None, as_json: bool, everything: bool,
    keep_plaintext: bool,
) -> None:  # fmt: skip
    """Audit saved captures: mitmproxy flow files, HAR, folders of them, or - for standard input.

    Exit code 0; 1 when --fail-on is met; 2 for unusable input or options; 3 for a fault of the program.
    """
    from contextlib import ExitStack

    from pixelwitness.ledger.store import LedgerError, open_ledger
    from pixelwitness.replay import Options
    from pixelwitness.replay import replay as run_replay
    from pixelwitness.rulebook import RuleError
    from pixelwitness.run import Scope
    from pixelwitness.sources import CaptureError
    from pixelwitness.sources.files import captures_in, standard_input

    chosen, book = regimes_and_rules(regime, rules)
    people = personas(identity, book)
    if keep_plaintext:
        click.echo(
            "Clear text of persons will be stored unmasked in the ledger: keep it as you keep their files.", err=True
        )
    with ExitStack() as stack:
        try:
            named = [(p, str(p)) for p in captures_in(Path(c) for c in captures if c != "-")]
            if "-" in captures:
                named.append((stack.enter_context(standard_input()), "standard input"))
            ledger = open_ledger(db)
            stack.callback(ledger.close)
            options = Options(
                chosen, regime, client, separate, Scope(tuple(h.lower().strip(".") for h in scope)),
                keep_plaintext, people,
            )  # fmt: skip
            progress = stack.enter_context(_progress(named))
            outcome = run_replay(ledger, named, options, book, progress)
        except (CaptureError, LedgerError, RuleError) as error:
            raise UsableError(str(error)) from error
        _show(ledger, book, outcome.run_id, as_json, everything)
    for problem in outcome.problems:
        click.echo(f"pixelwitness: {problem}", err=True)
    if outcome.problems:
        sys.exit(UNUSABLE)
    if fail_on and _met(outcome.judgement.violations, fail_on, regime):
        sys.exit(1)


def _met(violations: Any, least: str, named: Sequence[str]) -> bool:
    counted = [v for v in violations if v.applicability != "contradicted" or v.regime in named]
    return any(SEVERITIES.index(v.severity) >= SEVERITIES.index(least) for v in counted)


def _progress(captures: Sequence[tuple[Path, str]]) -> Any:
    """A progress line on a terminal for long inputs; nothing elsewhere."""
    from contextlib import contextmanager

    @contextmanager
    def bar() -> Any:
        size = sum(p.stat().st_size for p, _ in captures if p.is_file())
        if not sys.stderr.isatty() or size < 5_000_000:
            yield lambda name, count: None
            return
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed} exchanges"))
        with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as shown:
            tasks = {name: shown.add_task(name[-50:], total=None) for _, name in captures}
            yield lambda name, count: shown.update(tasks[name], completed=count)

    return bar()


def _show(ledger: Any, book: Any, run: str | None, as_json: bool, everything: bool) -> None:
    from pixelwitness.report.summary import summarise

    summary = summarise(ledger, book, run)
    if as_json:
        click.echo(summary.model_dump_json(indent=2))
        return
    from pixelwitness.report.terminal import render

    render(summary, sys.stdout, everything=everything)


@cli.command()
@click.argument("db", type=click.Path(path_type=Path))
@click.option("--run", help="A run's id. Default: the newest.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--all", "everything", is_flag=True, help="Show every violation, not only the first of each group.")
def report(db: Path, run: str | None, as_json: bool, everything: bool) -> None:
    """The summary of a run again, from the ledger alone."""
    from pixelwitness.ledger.store import LedgerError, open_ledger

    _, book = regimes_and_rules((), ())
    try:
        ledger = open_ledger(db, create=False)
        _show(ledger, book, run, as_json, everything)
        ledger.close()
    except LedgerError as error:
        raise UsableError(str(error)) from error


@cli.command()
@click.argument("db", type=click.Path(path_type=Path))
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


@cli.command()
@click.argument("text")
@click.option("--db", type=click.Path(path_type=Path), required=True, help="The ledger that is being written.")
@click.option("--at", help="When, as ISO 8601 with zone. Default: now.")
@click.option("--client", help="Of this client only.")
@click.option("--property", "prop", help="Of this site or app only.")
@click.option("--run", help="A run's id. Default: the newest.")
def mark(text: str, db: Path, at: str | None, client: str | None, prop: str | None, run: str | None) -> None:
    """Note what you do: "fresh profile", "nothing clicked", "clicked accept", "clicked reject"."""
    from pixelwitness.consent.read import mark_signal
    from pixelwitness.exchange import from_iso
    from pixelwitness.ledger.store import LedgerError, open_ledger
    from pixelwitness.run import judge_recording, mark_record, now, write

    try:
        moment = from_iso(at) if at else now()
    except ValueError as error:
        raise UsableError(f"--at: {error}. Give ISO 8601 with its zone, e.g. 2026-11-23T10:00:00Z") from error
    _, book = regimes_and_rules((), ())
    signal = mark_signal(moment, text, client=client, property=prop, book=book)
    try:
        ledger = open_ledger(db, create=False)
        query = "select id, complete, regimes, named from runs order by started_at desc, rowid desc"
        rows = [r for r in ledger.db.query(query) if run in (None, r["id"])]
        if not rows:
            raise UsableError(f"{db}: has no run to put the mark into")
        write(ledger, rows[0]["id"], [mark_record(signal)], book, keep_plaintext=False)
        if rows[0]["complete"]:
            import json

            chosen = [book.regimes[r] for r in json.loads(rows[0]["regimes"]) if r in book.regimes]
            judge_recording(ledger, rows[0]["id"], chosen, book, named=json.loads(rows[0]["named"]))
        ledger.close()
    except LedgerError as error:
        raise UsableError(str(error)) from error
    meaning = signal.name.replace("_", " ")
    known = "a note that decides nothing" if signal.name == "note" else f"understood as: {meaning}"
    click.echo(f"Marked in run {rows[0]['id']}: {text!r} ({known})")


@cli.command("addon-path")
def addon_path() -> None:
    """The path to give to `mitmdump -s`."""
    click.echo(Path(__file__).resolve().parent / "proxy" / "script.py")


@cli.command(context_settings={"ignore_unknown_options": True})
@click.option("--ui", type=click.Choice(["dump", "web", "console"]), default="dump", show_default=True)
@click.option("--listen-host", default="127.0.0.1", show_default=True, help="A phone needs this machine's own address.")
@click.option("--port", type=int, default=8080, show_default=True)
@click.option("--db", type=click.Path(path_type=Path), default=Path("audit.db"), show_default=True, help="The ledger.")
@regime_option
@rules_option
@scope_option
@identity_option
@click.option(
    "--keep-plaintext", is_flag=True, help="Store clear text of persons unmasked (cookies and credentials never)."
)
@click.argument("more", nargs=-1, type=click.UNPROCESSED, metavar="[-- MITMPROXY OPTIONS...]")
def proxy(
    ui: str, listen_host: str, port: int, db: Path, regime: tuple[str, ...], rules: tuple[Path, ...],
    scope: tuple[str, ...], identity: Path | None, keep_plaintext: bool, more: tuple[str, ...],
) -> None:  # fmt: skip
    """Audit live: mitmproxy with the add-on. Point a browser or a phone at it."""
    _, book = regimes_and_rules(regime, rules)
    personas(identity, book)
    from pixelwitness.proxy.master import run

    settings = {
        "pixelwitness_db": str(db),
        "pixelwitness_regimes": list(regime),
        "pixelwitness_rules": [str(r) for r in rules],
        "pixelwitness_scope": list(scope),
        "pixelwitness_identity": str(identity) if identity else "",
        "pixelwitness_keep_plaintext": keep_plaintext,
        "listen_host": listen_host,
        "listen_port": port,
    }
    sys.exit(run(ui, settings, list(more)))


def main() -> None:
    """The entry point: turns every fault into one line and its exit code."""
    os.umask(0o077)
    try:
        cli.main(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("pixelwitness: interrupted; what was read so far is in the ledger", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output (head, less) has gone: nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        what = " ".join(str(error).split())[:200]
        click.echo(
            f"pixelwitness: a fault of the program ({type(error).__name__}: {what}). "
            "Please report it; --debug before the command shows where.",
            err=True,
        )
        sys.exit(FAULT)
