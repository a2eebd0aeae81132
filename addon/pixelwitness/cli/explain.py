"""`pixelwitness explain`: the whole story of one violation or hit."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click

from pixelwitness.cli.common import UsableError, db_option, regimes_and_rules, rules_option

if TYPE_CHECKING:
    from pixelwitness.report.explain import Explanation, RegimeText

WIDTH = 80
PAYLOAD_LINES = 40


@click.command()
@click.argument("name", metavar="ID")
@db_option
@rules_option
@click.option("--json", "as_json", is_flag=True, help="Print the explanation as JSON.")
@click.option("--all", "everything", is_flag=True, help="Show the whole payload.")
def explain(name: str, db: Path, rules: tuple[Path, ...], as_json: bool, everything: bool) -> None:
    """Tell the whole story of a violation or hit, by its id or a unique beginning of it.

    What was sent, what was known of consent and by which evidence, the rules and the law with their sources, what
    would have changed the verdict, what to do, and how to see it again.
    """
    from pixelwitness.ledger.store import LedgerError, read_ledger
    from pixelwitness.report.explain import explain as story

    _, book = regimes_and_rules((), rules)
    try:
        ledger = read_ledger(db)
        found = story(ledger, book, name)
        ledger.close()
    except LedgerError as error:
        raise UsableError(str(error)) from error
    if as_json:
        click.echo(found.model_dump_json(indent=2))
        return
    _print(found, everything)


def _line(text: str, indent: int = 2, hang: int = 2) -> None:
    from pixelwitness.report.harmless import safe

    for line in wrap(safe(text, 1500), WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + hang)):
        click.echo(line)


def _head(text: str) -> None:
    click.echo("")
    click.echo(f"{text} ".ljust(WIDTH, "-"))


def _print(found: Explanation, everything: bool) -> None:
    hit = found.hit
    codes = ", ".join(hit["pixel_codes"] or ()) or "no pixel code"
    _line(f"Hit {hit['id']}: {hit['event'] or hit['action'] or hit['kind']} for {codes}", 0)
    for note in found.notes:
        _line(f"note: {note}")
    _head("Request")
    _line(f"{hit['method']} {hit['request_url']}")
    for text in found.times:
        _line(text)
    _line(f"page: {hit['page_url'] or 'not named'}")
    _line(f"put on {hit['property'] or 'no property'} by {(hit['attribution'] or '').replace('_', ' ')}; "
          f"confidence {found.confidence}")  # fmt: skip
    _line(f"tier: {hit['tier']}")
    for text in found.sent:
        _line(f"carried {text}")
    _payload(hit, everything)
    _consent(found)
    for regime in found.regimes:
        _regime(regime)
    _sources(found)
    if found.what_if:
        _head("What would have changed the verdict")
        for text in found.what_if:
            _line(text)
    _head("How to see it again")
    for text in found.reproduce:
        _line(text)
    _head("Evidence")
    for text in found.evidence:
        _line(text)


def _payload(hit: dict[str, Any], everything: bool) -> None:
    from pixelwitness.report.harmless import safe

    if hit["payload"] is None:
        return
    _head("Payload, decoded and masked")
    lines = json.dumps(hit["payload"], indent=1, ensure_ascii=False).split("\n")
    for line in lines if everything else lines[:PAYLOAD_LINES]:
        click.echo("  " + safe(line, 300 if everything else WIDTH - 2))
    if len(lines) > PAYLOAD_LINES and not everything:
        click.echo(f"  and {len(lines) - PAYLOAD_LINES} more lines (--all shows them)")


def _consent(found: Explanation) -> None:
    _head("Consent at that moment")
    opt_outs = ", ".join(found.hit["opt_outs"] or ()) or "none"
    _line(f"{found.consent}" + (f", by {found.system}" if found.system else "") + f"; opt-outs in force: {opt_outs}")
    for text in found.unknown_because:
        _line(f"open because: {text}")
    for text in found.shown_by:
        _line(f"decided: no answer in the cookies of {text}")
    for signal in found.signals:
        _line(f"{signal.role}: {signal.says} ({signal.why})")


def _regime(regime: RegimeText) -> None:
    _head(f"{regime.regime}: {regime.verdict}")
    _line(f"{regime.name} ({regime.model}), in force {regime.in_force}")
    _line(regime.reason)
    for rule in regime.rules:
        _line(f"{rule.severity.upper()} {rule.title} [{rule.rule}, {rule.violation_id}]")
        _line(rule.explanation, 4)
        if rule.severity_why:
            _line(f"weight: {rule.severity_why}", 4)
        if rule.citation:
            _line(f"law: {rule.citation}", 4)
        if rule.applicability != "assumed":
            _line(f"that this law applies to the visitor is {rule.applicability}", 4)
        for text in rule.precedent:
            _line(f"precedent: {text}", 4)
        _line(f"what to do: {rule.remedy}", 4)
    for text in regime.arguable:
        _line(f"open to argument: {text}")
    for text in regime.source:
        _line(f"source of the regime: {text}")


def _sources(found: Explanation) -> None:
    """Where the rules come from, once each: a rule holds under several laws, and not every source is about each."""
    rules = {rule.rule: rule.source for regime in found.regimes for rule in regime.rules}
    if not rules:
        return
    _head("Sources of the rules, whatever the law")
    for rule, sources in rules.items():
        for text in sources:
            _line(f"{rule}: {text}")
