"""The recorder's queue: bounded in rows and bytes, never in the way of a request, and every shortfall on the record."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mitmproxy.test import taddons, tflow, tutils

from pixelwitness.exchange import Exchange, Response
from pixelwitness.ledger.store import read_ledger
from pixelwitness.ledger.verify import verify
from pixelwitness.proxy import addon as addon_module
from pixelwitness.proxy import recorder as recorder_module
from pixelwitness.proxy.addon import PixelWitness
from pixelwitness.proxy.backlog import Backlog, size_of
from support import BOOK, START

pytestmark = pytest.mark.timeout(120)


def exchange(number: int, *, body: int = 0, answer: int | None = None) -> Exchange:
    made = Exchange("c", START + number, "POST", f"https://www.shop.example/{number}", (), b"x" * body)
    return replace(made, response=Response(START, 200, (), b"y" * answer)) if answer is not None else made


def test_rows_are_bounded() -> None:
    queue: Backlog[object] = Backlog(rows=10)
    assert [queue.offer("request", exchange(i)) for i in range(12)] == [True] * 10 + [False] * 2
    batch, size, ended = queue.take(4, 0)
    assert (len(batch), ended) == (4, False)
    assert not queue.offer("request", exchange(20)), "what is being written still takes its place"
    queue.written(4, size)
    assert [queue.offer("request", exchange(i)) for i in range(30, 36)] == [True] * 4 + [False] * 2
    assert queue.counts.most_rows == 10


def test_bytes_are_bounded_and_response_bodies_go_first() -> None:
    one = size_of(exchange(0, body=1000))
    queue: Backlog[object] = Backlog(size=one * 10)
    for i in range(5):
        assert queue.offer("request", exchange(i, body=1000))
    assert queue.offer("response", exchange(5, answer=1_000_000)), "without its body there is room for it"
    assert queue.counts.bodies_left_out == 1
    taken = 0
    while queue.offer("request", exchange(taken, body=1000)):
        taken += 1
    assert 3 <= taken <= 5
    assert queue.counts.bytes <= one * 10
    last = queue.take(6, 0)[0][-1][1]
    assert last.response.body is None
    assert last.response.body_state == "not_captured"


def test_one_that_is_larger_than_all_is_taken_when_nothing_waits() -> None:
    queue: Backlog[object] = Backlog(size=1000)
    assert queue.offer("request", exchange(0, body=5000))
    assert not queue.offer("request", exchange(1))


def test_what_a_client_can_cause_at_will_is_bounded_too() -> None:
    queue: Backlog[object] = Backlog(rows=0)
    assert sum(queue.note(object()) for _ in range(5000)) == 2000
    queue.put(object())  # a mark or a setting always finds its place


def test_nothing_is_counted_twice_or_lost_between_two_threads() -> None:
    queue: Backlog[object] = Backlog(rows=500)
    got: list[object] = []
    sent = 0

    def write() -> None:
        while True:
            batch, size, ended = queue.take(50, 0.01)
            got.extend(batch)
            queue.written(len(batch), size)
            if ended:
                return

    thread = threading.Thread(target=write)
    thread.start()
    for i in range(20_000):
        while not queue.offer("request", exchange(i)):
            time.sleep(0)
        sent += 1
    queue.put(None)
    thread.join()
    assert len(got) == sent
    assert (queue.counts.rows, queue.counts.bytes) == (0, 0)
    assert queue.counts.most_rows <= 500


# --- in the add-on --------------------------------------------------------------------------------------------------


class Disk:
    """The recorder's way to the disk, which can be stopped, or made slow."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open, self.delay, self.real = threading.Event(), 0.0, recorder_module.write
        self.open.set()
        monkeypatch.setattr(recorder_module, "write", self)

    def __call__(self, *args: Any, **named: Any) -> int:
        self.open.wait()
        time.sleep(self.delay)
        return self.real(*args, **named)


def pixel(number: int) -> Any:
    request = tutils.treq(host="analytics.tiktok.com", authority=b"", path=f"/api/v2/pixel?n={number}".encode(), method=b"POST",
                          content=b'{"event":"Pageview","context":{"pixel":{"code":"C"}}}', headers=((b"host", b"analytics.tiktok.com"),))  # fmt: skip
    return tflow.tflow(req=request)


def live(tmp_path: Path, disk: Disk, rows: int, act: Any, **queue: Any) -> sqlite3.Connection:
    async def go() -> None:
        addon = PixelWitness()
        with taddons.context(addon) as context:
            context.configure(addon, pixelwitness_db=str(tmp_path / "a.db"))
            addon.running()
            assert addon.recorder is not None
            addon.recorder.backlog = Backlog(rows=rows, **queue)
            time.sleep(0.6)  # the writer's present look at the first queue ends
            try:
                await act(addon)
            finally:
                disk.open.set()
                addon.done()

    asyncio.run(go())
    ledger = read_ledger(tmp_path / "a.db")
    assert verify(ledger, BOOK).faults == []
    ledger.close()
    return sqlite3.connect(tmp_path / "a.db")


async def sent(addon: PixelWitness, number: int) -> float:
    start = time.monotonic()
    waits = addon.request(pixel(number))
    if waits is not None:
        await waits
    return time.monotonic() - start


def spots(db: sqlite3.Connection) -> dict[str, list[tuple[str, str | None]]]:
    found: dict[str, list[tuple[str, str | None]]] = {}
    for kind, detail, client in db.execute("select kind, detail, client from blind_spots"):
        found.setdefault(kind, []).append((detail, client))
    return found


def test_a_full_queue_holds_back_while_the_disk_moves_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    ticks = 0

    async def act(addon: PixelWitness) -> None:
        nonlocal ticks
        disk.delay = 0.5

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.01)

        clock = asyncio.create_task(tick())
        start = time.monotonic()
        took = await asyncio.gather(*(sent(addon, i) for i in range(30)))
        clock.cancel()
        assert max(took) > 0.2, "the queue was never full"
        assert ticks > (time.monotonic() - start) * 20, "the event loop stood still"
        assert addon.recorder is not None
        assert addon.recorder.backlog.counts.most_rows <= 10

    monkeypatch.setattr(addon_module, "HOLD_SECONDS", 60.0)
    db = live(tmp_path, disk, 10, act)
    assert db.execute("select count(*) from hits").fetchone()[0] == 30
    found = spots(db)
    assert "not_recorded" not in found
    assert sum(int(detail.split()[0]) for detail, _ in found["held_back"]) >= 10


def test_where_the_disk_stands_still_requests_pass_and_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)

    async def act(addon: PixelWitness) -> None:
        disk.open.clear()
        first = [await sent(addon, i) for i in range(10)]
        assert max(first) < 0.2, "while there is room nothing waits"
        await asyncio.sleep(1.2)
        later = [await sent(addon, i) for i in range(10, 30)]
        assert max(later) < 0.2, "waiting would help nobody"
        assert addon.recorder is not None
        assert addon.recorder.backlog.counts.passed == 20

    db = live(tmp_path, disk, 10, act, stalled=1.0)
    assert db.execute("select count(*) from hits").fetchone()[0] == 10
    ((detail, client),) = spots(db)["not_recorded"]
    assert detail == "analytics.tiktok.com: 20 requests or responses"
    assert client


def test_after_a_while_a_request_passes_though_the_disk_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    monkeypatch.setattr(addon_module, "HOLD_SECONDS", 0.3)

    async def act(addon: PixelWitness) -> None:
        disk.open.clear()
        took = await asyncio.gather(*(sent(addon, i) for i in range(15)))
        assert max(took) < 2

    db = live(tmp_path, disk, 10, act, stalled=60.0)
    assert [d for d, _ in spots(db)["not_recorded"]] == ["analytics.tiktok.com: 5 requests or responses"]
    assert db.execute("select count(*) from hits").fetchone()[0] == 10
