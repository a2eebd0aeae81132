"""In any documented table: a cell changed, a row deleted, inserted, or swapped with another; `verify` names each.

Tables and columns come from the file itself, so that none is forgotten.
"""

from __future__ import annotations

import json
import random
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from filled import REGIMES, info
from pixelwitness.ledger.compare import KEYS
from pixelwitness.ledger.redact import share
from pixelwitness.ledger.store import Ledger, open_ledger, read_ledger
from pixelwitness.ledger.verify import verify
from pixelwitness.replay import Options, replay
from pixelwitness.run import Lens, Tally, judge_recording, request_record, response_record, write
from support import BOOK, ROOT, asset, hit, onetrust, page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SEED = 6
ENTRIES = 14
"""Enough for a row in every table: each attempt is verified whole."""


def live(ledger: Ledger) -> None:
    """A live run whose provisional verdict was revised."""
    run = ledger.begin_run(info("live")).id
    lens, tally = Lens(BOOK), Tally()
    first = [page(0, "https://other.example/"), hit(1000, url="https://other.example/", client="d")]
    later = [asset(1500, cookie=onetrust(False, at=-5000), url="https://other.example/app.js", client="d")]
    for some in (first, later):
        made = [r for e in some for r in (request_record(e, lens, tally), response_record(e, lens))]
        write(ledger, run, [r for r in made if r], BOOK, keep_plaintext=False)
        judge_recording(ledger, run, REGIMES, BOOK, provisional=True)
    judge_recording(ledger, run, REGIMES, BOOK)
    ledger.finish_run(run, 1, complete=True)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ledger") / "audit.db"
    ledger = open_ledger(path)
    log = json.loads((ROOT / "captures" / "onetrust-reject.har").read_text())
    del log["log"]["entries"][ENTRIES:]
    capture = path.with_name("a.har")
    capture.write_text(json.dumps(log))
    replay(ledger, [(capture, "a.har")], Options(tuple(REGIMES)), BOOK)
    live(ledger)
    ledger.close()
    return path


@pytest.fixture(scope="module")
def copy(original: Path) -> Path:
    path = original.with_name("copy.db")
    source = read_ledger(original)
    share(source, path, BOOK)
    source.close()
    return path


def tables(ledger: Ledger) -> list[str]:
    return [t for t in ledger.db.table_names() if not t.startswith("_")]


FORMS = """
    update observation_parts set form = replace(form, '+redacted', '') || case form like '%+redacted' when 1 then ''
      else '+redacted' end where rowid = ?
"""


def another(cell: Any, kind: Any, chance: random.Random) -> Any:
    """A value one byte away, as the column takes it."""
    if isinstance(cell, bytes):
        if chance.random() < 0.5:
            at = chance.randrange(len(cell))
            return cell[:at] + bytes([cell[at] ^ 1]) + cell[at + 1 :]
        return zlib.compress(zlib.decompress(cell) + b" ")
    if isinstance(cell, int):
        return cell + chance.choice([-1, 1])
    if isinstance(cell, str) and cell:
        at = chance.randrange(len(cell))
        return cell[:at] + chr(ord(cell[at]) ^ 1) + cell[at + 1 :]
    return {int: 1, bytes: b"x"}.get(kind, "x")


class Attempts:
    """Changes that are undone again, and those that verify did not see."""

    def __init__(self, path: Path) -> None:
        self.ledger = open_ledger(path)
        self.missed: list[str] = []
        self.tried = 0

    def attempt(self, what: str, statements: list[tuple[str, list[Any]]]) -> None:
        conn = self.ledger.db.conn
        conn.execute("begin")
        try:
            for sql, values in statements:
                conn.execute(sql, values)
            self.tried += 1
            # The chain alone is faster, and enough for most of the record.
            chained = verify(self.ledger, BOOK, tables=False) if "observation_parts" in statements[0][0] else None
            if not (chained and chained.faults) and not verify(self.ledger, BOOK).faults:
                self.missed.append(what)
        except sqlite3.IntegrityError:
            pass  # the table itself refuses it
        finally:
            conn.rollback()


@pytest.fixture(params=["original", "copy"])
def attempts(request: pytest.FixtureRequest) -> Iterator[Attempts]:
    made = Attempts(request.getfixturevalue(request.param))
    assert verify(made.ledger, BOOK).faults == []
    yield made
    made.ledger.close()


def places(ledger: Ledger, table: str) -> list[int]:
    return [r["place"] for r in ledger.db.query(f"select rowid as place from {table}")]


def test_every_table_has_rows_to_try_it_on(original: Path, copy: Path) -> None:
    whole, shared = read_ledger(original), read_ledger(copy)
    empty = {t for t in tables(whole) if not whole.db.table(t).count}
    assert empty == {"salts"}
    assert shared.db.table("salts").count


def test_a_changed_cell_is_named(attempts: Attempts) -> None:
    chance, ledger = random.Random(SEED), attempts.ledger
    for table in tables(ledger):
        rows = places(ledger, table)
        for column, kind in ledger.db.table(table).columns_dict.items():
            for place in chance.sample(rows, min(1, len(rows))):
                cell = next(iter(ledger.db.query(f"select {column} as cell from {table} where rowid = ?", [place])))[
                    "cell"
                ]
                new = another(cell, kind, chance)
                attempts.attempt(
                    f"{table}.{column}: {cell!r} -> {new!r}"[:200],
                    [(f"update {table} set {column} = ? where rowid = ?", [new, place])],
                )
    for place in places(ledger, "observation_parts"):  # each has a salt of its own, and a form
        row = next(iter(ledger.db.query("select name, form, salt from observation_parts where rowid = ?", [place])))
        salt = another(row["salt"], str, chance)
        attempts.attempt(
            f"{row}: another salt", [("update observation_parts set salt = ? where rowid = ?", [salt, place])]
        )
        attempts.attempt(f"{row}: another form", [(FORMS, [place])])
    assert attempts.missed == []
    assert attempts.tried > 180


def test_a_deleted_row_an_inserted_one_and_two_swapped_are_named(attempts: Attempts) -> None:
    chance, ledger = random.Random(SEED), attempts.ledger
    last = {(r["id"], r["observations"]) for r in ledger.db.query("select id, observations from runs")}
    for table in tables(ledger):
        rows, columns = places(ledger, table), ledger.db.table(table).columns_dict
        names = ", ".join(columns)
        for place in chance.sample(rows, min(3, len(rows))):
            if table == "observations":
                where = next(iter(ledger.db.query("select run_id, seq from observations where rowid = ?", [place])))
                if (where["run_id"], where["seq"]) in last:
                    continue  # a cut tail: found with the head that was given
            attempts.attempt(f"{table}: row {place} deleted", [(f"delete from {table} where rowid = ?", [place])])
        keys = [k for k, kind in columns.items() if kind is str]
        for place in chance.sample(rows, min(2, len(rows))):
            row = next(iter(ledger.db.query(f"select {names} from {table} where rowid = ?", [place])))
            for key in keys[:3]:
                new = {**row, key: f"{row[key]}x"}
                attempts.attempt(
                    f"{table}: row {place} once more with another {key}",
                    [(f"insert into {table} ({names}) values ({', '.join('?' * len(new))})", list(new.values()))],
                )
        for _ in range(2 if len(rows) > 1 else 0):
            one, two = chance.sample(rows, 2)
            pair = {
                p: next(iter(ledger.db.query(f"select {names} from {table} where rowid = ?", [p]))) for p in (one, two)
            }
            # Rows without a key of their own are told apart by what they are about: whole rows have no order.
            primary = set(ledger.db.table(table).pks) - {"rowid"} or set(KEYS[table])
            moved = [c for c in columns if c not in primary and pair[one][c] != pair[two][c]]
            if moved:
                sets = ", ".join(f"{c} = ?" for c in moved)
                attempts.attempt(
                    f"{table}: rows {one} and {two} swapped",
                    [(f"update {table} set {sets} where rowid = ?", [*(pair[b][c] for c in moved), a]) for a, b in ((one, two), (two, one))],
                )  # fmt: skip
    assert attempts.missed == []
    assert attempts.tried > 80


def test_any_cut_of_the_tail_is_found_with_the_head(original: Path) -> None:
    ledger = open_ledger(original)
    run = next(iter(ledger.db.query("select id, chain_head from runs order by rowid limit 1")))
    top = next(iter(ledger.db.query("select max(seq) as seq from observations where run_id = ?", [run["id"]])))["seq"]
    for left in random.Random(SEED).sample(range(top), 5):
        conn = ledger.db.conn
        conn.execute("begin")
        for table in ("observation_parts", "observations"):
            conn.execute(f"delete from {table} where run_id = ? and seq > ?", [run["id"], left])
        found = verify(ledger, BOOK, run=run["id"], head=run["chain_head"])
        assert any("cut off" in fault for fault in found.faults), left
        conn.rollback()
    ledger.close()
