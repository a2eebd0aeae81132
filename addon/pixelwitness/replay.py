"""Saved captures into the ledger, and judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pixelwitness.audit.model import Judgement
from pixelwitness.capture import Capture, Intake, batches, damage_key, finished_key
from pixelwitness.identity.people import NOBODY, People
from pixelwitness.ledger.parts import MAX_BODY
from pixelwitness.ledger.store import Ledger, RunInfo
from pixelwitness.marks import marks_beside
from pixelwitness.observations import Signal
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.law import Regime
from pixelwitness.run import Scope, judge_recording, mark_record, mitmproxy_version, now, program
from pixelwitness.sources import CaptureError
from pixelwitness.sources.files import capture_digest
from pixelwitness.workers import read_by, written


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
    progress: Callable[[str, int], None] = lambda name, count: None, jobs: int = 1,
) -> Outcome:  # fmt: skip
    """Reads captures (path and the name to show) into a ledger and judges what they hold.

    A capture that is damaged is read up to the damage, and the others are read all the same: the run is then marked
    incomplete. What a run that was interrupted had read to its end is not read again. `jobs`: so many processes read.
    Raises CaptureError only where no capture could be opened at all, RuleError for a bad marks file.
    """
    problems: list[str] = []
    opened = _opened(captures, problems)
    marks = [*(mark for c in opened for mark in marks_beside(c.path, book)), *options.statements]
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
        inputs=tuple((c.name, c.digest) for c in opened),
        regimes=tuple(r.id for r in options.regimes),
    )  # fmt: skip
    run = ledger.begin_run(info)
    read = new = 0
    if not run.already_complete:
        intake = Intake(
            run.id, options.client, options.separate, options.scope, options.keep_plaintext, options.people,
            options.max_body,
        )  # fmt: skip
        ledger.record(run.id, [mark_record(m) for m in marks], intake.storing(book))
        left = [c for c in opened if not _is_done(ledger, c, run.id)]
        for seen, added in _all(ledger, left, intake, book, problems, progress, min(jobs, len(left))):
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


def _opened(captures: Sequence[tuple[Path, str]], problems: list[str]) -> list[Capture]:
    """The captures that can be opened; of the others a line in `problems`. Raises CaptureError where none can."""
    opened: list[Capture] = []
    for path, name in captures:
        try:
            opened.append(Capture(path, name, capture_digest(path)))
        except CaptureError as error:
            if len(captures) == 1:
                raise
            problems.append(str(error))
    if not opened:
        raise CaptureError("", "", f"none of {len(captures)} captures can be read", problems[0] if problems else "")
    return opened


def _is_done(ledger: Ledger, capture: Capture, run_id: str) -> bool:
    """Whether an earlier attempt read a capture to its end. A damaged one is read again, to say what is wrong."""
    done = ledger.holds("traffic", finished_key(capture, run_id))
    return done and not ledger.holds("blind_spot", damage_key(capture))


def _all(
    ledger: Ledger, captures: Sequence[Capture], intake: Intake, book: Rulebook, problems: list[str],
    progress: Callable[[str, int], None], jobs: int,
) -> Iterator[tuple[int, int]]:  # fmt: skip
    """Reads captures into the ledger, and gives for each how many exchanges it held and how many records were new."""
    if jobs > 1:
        for capture, made in read_by(jobs, captures, intake, book, ledger.secret):
            problems += made.problems
            yield made.count, sum(ledger.add(intake.run_id, batch) for batch in written(made.file))
            progress(capture.name, made.count)
        return
    how = intake.storing(book)
    for capture in captures:
        read = new = 0
        for batch, read in batches(capture, intake, book, problems.append):
            new += ledger.record(intake.run_id, batch, how)
            progress(capture.name, read)
        yield read, new
