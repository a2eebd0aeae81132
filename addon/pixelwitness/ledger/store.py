"""A ledger file: opened, written to in one transaction a batch, read back as rows for judging."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sqlite3
import zlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from pixelwitness.audit.model import Rows
from pixelwitness.exchange import Exchange, iso
from pixelwitness.ledger.chain import GENESIS, Part, part, row_hash
from pixelwitness.ledger.schema import migrations
from pixelwitness.mask import mask_body, mask_headers, mask_text
from pixelwitness.observations import BlindSpot, FirstParty, Frame, Hit, Observed, PageView, PixelSettings, Signal

MAX_STORED_BODY = 256 * 1024

type Claims = Callable[[Iterable[str]], Collection[str]]
"""Which of some cookie names may be stored with their values."""


class LedgerError(Exception):
    """A ledger that cannot be used. One line: which file, what, and what to do."""


@dataclass(frozen=True)
class RunInfo:
    """What a run is: recorded before its first observation."""

    kind: str
    """`replay` or `live`."""
    program: str
    mitmproxy: str
    rules_digest: str
    started_at: int
    options: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[tuple[str, str], ...] = ()
    """Name and SHA-256 of each capture."""
    regimes: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """A replay's id follows from what it read and how; a live run's is random."""
        if self.kind != "replay":
            return secrets.token_hex(8)
        what = json.dumps([sorted(d for _, d in self.inputs), self.options], sort_keys=True)
        return hashlib.sha256(what.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Record:
    """One thing to write: an exchange at a stage (`request`, `response`), or an observation without one."""

    kind: str
    observed: Observed
    at: int
    exchange: Exchange | None = None
    id: str | None = None
    """For records without an exchange: what makes them the same when seen again."""
    counts: dict[str, int] | None = None
    capture: str = ""


@dataclass(frozen=True)
class Run:
    """A run that was begun. `already_complete`: the same capture was read to its end before."""

    id: str
    already_complete: bool


class Ledger:
    """One SQLite file. Not for use from more than one thread."""

    def __init__(self, db: Database, path: Path) -> None:
        self.db = db
        self.path = path

    def close(self) -> None:
        """Closes the file, folding the write-ahead log into it."""
        self.db.close()

    # --- runs -------------------------------------------------------------------------------------------------------

    def begin_run(self, info: RunInfo) -> Run:
        """Starts a run, or finds the same replay again."""
        run_id = info.id
        known = list(self.db.query("select complete from runs where id = ?", [run_id]))
        if known:
            return Run(run_id, bool(known[0]["complete"]))
        row = {
            "id": run_id,
            "recording": run_id,
            "kind": info.kind,
            "program": info.program,
            "mitmproxy": info.mitmproxy,
            "rules_digest": info.rules_digest,
            "options": json.dumps(info.options, sort_keys=True),
            "inputs": json.dumps([{"name": n, "sha256": d} for n, d in info.inputs]),
            "regimes": json.dumps(info.regimes),
            "named": "[]",
            "started_at": iso(info.started_at),
            "finished_at": None,
            "chain_head": GENESIS,
            "observations": 0,
            "complete": 0,
            "note": "",
        }
        with self.db.atomic():
            self.db.table("runs").insert(row)
        return Run(run_id, False)

    def finish_run(self, run_id: str, at: int, *, complete: bool, note: str = "") -> str:
        """Ends a run and returns its chain head."""
        with self.db.atomic():
            self.db.execute(
                "update runs set finished_at = ?, complete = ?, note = ? where id = ?",
                [iso(at), int(complete), note, run_id],
            )
        return self.head(run_id)

    def head(self, run_id: str) -> str:
        """The hash of the last observation of a run."""
        rows = list(self.db.query("select hash from observations where run_id = ? order by seq desc limit 1", [run_id]))
        return str(rows[0]["hash"]) if rows else GENESIS

    def recording_of(self, run_id: str) -> str:
        """The recording that a run belongs to: runs that share an exchange are parts of one."""
        rows = list(self.db.query("select recording from runs where id = ?", [run_id]))
        if not rows:
            raise LedgerError(f"{self.path}: holds no run {run_id}. `pixelwitness report {self.path}` lists them")
        return str(rows[0]["recording"])

    # --- observations -----------------------------------------------------------------------------------------------

    def record(self, run_id: str, batch: Sequence[Record], claims: Claims, *, keep_plaintext: bool = False) -> int:
        """Writes a batch in one transaction and returns how many of its records were new.

        What is in the ledger already (the same exchange at the same stage) is not added again. Another process may
        append to the same run: the chain's head is read inside the transaction.
        """
        observations: list[dict[str, Any]] = []
        parts: list[dict[str, Any]] = []
        with self.db.atomic():
            # A write lock before the head is read: two writers must not fork the chain.
            self.db.execute("update runs set observations = observations where id = ?", [run_id])
            known = self._known(batch)
            prev, seq = self._tail(run_id)
            shared: set[str] = set()
            for record in batch:
                key = (record.kind, _observation_id(record, run_id))
                if key in known:
                    shared.add(known[key])
                    continue
                seq += 1
                made = list(_parts(record, claims, keep_plaintext))
                known[key] = run_id
                digest = row_hash(prev, run_id, seq, key[1], record.kind, record.at, {p.name: p.digest for p in made})
                client = record.exchange.client if record.exchange else None
                observations.append(
                    {
                        "run_id": run_id,
                        "seq": seq,
                        "id": key[1],
                        "kind": record.kind,
                        "client": client,
                        "exchange_id": record.exchange.id if record.exchange else None,
                        "at": record.at,
                        "prev_hash": prev,
                        "hash": digest,
                    }
                )
                parts += [{"run_id": run_id, "seq": seq, **p.__dict__} for p in made]
                prev = digest
            if observations:
                self.db.table("observations").insert_all(observations)
                self.db.table("observation_parts").insert_all(parts)
                self.db.execute("update runs set chain_head = ?, observations = ? where id = ?", [prev, seq, run_id])
            for other in shared - {run_id}:
                self._join(run_id, other)
        return len(observations)

    def _known(self, batch: Sequence[Record]) -> dict[tuple[str, str], str]:
        ids = list({_observation_id(r, "") for r in batch if r.exchange is not None or r.id is not None})
        found: dict[tuple[str, str], str] = {}
        for start in range(0, len(ids), 500):
            some = ids[start : start + 500]
            marks = ",".join("?" * len(some))
            query = f"select kind, id, run_id from observations where id in ({marks})"  # noqa: S608  only marks
            found.update({(r["kind"], r["id"]): r["run_id"] for r in self.db.query(query, some)})
        return found

    def _tail(self, run_id: str) -> tuple[str, int]:
        rows = list(
            self.db.query("select hash, seq from observations where run_id = ? order by seq desc limit 1", [run_id])
        )
        return (str(rows[0]["hash"]), int(rows[0]["seq"])) if rows else (GENESIS, 0)

    def _join(self, run_id: str, other: str) -> None:
        """Two runs saw the same exchange: they are parts of one recording and are judged together."""
        mine, theirs = self.recording_of(run_id), self.recording_of(other)
        if mine != theirs:
            self.db.execute("update runs set recording = ? where recording = ?", [theirs, mine])

    # --- reading ----------------------------------------------------------------------------------------------------

    def observed(self, recording: str) -> Iterable[tuple[dict[str, Any], Observed, dict[str, Any]]]:
        """Every observation of a recording in order: its row, what it says, and its request's or response's facts."""
        query = """
            select o.*, p.content as said, m.content as meta from observations o
            join runs r on r.id = o.run_id
            join observation_parts p on p.run_id = o.run_id and p.seq = o.seq and p.name = 'observed'
            left join observation_parts m on m.run_id = o.run_id and m.seq = o.seq and m.name = 'meta'
            where r.recording = ? order by r.started_at, o.run_id, o.seq
        """
        for row in self.db.query(query, [recording]):
            said = Observed.model_validate_json(zlib.decompress(row.pop("said")))
            meta = row.pop("meta")
            yield row, said, json.loads(zlib.decompress(meta)) if meta else {}

    def rows(self, recording: str) -> Rows:
        """Everything observed in a recording, as judging takes it."""
        hits: list[Hit] = []
        signals: list[Signal] = []
        views: list[PageView] = []
        first: list[FirstParty] = []
        frames: list[Frame] = []
        spots: list[BlindSpot] = []
        settings: list[PixelSettings] = []
        for _, said, _ in self.observed(recording):
            hits += said.hits
            signals += said.signals
            spots += said.blind_spots
            settings += said.settings
            views += [said.page_view] if said.page_view else []
            first += [said.first_party] if said.first_party else []
            frames += [said.frame] if said.frame else []
        return Rows.model_construct(
            hits=tuple(hits), signals=tuple(signals), page_views=tuple(views), first_party=tuple(first),
            frames=tuple(frames), blind_spots=tuple(spots), settings=tuple(settings),
        )  # fmt: skip


def _observation_id(record: Record, run_id: str) -> str:
    if record.exchange is not None:
        return record.exchange.id
    return record.id if record.id is not None else f"{run_id}.{record.kind}.{record.at}.{secrets.token_hex(4)}"


def _parts(record: Record, claims: Claims, keep_plaintext: bool) -> Iterable[Part]:
    said = record.observed.model_dump_json(exclude_defaults=True).encode()
    yield part("observed", said, said)
    if record.counts is not None:
        counted = json.dumps(record.counts, sort_keys=True).encode()
        yield part("counts", counted, counted)
    exchange = record.exchange
    if exchange is None:
        return
    names = [p.partition("=")[0].strip() for p in exchange.fields.get("cookie", "").split(";")]
    keep = claims(names)
    meta: dict[str, Any] = {"category": record.observed.category, "capture": record.capture}
    if record.kind == "request":
        url = exchange.url if keep_plaintext else mask_text(exchange.url)
        meta |= {"method": exchange.method, "url": mask_text(exchange.url), "host": exchange.host}
        yield part("request_line", f"{exchange.method} {exchange.url}".encode("utf-8", "replace"),
                   f"{exchange.method} {url}".encode("utf-8", "replace"))  # fmt: skip
        yield _headers("request_headers", exchange.headers, keep, keep_plaintext)
        if record.observed.hits and exchange.body:
            yield _body("request_body", exchange.body, keep_plaintext)
    elif exchange.response is not None:
        meta["status"] = exchange.response.status
        names = [v.partition("=")[0].strip() for k, v in exchange.response.headers if k.lower() == "set-cookie"]
        status = str(exchange.response.status).encode()
        yield part("status_line", status, status)
        yield _headers("response_headers", exchange.response.headers, claims(names), keep_plaintext)
    facts = json.dumps(meta, sort_keys=True).encode()
    yield part("meta", facts, facts)


def _headers(name: str, headers: Any, keep: Collection[str], keep_plaintext: bool) -> Part:
    original = json.dumps(headers).encode()
    return part(name, original, json.dumps(mask_headers(headers, keep, plain=keep_plaintext)).encode())


def _body(name: str, body: bytes, keep_plaintext: bool) -> Part:
    if len(body) > MAX_STORED_BODY:
        return part(name, body, f"[{len(body)} bytes, left out: larger than {MAX_STORED_BODY}]".encode())
    return part(name, body, body if keep_plaintext else mask_body(body))


def open_ledger(path: Path, *, create: bool = True) -> Ledger:
    """Opens or creates a ledger, readable by its owner only. Raises LedgerError."""
    if not path.exists():
        if not create:
            raise LedgerError(f"{path}: no such ledger. Give the file that `replay --db` or `proxy --db` wrote")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise LedgerError(f"{path}: cannot be created ({error.strerror}). Choose another --db") from error
    try:
        db = Database(sqlite3.connect(path, timeout=30))
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        tables = set(db.table_names())
        ours = {m.name for m in migrations.applied(db)}
    except sqlite3.DatabaseError as error:
        raise LedgerError(f"{path}: is no ledger that can be opened ({error}). Choose another --db") from error
    if tables and not ours:
        db.close()
        raise LedgerError(f"{path}: is a SQLite file of something else. Choose another --db")
    unknown = ours - {m.name for m in migrations._migrations}
    if unknown:
        db.close()
        raise LedgerError(f"{path}: was written by a newer pixelwitness ({', '.join(sorted(unknown))}). Update it")
    try:
        migrations.apply(db)
    except sqlite3.OperationalError as error:
        db.close()
        raise LedgerError(f"{path}: cannot be written ({error}). Check its rights, or choose another --db") from error
    return Ledger(db, path)
