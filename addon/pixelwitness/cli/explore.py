"""`pixelwitness explore`: a ledger in Datasette, with our saved queries, on this machine only."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import click

from pixelwitness.cli.common import UsableError, ledger_argument


@click.command()
@ledger_argument
@click.option("--port", type=click.IntRange(0, 65535), default=8001, show_default=True, help="Where it listens.")
@click.option("--open", "open_browser", is_flag=True, help="Open a browser on it.")
def explore(db: Path, port: int, open_browser: bool) -> None:
    """Look around in a ledger with Datasette: tables, views, ten saved questions. Needs pixelwitness[explore].

    It listens on loopback only, reads only, and lets in only whoever has the address that it prints.
    """
    if find_spec("datasette") is None:
        raise UsableError("Datasette is not installed: pip install 'pixelwitness[explore]'")
    from pixelwitness.ledger.store import LedgerError, read_ledger
    from pixelwitness.report.queries import datasette_metadata

    try:
        ledger = read_ledger(db)
    except LedgerError as error:
        raise UsableError(str(error)) from error
    with tempfile.TemporaryDirectory(prefix="pixelwitness-") as folder:
        shown = ledger.up_to_date(Path(folder) / db.name)
        ledger.close()
        metadata = Path(folder) / "metadata.json"
        metadata.write_text(json.dumps(datasette_metadata(db.stem)), "utf-8")
        command = [
            sys.executable, "-m", "datasette", "serve", str(shown), "--host", "127.0.0.1", "--port", str(port),
            "--root", "--metadata", str(metadata), "--setting", "sql_time_limit_ms", "5000", "--setting",
            "allow_download", "off",
        ]  # fmt: skip
        if open_browser:
            command.append("--open")
        done = subprocess.run(command, check=False)  # noqa: S603  our own command line
    sys.exit(2 if done.returncode > 0 else 0)
