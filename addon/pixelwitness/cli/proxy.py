"""`pixelwitness proxy`: mitmproxy with the add-on in it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pixelwitness.cli.common import (
    KEEPING,
    db_option,
    identity_option,
    keep_plaintext_option,
    max_body_option,
    personas,
    regime_option,
    regimes_and_rules,
    rules_option,
    scope_option,
)


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--ui",
    type=click.Choice(["dump", "web", "console"]),
    default="dump",
    show_default=True,
    help="Which of mitmproxy's faces.",
)
@click.option("--listen-host", default="127.0.0.1", show_default=True, help="A phone needs this machine's own address.")
@click.option("--port", type=int, default=8080, show_default=True, help="Where the proxy listens.")
@db_option
@regime_option
@rules_option
@scope_option
@identity_option
@keep_plaintext_option
@max_body_option
@click.argument("more", nargs=-1, type=click.UNPROCESSED, metavar="[-- MITMPROXY OPTIONS...]")
def proxy(
    ui: str, listen_host: str, port: int, db: Path, regime: tuple[str, ...], rules: tuple[Path, ...],
    scope: tuple[str, ...], identity: Path | None, keep_plaintext: bool, max_body: int, more: tuple[str, ...],
) -> None:  # fmt: skip
    """Audit live: mitmproxy with the add-on. Point a browser or a phone at it."""
    _, book = regimes_and_rules(regime, rules)
    personas(identity, book)
    if keep_plaintext:
        click.echo(KEEPING, err=True)
    from pixelwitness.proxy.master import run

    settings = {
        "pixelwitness_db": str(db),
        "pixelwitness_regimes": list(regime),
        "pixelwitness_rules": [str(r) for r in rules],
        "pixelwitness_scope": list(scope),
        "pixelwitness_identity": str(identity) if identity else "",
        "pixelwitness_keep_plaintext": keep_plaintext,
        "pixelwitness_max_body": max_body,
        "listen_host": listen_host,
        "listen_port": port,
    }
    sys.exit(run(ui, settings, list(more)))
