"""`pixelwitness mark`: the auditor's word, while a run goes on or afterwards."""

from __future__ import annotations

from pathlib import Path

import click

from pixelwitness.cli.common import UsableError, regimes_and_rules


@click.command()
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
        query = "select id, finished_at, regimes, named from runs order by started_at desc, rowid desc"
        rows = [r for r in ledger.db.query(query) if run in (None, r["id"])]
        if not rows:
            raise UsableError(f"{db}: has no run to put the mark into")
        write(ledger, rows[0]["id"], [mark_record(signal)], book, keep_plaintext=False)
        if rows[0]["finished_at"]:
            import json

            chosen = [book.regimes[r] for r in json.loads(rows[0]["regimes"]) if r in book.regimes]
            judge_recording(ledger, rows[0]["id"], chosen, book, named=json.loads(rows[0]["named"]))
        ledger.close()
    except LedgerError as error:
        raise UsableError(str(error)) from error
    meaning = signal.name.replace("_", " ")
    known = "a note that decides nothing" if signal.name == "note" else f"understood as: {meaning}"
    click.echo(f"Marked in run {rows[0]['id']}: {text!r} ({known})")
