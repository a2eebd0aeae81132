"""The writer thread of a live run: reads, writes and judges off the proxy's event loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue

from pixelwitness.exchange import Exchange
from pixelwitness.ledger.errors import LedgerBusyError
from pixelwitness.ledger.parts import MAX_BODY
from pixelwitness.ledger.store import Ledger, Record, RunInfo, open_ledger
from pixelwitness.observations import BlindSpot
from pixelwitness.rulebook.law import Regime
from pixelwitness.run import (
    Lens,
    Tally,
    judge_recording,
    mitmproxy_version,
    now,
    program,
    request_record,
    response_record,
    spot_record,
    write,
)

BATCH = 200
WAIT = 0.25
MAX_QUEUED_BYTES = 256 * 1024 * 1024
JUDGE_EVERY = 1.0

type Item = tuple[str, Exchange] | BlindSpot


class Recorder:
    """Owns the ledger of a live run. `put` never waits for the disk; `close` returns when all is on it."""

    def __init__(
        self, path: Path, regimes: Sequence[Regime], lens: Lens, options: dict[str, object], *,
        named: Sequence[str] = (), keep_plaintext: bool, max_body: int = MAX_BODY, on_fault: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._path, self._regimes, self._lens, self._book = path, regimes, lens, lens.book
        self._options, self._keep, self._on_fault = options, keep_plaintext, on_fault
        self._named, self._max_body = tuple(named), max_body
        self._queue: SimpleQueue[Item | None] = SimpleQueue()
        self._queued_bytes = 0
        self._dropped = 0
        self._opened = threading.Event()
        self._failure: BaseException | None = None
        self.run_id = ""
        self.head = ""
        self._tally = Tally()
        self._flushed = 0
        self._thread = threading.Thread(target=self._work, name="pixelwitness-recorder", daemon=False)

    def start(self) -> None:
        """Opens the ledger in the writer thread. Raises what that raised (LedgerError)."""
        self._thread.start()
        self._opened.wait()
        if self._failure is not None:
            raise self._failure

    def put(self, stage: str, exchange: Exchange) -> None:
        """Hands over an exchange at a stage. When the disk is slow, response bodies go first; observations never do."""
        size = len(exchange.body or b"") + len((exchange.response.body if exchange.response else None) or b"")
        if self._queued_bytes + size > MAX_QUEUED_BYTES and stage == "response" and exchange.response is not None:
            from dataclasses import replace

            exchange = replace(exchange, response=replace(exchange.response, body=None, body_state="not_captured"))
            self._dropped += 1
        else:
            self._queued_bytes += size
        self._queue.put((stage, exchange))

    def note(self, spot: BlindSpot) -> None:
        """Hands over a blind spot that belongs to no exchange."""
        self._queue.put(spot)

    def close(self) -> None:
        """Writes what is queued, judges for good, closes the file."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    # --- in the writer thread ---------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            ledger = open_ledger(self._path)
            info = RunInfo(
                "live", program(), mitmproxy_version(), self._book.digest, now(), self._options, (),
                tuple(r.id for r in self._regimes),
            )  # fmt: skip
            self.run_id = ledger.begin_run(info).id
        except BaseException as error:
            self._failure = error
            self._opened.set()
            return
        self._opened.set()
        judged, pending, cost = 0.0, False, 0.0
        ending = False
        while not ending:
            batch, ending = self._take()
            if batch:
                self._guarded(lambda b=batch: self._write(ledger, b))  # type: ignore[misc]
                pending = True
            # Judging what grows costs more each time: never more than a tenth of the time.
            if pending and not ending and time.monotonic() - judged > max(JUDGE_EVERY, 10 * cost):
                start = time.monotonic()
                self._guarded(lambda: self._judge(ledger, provisional=True))
                judged, pending, cost = time.monotonic(), False, time.monotonic() - start
        self._guarded(lambda: self._finish(ledger))
        ledger.close()

    def _guarded(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as error:
            # The proxy goes on whatever happens here; the fault is told and, if that is still possible, recorded.
            self._on_fault(f"{type(error).__name__}: {error}")

    def _take(self) -> tuple[list[Item], bool]:
        batch: list[Item] = []
        deadline = time.monotonic() + WAIT
        while len(batch) < BATCH:
            try:
                item = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                break
            if item is None:
                return batch, True
            batch.append(item)
        return batch, False

    def _write(self, ledger: Ledger, batch: list[Item]) -> None:
        records: list[Record] = []
        for item in batch:
            if isinstance(item, BlindSpot):
                at = item.at or now()
                records.append(spot_record(item, f"{self.run_id}.{item.kind}.{item.detail}.{at}", at))
                continue
            stage, exchange = item
            body = exchange.response.body if exchange.response else None
            self._queued_bytes -= len(exchange.body or b"") + len(body or b"")
            record = self._observe(stage, exchange)
            if record is not None:
                records.append(record)
        self._append(ledger, records)

    def _append(self, ledger: Ledger, records: list[Record]) -> None:
        """Writes, and goes on trying while another process holds the ledger: what waits in the queue is bounded."""
        while True:
            try:
                write(
                    ledger, self.run_id, records, self._book, keep_plaintext=self._keep, max_body=self._max_body,
                    people=self._lens.people,
                )  # fmt: skip
                return
            except LedgerBusyError as error:
                self._on_fault(str(error))

    def _observe(self, stage: str, exchange: Exchange) -> Record | None:
        try:
            if stage == "request":
                return request_record(exchange, self._lens, self._tally)
            return response_record(exchange, self._lens)
        except Exception as error:
            # One exchange that cannot be read must not take the batch with it: it is a blind spot of its own.
            what = f"{type(error).__name__} at {exchange.host}{exchange.path}"[:200]
            self._on_fault(what)
            spot = BlindSpot(client=exchange.client, kind="addon_fault", detail=what, at=exchange.started_at)
            return spot_record(spot, f"{self.run_id}.{exchange.id}.{stage}.fault", exchange.started_at)

    def _judge(self, ledger: Ledger, *, provisional: bool) -> None:
        judge_recording(ledger, self.run_id, self._regimes, self._book, named=self._named, provisional=provisional)

    def _finish(self, ledger: Ledger) -> None:
        at = now()
        records = [self._tally.record(f"traffic.{self.run_id}", at)]
        if self._dropped:
            spot = BlindSpot(client=None, kind="response_bodies_dropped", detail=f"{self._dropped} bodies", at=at)
            records.append(spot_record(spot, f"{self.run_id}.dropped", at))
        self._append(ledger, records)
        self._judge(ledger, provisional=False)
        self.head = ledger.finish_run(self.run_id, at, complete=True)
