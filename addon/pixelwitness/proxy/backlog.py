"""What waits for the writer thread of a live run: bounded in rows and bytes, and every shortfall counted.

A slow disk costs a request nothing while there is room. Above half of the bytes response bodies go first. Where there
is no room, an exchange may wait for some (`offer` says no; who asked may ask again) while the disk still moves; where
it does not, the exchange passes and is counted, by client and host (`passed`).
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue

from pixelwitness.exchange import Exchange
from pixelwitness.observations import BlindSpot

MAX_ROWS = 20_000
MAX_BYTES = 256 * 1024 * 1024
SPARE_ROWS = 2_000
"""Places above the rows for what is small and rare: blind spots, marks, settings."""
ROW_BYTES = 2_048
"""What an exchange takes besides its texts and bodies."""
STALLED = 3.0
"""Seconds without a written batch after which waiting for the disk helps nobody."""
MOST_PLACES = 500
"""Clients and hosts that are told apart among what was not recorded."""


@dataclass(frozen=True)
class Counts:
    """How a backlog fared so far."""

    rows: int = 0
    bytes: int = 0
    most_rows: int = 0
    most_bytes: int = 0
    bodies_left_out: int = 0
    held: int = 0
    longest: float = 0.0
    """Seconds that an exchange waited at most."""
    passed: int = 0
    """Exchanges that are not recorded."""


class Backlog[T]:
    """A queue of exchanges (with their stage) and of other small things, from the event loop to one writer."""

    def __init__(self, *, rows: int = MAX_ROWS, size: int = MAX_BYTES, stalled: float = STALLED) -> None:
        self._max_rows, self._max_bytes, self._stalled_after = rows, size, stalled
        self._queue: SimpleQueue[tuple[tuple[str, Exchange] | T | None, int]] = SimpleQueue()
        self._lock = threading.Lock()
        self._counts = self._told = Counts()
        self._passed: Counter[tuple[str | None, str]] = Counter()
        self._moved = time.monotonic()

    @property
    def counts(self) -> Counts:
        """The counters at this moment."""
        return self._counts

    @property
    def stalled(self) -> bool:
        """Whether things wait and none was written for a while."""
        return self._counts.rows > 0 and time.monotonic() - self._moved > self._stalled_after

    # --- in the event loop: nothing here waits ----------------------------------------------------------------------

    def offer(self, stage: str, exchange: Exchange) -> bool:
        """Takes an exchange at a stage; False where there is no room."""
        size = size_of(exchange)
        with self._lock:
            now = self._counts
            response = exchange.response
            crowded = now.bytes + size > self._max_bytes // 2
            if crowded and stage == "response" and response is not None and response.body:
                exchange = replace(exchange, response=replace(response, body=None, body_state="not_captured"))
                size = size_of(exchange)
                now = replace(now, bodies_left_out=now.bodies_left_out + 1)
            # One that alone is larger than all is taken when nothing else waits.
            if now.rows and (now.rows >= self._max_rows or now.bytes + size > self._max_bytes):
                return False
            self._grow(now, size)
            self._queue.put(((stage, exchange), size))
        return True

    def held(self, seconds: float) -> None:
        """An exchange waited for room and got it."""
        with self._lock:
            now = self._counts
            self._counts = replace(now, held=now.held + 1, longest=max(now.longest, seconds))

    def passed(self, client: str | None, host: str) -> None:
        """An exchange, or what is known of a connection, is not recorded: only counted."""
        with self._lock:
            self._counts = replace(self._counts, passed=self._counts.passed + 1)
            known = (client, host) in self._passed or len(self._passed) < MOST_PLACES
            self._passed[(client, host) if known else (None, "more hosts")] += 1

    def put(self, item: T | None) -> None:
        """Takes something small in any case; None ends the queue."""
        with self._lock:
            self._grow(self._counts, 0)
            self._queue.put((item, 0))

    def note(self, item: T) -> bool:
        """Takes something small that a client can cause at will; False where there is no room even for that."""
        if self._counts.rows >= self._max_rows + SPARE_ROWS:
            return False
        self.put(item)
        return True

    def _grow(self, now: Counts, size: int) -> None:
        if not now.rows:
            self._moved = time.monotonic()
        rows, total = now.rows + 1, now.bytes + size
        most = {"most_rows": max(now.most_rows, rows), "most_bytes": max(now.most_bytes, total)}
        self._counts = replace(now, rows=rows, bytes=total, **most)

    # --- in the writer thread ---------------------------------------------------------------------------------------

    def take(self, most: int, wait: float) -> tuple[list[tuple[str, Exchange] | T], int, bool]:
        """Up to so many things, waiting so many seconds for more; their bytes; and whether that was the end."""
        batch: list[tuple[str, Exchange] | T] = []
        total = 0
        deadline = time.monotonic() + wait
        while len(batch) < most:
            try:
                item, size = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                break
            if item is None:
                with self._lock:
                    self._counts = replace(self._counts, rows=self._counts.rows - 1)
                return batch, total, True
            batch.append(item)
            total += size
        return batch, total, False

    def written(self, rows: int, size: int) -> None:
        """What was taken is on the disk: only now is there room for more."""
        with self._lock:
            now = self._counts
            self._counts = replace(now, rows=now.rows - rows, bytes=now.bytes - size)
            self._moved = time.monotonic()

    def told(self, at: int) -> Iterator[BlindSpot]:
        """What fell short since this was last asked, as blind spots."""
        with self._lock:
            now, before = self._counts, self._told
            passed, self._passed, self._told = self._passed, Counter(), now
        if bodies := now.bodies_left_out - before.bodies_left_out:
            yield BlindSpot(client=None, kind="response_bodies_dropped", detail=f"{bodies} bodies", at=at)
        if held := now.held - before.held:
            detail = f"{held} requests or responses, the longest {now.longest:.1f} s"
            yield BlindSpot(client=None, kind="held_back", detail=detail, at=at)
        for (client, host), count in sorted(passed.items(), key=str):
            detail = f"{host}: {count} requests or responses"
            yield BlindSpot(client=client, host=host, kind="not_recorded", detail=detail[:200], at=at)


def size_of(exchange: Exchange) -> int:
    """Bytes that an exchange takes in memory, about."""
    response = exchange.response
    headers = (*exchange.headers, *(response.headers if response else ()))
    texts = len(exchange.url) + sum(len(name) + len(value) for name, value in headers)
    return ROW_BYTES + texts + len(exchange.body or b"") + len((response.body if response else None) or b"")
