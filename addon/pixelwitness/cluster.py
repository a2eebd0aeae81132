"""Captures read on a Dask cluster by the same function as here; this process writes what it made, in their order.

A worker leaves a capture's records in a file of its own; small ones come back with the answer, larger ones in pieces.
When a worker ends, what it had not handed over is read again by another.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from secrets import token_hex
from typing import Any

from distributed import CancelledError, Client, Future, KilledWorker, WorkerPlugin, get_worker

from pixelwitness.capture import Capture, Intake
from pixelwitness.ledger.commit import keyed
from pixelwitness.rulebook import Rulebook
from pixelwitness.run import program
from pixelwitness.sources import CaptureError
from pixelwitness.sources.places import Found, Url, looked, shown
from pixelwitness.workers import ENDED, Read, Setup, ended, read_into

AHEAD = 8
"""Captures that are given out before their turn to be written, for each worker."""
INLINE = 1 << 20
"""Bytes that come back with the answer; of more one piece at a time is asked for."""
PIECE = 8 << 20
FETCHES = 3
"""How often a capture is read again because its worker ended before it had handed everything over."""
REACH = 10
"""Seconds to reach the scheduler."""
LOOK_EVERY, PATIENCE = 20, 600
"""Seconds after which is looked whether there are workers, and after which a run without any ends."""


@dataclass(frozen=True)
class _Made:
    """What a worker made of a capture: the bytes, or the worker's address and its file with so many bytes."""

    count: int
    problems: tuple[str, ...]
    size: int
    data: bytes | None
    where: str
    file: str


@dataclass(frozen=True)
class Cluster:
    """A scheduler that was reached."""

    address: str
    client: Client

    def look(self, urls: Sequence[Url]) -> list[Found]:
        """What stands at URLs: fetched once by the workers, for their digests."""
        found: list[Found] = []
        running: deque[Future[Any]] = deque()
        while len(found) < len(urls):
            start = len(found) + len(running)
            for url in urls[start : start + self._room(running)]:
                running.append(self.client.submit(looked, url, pure=False))
            try:
                found.append(self._answer(running.popleft()))
            except KilledWorker:
                name = shown(urls[len(found)].text)
                found.append(Found(problem=CaptureError(name, "", ENDED, "Replay it alone, with more memory")))
        return found

    def read(
        self, captures: Sequence[Capture], intake: Intake, book: Rulebook, secret: bytes
    ) -> Iterator[tuple[Capture, Read]]:  # fmt: skip
        """Reads captures by the workers and gives them in order. Raises CaptureError where the cluster is lost."""
        name = f"pixelwitness-{intake.run_id}-{token_hex(4)}"
        self.client.register_plugin(_Kept(name, version(), Setup(intake, book, secret)))
        try:
            with tempfile.TemporaryDirectory(prefix="pixelwitness-") as folder:
                yield from self._in_order(captures, name, Path(folder, "records"))
        finally:
            with suppress(Exception):  # the cluster may be gone
                self.client.unregister_worker_plugin(name)

    def _in_order(self, captures: Sequence[Capture], name: str, file: Path) -> Iterator[tuple[Capture, Read]]:
        def given(capture: Capture) -> Future[Any]:
            return self.client.submit(_read, name, capture, pure=False)

        waiting = deque(captures)
        running: deque[Future[Any]] = deque()
        while waiting:
            capture = waiting[0]
            for later in list(islice(waiting, len(running), len(running) + self._room(running))):
                running.append(given(later))
            try:
                read = self._handed_over(running.popleft(), capture, given, file)
            except KilledWorker:
                # It need not be the culprit: alone, with nothing of ours beside it, it shows.
                running.clear()
                try:
                    read = self._handed_over(given(capture), capture, given, file)
                except KilledWorker:
                    read = _nothing(file, ended(capture.name))
            waiting.popleft()
            yield capture, read

    def _handed_over(
        self, future: Future[Any], capture: Capture, again: Callable[[Capture], Future[Any]], file: Path
    ) -> Read:  # fmt: skip
        """A capture's records in a file here. Raises KilledWorker where workers end again and again."""
        for _ in range(FETCHES):
            try:
                made: _Made = self._answer(future)
            except (KilledWorker, CaptureError):
                raise
            except Exception as error:
                what = f"the worker failed ({type(error).__name__}: {str(error)[:120]})"
                return _nothing(file, f"{capture.name}: {what}. What is missing is read when the command is run again")
            try:
                self._fetch(made, file)
                return Read(made.count, made.problems, file)
            except Exception:  # whatever a connection raises that ends; the file went with its worker
                future.release()  # or it would be made again, by nobody's wish
                future = again(capture)
        return _nothing(file, ended(capture.name))

    def _fetch(self, made: _Made, file: Path) -> None:
        if made.data is not None:
            file.write_bytes(made.data)
            return
        if made.where not in self.client.nthreads():
            raise ConnectionError(made.where)  # instead of waiting for an answer
        with file.open("wb") as out:
            while (at := out.tell()) < made.size:
                out.write(self.client.run(_piece, made.file, at, workers=[made.where])[made.where])
        with suppress(Exception):
            self.client.run(_removed, made.file, workers=[made.where])

    def _answer(self, future: Future[Any]) -> Any:
        """A task's result, or what it raised. Raises CaptureError where scheduler or workers are gone."""
        waited = 0
        while True:
            try:
                return future.result(timeout=LOOK_EVERY)
            except CancelledError as error:
                raise self._lost("the connection to the scheduler was lost") from error
            except TimeoutError:
                if future.done():
                    raise
                waited = 0 if self.client.nthreads() else waited + LOOK_EVERY
                if waited >= PATIENCE:
                    raise self._lost(f"has had no worker for {PATIENCE} seconds") from None

    def _lost(self, what: str) -> CaptureError:
        return CaptureError(f"--dask {self.address}", "", what, "Run it again: what was read is not read again")

    def _room(self, running: Sequence[Future[Any]]) -> int:
        return max(AHEAD * max(len(self.client.nthreads()), 1) - len(running), 0)


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """The cluster of a scheduler. Raises CaptureError where it cannot be reached or its workers lack this program."""
    option = f"--dask {address}"
    try:
        client = Client(address, timeout=REACH, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        what = f"cannot be reached ({type(error).__name__}: {' '.join(str(error).split())[:120]})"
        raise CaptureError(
            option, "", what, "Give the address that the scheduler prints, like tcp://host:8786"
        ) from error
    with client:
        try:
            theirs = set(client.run(version).values())
        except Exception as error:
            what = f"its workers cannot run this program ({type(error).__name__}: {str(error)[:120]})"
            raise CaptureError(option, "", what, "Install pixelwitness[dask] where they run") from error
        if others := theirs - {version()}:
            raise CaptureError(option, "", f"its workers run {', '.join(sorted(others))}", f"Give them {version()}")
        yield Cluster(address, client)


def version() -> str:
    """This program and Python, as far as they must be the same on both sides."""
    return program().rpartition(".")[0]


def _nothing(file: Path, problem: str) -> Read:
    file.write_bytes(b"")
    return Read(0, (problem,), file)


# --- what runs on the workers ---------------------------------------------------------------------------------------


_alone = threading.Lock()
"""Python runs one thread at a time: a second capture beside the first would only need more memory."""


class _Kept(WorkerPlugin):
    """What each worker needs once, also one that starts later: it is taken away at the end, with the files."""

    def __init__(self, name: str, version: str, setup: Setup) -> None:
        self.name = name
        self.version = version
        self.kept = setup

    def setup(self, worker: Any) -> None:
        """Refuses a worker that runs something else."""
        if self.version != version():
            raise RuntimeError(f"{version()} instead of {self.version}")
        self.folder(worker).mkdir(mode=0o700)

    def teardown(self, worker: Any) -> None:
        """Leaves nothing behind."""
        shutil.rmtree(self.folder(worker), ignore_errors=True)

    def folder(self, worker: Any) -> Path:
        """Where this run's files are on a worker."""
        return Path(worker.local_directory, self.name)


def _read(name: str, capture: Capture) -> _Made:
    worker = get_worker()
    plugins: dict[str, Any] = worker.plugins
    ours: _Kept = plugins[name]
    kept, folder = ours.kept, ours.folder(worker)
    file = folder / token_hex(8)
    with _alone:
        read = read_into(file, capture, kept.intake, kept.book, keyed(kept.secret), str(folder))
    size = file.stat().st_size
    data = None
    if size <= INLINE:
        data = file.read_bytes()
        file.unlink()
    return _Made(read.count, read.problems, size, data, worker.address, str(file))


def _piece(file: str, at: int) -> bytes:
    with Path(file).open("rb") as stream:
        stream.seek(at)
        return stream.read(PIECE)


def _removed(file: str) -> None:
    Path(file).unlink(missing_ok=True)
