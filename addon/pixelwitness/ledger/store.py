"""A ledger file: opened, written to in one transaction a batch, read back as rows for judging."""

from __future__ import annotations

import json
import secrets
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from pixelwitness.audit.model import Rows
from pixelwitness.exchange import iso
from pixelwitness.ledger import opening, reading
from pixelwitness.ledger.chain import GENESIS, Part, Row, body_hash, row_hash
from pixelwitness.ledger.commit import LeafOf, keyed
from pixelwitness.ledger.errors import LedgerError, in_words
from pixelwitness.ledger.observed import masked_client
from pixelwitness.ledger.parts import Record, RunInfo, Storing, cells_of, fact, parts_of
from pixelwitness.ledger.reading import Recorded
from pixelwitness.mask import mask_text
from pixelwitness.observations import (
    Observed,
)

__all__ = ["Ledger", "LedgerError", "Record", "Run", "RunInfo", "open_ledger", "read_ledger"]


COLUMNS = {
    "observations": (*Row.__slots__, "prev_hash", "hash"),
    "observation_parts": ("run_id", "seq", *Part.__slots__),
}
PART_CELLS = attrgetter(*Part.__slots__)


@dataclass(frozen=True)
class Run:
    """A run that was begun. `already_complete`: the same capture was read to its end before."""

    id: str
    already_complete: bool


@dataclass(frozen=True)
class Prepared:
    """An observation that is to be appended, masked and ready."""

    kind: str
    id: str
    at: int | None
    parts: tuple[Part, ...]
    client: str | None = None
    exchange_id: str | None = None


class Ledger:
    """One SQLite file. Not for use from more than one thread."""

    def __init__(self, db: Database, path: Path) -> None:
        self.db = db
        self.path = path
        self._leaf: LeafOf | None = None

    def close(self) -> None:
        """Closes the file, folding the write-ahead log into it."""
        self.db.close()

    def up_to_date(self, copy: Path) -> Path:
        """A file with today's tables and views: this one, or a copy where this one is of an older schema."""
        if any(row["file"] for row in self.db.query("pragma database_list")):
            return self.path
        other = open_ledger(copy)
        self.db.conn.backup(other.db.conn)
        other.close()
        return copy

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction that holds the write lock from its start: two writers must not fork a chain.

        Raises LedgerError where another process holds the lock for too long, or the disk is full.
        """
        try:
            if self.db.conn.in_transaction:
                with self.db.atomic():
                    yield
                return
            self.db.conn.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.db.conn.execute("COMMIT")
            except BaseException:
                self.db.conn.rollback()
                raise
        except sqlite3.OperationalError as error:
            raise in_words(self.path, error) from error

    @property
    def leaf(self) -> LeafOf:
        """How values are committed to in this ledger. Raises LedgerError for a copy for sharing."""
        if self._leaf is None:
            self._leaf = keyed(self.secret)
        return self._leaf

    @property
    def secret(self) -> bytes:
        """From which the salts of values follow. Raises LedgerError for a copy for sharing."""
        rows = list(self.db.query("select secret from runs order by rowid limit 1"))
        if not rows or not rows[0]["secret"]:
            raise LedgerError(f"{self.path}: is a copy for sharing, nothing can be added. Use the original")
        return bytes.fromhex(rows[0]["secret"])

    # --- runs -------------------------------------------------------------------------------------------------------

    def begin_run(self, info: RunInfo) -> Run:
        """Starts a run, or finds the same replay again."""
        run_id = info.replay_id() if info.kind == "replay" else secrets.token_hex(8)
        with self.writing():
            known = list(self.db.query("select complete from runs where id = ?", [run_id]))
            if known:
                return Run(run_id, bool(known[0]["complete"]))
            before = list(self.db.query("select id, chain_head, secret from runs order by rowid desc limit 1"))
            secret = before[0]["secret"] if before else secrets.token_hex(32)
            if not secret:
                raise LedgerError(f"{self.path}: is a copy for sharing, nothing can be added. Use the original")
            facts = info.facts()
            # The run before is named, with its head: no earlier run can be taken out of the file unseen.
            after = [before[0]["id"], before[0]["chain_head"]] if before else None
            row = {
                **cells_of(facts), "id": run_id, "recording": run_id, "regimes": json.dumps(info.regimes),
                "named": "[]", "finished_at": None, "chain_head": GENESIS, "observations": 0, "complete": 0, "note": "",
                "secret": secret,
            }  # fmt: skip
            self.insert("runs", [row])
            part = fact("run", {**facts, "after": after, "salts": "derived"}, self.leaf)
            self._append(run_id, [Prepared("run", run_id, info.started_at, (part,))])
        return Run(run_id, False)

    def finish_run(self, run_id: str, at: int, *, complete: bool, note: str = "") -> str:
        """Ends a run and returns its chain head."""
        facts = {"finished_at": iso(at), "complete": int(complete), "note": mask_text(note)}
        with self.writing():
            ends = list(self.facts("end", run_id))
            if not ends or ends[-1] != facts:
                self._append(
                    run_id, [Prepared("end", f"{run_id}.end.{len(ends)}", at, (fact("end", facts, self.leaf),))]
                )
            query = "update runs set finished_at = ?, complete = ?, note = ? where id = ?"
            self.db.execute(query, [*facts.values(), run_id])
        return self.head(run_id)

    def note_judgement(
        self, run_id: str, asked: dict[str, Any], revisions: Sequence[dict[str, Any]], at: int
    ) -> None:  # fmt: skip
        """Puts on the record by what a recording was judged, and which provisional verdicts changed.

        `asked` are regimes, those named and proposed, the digest of the rules, and whether it is provisional; the
        same again adds nothing.
        """
        said = list(self.facts("judgement", *self.runs_of(self.recording_of(run_id))))
        last = {k: v for k, v in said[-1].items() if k in asked} if said else None
        if last != asked or revisions:
            facts = {**asked, "revisions": list(revisions), "number": len(said)}
            id_ = f"{run_id}.judgement.{secrets.token_hex(4)}"
            self._append(run_id, [Prepared("judgement", id_, at, (fact("judgement", facts, self.leaf),))])

    def note_settings(self, run_id: str, settings: dict[str, Any], at: int) -> None:
        """Puts on the record that a live run goes on with other settings."""
        self.note(run_id, "settings", at, settings)

    def note(self, run_id: str, kind: str, at: int, facts: dict[str, Any]) -> None:
        """Puts on the record what is said of a run from time to time: `settings`, `timestamp`."""
        with self.writing():
            number = len(list(self.facts(kind, run_id)))
            part = fact(kind, {**facts, "number": number}, self.leaf)
            self._append(run_id, [Prepared(kind, f"{run_id}.{kind}.{number}", at, (part,))])

    def facts(self, kind: str, *run_ids: str) -> Iterable[dict[str, Any]]:
        """What runs say of themselves: `run`, `end`, `settings`, `judgement`, `timestamp` or `joined`, in order."""
        marks = ",".join("?" * len(run_ids))
        query = f"""
            select p.content from observations o join observation_parts p
              on p.run_id = o.run_id and p.seq = o.seq and p.name = o.kind
            where o.kind = ? and o.run_id in ({marks})
        """  # noqa: S608  only marks
        found = [json.loads(zlib.decompress(r["content"])) for r in self.db.query(query, [kind, *run_ids])]
        return sorted(found, key=lambda f: f.get("number", 0))

    def head(self, run_id: str) -> str:
        """The hash of the last observation of a run."""
        return self._tail(run_id)[0]

    def recording_of(self, run_id: str) -> str:
        """The recording that a run belongs to: runs that share an exchange are parts of one."""
        rows = list(self.db.query("select recording from runs where id = ?", [run_id]))
        if not rows:
            raise LedgerError(f"{self.path}: holds no run {run_id}. `pixelwitness report {self.path}` lists them")
        return str(rows[0]["recording"])

    def runs_of(self, recording: str) -> list[str]:
        """The runs of a recording, the first one first."""
        return [r["id"] for r in self.db.query("select id from runs where recording = ? order by rowid", [recording])]

    def is_open_live(self, run_id: str) -> bool:
        """Whether a run is live and not finished: the verdicts so far are provisional."""
        query = "select 1 from runs where id = ? and kind = 'live' and complete = 0"
        return bool(list(self.db.query(query, [run_id])))

    # --- observations -----------------------------------------------------------------------------------------------

    def record(self, run_id: str, batch: Sequence[Record | Prepared], how: Storing) -> int:
        """Writes a batch in one transaction and returns how many of its records were new.

        What is in the ledger already (the same exchange at the same stage) is not added again. Another process may
        append to the same run: the chain's head is read inside the transaction.
        """
        keys = [(r.kind, r.id if isinstance(r, Prepared) else observation_id(r, run_id)) for r in batch]
        made = [
            partial(_itself, r) if isinstance(r, Prepared) else partial(prepared, r, how, self.leaf, id_)
            for r, (_, id_) in zip(batch, keys, strict=True)
        ]
        return self._add(run_id, keys, made)

    def add(self, run_id: str, batch: Sequence[Prepared]) -> int:
        """The same for records that another process prepared."""
        return self._add(run_id, [(p.kind, p.id) for p in batch], [partial(_itself, p) for p in batch])

    def _add(self, run_id: str, keys: Sequence[tuple[str, str]], made: Sequence[Callable[[], Prepared]]) -> int:
        with self.writing():
            known = self._known(keys)
            new: list[Prepared] = []
            shared: set[str] = set()
            for key, make in zip(keys, made, strict=True):
                if key in known:
                    shared.add(known[key])
                    continue
                known[key] = run_id
                new.append(make())
            self._append(run_id, new)
            for other in sorted(shared - {run_id}):
                self._join(run_id, other)
        return len(new)

    def holds(self, kind: str, id_: str) -> bool:
        """Whether an observation is in the ledger."""
        return (kind, id_) in self._known([(kind, id_)])

    def _append(self, run_id: str, new: Sequence[Prepared]) -> None:
        """Adds observations to a run's chain; inside a transaction."""
        if not new:
            return
        prev, seq = self._tail(run_id)
        rows: list[tuple[Any, ...]] = []
        parts: list[tuple[Any, ...]] = []
        for seq, one in enumerate(new, seq + 1):  # noqa: B020  counts on from the tail
            row = Row(run_id, seq, one.id, one.kind, one.client, one.exchange_id, one.at)
            head = row_hash(prev, body_hash(row, one.parts, self.leaf))
            rows.append((run_id, seq, one.id, one.kind, one.client, one.exchange_id, one.at, prev, head))
            parts += [(run_id, seq, *PART_CELLS(p)) for p in one.parts]
            prev = head
        self.insert("observations", rows)
        self.insert("observation_parts", parts)
        self.db.execute("update runs set chain_head = ?, observations = ? where id = ?", [prev, seq, run_id])

    def insert(self, table: str, rows: Sequence[dict[str, Any]] | Sequence[tuple[Any, ...]]) -> None:
        """Adds rows, all with the same columns, to a table; inside a transaction. Tuples: of a table of `COLUMNS`."""
        first = rows[0]
        columns = list(first) if isinstance(first, dict) else COLUMNS[table]
        query = f"insert into {table} ({', '.join(columns)}) values ({', '.join('?' * len(columns))})"  # noqa: S608  fixed names
        self.db.conn.executemany(query, map(itemgetter(*columns), rows) if isinstance(first, dict) else rows)

    def _known(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Which of some observations are in the ledger, and in which run."""
        found: dict[tuple[str, str], str] = {}
        by_kind: dict[str, list[str]] = {}
        for kind, id_ in dict.fromkeys(keys):
            by_kind.setdefault(kind, []).append(id_)
        for kind, ids in by_kind.items():
            for start in range(0, len(ids), 500):
                some = ids[start : start + 500]
                # With the kind the index answers; by id alone SQLite would read the whole table.
                query = f"select id, run_id from observations where kind = ? and id in ({','.join('?' * len(some))})"  # noqa: S608  only marks
                found.update({(kind, r["id"]): r["run_id"] for r in self.db.query(query, [kind, *some])})
        return found

    def _tail(self, run_id: str) -> tuple[str, int]:
        query = "select hash, seq from observations where run_id = ? order by seq desc limit 1"
        rows = list(self.db.query(query, [run_id]))
        return (str(rows[0]["hash"]), int(rows[0]["seq"])) if rows else (GENESIS, 0)

    def _join(self, run_id: str, other: str) -> None:
        """Two runs saw the same exchange: they are parts of one recording and are judged together."""
        id_ = f"{run_id}.{other}"
        if not self._known([("joined", id_)]):
            self._append(run_id, [Prepared("joined", id_, None, (fact("joined", {"run": other}, self.leaf),))])
        mine, theirs = self.recording_of(run_id), self.recording_of(other)
        if mine != theirs:
            self.db.execute("update runs set recording = ? where recording = ?", [theirs, mine])

    # --- reading ----------------------------------------------------------------------------------------------------

    def observed(self, recording: str) -> Iterable[tuple[dict[str, Any], Observed, dict[str, Any]]]:
        """Every observation of a recording in order: its row, what it says, and its request's or response's facts."""
        return reading.observed(self.db, recording)

    def recorded(self, recording: str) -> Recorded:
        """Everything observed in a recording, for judging it and for its public tables."""
        return reading.recorded(self.db, recording)

    def since(self, run_id: str, seq: int) -> Iterable[tuple[int, Observed]]:
        """What one run observed after some place in its chain, with the place of each."""
        query = """
            select seq, content from observation_parts where run_id = ? and seq > ? and name = 'observed' order by seq
        """
        for row in self.db.query(query, [run_id, seq]):
            yield row["seq"], Observed.model_validate_json(zlib.decompress(row["content"]))

    def rows(self, recording: str) -> Rows:
        """Everything observed in a recording, as judging takes it."""
        return self.recorded(recording).rows


def _itself(one: Prepared) -> Prepared:
    return one


def prepared(record: Record, how: Storing, leaf: LeafOf, id_: str) -> Prepared:
    """A record as it is stored: its parts, masked. Pure, so that any process can do it."""
    exchange = record.exchange
    parts = tuple(parts_of(record, how, leaf))
    client = masked_client(exchange.client, how.people, leaf) if exchange else None
    return Prepared(record.kind, id_, record.at, parts, client, exchange.id if exchange else None)


def observation_id(record: Record, run_id: str) -> str:
    """By what a record is known again: the exchange's id, or its own."""
    if record.exchange is not None:
        return record.exchange.id
    return record.id if record.id is not None else f"{run_id}.{record.kind}.{record.at}.{secrets.token_hex(4)}"


def open_ledger(path: Path, *, create: bool = True) -> Ledger:
    """Opens or creates a ledger to write to, readable by its owner only. Raises LedgerError."""
    return Ledger(opening.to_write(path, create=create), path)


def read_ledger(path: Path) -> Ledger:
    """Opens a ledger to read, without changing a byte of it. Raises LedgerError."""
    return Ledger(opening.to_read(path), path)
