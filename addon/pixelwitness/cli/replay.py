"""`pixelwitness replay`: saved captures into the ledger, and judged."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixelwitness.cli.common import (
    KEEPING,
    SEVERITIES,
    UNUSABLE,
    UsableError,
    db_option,
    identity_option,
    keep_plaintext_option,
    max_body_option,
    personas,
    properties_option,
    regime_option,
    regimes_and_rules,
    rules_option,
    scope_option,
    show_summary,
    statements,
)
from pixelwitness.report.harmless import printable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pixelwitness.cluster import Cluster
    from pixelwitness.sources.places import Place


@click.command()
@click.argument("captures", nargs=-1, required=True, metavar="CAPTURE...")
@db_option
@regime_option
@rules_option
@identity_option
@properties_option
@click.option("--client", help="The name of whoever the captures' requests came from.")
@click.option("--separate", is_flag=True, help="Each capture is a client of its own.")
@scope_option
@click.option("--fail-on", type=click.Choice(SEVERITIES), help="Exit 1 if a violation is at least this severe.")
@click.option("--timestamp", "tsa", metavar="URL", help="Have this RFC 3161 authority sign the chain head at the end.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--all", "everything", is_flag=True, help="Show every violation, not only the first of each group.")
@keep_plaintext_option
@max_body_option
@click.option(
    "--jobs",
    type=click.IntRange(0, 256),
    default=1,
    show_default=True,
    help="Read at most so many captures at once, each in a process of its own; 0: as many as there are processors.",
)
@click.option(
    "--dask", metavar="ADDRESS", help="Read the captures on the Dask cluster of this scheduler, e.g. tcp://host:8786."
)
def replay(
    captures: tuple[str, ...], db: Path, regime: tuple[str, ...], rules: tuple[Path, ...],
    identity: Path | None, properties: Path | None, client: str | None, separate: bool,
    scope: tuple[str, ...], fail_on: str | None, tsa: str | None, as_json: bool, everything: bool, keep_plaintext: bool,
    max_body: int, jobs: int, dask: str | None,
) -> None:  # fmt: skip
    """Audit saved captures: mitmproxy flow files, HAR, folders of them, URLs, or - for standard input.

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
    from pixelwitness.sources.places import captures_at, is_url, shown

    if dask and jobs != 1:
        raise UsableError("--jobs and --dask: give one of them, here or on the cluster")
    if dask and "-" in captures:
        raise UsableError("--dask cannot read standard input. Save it where the workers can read it")
    chosen, book = regimes_and_rules(regime, rules)
    people = personas(identity, book)
    said = statements(properties, book)
    if keep_plaintext:
        click.echo(KEEPING, err=True)
    with ExitStack() as stack:
        try:
            named: list[tuple[Place, str]] = []
            named += [(p, str(p)) for p in captures_in(Path(c) for c in captures if c != "-" and not is_url(c))]
            named += [(url, shown(url.text)) for c in captures if is_url(c) for url in captures_at(c)]
            if "-" in captures:
                named.append((stack.enter_context(standard_input()), "standard input"))
            cluster = stack.enter_context(_connected(dask)) if dask else None
            ledger = open_ledger(db)
            stack.callback(ledger.close)
            options = Options(
                chosen, regime, client, separate, Scope(tuple(h.lower().strip(".") for h in scope)),
                keep_plaintext, people, max_body, said,
            )  # fmt: skip
            progress = stack.enter_context(_progress(named))
            outcome = run_replay(ledger, named, options, book, progress, jobs or os.cpu_count() or 1, cluster)
        except (CaptureError, LedgerError, RuleError) as error:
            raise UsableError(str(error)) from error
        show_summary(ledger, book, outcome.run_id, as_json, everything)
        if tsa:
            from pixelwitness.cli.timestamp import stamp

            stamp(ledger, outcome.run_id, tsa, (), err=True)
    for problem in outcome.problems:
        click.echo(f"pixelwitness: {printable(problem)}", err=True)
    if outcome.problems:
        sys.exit(UNUSABLE)
    if fail_on and _met(outcome.judgement.violations, fail_on, regime):
        sys.exit(1)


def _met(violations: Any, least: str, named: Sequence[str]) -> bool:
    counted = [v for v in violations if v.applicability != "contradicted" or v.regime in named]
    return any(SEVERITIES.index(v.severity) >= SEVERITIES.index(least) for v in counted)


def _connected(address: str) -> AbstractContextManager[Cluster]:
    try:
        from pixelwitness.cluster import connected
    except ImportError as error:
        raise UsableError(f"--dask: {error}. Install it: pip install 'pixelwitness[dask]'") from error
    return connected(address)


def _progress(captures: Sequence[tuple[Place, str]]) -> Any:
    """One progress bar on a terminal for long inputs, in bytes of finished captures (those by URL count as one each);
    nothing elsewhere."""
    from contextlib import contextmanager

    @contextmanager
    def bar() -> Any:
        local = all(isinstance(place, Path) for place, _ in captures)
        sizes = {name: p.stat().st_size if isinstance(p, Path) and p.is_file() else 0 for p, name in captures}
        if not sys.stderr.isatty() or (local and sum(sizes.values()) < 5_000_000):
            yield lambda name, count: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn())
        weights = sizes if local else dict.fromkeys(sizes, 1)
        current, last, done, finished, before = "", 0, 0, 0, 0
        with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as shown:
            task = shown.add_task("reading", total=sum(weights.values()) if len(sizes) > 1 else None)

            def update(name: str, count: int) -> None:
                nonlocal current, last, done, finished, before
                if name != current:
                    finished, before, done = finished + weights.get(current, 0), before + last, done + 1
                current, last = name, count
                text = f"{done} of {len(sizes)} captures, {before + count} exchanges"
                shown.update(task, description=text, completed=finished)

            yield update

    return bar()
