"""A process beside the proxy for what takes long: reading, masking and judging, so that requests need not share Python.

It holds nothing that the recorder does not have too. What it cannot do, or can no longer do, the recorder does itself:
its end, its faults and its absence cost speed, and no observation.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from pixelwitness.audit.model import Judgement
from pixelwitness.exchange import Exchange
from pixelwitness.ledger.commit import keyed
from pixelwitness.ledger.store import Ledger, Prepared, observation_id, open_ledger, prepared
from pixelwitness.observations import Hit
from pixelwitness.proxy.recent import Recent
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.law import Regime
from pixelwitness.run import Lens, Tally, judge_recording, request_record, response_record, storing

NICER = 5
"""By how much it gives way to the proxy where both want the processor."""
LAST_SECONDS = 20.0
ANSWER_SECONDS = 60.0
"""After which a process that does not answer counts as hung: it is ended, and the recorder goes on by itself."""
CODE = "from pixelwitness.proxy.apart import main; main()"
PACKAGES = Path(__file__).resolve().parents[2]

type Staged = tuple[str, Exchange]


@dataclass(frozen=True)
class Setup:
    """By what is read and stored; of the recorder's settings what a process without mitmproxy needs."""

    lens: Lens
    keep_plaintext: bool
    max_body: int
    run_id: str
    db: Path
    secret: bytes


@dataclass(frozen=True)
class Done:
    """One exchange at one stage, read and ready to be written (None: it says nothing), and what else is to be known."""

    record: Prepared | None
    hits: tuple[Hit, ...]
    """Without their payloads."""
    counts: Counter[tuple[str, str, str]]


@dataclass(frozen=True)
class Reading:
    """Exchanges to be read; by a new set-up from here on, where there is one."""

    setup: Setup | None
    items: Sequence[Staged]


@dataclass(frozen=True)
class Judging:
    """A provisional judgement that is wanted: of the run's recording, or of what changed in it."""

    setup: Setup | None
    regimes: tuple[Regime, ...]
    named: tuple[str, ...]
    whole: bool


class Apart:
    """The process, as the recorder's thread sees it. It is started when first asked, and used once it is there."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._known: Setup | None = None
        self._starting: threading.Thread | None = None
        self._ready = False
        self.answered = 0
        """Questions that it answered."""
        self.gone = not sys.executable or getattr(sys, "frozen", False)
        """Whether there is none, or none any more."""

    def read(self, setup: Setup, items: Sequence[Staged]) -> Sequence[Done | None] | None:
        """What was read; None for one that failed there; None for all where the process cannot be asked."""
        made = self._ask(setup, lambda new: Reading(new, items))
        return made if isinstance(made, list) and len(made) == len(items) else None

    def judge(
        self, setup: Setup, regimes: tuple[Regime, ...], named: tuple[str, ...], *, whole: bool
    ) -> Judgement | None:  # fmt: skip
        """A provisional judgement (`whole`: of all, its tables written anew); None where the process cannot."""
        made = self._ask(setup, lambda new: Judging(new, regimes, named, whole))
        return made if isinstance(made, Judgement) else None

    def end(self) -> None:
        """Ends the process at once, from any thread: what was asked last gets no answer."""
        self.gone = True
        if self._process is not None:
            self._process.kill()

    def stop(self) -> None:
        """Ends the process; when this returns it holds no file any more."""
        if not self._ready:
            self.end()  # it is still loading, and nobody will ask
        self.gone = True
        if self._starting is not None:
            self._starting.join(LAST_SECONDS)
        process = self._process
        if process is None:
            return
        with contextlib.suppress(OSError):
            _into(process).close()
        try:
            process.wait(LAST_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _ask(self, setup: Setup, message: Any) -> Any:
        if self.gone:
            return None
        if self._starting is None:
            self._starting = threading.Thread(target=self._start, name="pixelwitness-apart", daemon=True)
            self._starting.start()
        if not self._ready or self._process is None:
            return None
        patience = threading.Timer(ANSWER_SECONDS, self._process.kill)
        patience.daemon = True
        patience.start()
        try:
            # In one piece before anything is sent: what cannot be pickled must not leave half a message behind.
            text = pickle.dumps(message(setup if setup is not self._known else None), pickle.HIGHEST_PROTOCOL)
            into = _into(self._process)
            into.write(text)
            into.flush()
            self._known = setup
            made = pickle.load(_out_of(self._process))  # noqa: S301  our own process, over a pipe of ours
            self.answered += 1
        except Exception:
            self.gone = True
            self._process.kill()
            return None
        finally:
            patience.cancel()
        return made

    def _start(self) -> None:
        path = os.pathsep.join(filter(None, (str(PACKAGES), os.environ.get("PYTHONPATH"))))
        group: dict[str, Any] = {"start_new_session": True}  # Ctrl-C is the proxy's business
        if sys.platform == "win32":
            group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
        try:
            self._process = subprocess.Popen(  # noqa: S603  ourselves
                [sys.executable, "-P", "-c", CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": path}, **group,
            )  # fmt: skip
            if self.gone:  # the run has ended meanwhile
                self._process.kill()
            self._ready = pickle.load(_out_of(self._process)) == "ready"  # noqa: S301  our own process
        except Exception:
            self._ready = False
        self.gone = self.gone or not self._ready


def _into(process: subprocess.Popen[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", process.stdin)


def _out_of(process: subprocess.Popen[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", process.stdout)


# --- in the process -----------------------------------------------------------------------------------------------


def main() -> None:
    """Answers until nobody asks any more."""
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that is printed may get among the answers
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(NICER)
    answer(questions, answers)


def answer(questions: IO[bytes], answers: IO[bytes]) -> None:
    """Reads questions and writes their answers, until the end."""
    desk = _Desk()
    try:
        pickle.dump("ready", answers)
        answers.flush()
        while True:
            asked = pickle.load(questions)  # noqa: S301  the recorder's, over a pipe of its own
            answers.write(pickle.dumps(desk.answer(asked), pickle.HIGHEST_PROTOCOL))
            answers.flush()
    except (EOFError, OSError, pickle.UnpicklingError):
        return  # the proxy has ended, in whatever way
    finally:
        desk.close()


class _Desk:
    def __init__(self) -> None:
        self._setup: Setup | None = None
        self._ledger: Ledger | None = None
        self._recent = Recent()

    def answer(self, asked: Reading | Judging) -> list[Done | None] | Judgement | None:
        self._setup = setup = asked.setup or self._setup
        if setup is None:
            return None
        if isinstance(asked, Reading):
            return read(setup, asked.items)
        try:
            if self._ledger is None:
                self._ledger = open_ledger(setup.db, create=False)
            how = (asked.regimes, setup.lens.book, asked.named)
            return judge_provisionally(self._ledger, setup.run_id, *how, self._recent, whole=asked.whole)
        except Exception:
            return None  # the recorder does it itself, and says what is wrong

    def close(self) -> None:
        if self._ledger is not None:
            self._ledger.close()


def judge_provisionally(
    ledger: Ledger, run_id: str, regimes: Sequence[Regime], book: Rulebook, named: Iterable[str], recent: Recent, *,
    whole: bool,
) -> Judgement:  # fmt: skip
    """A judgement while the run goes on: of the whole recording, its tables written anew; or of what changed lately."""
    if whole:
        return judge_recording(ledger, run_id, regimes, book, named=named, provisional=True)
    recent.follow(ledger, run_id)
    return recent.judged(regimes, book, named)


def read(setup: Setup, items: Sequence[Staged]) -> list[Done | None]:
    """Exchanges read, masked and ready to be written; None for one that failed."""
    how = storing(
        setup.lens.book, keep_plaintext=setup.keep_plaintext, max_body=setup.max_body, people=setup.lens.people
    )
    leaf = keyed(setup.secret)
    made: list[Done | None] = []
    for stage, exchange in items:
        tally = Tally()
        try:
            record = (
                request_record(exchange, setup.lens, tally)
                if stage == "request"
                else response_record(exchange, setup.lens)
            )
            if record is None:
                made.append(Done(None, (), tally.counts))
                continue
            ready = prepared(record, how, leaf, observation_id(record, setup.run_id))
        except Exception:
            made.append(None)
            continue
        hits = tuple(hit.model_copy(update={"payload": None}) for hit in record.observed.hits)
        made.append(Done(ready, hits, tally.counts))
    return made
