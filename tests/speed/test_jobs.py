"""Many captures read by several processes: the same ledger, resumable, and no bad file stops the rest."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from many_captures import BOOK, DEMO, OPTIONS, fill, tables_of

from pixelwitness import capture, workers
from pixelwitness.capture import Capture
from pixelwitness.ledger.store import open_ledger, read_ledger
from pixelwitness.ledger.verify import verify
from pixelwitness.replay import Outcome, replay
from pixelwitness.sources.places import Url


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Captures that are too small to be read by several processes, unless any size will do."""
    monkeypatch.setattr(workers, "WORTH", 1)
    return fill(tmp_path / "captures")


def run(db: Path, folder: Path, jobs: int) -> tuple[Outcome, dict[str, list[str]]]:
    ledger = open_ledger(db)
    outcome = replay(ledger, [(p, p.name) for p in sorted(folder.iterdir())], OPTIONS, BOOK, jobs=jobs)
    tables = tables_of(ledger)
    ledger.close()
    return outcome, tables


def test_two_processes_write_what_one_does(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, serial = run(tmp_path / "one.db", library, 1)
    used: list[int] = []

    def counted(jobs: int, *more: Any) -> Any:
        used.append(jobs)
        return original(jobs, *more)

    original = workers.read_by
    monkeypatch.setattr("pixelwitness.replay.read_by", counted)
    two, parallel = run(tmp_path / "two.db", library, 2)
    assert used == [2]
    assert serial == parallel
    assert serial["violations"]
    assert (one.run_id, one.read, one.new, one.problems) == (two.run_id, two.read, two.new, two.problems)
    assert [p.partition(":")[0] for p in one.problems] == ["cut.har", "none.har"]
    assert verify(read_ledger(tmp_path / "two.db"), BOOK).faults == []


def test_an_interrupted_run_goes_on_where_it_was(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    _, expected = run(tmp_path / "whole.db", library, 1)
    opened: list[str] = []
    original = capture.read_capture

    def counted(path: Path, **named: Any) -> Iterator[Any]:
        opened.append(path.name)
        if len(opened) == 4:
            raise KeyboardInterrupt
        return original(path, **named)

    monkeypatch.setattr(capture, "read_capture", counted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "a.db", library, 1)
    first, opened[:] = opened[:3], [""] * 10
    _, tables = run(tmp_path / "a.db", library, 1)
    assert tables == expected
    assert not set(first) & set(opened[10:])
    assert set(opened[10:]) >= {"none.har", "cut.har"}


def test_a_file_that_cannot_be_opened_stops_no_other(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "a.db")
    outcome = replay(ledger, [(tmp_path / "gone.har", "gone.har"), (DEMO[0], "a.har")], OPTIONS, BOOK)
    assert outcome.read > 0
    assert ["gone.har: cannot be read" in p for p in outcome.problems] == [True]


def test_a_fault_of_the_program_stops_no_other_capture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = capture.read_capture

    def faulty(path: Path, **named: Any) -> Iterator[Any]:
        if path.name == "bad.har":
            raise ZeroDivisionError("x")
        return original(path, **named)

    monkeypatch.setattr(capture, "read_capture", faulty)
    shutil.copy(DEMO[0], tmp_path / "bad.har")
    ledger = open_ledger(tmp_path / "a.db")
    outcome = replay(ledger, [(tmp_path / "bad.har", "bad.har"), (DEMO[1], "a.har")], OPTIONS, BOOK)
    assert outcome.read > 0
    assert ["a fault of the program" in p for p in outcome.problems] == [True]


def _killed(capture: Capture, file: Path) -> workers.Read:
    """In place of reading: one capture kills its process each time."""
    if capture.name == "bad.har":
        os.kill(os.getpid(), signal.SIGTERM)
    file.write_bytes(b"")
    return workers.Read(1, (), file)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_capture_that_kills_its_process_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_read", _killed)
    captures = [Capture(Path(n), n, n) for n in ("a.har", "bad.har", "c.har", "d.har")]
    made = list(workers.read_by(2, captures, capture.Intake("r"), BOOK, bytes(32)))
    assert [c.name for c, _ in made] == ["a.har", "bad.har", "c.har", "d.har"]
    assert [bool(r.problems) for _, r in made] == [False, True, False, False]


def test_small_captures_are_not_worth_a_process(tmp_path: Path) -> None:
    captures = [Capture(p, p.name, "") for p in DEMO[:4]]
    assert workers.worth(8, captures) == 1
    large = tmp_path / "large.har"
    with large.open("wb") as out:
        out.truncate(3 * workers.WORTH)
    big = Capture(large, "large.har", "")
    assert [workers.worth(jobs, [*captures, big]) for jobs in (1, 2, 8)] == [1, 2, 4]
    assert workers.worth(8, [big]) == 1
    assert workers.worth(8, [Capture(Url("s3://b/a"), "a", ""), Capture(Url("s3://b/c"), "c", "")]) == 2


def _first_last(capture: Capture, file: Path) -> workers.Read:
    """In place of reading: the first is only done when all others are."""
    if capture.name == "0":
        _until(lambda: len(list(file.parent.glob("*.done"))) == 11)
    file.write_bytes(b"")
    file.with_suffix(".done").touch()
    return workers.Read(1, (), file)


def test_a_large_capture_does_not_keep_those_after_it_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_read", _first_last)
    captures = [Capture(Path(n), n, n) for n in map(str, range(12))]
    made = [c.name for c, _ in workers.read_by(2, captures, capture.Intake("r"), BOOK, bytes(32))]
    assert made == [c.name for c in captures]


def _slow(capture: Capture, file: Path) -> workers.Read:
    """In place of reading: takes a second, and leaves a trace."""
    if capture.name != "0":
        time.sleep(1)
    Path(capture.digest, capture.name).touch()
    file.write_bytes(b"")
    return workers.Read(1, (), file)


def test_who_interrupts_does_not_wait_for_what_was_given_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_read", _slow)
    captures = [Capture(Path(n), n, str(tmp_path)) for n in map(str, range(60))]
    reading = workers.read_by(2, captures, capture.Intake("r"), BOOK, bytes(32))
    assert next(reading)[0].name == "0"
    reading.close()  # type: ignore[attr-defined]
    assert len(list(tmp_path.iterdir())) < 30


def _long(capture: Capture, file: Path) -> workers.Read:
    """In place of reading: does not end, and says where it is."""
    file.with_suffix(".part").write_text(str(os.getpid()))
    file.with_suffix(".part").rename(file.with_suffix(".pid"))
    time.sleep(600)
    return workers.Read(0, (), file)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_workers_end_with_a_process_that_is_killed_and_leave_nothing(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}]; import test_jobs as t; from pathlib import Path;"
        "t.workers._read = t._long; all = [t.Capture(Path(n), n, n) for n in 'ab'];"
        "list(t.workers.read_by(2, all, t.capture.Intake('r'), t.BOOK, bytes(32)))"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment)
    _until(lambda: len(list(tmp_path.glob("pixelwitness-*/*.pid"))) == 2)
    ids = [int(p.read_text()) for p in tmp_path.glob("pixelwitness-*/*.pid")]
    assert all(map(_lives, ids))
    parent.kill()
    parent.wait()
    _until(lambda: not any(map(_lives, ids)))
    assert list(tmp_path.glob("pixelwitness-*")) == []


def _until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.1)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
