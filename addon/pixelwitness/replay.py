"""Saved captures into the ledger, and judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pixelwitness.audit.model import Judgement
from pixelwitness.exchange import Exchange
from pixelwitness.identity.people import NOBODY, People
from pixelwitness.ingest import reads_response
from pixelwitness.ledger.parts import MAX_BODY
from pixelwitness.ledger.store import Ledger, Record, RunInfo
from pixelwitness.marks import marks_beside
from pixelwitness.observations import BlindSpot, Signal
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.law import Regime
from pixelwitness.run import (
    Lens,
    Scope,
    Tally,
    judge_recording,
    mark_record,
    mitmproxy_version,
    now,
    program,
    request_record,
    response_record,
    spot_record,
    write,
)  # fmt: skip
from pixelwitness.sources import CaptureError, ReadNote, Wanted
from pixelwitness.sources.files import capture_digest, in_client, read_capture

BATCH = 200


@dataclass(frozen=True)
class Options:
    """How a replay reads and judges. `client` names whoever the captures' requests came from."""

    regimes: tuple[Regime, ...]
    named: tuple[str, ...] = ()
    client: str | None = None
    separate: bool = False
    scope: Scope = field(default_factory=Scope)
    keep_plaintext: bool = False
    people: People = NOBODY
    max_body: int = MAX_BODY
    """Bytes of a request's body that are stored at most."""
    statements: tuple[Signal, ...] = ()
    """What a property file says."""


@dataclass(frozen=True)
class Outcome:
    """A finished replay. `problems` are one-line errors of captures that could not be read, or not to their end."""

    run_id: str
    judgement: Judgement
    head: str
    problems: tuple[str, ...]
    read: int
    new: int


def replay(
    ledger: Ledger, captures: Sequence[tuple[Path, str]], options: Options, book: Rulebook,
    progress: Callable[[str, int], None] = lambda name, count: None,
) -> Outcome:  # fmt: skip
    """Reads captures (path and the name to show) into a ledger and judges what they hold.

    A capture that is damaged is read up to the damage, and the others are read all the same: the run is then marked
    incomplete. Raises CaptureError only where no capture could be opened at all, RuleError for a bad marks file.
    """
    digests = [capture_digest(path) for path, _ in captures]
    marks = [*(mark for path, _ in captures for mark in marks_beside(path, book)), *options.statements]
    info = RunInfo(
        kind="replay",
        program=program(),
        mitmproxy=mitmproxy_version(),
        rules_digest=book.digest,
        started_at=now(),
        options={
            "client": options.client, "separate": options.separate, "scope": list(options.scope.hosts),
            "keep_plaintext": options.keep_plaintext, **({"identity": options.people.source} if options.people else {}),
            **({"max_body": options.max_body} if options.max_body != MAX_BODY else {}),
            "marks": sorted(m.id for m in marks),
        },
        inputs=tuple((name, digest) for (_, name), digest in zip(captures, digests, strict=True)),
        regimes=tuple(r.id for r in options.regimes),
    )  # fmt: skip
    run = ledger.begin_run(info)
    problems: list[str] = []
    read = new = 0
    if not run.already_complete:
        _write(ledger, run.id, [mark_record(m) for m in marks], options, book)
        for (path, name), digest in zip(captures, digests, strict=True):
            seen, added = _read(ledger, run.id, path, name, digest, options, book, problems, progress)
            read, new = read + seen, new + added
    if options.people and read and not new:
        problems.append(
            "everything in these captures was in the ledger already, read without these personas: "
            "whose values they hold was not looked up. Give a new --db"
        )
    judgement = judge_recording(ledger, run.id, options.regimes, book, named=options.named)
    if not run.already_complete:
        head = ledger.finish_run(run.id, now(), complete=not problems, note="; ".join(problems))
    else:
        head = ledger.head(run.id)
    return Outcome(run.id, judgement, head, tuple(problems), read, new)


def _read(
    ledger: Ledger, run_id: str, path: Path, name: str, digest: str, options: Options, book: Rulebook,
    problems: list[str], progress: Callable[[str, int], None],
) -> tuple[int, int]:  # fmt: skip
    tally = Tally()
    lens = Lens(book, options.scope, options.people)
    batch: list[Record] = []
    read = new = 0
    client = options.client or (f"capture:{name}" if options.separate else "capture")
    renamed = client if options.client or options.separate else None

    def wanted(url: str, body: str | bytes) -> bool:
        return reads_response(url, body, book)

    for item in _until_damage(path, name, client, problems, wanted):
        if isinstance(item, ReadNote):
            batch.append(_note(item, name, digest, client))
        else:
            read += 1
            exchange = in_client(item, renamed)
            made = (
                request_record(exchange, lens, tally, name),
                response_record(exchange, lens, name),
            )
            batch += [record for record in made if record is not None]
        if len(batch) >= BATCH:
            new += _write(ledger, run_id, batch, options, book)
            batch.clear()
            progress(name, read)
    batch.append(tally.record(f"traffic.{digest[:32]}.{run_id}", now()))
    new += _write(ledger, run_id, batch, options, book)
    progress(name, read)
    return read, new


def _write(ledger: Ledger, run_id: str, batch: Sequence[Record], options: Options, book: Rulebook) -> int:
    return write(
        ledger, run_id, batch, book, keep_plaintext=options.keep_plaintext, max_body=options.max_body,
        people=options.people,
    )  # fmt: skip


def _until_damage(
    path: Path, name: str, client: str, problems: list[str], wanted: Wanted
) -> Iterator[Exchange | ReadNote]:  # fmt: skip
    try:
        yield from read_capture(path, client=client, name=name, wanted=wanted)
    except CaptureError as error:
        problems.append(str(error))
        yield ReadNote("capture_damaged", str(error)[:300])


def _note(note: ReadNote, name: str, digest: str, client: str) -> Record:
    detail = f"{name}: {note.position + ': ' if note.position else ''}{note.detail}"
    if note.kind == "odd_entry":
        detail = f"{name}: {note.detail}"
    spot = BlindSpot(client=client, kind=note.kind, detail=detail[:300], at=note.at)
    return spot_record(spot, f"note.{digest[:24]}.{note.kind}.{note.position}", note.at or now())
