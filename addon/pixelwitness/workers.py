"""Many captures read by several processes; this one writes what they made, in the order of the captures.

A worker reads one capture at a time and leaves its records, masked and ready, in a file of its own: memory does not
grow with the captures, and the ledger is the same as after reading one capture after the other. A capture that ends
its process is tried once more, and then left out and named.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from pathlib import Path

import msgspec

from pixelwitness.capture import Capture, Intake, batches
from pixelwitness.ledger.commit import LeafOf, keyed
from pixelwitness.ledger.store import Prepared, observation_id, prepared
from pixelwitness.rulebook import Rulebook

ATTEMPTS = 2
AHEAD = 2
"""Captures that are read before their turn to be written, for each process, however large they are."""
AHEAD_BYTES = 256 << 20
"""Of smaller ones as many as have so many bytes together: one large capture must not keep the others waiting."""
WORTH = 8 << 20
"""Bytes of captures that pay for one process more: starting it takes as long as reading about half of that."""
ENDED = "the process that read it was ended (killed, or out of memory)"
LENGTH = 8
"""Bytes before each batch in a file, which say how long it is."""

_packed = msgspec.msgpack.Encoder().encode
_unpacked = msgspec.msgpack.Decoder(tuple[Prepared, ...]).decode


@dataclass(frozen=True)
class Read:
    """A capture that was read: how many exchanges, what was wrong, and the file with its batches."""

    count: int
    problems: tuple[str, ...]
    file: Path


@dataclass(frozen=True)
class Setup:
    """What a worker needs once. `folder`: where it keeps what it makes."""

    intake: Intake
    book: Rulebook
    secret: bytes
    folder: str = ""


_setup: Setup | None = None


def _start(setup: Setup) -> None:
    global _setup
    _setup = setup
    threading.Thread(target=_end_with_parent, args=(setup.folder,), daemon=True).start()


def _end_with_parent(folder: str) -> None:
    """A process that is killed ends no other: without this its workers would wait for it for ever, with its secret."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)


def _read(capture: Capture, file: Path) -> Read:
    if _setup is None:
        raise RuntimeError("a worker that was not set up")
    return read_into(file, capture, _setup.intake, _setup.book, keyed(_setup.secret), _setup.folder)


def read_into(
    file: Path, capture: Capture, intake: Intake, book: Rulebook, leaf: LeafOf, folder: str | None = None
) -> Read:  # fmt: skip
    """Reads a capture and leaves what is to be written in a file. What a URL names is kept in `folder` meanwhile."""
    problems: list[str] = []
    how = intake.storing(book)
    count = 0
    with file.open("wb") as out:
        for batch, count in batches(capture, intake, book, problems.append, folder):  # noqa: B007  the last is the result
            data = _packed([prepared(r, how, leaf, observation_id(r, intake.run_id)) for r in batch])
            out.write(len(data).to_bytes(LENGTH))
            out.write(data)
    return Read(count, tuple(problems), file)


def written(file: Path) -> Iterator[Sequence[Prepared]]:
    """The batches in a worker's file, which is removed."""
    with file.open("rb") as stream:
        while length := stream.read(LENGTH):
            yield _unpacked(stream.read(int.from_bytes(length)))
    file.unlink()


def worth(jobs: int, captures: Sequence[Capture]) -> int:
    """How many processes pay for these captures, of at most `jobs`. What a URL names counts as large."""
    total = sum(_size(capture) for capture in captures)
    return max(1, min(jobs, len(captures), 1 + total // WORTH))


def _size(capture: Capture) -> int:
    """Bytes to be read, about: packed ones stand for eight."""
    if not isinstance(capture.place, Path):
        return WORTH
    try:
        with capture.place.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        return capture.place.stat().st_size * (8 if packed else 1)
    except OSError:
        return 0


def read_by(
    jobs: int, captures: Sequence[Capture], intake: Intake, book: Rulebook, secret: bytes
) -> Iterator[tuple[Capture, Read]]:  # fmt: skip
    """Reads captures by several processes and gives them in order."""
    with tempfile.TemporaryDirectory(prefix="pixelwitness-") as folder:
        setup = Setup(intake, book, secret, folder)
        waiting = deque((capture, Path(folder, str(i))) for i, capture in enumerate(captures))
        attempts = 0
        while waiting:
            try:
                yield from _pool(jobs, waiting, setup)
            except BrokenProcessPool:
                attempts += 1
                if attempts % ATTEMPTS:
                    continue
                # The first that is not done may not be the culprit: alone in a process of its own it shows.
                capture, file = waiting[0]
                try:
                    yield from _pool(1, deque([waiting[0]]), setup)
                except BrokenProcessPool:
                    file.write_bytes(b"")
                    yield capture, Read(0, (ended(capture.name),), file)
                waiting.popleft()


def ended(name: str) -> str:
    """One line for a capture whose process did not live to its end."""
    return f"{name}: {ENDED}. Replay it alone, with more memory"


def _context() -> BaseContext:
    """How processes are started: never as a copy of this one, which holds the open ledger and threads that draw.

    Where the system can, from a process that has imported everything once and is then copied for each worker.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"{__package__}.preloaded"])
    return context


def _pool(
    jobs: int, waiting: deque[tuple[Capture, Path]], setup: Setup
) -> Iterator[tuple[Capture, Read]]:  # fmt: skip
    """One pool's work: what was given out is taken off `waiting`. Raises BrokenProcessPool where a process ended."""
    sizes = {id(capture): _size(capture) for capture, _ in waiting}
    with ProcessPoolExecutor(jobs, mp_context=_context(), initializer=_start, initargs=(setup,)) as pool:
        running: deque[Future[Read]] = deque()
        ahead = 0
        try:
            while waiting:
                while len(running) < len(waiting) and (len(running) < jobs * AHEAD or ahead < AHEAD_BYTES):
                    capture, file = waiting[len(running)]
                    running.append(pool.submit(_read, capture, file))
                    ahead += sizes[id(capture)]
                done = running.popleft().result()
                capture, _ = waiting.popleft()
                ahead -= sizes[id(capture)]
                yield capture, done
        finally:
            pool.shutdown(cancel_futures=True)  # who interrupts a run does not wait for what was given out ahead
