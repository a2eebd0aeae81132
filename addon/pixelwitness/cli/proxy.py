"""`pixelwitness proxy`: mitmproxy with the add-on in it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pixelwitness.cli.common import (
    KEEPING,
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
    statements,
)


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--ui",
    type=click.Choice(["dump", "web", "console"]),
    default="dump",
    show_default=True,
    help="Which of mitmproxy's faces.",
)
@click.option("--web", is_flag=True, help="The same as --ui web.")
@click.option("--listen-host", default="127.0.0.1", show_default=True, help="A phone needs this machine's own address.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Where the proxy listens.")
@db_option
@regime_option
@rules_option
@scope_option
@identity_option
@properties_option
@keep_plaintext_option
@max_body_option
@click.option(
    "--client-name", multiple=True, help="A client's name: 10.0.0.2=pixel-8, or a proxy user or mode instead."
)
@click.option("--gpc", is_flag=True, help="Add Global Privacy Control to every client's requests and pages.")
@click.option("--gpc-for", multiple=True, metavar="CLIENT", help="The same, for this client only.")
@click.option("--probe", is_flag=True, help="Put the consent probe into every client's pages. It changes the pages.")
@click.option("--probe-for", multiple=True, metavar="CLIENT", help="The same, for this client only.")
@click.option("--stream", is_flag=True, help="Let pictures, sound, films and fonts that no rule reads pass unkept.")
@click.option(
    "--fresh-ca", is_flag=True, help="A certificate authority for this run alone; its key is deleted at the end."
)
@click.argument("more", nargs=-1, type=click.UNPROCESSED, metavar="[-- MITMPROXY OPTIONS...]")
def proxy(
    ui: str, web: bool, listen_host: str, port: int, db: Path, regime: tuple[str, ...], rules: tuple[Path, ...],
    scope: tuple[str, ...], identity: Path | None, properties: Path | None, keep_plaintext: bool, max_body: int,
    client_name: tuple[str, ...], gpc: bool, gpc_for: tuple[str, ...], probe: bool, probe_for: tuple[str, ...],
    stream: bool, fresh_ca: bool, more: tuple[str, ...],
) -> None:  # fmt: skip
    """Audit live: mitmproxy with the add-on. Point a browser or a phone at it.

    Start with --scope: what else the device sends is not the audit's business. http://pixelwitness.local/ through the
    proxy shows what is still to be seen.
    """
    _, book = regimes_and_rules(regime, rules)
    personas(identity, book)
    statements(properties, book)
    if keep_plaintext:
        click.echo(KEEPING, err=True)
    from pixelwitness.proxy.authority import names_a_folder
    from pixelwitness.proxy.clients import Names
    from pixelwitness.proxy.master import run

    if fresh_ca and names_a_folder(more):
        raise UsableError(
            "--fresh-ca makes an authority that is deleted at the end, confdir names one that stays: give one of them"
        )

    try:
        Names.of(client_name)
    except ValueError as error:
        raise UsableError(f"--client-name: {error}") from error
    settings = {
        "pixelwitness_db": str(db),
        "pixelwitness_regimes": list(regime),
        "pixelwitness_rules": [str(r) for r in rules],
        "pixelwitness_scope": list(scope),
        "pixelwitness_identity": str(identity) if identity else "",
        "pixelwitness_properties": str(properties) if properties else "",
        "pixelwitness_keep_plaintext": keep_plaintext,
        "pixelwitness_max_body": max_body,
        "pixelwitness_client_names": list(client_name),
        "pixelwitness_gpc": ["all"] if gpc else list(gpc_for),
        "pixelwitness_probe": ["all"] if probe else list(probe_for),
        "pixelwitness_stream": stream,
        "listen_host": listen_host,
        "listen_port": port,
    }
    sys.exit(run("web" if web else ui, settings, list(more), fresh_ca=fresh_ca))
