"""`pixelwitness addon-path`: for those who start mitmproxy themselves."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("addon-path")
def addon_path() -> None:
    """The path to give to `mitmdump -s`."""
    click.echo(Path(__file__).resolve().parents[1] / "proxy" / "script.py")
