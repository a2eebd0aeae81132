"""Saved captures into the ledger, and judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pixelwitness.audit.model import Judgement
from pixelwitness.capture import Capture, Intake, batches, damage_key, finished_key
from pixelwitness.identity.people import NOBODY, People
from pixelwitness.ledger.parts import MAX_BODY
from pixelwitness.ledger.store import Ledger, RunInfo
from pixelwitness.marks import marks_beside, marks_in
from pixelwitness.observations import Signal
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.law import Regime
from pixelwitness.run import Scope, judge_recording, mark_record, mitmproxy_version, now, program
from pixelwitness.sources import CaptureError
from pixelwitness.sources.files import capture_digest
from pixelwitness.sources.places import Found, Place, Url, looked
from pixelwitness.workers import Read, read_by, worth, written

if TYPE_CHECKING:
    from pixelwitness.cluster import Cluster

LOOKS = 8
"""URLs that are fetched for their digests at once."""


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
    ledger: Ledger, captures: Sequence[tuple[Place, str]], options: Options, book: Rulebook,
    progress: Callable[[str, int], None] = lambda name, count: None, jobs: int = 1, cluster: Cluster | None = None,
) -> Outcome:  # fmt: skip
    """Reads captures (path or URL, and the name to show) into a ledger and judges what they hold.

    A capture that is damaged is read up to the damage, and the others are read all the same: the run is then marked
    incomplete. What a run that was interrupted had read to its end is not read again. `jobs`: at most so many
    processes read; or those of a `cluster`.
    Raises CaptureError only where no capture could be opened at all, RuleError for a bad marks file.
    """
    problems: list[str] = []
    opened, marks = _opened(captures, book, problems, cluster)
    marks += options.statements
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
        for seen, added in _all(ledger, left, intake, book, problems, progress, worth(jobs, left), cluster):
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


def _opened(
    captures: Sequence[tuple[Place, str]], book: Rulebook, problems: list[str], cluster: Cluster | None
) -> tuple[list[Capture], list[Signal]]:  # fmt: skip
    """The captures that can be opened, and the marks beside them; of the others a line in `problems`.

    Raises CaptureError where none can be opened, RuleError.
    """
    urls = [place for place, _ in captures if isinstance(place, Url)]
    found = dict(zip(urls, cluster.look(urls) if cluster else _look(urls), strict=True))
    opened: list[Capture] = []
    marks: list[Signal] = []
    for place, name in captures:
        try:
            digest = found[place].checked() if isinstance(place, Url) else capture_digest(place)
        except CaptureError as error:
            if len(captures) == 1:
                raise
            problems.append(str(error))
            continue
        opened.append(Capture(place, name, digest))
        if isinstance(place, Path):
            marks += marks_beside(place, book)
        elif said := found[place].marks:
            marks += marks_in(*said, book)
    if not opened:
        raise CaptureError("", "", f"none of {len(captures)} captures can be read", problems[0] if problems else "")
    return _told_apart(opened), marks


def _look(urls: Sequence[Url]) -> list[Found]:
    """What stands at URLs: several are asked for at once."""
    if not urls:
        return []
    with ThreadPoolExecutor(LOOKS) as threads:
        return list(threads.map(looked, urls))


def _told_apart(captures: Sequence[Capture]) -> list[Capture]:
    """Captures whose URLs differ only in what is not shown get names of their own: each may be a client."""
    places: dict[str, set[Place]] = {}
    for capture in captures:
        places.setdefault(capture.name, set()).add(capture.place)
    return [replace(c, name=f"{c.name}#{c.digest[:12]}") if len(places[c.name]) > 1 else c for c in captures]


def _is_done(ledger: Ledger, capture: Capture, run_id: str) -> bool:
    """Whether an earlier attempt read a capture to its end. A damaged one is read again, to say what is wrong."""
    done = ledger.holds("traffic", finished_key(capture, run_id))
    return done and not ledger.holds("blind_spot", damage_key(capture))


def _all(
    ledger: Ledger, captures: Sequence[Capture], intake: Intake, book: Rulebook, problems: list[str],
    progress: Callable[[str, int], None], jobs: int, cluster: Cluster | None,
) -> Iterator[tuple[int, int]]:  # fmt: skip
    """Reads captures into the ledger, and gives for each how many exchanges it held and how many records were new."""
    elsewhere: Iterator[tuple[Capture, Read]] | None = None
    if cluster is not None:
        elsewhere = cluster.read(captures, intake, book, ledger.secret)
    elif jobs > 1:
        elsewhere = read_by(jobs, captures, intake, book, ledger.secret)
    if elsewhere is not None:
        for capture, made in elsewhere:
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
