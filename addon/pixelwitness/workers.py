"""Many captures read by several processes; this one writes what they made, in the order of the captures.

A worker reads one capture at a time and leaves its records, masked and ready, in a file of its own: memory does not
grow with the captures, and the ledger is the same as after reading one capture after the other. A capture that ends
its process is tried once more, and then left out and named.
"""

from __future__ import annotations

import multiprocessing
import pickle
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from pixelwitness.capture import Capture, Intake, batches
from pixelwitness.ledger.commit import LeafOf, keyed
from pixelwitness.ledger.store import Prepared, observation_id, prepared
from pixelwitness.rulebook import Rulebook

ATTEMPTS = 2
AHEAD = 2
"""Captures that are read before their turn to be written, for each process."""


@dataclass(frozen=True)
class Read:
    """A capture that was read: how many exchanges, what was wrong, and the file with its batches."""

    count: int
    problems: tuple[str, ...]
    file: Path


@dataclass(frozen=True)
class _Setup:
    """What a worker needs once."""

    intake: Intake
    book: Rulebook
    leaf: LeafOf


_setup: _Setup | None = None


def _start(intake: Intake, book: Rulebook, secret: bytes) -> None:
    global _setup
    _setup = _Setup(intake, book, keyed(secret))


def _read(capture: Capture, file: Path) -> Read:
    if _setup is None:
        raise RuntimeError("a worker that was not set up")
    return read_into(file, capture, _setup.intake, _setup.book, _setup.leaf)


def read_into(file: Path, capture: Capture, intake: Intake, book: Rulebook, leaf: LeafOf) -> Read:
    """Reads a capture and leaves what is to be written in a file."""
    problems: list[str] = []
    how = intake.storing(book)
    count = 0
    with file.open("wb") as out:
        for batch, count in batches(capture, intake, book, problems.append):  # noqa: B007  the last is the result
            pickle.dump([prepared(r, how, leaf, observation_id(r, intake.run_id)) for r in batch], out)
    return Read(count, tuple(problems), file)


def written(file: Path) -> Iterator[Sequence[Prepared]]:
    """The batches in a worker's file, which is removed."""
    with file.open("rb") as stream:
        while stream.peek(1):
            yield pickle.load(stream)  # noqa: S301  our own, in a private folder
    file.unlink()


def read_by(
    jobs: int, captures: Sequence[Capture], intake: Intake, book: Rulebook, secret: bytes
) -> Iterator[tuple[Capture, Read]]:  # fmt: skip
    """Reads captures by several processes and gives them in order."""
    with tempfile.TemporaryDirectory(prefix="pixelwitness-") as folder:
        waiting = deque((capture, Path(folder, str(i))) for i, capture in enumerate(captures))
        attempts = 0
        while waiting:
            try:
                yield from _pool(jobs, waiting, intake, book, secret)
            except BrokenProcessPool:
                attempts += 1
                if attempts % ATTEMPTS:
                    continue
                # The first that is not done may not be the culprit: alone in a process of its own it shows.
                capture, file = waiting[0]
                try:
                    yield from _pool(1, deque([waiting[0]]), intake, book, secret)
                except BrokenProcessPool:
                    file.write_bytes(b"")
                    what = f"{capture.name}: the process that read it was ended (killed, or out of memory)"
                    yield capture, Read(0, (f"{what}. Replay it alone, with more memory",), file)
                waiting.popleft()


def _pool(
    jobs: int, waiting: deque[tuple[Capture, Path]], intake: Intake, book: Rulebook, secret: bytes
) -> Iterator[tuple[Capture, Read]]:  # fmt: skip
    """One pool's work: what was given out is taken off `waiting`. Raises BrokenProcessPool where a process ended."""
    # Started afresh on every system: a fork would copy the open ledger, and the threads that draw progress.
    context = multiprocessing.get_context("spawn")
    arguments = (intake, book, secret)
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_start, initargs=arguments) as pool:
        running: deque[Future[Read]] = deque()
        while waiting:
            while len(running) < min(jobs * AHEAD, len(waiting)):
                running.append(pool.submit(_read, *waiting[len(running)]))
            done = running.popleft().result()
            capture, _ = waiting.popleft()
            yield capture, done
