"""`pixelwitness timestamp`: an authority's word that a chain was there by now. Nothing else here connects anywhere."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixelwitness.cli.common import UsableError, ledger_argument

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from pixelwitness.ledger.store import Ledger

SECONDS = 30

tsa_ca_option = click.option(
    "--tsa-ca", type=click.Path(path_type=Path),
    help="The timestamp authority's root certificates (PEM), to check signatures by.",
)  # fmt: skip


@click.command()
@ledger_argument
@click.option("--tsa", required=True, metavar="URL", help="The authority: its address for RFC 3161 over HTTP.")
@click.option("--run", help="A run's id. Default: the newest.")
@tsa_ca_option
def timestamp(db: Path, tsa: str, run: str | None, tsa_ca: Path | None) -> None:
    """Have a timestamp authority (RFC 3161) sign the chain head of a run, and put its answer on the record.

    It sends the SHA-256 of the head to that address, and nothing else. No other command connects to anything.
    """
    from pixelwitness.ledger.store import LedgerError, open_ledger

    roots = given_roots(tsa_ca)
    try:
        ledger = open_ledger(db, create=False)
        try:
            stamp(ledger, run, tsa, roots)
        finally:
            ledger.close()
    except LedgerError as error:
        raise UsableError(str(error)) from error


def stamp(ledger: Ledger, run: str | None, tsa: str, roots: Sequence[Certificate], *, err: bool = False) -> None:
    """Asks, checks, keeps and says it. Raises UsableError, LedgerError."""
    from pixelwitness.exchange import iso
    from pixelwitness.ledger import timestamps
    from pixelwitness.report.harmless import safe
    from pixelwitness.run import now

    run_id = timestamps.newest_run(ledger, run)
    asked = timestamps.query(ledger.head(run_id))
    try:
        made = timestamps.answered(asked, ask(tsa, asked.asked), tsa, roots)
    except timestamps.StampError as error:
        raise UsableError(f"{tsa}: {safe(str(error), 300)}. Nothing was changed") from error
    timestamps.keep(ledger, run_id, made, now())
    click.echo(f"Head {made.head} of run {run_id}: timestamped {iso(made.at)} by {safe(tsa, 200)}", err=err)
    if not roots:
        click.echo("Its signature was not checked: `verify --tsa-ca FILE` does, with the root certificate.", err=err)
    click.echo(f"Chain head now: {ledger.head(run_id)}", err=err)


def ask(url: str, query: bytes) -> bytes:
    """The authority's answer (RFC 3161, 3.4). Raises UsableError."""
    from pixelwitness.ledger.timestamps import MAX_TOKEN

    if not url.lower().startswith(("http://", "https://")):
        raise UsableError(f"--tsa: {url!r} is no address. Give one that begins with https:// or http://")
    headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    request = urllib.request.Request(url, data=query, headers=headers)  # noqa: S310  checked above
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=SECONDS) as answer:
            return bytes(answer.read(MAX_TOKEN + 1))
    except urllib.error.HTTPError as error:
        raise UsableError(f"{url}: answers {error.code}. Is it the authority's address for RFC 3161?") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or error
        raise UsableError(f"{url}: cannot be reached ({why}). Nothing was changed") from error


class _Stay(urllib.request.HTTPRedirectHandler):
    """Asks nobody but the one who was named."""

    def redirect_request(self, *args: Any, **named: Any) -> None:
        return None


def given_roots(path: Path | None) -> Sequence[Certificate]:
    """The certificates of `--tsa-ca`. Raises UsableError."""
    from pixelwitness.ledger.timestamps import StampError, certificates

    try:
        return certificates(path) if path else ()
    except StampError as error:
        raise UsableError(f"--tsa-ca: {error}") from error
