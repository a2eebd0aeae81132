"""`pixelwitness consent`: what a pasted cookie header, cookie, URL or consent string says."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pixelwitness.cli.common import UsableError, regimes_and_rules, rules_option


@click.command()
@click.argument("text", default="-", metavar="[COOKIE-HEADER|STRING|-]")
@rules_option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def consent(text: str, rules: tuple[Path, ...], as_json: bool) -> None:
    """Say what a cookie header, one cookie, a URL, or a TC, GPP, US Privacy, AC string or gcd says of consent.

    Without an argument, or with -, it is read from standard input. Quote it: headers hold blanks and semicolons.
    """
    import json
    from dataclasses import asdict

    from pixelwitness.consent.explain import MAX_PASTE, explain

    _, book = regimes_and_rules((), rules)
    if text == "-":
        text = sys.stdin.buffer.read(4 * MAX_PASTE + 1).decode("utf-8", "replace")
    try:
        explained = explain(text, book)
    except ValueError as error:
        raise UsableError(f"{error}. Paste a cookie header, name=value, a URL or a consent string") from error
    if as_json:
        click.echo(json.dumps(asdict(explained), indent=2))
        return
    from pixelwitness.report.consent_words import lines
    from pixelwitness.report.harmless import safe

    for line in lines(explained, book):
        click.echo(safe(line, 2_000))
