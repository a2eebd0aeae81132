"""The writer thread of a live run: reads, writes and judges off the event loop, and tells it what was judged."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue

from pixelwitness.audit.model import Judgement, Violation
from pixelwitness.exchange import Exchange
from pixelwitness.ledger.errors import LedgerBusyError
from pixelwitness.ledger.store import Ledger, Record, RunInfo, open_ledger
from pixelwitness.observations import BlindSpot, Hit, Signal
from pixelwitness.proxy.marking import Told
from pixelwitness.proxy.settings import Settings
from pixelwitness.run import (
    Tally,
    judge_recording,
    mark_record,
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
MOST_HITS = 50_000
ORPHAN_SECONDS = 10.0

type Task = Callable[[Ledger, str], object]
"""Something to do with the ledger and the run's id, in the writer thread."""
type Item = tuple[str, Exchange] | BlindSpot | Signal | Settings | Task


@dataclass(frozen=True)
class News:
    """What one judgement says that the one before did not, and the judgement."""

    judgement: Judgement
    told: tuple[Told, ...]
    final: bool = False


class Recorder:
    """Owns the ledger of a live run. `put` never waits for the disk; `close` returns when all is on it.

    `on_news` and `on_fault` are called in the writer thread.
    """

    def __init__(
        self, settings: Settings, *, on_news: Callable[[News], object], on_fault: Callable[[str], object]
    ) -> None:
        self.settings = settings
        """As of the last change that was asked for; the writer thread follows in the order of its queue."""
        self.on_news, self.on_fault = on_news, on_fault
        self._current = settings
        self._queue: SimpleQueue[Item | None] = SimpleQueue()
        self._queued_bytes = 0
        self._dropped = 0
        self._opened = threading.Event()
        self._failure: BaseException | None = None
        self._orphaned: float | None = None
        self.run_id = ""
        self.head = ""
        self._tally = Tally()
        self._hits: OrderedDict[str, Hit] = OrderedDict()
        self._known: dict[str, tuple[object, ...]] = {}
        self._words: dict[str, str] = {}
        self._thread = threading.Thread(target=self._work, name="pixelwitness-recorder", daemon=False)

    def start(self) -> None:
        """Opens the ledger in the writer thread. Raises what that raised (LedgerError)."""
        self._thread.start()
        self._opened.wait()
        if self._failure is not None:
            raise self._failure

    @property
    def alive(self) -> bool:
        """Whether it still records."""
        return self._thread.is_alive()

    def put(self, stage: str, exchange: Exchange) -> None:
        """Hands over an exchange at a stage. When the disk is slow, response bodies go first; observations never do."""
        size = _size(exchange)
        if self._queued_bytes + size > MAX_QUEUED_BYTES and stage == "response" and exchange.response is not None:
            exchange = replace(exchange, response=replace(exchange.response, body=None, body_state="not_captured"))
            self._dropped += 1
            size = _size(exchange)
        self._queued_bytes += size
        self._queue.put((stage, exchange))

    def note(self, what: BlindSpot | Signal) -> None:
        """Hands over a blind spot that belongs to no exchange, or an auditor's mark."""
        self._queue.put(what)

    def change(self, settings: Settings) -> None:
        """From the next exchange on other settings hold; the change is on the run's record."""
        self.settings = settings
        self._queue.put(settings)

    def ask(self, task: Task) -> None:
        """Has something done in the writer thread, where the ledger is."""
        self._queue.put(task)

    def orphan(self) -> None:
        """Nobody feeds it for the moment (a script is being reloaded): it ends by itself unless it is adopted soon."""
        self._orphaned = time.monotonic()

    def adopt(self, on_news: Callable[[News], object], on_fault: Callable[[str], object]) -> bool:
        """Goes on for another add-on; False where it has ended already."""
        self._orphaned = None
        self.on_news, self.on_fault = on_news, on_fault
        return self.alive

    def close(self) -> None:
        """Writes what is queued, judges for good, closes the file."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    # --- in the writer thread ---------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            ledger = open_ledger(self._current.db)
            current = self._current
            info = RunInfo(
                "live", program(), mitmproxy_version(), current.lens.book.digest, now(), current.on_record(), (),
                tuple(r.id for r in current.regimes),
            )  # fmt: skip
            self.run_id = ledger.begin_run(info).id
            self._state(ledger)
        except BaseException as error:
            self._failure = error
            self._opened.set()
            return
        self._opened.set()
        judged, pending, cost = 0.0, False, 0.0
        ending = False
        while not ending:
            batch, ending = self._take()
            ending = ending or self._abandoned()
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

    def _abandoned(self) -> bool:
        left = self._orphaned
        return left is not None and time.monotonic() - left > ORPHAN_SECONDS

    def _guarded(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as error:
            # The proxy goes on whatever happens here; the fault is told and, if that is still possible, recorded.
            self.on_fault(f"{type(error).__name__}: {error}")

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
                records.append(spot_record(item, f"{self.run_id}.{item.kind}.{item.detail}.{item.client}.{at}", at))
            elif isinstance(item, Signal):
                records.append(mark_record(item))
            elif isinstance(item, Settings):
                records = self._flush(ledger, records)
                self._guarded(lambda settings=item: self._follow(ledger, settings))  # type: ignore[misc]
            elif isinstance(item, tuple):
                stage, exchange = item
                self._queued_bytes -= _size(exchange)
                record = self._observe(stage, exchange)
                if record is not None:
                    records.append(record)
            else:
                records = self._flush(ledger, records)
                self._guarded(lambda task=item: task(ledger, self.run_id))  # type: ignore[misc]
        self._flush(ledger, records)

    def _flush(self, ledger: Ledger, records: list[Record]) -> list[Record]:
        if records:
            self._append(ledger, records)
        return []

    def _append(self, ledger: Ledger, records: list[Record]) -> None:
        """Writes, and goes on trying while another process holds the ledger: what waits in the queue is bounded."""
        current = self._current
        while True:
            try:
                write(
                    ledger, self.run_id, records, current.lens.book, keep_plaintext=current.keep_plaintext,
                    max_body=current.max_body, people=current.lens.people,
                )  # fmt: skip
                return
            except LedgerBusyError as error:
                self.on_fault(str(error))

    def _follow(self, ledger: Ledger, settings: Settings) -> None:
        self._current = settings
        ledger.note_settings(self.run_id, {"regimes": [r.id for r in settings.regimes], **settings.on_record()}, now())
        self._state(ledger)

    def _state(self, ledger: Ledger) -> None:
        """What the auditor's property file says goes on the record, each statement once."""
        said = [mark_record(s) for s in self._current.lens.statements]
        write(ledger, self.run_id, said, self._current.lens.book, keep_plaintext=self._current.keep_plaintext)

    def _observe(self, stage: str, exchange: Exchange) -> Record | None:
        try:
            if stage == "request":
                record = request_record(exchange, self._current.lens, self._tally)
            else:
                record = response_record(exchange, self._current.lens)
        except Exception as error:
            # One exchange that cannot be read must not take the batch with it: it is a blind spot of its own.
            what = f"{type(error).__name__} at {exchange.host}{exchange.path}"[:200]
            self.on_fault(what)
            spot = BlindSpot(client=exchange.client, kind="addon_fault", detail=what, at=exchange.started_at)
            return spot_record(spot, f"{self.run_id}.{exchange.id}.{stage}.fault", exchange.started_at)
        for hit in record.observed.hits if record is not None else ():
            self._hits[hit.id] = hit.model_copy(update={"payload": None})
        while len(self._hits) > MOST_HITS:
            self._hits.popitem(last=False)
        return record

    def _judge(self, ledger: Ledger, *, provisional: bool) -> None:
        current = self._current
        judgement = judge_recording(
            ledger, self.run_id, current.regimes, current.lens.book, named=current.named, provisional=provisional
        )
        self.on_news(News(judgement, self._changed(judgement), final=not provisional))

    def _changed(self, judgement: Judgement) -> tuple[Told, ...]:
        """The hits whose verdict is new or another than before, with the violations that belong to them."""
        violations: dict[str, list[Violation]] = {}
        for violation in judgement.violations:
            violations.setdefault(violation.hit_id, []).append(violation)
        told = []
        for verdict in judgement.verdicts:
            hit = self._hits.get(verdict.hit_id)
            broken = violations.get(verdict.hit_id, [])
            what = (tuple(sorted(verdict.verdicts.items())), verdict.consent_state, tuple(v.rule for v in broken))
            if hit is None or self._known.get(hit.id) == what:
                continue
            new = Told(hit, verdict, tuple(broken))
            before = self._words.get(hit.id)
            told.append(replace(new, was=before) if before not in (None, new.word) else new)
            self._known[hit.id], self._words[hit.id] = what, new.word
        if len(self._known) > 2 * MOST_HITS:
            self._known = {k: v for k, v in self._known.items() if k in self._hits}
            self._words = {k: v for k, v in self._words.items() if k in self._hits}
        return tuple(told)

    def _finish(self, ledger: Ledger) -> None:
        at = now()
        records = [self._tally.record(f"traffic.{self.run_id}", at)]
        if self._dropped:
            spot = BlindSpot(client=None, kind="response_bodies_dropped", detail=f"{self._dropped} bodies", at=at)
            records.append(spot_record(spot, f"{self.run_id}.dropped", at))
        self._flush(ledger, records)
        self._judge(ledger, provisional=False)
        self.head = ledger.finish_run(self.run_id, at, complete=True)


def _size(exchange: Exchange) -> int:
    return len(exchange.body or b"") + len((exchange.response.body if exchange.response else None) or b"")
