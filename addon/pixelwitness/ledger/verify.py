"""Whether a ledger is what was recorded: every chain, every cell of `runs`, and every table that follows from them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from sqlite_utils import Database

from pixelwitness.audit.judge import judge
from pixelwitness.ledger import timestamps
from pixelwitness.ledger.chain import GENESIS, unpacked
from pixelwitness.ledger.compare import compare, strangers
from pixelwitness.ledger.parts import cells_of
from pixelwitness.ledger.project import ASKED, projected
from pixelwitness.ledger.schema import migrations
from pixelwitness.ledger.store import Ledger, LedgerError
from pixelwitness.ledger.walk import BROKEN, Walked, walk
from pixelwitness.rulebook import Rulebook

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

PINNED = ("kind", "program", "mitmproxy", "rules_digest", "options", "inputs", "started_at")
"""Cells of `runs` that the first observation of a run holds."""


@dataclass
class Verified:
    """What was found. `faults` prove a change; `unchecked` says what could not be checked; `notes` are no faults."""

    runs: int = 0
    observations: int = 0
    redacted: int = 0
    removed: int = 0
    faults: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify(
    ledger: Ledger, book: Rulebook, *, run: str | None = None, head: str | None = None, tables: bool = True,
    roots: Sequence[Certificate] = (),
) -> Verified:  # fmt: skip
    """Checks a ledger, or one run of it. Raises LedgerError for a run that is not there, or a head without a run.

    `tables` False: the chains and `runs` alone. `roots`: those of the authorities that timestamped heads.
    """
    found = Verified()
    runs = list(ledger.db.query("select * from runs order by rowid"))
    chosen = [r for r in runs if run in (None, r["id"])]
    if not chosen and run is not None:
        known = ", ".join(str(r["id"]) for r in runs) or "none"
        raise LedgerError(f"{ledger.path}: has no run {run}. Its runs: {known}")
    if head and len(chosen) != 1:
        raise LedgerError(f"--head belongs to one run: name it with --run (there are {len(chosen)})")
    found.faults += _schema(ledger.db)
    if run is None:
        found.faults += strangers(ledger)
        if any(r["secret"] for r in runs) and ledger.db.table("salts").count:
            found.faults.append("salts: rows were added: an original has none")
    used = Used()
    for row in chosen:
        walked = walk(ledger.db, row, head, used.add)
        found.runs += 1
        found.observations += walked.observations
        found.redacted += walked.redacted
        found.removed += walked.removed
        told = [*walked.faults, *_run_cells(ledger, row, walked)]
        found.faults += [f"run {row['id']}: {fault}" for fault in told]
        found.notes += [f"run {row['id']}: {note}" for note in _notes(walked, head)]
        _timestamps(ledger, row["id"], roots, found)
    if run is None and runs and not runs[0]["secret"] and ledger.db.table("salts").count > used.close():
        found.faults.append("salts: rows were added: nothing in this copy has them")
    if tables:
        _recordings(ledger, book, found, chosen, runs)
    return found


class Used:
    """Which salts a copy for sharing needs; on disk where they are many."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("")
        self._db.execute("create table used (value text primary key) without rowid")

    def add(self, value: str) -> None:
        """One that is needed."""
        self._db.execute("insert or ignore into used values (?)", [value])

    def close(self) -> int:
        """How many there were."""
        count = int(self._db.execute("select count(*) from used").fetchone()[0])
        self._db.close()
        return count


def _timestamps(ledger: Ledger, run: str, roots: Sequence[Certificate], found: Verified) -> None:
    """Whether each timestamp is of a head of this run, and what it proves."""
    try:
        for stamp in timestamps.stamps(facts_of(ledger, "timestamp", run)):
            rows = list(
                ledger.db.query("select seq from observations where run_id = ? and hash = ?", [run, stamp.head])
            )
            if not rows:
                found.faults.append(f"run {run}: a timestamp is of the head {stamp.head[:16]}..., which is nowhere")
                continue
            timestamps.check(stamp, roots)
            found.notes.append(f"run {run}: {timestamps.words(stamp, rows[0]['seq'], checked=bool(roots))}")
    except timestamps.StampError as error:
        found.faults.append(f"run {run}: a timestamp does not hold: {error}")


def _notes(walked: Walked, head: str | None) -> Iterator[str]:
    if walked.older:
        yield (
            f"{walked.older} observations were recorded by an older version: what is stored of their masked parts, and "
            "who sent them, is not in the chain"
        )
    if head and walked.given_at is not None and walked.given_at < walked.observations:
        yield f"{walked.observations - walked.given_at} observations were added after the head that you gave"


def _schema(db: Database) -> Iterator[str]:
    """What stands in the file that this program did not put there: a trigger or a view can make a table lie."""
    for row in db.query("pragma integrity_check(1)"):
        if row["integrity_check"] != "ok":
            yield f"the SQLite file is damaged: {row['integrity_check']}"
    objects, right = _objects(db), _right_objects()
    for kind, name in sorted(set(objects) - set(right)):
        yield f"a {kind} {name} (on {objects[kind, name][0]}) that no ledger has"
    for kind, name in sorted(set(right) - set(objects)):
        yield f"the {kind} {name} is missing"
    for kind, name in sorted(set(right) & set(objects)):
        if objects[kind, name] != right[kind, name]:
            yield f"the {kind} {name} is not that of a ledger"


def _objects(db: Database) -> dict[tuple[str, str], Any]:
    """Everything that a file holds: table and columns of each (generated ones too)."""
    made = {}
    for row in list(db.query("select type, name, tbl_name, sql from sqlite_master")):
        pragma = f"pragma {'index' if row['type'] == 'index' else 'table'}_xinfo([{row['name']}])"
        try:
            columns = [{k: v for k, v in c.items() if k != "cid"} for c in db.query(pragma)]
        except sqlite3.OperationalError:
            columns = []  # a view on a table that is gone
        # What a view says is in its text; of a table the columns count, whoever spelt them.
        text = row["sql"] if row["type"] in ("view", "trigger") else None
        made[row["type"], row["name"]] = (row["tbl_name"], sorted(map(repr, columns)), text)
    return made


@lru_cache(1)
def _right_objects() -> dict[tuple[str, str], Any]:
    fresh = Database(memory=True)
    migrations.apply(fresh)
    made = _objects(fresh)
    fresh.close()
    return made


def _run_cells(ledger: Ledger, row: dict[str, Any], walked: Walked) -> Iterator[str]:
    """Cells of `runs` that the chain does not bear out."""
    counted = {"chain_head": walked.head, "observations": walked.observations}
    ends = facts_of(ledger, "end", row["id"])
    last = ends[-1] if ends else {"finished_at": None, "complete": 0, "note": ""}
    first = facts_of(ledger, "run", row["id"])
    pinned = cells_of({name: first[0].get(name) for name in PINNED}) if first else {}
    if not first and walked.older:
        # An older version put nothing of this on record.
        last, pinned = {}, {}
    elif not first and walked.observations:
        yield "does not begin with what it says of itself"
    for name, right in {**counted, **last, **pinned}.items():
        if name in row and row[name] != right:
            yield f"runs: {name} is {row[name]!r}, the chain says {right!r}"
    before = first[0].get("after") if first else None
    if isinstance(before, list) and len(before) == 2 and before[1] != GENESIS:
        query = "select 1 from observations where run_id = ? and hash = ?"
        if not list(ledger.db.query(query, before)):
            yield f"the run {before[0]} before it was changed or taken out: its head {before[1][:16]}... is nowhere"


def facts_of(ledger: Ledger, kind: str, *runs: str) -> list[dict[str, Any]]:
    """What runs say of themselves; what cannot be read is left out: the walk has named it."""
    marks = ",".join("?" * len(runs))
    query = f"""
        select p.content from observations o join observation_parts p
          on p.run_id = o.run_id and p.seq = o.seq and p.name = o.kind
        where o.kind = ? and o.run_id in ({marks}) order by o.run_id, o.seq
    """  # noqa: S608  only marks
    made = []
    for row in ledger.db.query(query, [kind, *runs]):
        try:
            said = json.loads(unpacked(row["content"]))
        except BROKEN:
            continue
        if isinstance(said, dict):
            made.append(said)
    return sorted(made, key=lambda f: f["number"] if isinstance(f.get("number"), int) else 0)


# --- tables ---------------------------------------------------------------------------------------------------------


def _recordings(
    ledger: Ledger, book: Rulebook, found: Verified, chosen: list[dict[str, Any]], runs: list[dict[str, Any]]
) -> None:
    found.faults += _joined(ledger, runs)
    for recording in dict.fromkeys(r["recording"] for r in chosen):
        _recording(ledger, book, found, recording, [r for r in runs if r["recording"] == recording])


def _joined(ledger: Ledger, runs: list[dict[str, Any]]) -> Iterator[str]:
    """Runs that share an exchange are one recording, and no others are."""
    group = {r["id"]: r["id"] for r in runs}

    def root(run: str) -> str:
        while group[run] != run:
            run = group[run]
        return run

    if any(not facts_of(ledger, "run", r["id"]) for r in runs):
        return  # older versions did not put on record what joined them
    for row in runs:
        for said in facts_of(ledger, "joined", row["id"]):
            if said.get("run") in group:
                group[root(row["id"])] = root(said["run"])
    names: dict[str, set[str]] = {}
    for row in runs:
        names.setdefault(root(row["id"]), set()).add(row["recording"])
    for members in names.values():
        if len(members) > 1:
            yield f"runs: {', '.join(sorted(members))} are one recording by what they share"
    for recording in {r["recording"] for r in runs}:
        if sum(recording in members for members in names.values()) > 1 or recording not in group:
            yield f"runs: the recording {recording} holds runs that share nothing"


def _goes_on(ledger: Ledger, run: str) -> bool:
    """Whether a run was not closed, nor judged for good after its last observation: its tables lag behind."""
    if facts_of(ledger, "end", run) or not facts_of(ledger, "run", run):
        return False
    query = """
        select 1 from observations where run_id = ? and kind in ('request', 'response', 'mark', 'blind_spot', 'traffic')
          and seq > (select coalesce(max(seq), 0) from observations where run_id = ? and kind = 'judgement') limit 1
    """
    return bool(list(ledger.db.query(query, [run, run])))


def _recording(
    ledger: Ledger, book: Rulebook, found: Verified, recording: str, runs: list[dict[str, Any]]
) -> None:  # fmt: skip
    ids = [str(r["id"]) for r in runs]
    said = facts_of(ledger, "judgement", *ids)
    if not said:
        new = any(facts_of(ledger, "run", i) for i in ids)
        found.unchecked.append(
            f"recording {recording}: was not judged yet: there are no tables to check"
            if new
            else f"recording {recording}: was judged by an older version, which did not put on record how: its tables "
            "cannot be checked. Replay the captures into a new ledger"
        )
        return
    asked = said[-1]
    for run in runs:
        for name in (n for n in ASKED if n in asked):
            if run[name] != json.dumps(asked[name], ensure_ascii=False):
                found.faults.append(f"run {run['id']}: runs: {name} is {run[name]}, the chain says {asked.get(name)}")
    if asked.get("provisional") or any(_goes_on(ledger, i) for i in ids):
        found.notes.append(f"recording {recording}: was not closed: its tables are provisional, and were not compared")
        return
    strict = asked.get("rules_digest") == book.digest
    if not strict:
        found.unchecked.append(
            f"recording {recording}: was judged by other rules ({str(asked.get('rules_digest'))[:16]}..., these are "
            f"{book.digest[:16]}...): only what rests on the observations alone was compared. Give the rules it was "
            "judged by (--rules, or that version of pixelwitness), or judge it again"
        )
    try:
        recorded = ledger.recorded(recording)
        regimes = [book.regimes[r] for r in asked["regimes"] if r in book.regimes]
        judgement = judge(recorded.rows, regimes, book, frozenset(asked["named"]))
        expected = projected(recorded, recording, judgement, book, provisional=False)
    except (*BROKEN, ValidationError) as error:
        if not found.faults:
            raise
        found.unchecked.append(f"recording {recording}: its tables cannot be rebuilt ({type(error).__name__})")
        return
    expected["revisions"] = [r for s in said for r in s.get("revisions", [])]
    found.faults += compare(ledger, recording, expected, judged=strict)
