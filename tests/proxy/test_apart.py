"""The process beside the proxy: what it does is what the recorder would have done, and its end loses nothing."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mitmproxy.test import taddons

from pixelwitness.exchange import Exchange
from pixelwitness.ledger.store import read_ledger
from pixelwitness.ledger.verify import verify
from pixelwitness.proxy import apart
from pixelwitness.proxy import recorder as recorder_module
from pixelwitness.proxy.addon import PixelWitness
from pixelwitness.proxy.apart import Apart, Setup
from pixelwitness.proxy.recorder import Recorder
from pixelwitness.proxy.settings import read
from pixelwitness.run import Lens
from support import BOOK, asset, hit, onetrust, page

pytestmark = pytest.mark.timeout(240)
TABLES = ("hits", "violations", "coverage", "traffic", "page_views", "signals", "identifiers")


def visit(client: str, start: int) -> list[Exchange]:
    """A page after a refusal, its assets, and two messages of the pixel."""
    cookie = onetrust(False, at=start - 5000)
    made = [
        page(start, cookie=cookie),
        asset(start + 100, cookie=cookie),
        hit(start + 1000),
        hit(start + 2000, "Purchase"),
    ]
    return [replace(e, client=client) for e in made]


def recording(folder: Path, told: list[str]) -> Recorder:
    with taddons.context(PixelWitness()) as context:
        context.options.update(pixelwitness_db=str(folder / "a.db"))
        return Recorder(read(context.options), on_news=lambda news: None, on_fault=told.append)


def feed(live: Recorder, exchanges: list[Exchange]) -> None:
    for one in exchanges:
        assert live.put("request", one.without_response())
        if one.response is not None:
            assert live.put("response", one)


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def recorded(folder: Path, *, by_process: bool, during: Callable[[Recorder], object] = lambda live: None) -> dict[str, list[Any]]:  # fmt: skip
    """The public tables after twelve visits, read by the process beside from the second on, or never."""
    folder.mkdir()
    told: list[str] = []
    live = recording(folder, told)
    live._apart.gone = not by_process
    live.start()
    feed(live, visit("c0", 0))
    until(lambda: not live.backlog.counts.rows)
    if by_process:
        until(lambda: live._apart._ready)
    for number in range(1, 6):
        feed(live, visit(f"c{number}", number * 10_000))
    until(lambda: not live.backlog.counts.rows)
    during(live)
    for number in range(6, 12):
        feed(live, visit(f"c{number}", number * 10_000))
    live.close()
    assert (live.unwritten, bool(live.head), told) == (0, True, [])
    ledger = read_ledger(folder / "a.db")
    assert verify(ledger, BOOK).faults == []
    ledger.close()
    with sqlite3.connect(folder / "a.db") as db:
        return {table: _rows(db, table) for table in TABLES}


def _rows(db: sqlite3.Connection, table: str) -> list[Any]:
    """A table's rows without what is of this run alone."""
    columns = [row[1] for row in db.execute(f"pragma table_info({table})") if row[1] not in ("run_id", "recording")]
    return sorted(db.execute(f"select {', '.join(columns)} from {table}").fetchall(), key=repr)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "APART_AFTER", 0)
    monkeypatch.setattr(recorder_module, "JUDGE_EVERY", 0.1)


def test_what_the_process_reads_and_judges_is_what_the_recorder_would_have(at_once: None, tmp_path: Path) -> None:
    asked: list[int] = []

    def note(live: Recorder) -> None:
        until(lambda: live._judgement is not None and len(live._judgement.verdicts) == 12)
        asked.append(live._apart.answered)

    there = recorded(tmp_path / "there", by_process=True, during=note)
    assert asked[0] >= 2  # it was asked to read, and to judge
    here = recorded(tmp_path / "here", by_process=False)
    assert len(there["hits"]) == 24
    assert there == here


def test_a_process_that_is_killed_loses_nothing(at_once: None, tmp_path: Path) -> None:
    def kill(live: Recorder) -> None:
        assert live._apart._process is not None
        live._apart._process.kill()
        live._apart._process.wait()

    there = recorded(tmp_path / "there", by_process=True, during=kill)
    assert there == recorded(tmp_path / "here", by_process=False)


@pytest.mark.skipif(os.name != "posix", reason="stops a process by a signal")
@pytest.mark.parametrize("asked", [True, False])
def test_a_process_that_hangs_holds_up_no_end(
    asked: bool, at_once: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "LAST_SECONDS", 0.5)
    monkeypatch.setattr(recorder_module, "HELP_SECONDS", 0.5)
    told: list[str] = []
    live = recording(tmp_path, told)
    live.start()
    feed(live, visit("a", 0))
    until(lambda: live._apart._ready and not live.backlog.counts.rows)
    process = live._apart._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    if asked:
        feed(live, visit("b", 10_000))
        time.sleep(1)
    live.close()
    assert process.poll() is not None
    assert (live.unwritten, bool(live.head)) == (0, True)
    with sqlite3.connect(tmp_path / "a.db") as db:
        assert db.execute("select count(*) from hits").fetchone()[0] == (4 if asked else 2)


@pytest.mark.skipif(os.name != "posix", reason="stops a process by a signal")
def test_a_process_that_hangs_holds_up_no_recording(
    at_once: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "ANSWER_SECONDS", 0.5)
    live = recording(tmp_path, [])
    live.start()
    feed(live, visit("a", 0))
    until(lambda: live._apart._ready and not live.backlog.counts.rows)
    process = live._apart._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    feed(live, visit("b", 10_000))
    until(lambda: live._apart.gone and not live.backlog.counts.rows)
    feed(live, visit("c", 20_000))
    until(lambda: not live.backlog.counts.rows)
    live.close()
    with sqlite3.connect(tmp_path / "a.db") as db:
        assert db.execute("select count(*) from hits").fetchone()[0] == 6


def test_without_a_python_of_its_own_the_recorder_does_it_alone(at_once: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    live = recording(tmp_path, [])
    live.start()
    feed(live, visit("c", 0))
    live.close()
    assert live._apart._process is None
    assert (live.unwritten, bool(live.head)) == (0, True)


def test_what_fails_there_is_left_to_the_recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = apart.request_record

    def fails(exchange: Exchange, *more: Any) -> Any:
        return 1 / 0 if exchange.client == "b" else real(exchange, *more)

    monkeypatch.setattr(apart, "request_record", fails)
    setup = Setup(Lens(BOOK), False, 1000, "r", tmp_path / "a.db", b"s" * 32)
    made = apart.read(setup, [("request", page(0, client=client)) for client in "abc"])
    assert [one is None for one in made] == [False, True, False]


def test_what_is_not_asked_in_time_or_cannot_be_sent_is_no_answer(tmp_path: Path) -> None:
    setup = Setup(Lens(BOOK), False, 1000, "r", tmp_path / "a.db", b"s" * 32)
    beside = Apart()
    try:
        assert beside.read(setup, [("request", page(0))]) is None  # not there yet
        until(lambda: beside._ready)
        assert beside.read(setup, [("request", page(0))]) is not None
        assert beside.judge(setup, (), (), whole=True) is None  # there is no such ledger
        assert not beside.gone
        unsendable: Any = lambda: None  # noqa: E731
        assert beside.read(setup, [("request", unsendable)]) is None
        assert beside.gone
    finally:
        beside.stop()


def test_it_knows_nothing_of_mitmproxy() -> None:
    """Its start would take twice as long."""
    code = "import sys, pixelwitness.proxy.apart; print([m for m in sys.modules if m.startswith('mitmproxy')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_it_ends_with_the_proxy_even_where_that_is_killed(tmp_path: Path) -> None:
    code = f"""
import time
from pathlib import Path
from pixelwitness.proxy.apart import Apart, Setup
from pixelwitness.run import Lens
from pixelwitness.rulebook import load_rulebook
setup = Setup(Lens(load_rulebook()), False, 1000, "r", Path({str(tmp_path)!r}, "a.db"), b"s" * 32)
beside = Apart()
while not beside._ready:
    beside.read(setup, [])
    time.sleep(0.05)
print(beside._process.pid, flush=True)
time.sleep(100)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as proxy:
        assert proxy.stdout is not None
        child = int(proxy.stdout.readline())
        os.kill(child, 0)
        proxy.kill()

    def ended() -> bool:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return True
        status = Path(f"/proc/{child}/stat")  # where nobody collects orphans, it stays as a zombie
        return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"

    until(ended)
