"""A copy of a ledger for sharing: without what others need not see, and still verifiable with the original's heads."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pixelwitness.audit.judge import judge
from pixelwitness.ledger.chain import Part, document, packed_json, unpacked, whole
from pixelwitness.ledger.commit import LeafOf, keyed, never, redact, salt_for, values
from pixelwitness.ledger.commit import Path as Place
from pixelwitness.ledger.project import projected
from pixelwitness.ledger.sharing import REMOVABLE, category, taken_from
from pixelwitness.ledger.store import Ledger, LedgerError, open_ledger
from pixelwitness.ledger.verify import facts_of
from pixelwitness.rulebook import Rulebook

BATCH = 500


@dataclass
class Shared:
    """What was done: values and parts taken out by category, and what was kept because the caller said so."""

    taken: Counter[str] = field(default_factory=Counter)
    observations: int = 0


def share(source: Ledger, out: Path, book: Rulebook, keep: Collection[str] = ()) -> Shared:
    """Writes the copy. `keep` names categories that stay. Raises LedgerError; then no copy is left behind.

    The rules must be those by which the ledger was judged: the tables of the copy are made anew from what is left.
    """
    if out.exists():
        raise LedgerError(f"{out}: exists already. Choose another name for the copy")
    runs = list(source.db.query("select * from runs order by rowid"))
    _refuse(source, runs, book)
    copy = open_ledger(out)
    done = Shared()
    try:
        with copy.writing():
            for run in runs:
                _copy_run(source, copy, run, frozenset(keep), done)
            for recording in dict.fromkeys(r["recording"] for r in runs):
                _judge_copy(copy, recording, book)
        copy.close()
    except BaseException:
        copy.close()
        for end in ("", "-wal", "-shm"):
            out.with_name(out.name + end).unlink(missing_ok=True)
        raise
    return done


def _refuse(source: Ledger, runs: list[dict[str, Any]], book: Rulebook) -> None:
    if not runs:
        raise LedgerError(f"{source.path}: holds no run")
    if any(not r["secret"] for r in runs):
        raise LedgerError(f"{source.path}: is a copy for sharing already. Make another from the original")
    if list(source.db.query("select 1 from observation_parts where stored is null limit 1")):
        raise LedgerError(
            f"{source.path}: was recorded by an older version, of which no verifiable copy can be made. Replay the "
            "captures into a new ledger"
        )
    for run in runs:
        said = facts_of(source, "judgement", *source.runs_of(run["recording"]))
        if said and said[-1].get("rules_digest") != book.digest:
            raise LedgerError(
                f"{source.path}: was judged by other rules. Give those (--rules, or that version of pixelwitness), or "
                "judge it again first"
            )


def _copy_run(source: Ledger, copy: Ledger, run: dict[str, Any], keep: frozenset[str], done: Shared) -> None:
    secret = bytes.fromhex(run["secret"])
    leaf = keyed(secret)
    rows: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    salts: dict[str, str] = {}
    cells = {**run, "secret": None}

    def flush() -> None:
        _insert(copy, "observations", rows)
        _insert(copy, "observation_parts", parts)
        _insert(copy, "salts", [{"value": v, "salt": s} for v, s in salts.items()], "or ignore")
        rows.clear()
        parts.clear()
        salts.clear()

    def disclose(said: Any, taken: Any) -> None:
        for tagged in values(said, taken):
            salts[hashlib.sha256(tagged).hexdigest()] = salt_for(secret, tagged).hex()

    _insert(copy, "runs", [cells])
    for row in source.db.query("select * from observations where run_id = ? order by seq", [run["id"]]):
        done.observations += 1
        client = redact(row["client"], leaf, whole, lambda place: "clients" not in keep)
        disclose(client, whole)
        rows.append({**row, "client": client})
        query = "select * from observation_parts where run_id = ? and seq = ?"
        for cell in source.db.query(query, [run["id"], row["seq"]]):
            made = _part(Part(**{n: cell[n] for n in Part.__slots__}), leaf, keep, done)
            if made.content is not None:
                said = document(made.name, unpacked(made.content))
                disclose(said, taken_from(made.name, said) if "+" in made.form else never)
                if made.name == "run":
                    own = {k: json.dumps(said[k], sort_keys=True) for k in ("options", "inputs")}
                    query_run = "update runs set options = ?, inputs = ? where id = ?"
                    copy.db.execute(query_run, [own["options"], own["inputs"], run["id"]])
            parts.append({**cell, **{n: getattr(made, n) for n in Part.__slots__}})
        if len(rows) >= BATCH:
            flush()
    flush()


def _part(part: Part, leaf: LeafOf, keep: frozenset[str], done: Shared) -> Part:
    if part.content is None:
        return part
    if part.name in REMOVABLE and "bodies" not in keep:
        done.taken["bodies"] += 1
        return replace(part, content=None, salt=None, form=part.form + "+removed")
    said = document(part.name, unpacked(part.content))

    def wanted(place: Place) -> bool:
        kind = category(part.name, place, said)
        if kind is None or kind in keep:
            return False
        done.taken[kind] += 1
        return True

    left = redact(said, leaf, taken_from(part.name, said), wanted)
    if left == said:
        # The salt would let a masked value be guessed.
        return part if part.form == "original" else replace(part, salt=None)
    stored = left.encode() if isinstance(left, str) else packed_json(left)
    return replace(part, content=zlib.compress(stored, 6), salt=None, form=part.form + "+redacted")


def _judge_copy(copy: Ledger, recording: str, book: Rulebook) -> None:
    said = facts_of(copy, "judgement", *copy.runs_of(recording))
    if not said:
        return
    regimes = [book.regimes[r] for r in said[-1]["regimes"]]
    recorded = copy.recorded(recording)
    judgement = judge(recorded.rows, regimes, book, frozenset(said[-1]["named"]))
    tables = projected(recorded, recording, judgement, book, provisional=bool(said[-1].get("provisional")))
    tables["revisions"] = [r for s in said for r in s.get("revisions", [])]
    for table, rows in tables.items():
        if rows:
            copy.db.table(table).insert_all(rows)


def _insert(copy: Ledger, table: str, rows: list[dict[str, Any]], how: str = "") -> None:
    if not rows:
        return
    columns = list(rows[0])
    query = f"insert {how} into {table} ({', '.join(columns)}) values ({', '.join('?' * len(columns))})"  # noqa: S608  fixed names
    copy.db.conn.executemany(query, [tuple(r.values()) for r in rows])
