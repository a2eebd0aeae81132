"""The writer thread of a live run: reads, writes and judges off the event loop, and tells it what was judged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from pixelwitness.audit.model import Judgement
from pixelwitness.exchange import Exchange
from pixelwitness.ledger.errors import LedgerBusyError
from pixelwitness.ledger.store import Ledger, LedgerError, Prepared, Record, RunInfo, open_ledger
from pixelwitness.observations import BlindSpot, Signal
from pixelwitness.proxy.apart import Apart, Setup, Staged, judge_provisionally
from pixelwitness.proxy.backlog import Backlog
from pixelwitness.proxy.faults import Lost, fault
from pixelwitness.proxy.news import Known, News
from pixelwitness.proxy.recent import Recent, merged
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
JUDGE_EVERY = 1.0
TELL_EVERY = 1.0
COUNT_EVERY = 10.0
"""Seconds after which the counts of requests go on the record."""
RETRY = 1.0
LAST_TRIES = 30.0
"""Seconds for which a run that ends goes on trying to write to a ledger that it cannot write to."""
ORPHAN_SECONDS = 10.0
WHOLE_UP_TO = 3_000
"""Observations up to which every judgement is of the whole recording and writes the public tables."""
HELP_SECONDS = 10.0
"""For how long a run that ends still lets the process beside it help: one that hangs must not hold up the end."""
APART_AFTER = 100
"""Exchanges after which a process beside this one reads and judges: for fewer it is not worth its start."""

type Task = Callable[[Ledger, str], object]
"""Something to do with the ledger and the run's id, in the writer thread."""
type Small = BlindSpot | Signal | Settings | Task
type Item = Staged | Small
type Written = Record | Prepared


class Recorder:
    """Owns the ledger of a live run. `put` never waits for the disk; `close` returns when all is on it.

    `on_news` and `on_fault` are called in the writer thread.
    """

    def __init__(
        self, settings: Settings, *, on_news: Callable[[News], object], on_fault: Callable[[str], object],
        backlog: Backlog[Small] | None = None,
    ) -> None:  # fmt: skip
        self.settings = settings
        """As of the last change that was asked for; the writer thread follows in the order of its queue."""
        self.on_news, self.on_fault = on_news, on_fault
        self.backlog: Backlog[Small] = backlog or Backlog()
        self.run_id = ""
        self.head = ""
        """The chain's head once the run is closed; empty where it could not be."""
        self.failure = ""
        """What went wrong last."""
        self._current = settings
        self._opened = threading.Event()
        self._cannot_open: BaseException | None = None
        self._orphaned: float | None = None
        self._closing: float | None = None
        self.unwritten = 0
        """Observations that could not be stored."""
        self._untold = 0
        self._hopeless = False
        self._said: set[tuple[str, str]] = set()
        self._number = 0
        self._tally, self._counted, self._told = Tally(), time.monotonic(), time.monotonic()
        self._known = Known()
        self._apart, self._read = Apart(), 0
        self._setup: Setup | None = None
        self._recent, self._written = Recent(), 0
        self._judgement: Judgement | None = None
        self._stale = False
        """Whether the public tables are behind the record."""
        self._thread = threading.Thread(target=self._work, name="pixelwitness-recorder", daemon=False)

    def start(self) -> None:
        """Opens the ledger in the writer thread. Raises what that raised (LedgerError)."""
        self._thread.start()
        self._opened.wait()
        if self._cannot_open is not None:
            raise self._cannot_open

    @property
    def alive(self) -> bool:
        """Whether it still records."""
        return self._thread.is_alive()

    def put(self, stage: str, exchange: Exchange) -> bool:
        """Hands over an exchange at a stage; False where there is no room for it at the moment."""
        return self.backlog.offer(stage, exchange)

    def note(self, what: BlindSpot | Signal) -> None:
        """Hands over a blind spot that belongs to no exchange, or an auditor's mark."""
        if isinstance(what, Signal):
            self.backlog.put(what)
        elif not self.backlog.note(what):
            self.backlog.passed(what.client, what.host or what.kind)

    def change(self, settings: Settings) -> None:
        """From the next exchange on other settings hold; the change is on the run's record."""
        self.settings = settings
        self.backlog.put(settings)

    def ask(self, task: Task) -> None:
        """Has something done in the writer thread, where the ledger is."""
        self.backlog.put(task)

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
            self._closing = time.monotonic()
            self.backlog.put(None)
            self._thread.join(HELP_SECONDS)
            if self._thread.is_alive():
                self._apart.end()  # whatever it was asked, the recorder does itself
            self._thread.join()

    # --- in the writer thread ---------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            ledger = open_ledger(self._current.db)
            # What is committed is on the disk, even if the machine loses its power.
            ledger.db.execute("PRAGMA synchronous=FULL")
            current = self._current
            info = RunInfo(
                "live", program(), mitmproxy_version(), current.lens.book.digest, now(), current.on_record(), (),
                tuple(r.id for r in current.regimes),
            )  # fmt: skip
            self.run_id = ledger.begin_run(info).id
            self._set_up(ledger)
            self._state(ledger)
        except BaseException as error:
            self._cannot_open = error
            self._opened.set()
            return
        self._opened.set()
        judged, pending, cost = 0.0, False, 0.0
        ending = False
        while not ending:
            batch, size, ending = self.backlog.take(BATCH, WAIT)
            ending = ending or self._abandoned()
            if batch:
                self._guarded(ledger, "writing", lambda b=batch: self._write(ledger, b), "addon_fault")  # type: ignore[misc]
                self.backlog.written(len(batch), size)
                pending = True
            # Judging what grows costs more each time: never more than a tenth of the time.
            if (
                pending
                and not ending
                and self._closing is None
                and time.monotonic() - judged > max(JUDGE_EVERY, 10 * cost)
            ):
                start = time.monotonic()
                self._guarded(ledger, "judging", lambda: self._judge(ledger, provisional=True))
                judged, pending, cost = time.monotonic(), False, time.monotonic() - start
        self._apart.stop()  # what is left is done here, and nobody else holds the file when it is closed
        self._finish(ledger)
        ledger.close()

    def _abandoned(self) -> bool:
        left = self._orphaned
        return left is not None and time.monotonic() - left > ORPHAN_SECONDS

    def _guarded(
        self, ledger: Ledger, stage: str, action: Callable[[], object], kind: Lost = "program_fault"
    ) -> bool:  # fmt: skip
        """The proxy goes on whatever happens here; the fault is told, and is on the record once for each place."""
        try:
            action()
        except LedgerError as error:
            self.failure = str(error)
            self.on_fault(self.failure)
        except Exception as error:
            spot = fault(stage, error, kind)
            self.failure = spot.detail
            self.on_fault(f"{spot.detail}: {error}")
            if (stage, spot.detail) not in self._said:
                self._said.add((stage, spot.detail))
                self._guarded(ledger, "writing", lambda: self._append(ledger, [self._spot(spot)]))
        else:
            return True
        return False

    def _write(self, ledger: Ledger, batch: list[Item]) -> None:
        records: list[Written] = []
        exchanges: list[Staged] = []
        for item in batch:
            if isinstance(item, tuple):
                exchanges.append(item)
                continue
            records += self._observed(exchanges)
            exchanges = []
            if isinstance(item, BlindSpot):
                records.append(self._spot(item))
            elif isinstance(item, Signal):
                records.append(mark_record(item))
            elif isinstance(item, Settings):
                records = self._flush(ledger, records)
                self._guarded(ledger, "settings", lambda settings=item: self._follow(ledger, settings))  # type: ignore[misc]
            else:
                records = self._flush(ledger, records)
                self._guarded(ledger, "a report", lambda task=item: self._do(ledger, task))  # type: ignore[misc]
        self._flush(ledger, [*records, *self._observed(exchanges), *self._accounts()])

    def _do(self, ledger: Ledger, task: Task) -> None:
        if self._stale:
            self._judged_whole(ledger, provisional=True)
        task(ledger, self.run_id)

    def _spot(self, spot: BlindSpot) -> Record:
        """A blind spot as a record: each counts, also where two are alike."""
        self._number += 1
        at = spot.at or now()
        return spot_record(spot, f"{self.run_id}.{spot.kind}.{self._number}.{at}", at)

    def _accounts(self, *, all_of_it: bool = False) -> list[Record]:
        """What fell short, and how many requests there were, from time to time: a run may be killed."""
        at, moment, made = now(), time.monotonic(), []
        if all_of_it or moment - self._told > TELL_EVERY:
            self._told = moment
            made += [self._spot(spot) for spot in self.backlog.told(at)]
            if self._untold:
                detail = f"storing: {self._untold} observations could not be stored: {self.failure}"[:300]
                made.append(self._spot(BlindSpot(client=None, kind="addon_fault", detail=detail, at=at)))
                self._untold = 0
        if all_of_it or (moment - self._counted > COUNT_EVERY and self._tally.counts):
            self._counted = moment
            self._number += 1
            made.append(self._tally.record(f"traffic.{self.run_id}.{self._number}", at))
            self._tally = Tally()
        return made

    def _flush(self, ledger: Ledger, records: list[Written]) -> list[Written]:
        if records:
            self._append(ledger, records)
        return []

    def _append(self, ledger: Ledger, records: Sequence[Written]) -> None:
        """Writes, and goes on trying while the ledger cannot be written: what waits meanwhile is bounded."""
        while not self._hopeless:
            try:
                self._store(ledger, records)
                return
            except LedgerError as error:
                self.failure = str(error)
                self.on_fault(self.failure)
                closing = self._closing
                self._hopeless = closing is not None and time.monotonic() - closing > LAST_TRIES
                if not isinstance(error, LedgerBusyError):  # for that SQLite itself has waited
                    time.sleep(RETRY)
            except Exception as error:
                if len(records) == 1:
                    self._say_instead(ledger, records[0], error)
                else:  # one that cannot be stored must not take the others with it
                    for record in records:
                        self._append(ledger, [record])
                return
        self._lose(len(records))

    def _store(self, ledger: Ledger, records: Sequence[Written]) -> None:
        current = self._current
        write(
            ledger, self.run_id, records, current.lens.book, keep_plaintext=current.keep_plaintext,
            max_body=current.max_body, people=current.lens.people,
        )  # fmt: skip
        self._written += len(records)

    def _say_instead(self, ledger: Ledger, record: Written, error: Exception) -> None:
        """That an observation could not be stored, with its host; without it where that cannot be stored either."""
        spot = fault("storing", error, "addon_fault", of=record.exchange if isinstance(record, Record) else None)
        self.failure = spot.detail
        self.on_fault(f"{spot.detail}: {error}")
        bare = fault("storing", error, "addon_fault")
        for instead in (self._spot(spot), replace(self._spot(bare), ours=True)):
            try:
                self._store(ledger, [instead])
                return
            except Exception:  # noqa: S112  the next try, or the count, says it
                continue
        self._lose(1)

    def _lose(self, count: int) -> None:
        self.unwritten += count
        self._untold += count

    def _follow(self, ledger: Ledger, settings: Settings) -> None:
        self._current = settings
        self._set_up(ledger)
        ledger.note_settings(self.run_id, {"regimes": [r.id for r in settings.regimes], **settings.on_record()}, now())
        self._state(ledger)

    def _state(self, ledger: Ledger) -> None:
        """What the auditor's property file says goes on the record, each statement once."""
        said = [mark_record(s) for s in self._current.lens.statements]
        write(ledger, self.run_id, said, self._current.lens.book, keep_plaintext=self._current.keep_plaintext)

    def _set_up(self, ledger: Ledger) -> None:
        now = self._current
        self._setup = Setup(now.lens, now.keep_plaintext, now.max_body, self.run_id, now.db.absolute(), ledger.secret)

    def _helper(self) -> Setup | None:
        """With what the process beside this one is asked, once that is worth it."""
        return self._setup if self._read >= APART_AFTER else None

    def _observed(self, exchanges: Sequence[Staged]) -> list[Written]:
        """Exchanges as records, read in the process beside this one where it is there, in any case in their order."""
        if not exchanges:
            return []
        self._read += len(exchanges)
        setup, made = self._helper(), []
        done = self._apart.read(setup, exchanges) if setup is not None else None
        for item, one in zip(exchanges, done or [None] * len(exchanges), strict=True):
            if one is None:  # not read there; or it failed there, and fails here in our own words
                record: Written | None = self._observe(*item)
            else:
                self._tally.counts.update(one.counts)
                self._known.add(one.hits)
                record = one.record
            if record is not None:
                made.append(record)
        return made

    def _observe(self, stage: str, exchange: Exchange) -> Record | None:
        try:
            if stage == "request":
                record = request_record(exchange, self._current.lens, self._tally)
            else:
                record = response_record(exchange, self._current.lens)
        except Exception as error:
            # One exchange that cannot be read must not take the batch with it: it is a blind spot of its own.
            spot = fault(f"reading a {stage}", error, "addon_fault", of=exchange)
            self.on_fault(spot.detail)
            return self._spot(spot)
        self._known.add(record.observed.hits if record is not None else ())
        return record

    def _judge(self, ledger: Ledger, *, provisional: bool) -> None:
        current = self._current
        if not provisional:
            self._judgement = self._judged_whole(ledger, provisional=False)
        else:
            whole, setup = self._written <= WHOLE_UP_TO, self._helper()
            new = self._apart.judge(setup, current.regimes, current.named, whole=whole) if setup is not None else None
            if new is None and self._closing is not None:
                return  # all of it is about to be judged
            if new is None:
                how = (current.regimes, current.lens.book, current.named)
                new = judge_provisionally(ledger, self.run_id, *how, self._recent, whole=whole)
            self._stale = not whole
            self._judgement = new if whole else merged(self._judgement, new)
        self.on_news(News(self._judgement, self._known.changed(self._judgement), final=not provisional))

    def _judged_whole(self, ledger: Ledger, *, provisional: bool) -> Judgement:
        now = self._current
        self._stale = False
        book, named = now.lens.book, now.named
        return judge_recording(ledger, self.run_id, now.regimes, book, named=named, provisional=provisional)

    def _finish(self, ledger: Ledger) -> None:
        if not self._hopeless:
            self.failure = ""  # what went wrong before was mended
        whole = self._guarded(ledger, "writing", lambda: self._append(ledger, self._accounts(all_of_it=True)))
        if self._hopeless:
            return
        judged = self._guarded(ledger, "judging", lambda: self._judge(ledger, provisional=False))
        complete = whole and judged and not self.unwritten

        def end() -> None:
            self.head = ledger.finish_run(self.run_id, now(), complete=complete, note=self.failure)

        self._guarded(ledger, "closing", end)
