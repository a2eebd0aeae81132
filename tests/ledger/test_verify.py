"""Whoever changes a ledger is found out: any cell, row or part, in any table."""

from __future__ import annotations

import sqlite3
import zlib
from pathlib import Path

import pytest

from filled import REGIMES, VISIT, fill, info
from pixelwitness.ledger.store import Ledger, open_ledger, read_ledger
from pixelwitness.ledger.verify import Verified, verify
from pixelwitness.run import judge_recording, mark_record, write
from support import BOOK, hit, mark, onetrust, page


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path / "audit.db")


def check(ledger: Ledger, **how: object) -> Verified:
    """As the command does: a second connection that only reads."""
    ledger.db.conn.commit()
    other = read_ledger(ledger.path)
    try:
        return verify(other, BOOK, **how)  # type: ignore[arg-type]
    finally:
        other.close()


def test_a_sound_ledger_is_called_sound(ledger: Ledger) -> None:
    fill(ledger, VISIT)
    found = check(ledger)
    assert (found.faults, found.unchecked, found.notes) == ([], [], [])
    assert found.observations == ledger.db.table("observations").count > len(VISIT)


def changed(value: object) -> object:
    """Another value of the same kind, as an attacker would choose it."""
    if isinstance(value, bytes):
        return zlib.compress(zlib.decompress(value) + b" ")
    if isinstance(value, int):
        return value + 1
    return "x" if value is None else f"{value}x"


@pytest.mark.slow
def test_every_cell_of_every_table_is_pinned(ledger: Ledger) -> None:
    fill(ledger, VISIT)
    other = fill(ledger, [page(90_000, cookie=onetrust(True))], "b")
    write(ledger, other, [mark_record(mark(5, "x"))], BOOK, keep_plaintext=False)
    judge_recording(ledger, other, REGIMES, BOOK)
    ledger.db.execute("insert into revisions values (?, 'eu', '2026', 'compliant', 'violation', 'x')",
                      [next(iter(ledger.db.query("select id from hits")))["id"]])  # fmt: skip
    assert any("revisions" in fault for fault in verify(ledger, BOOK).faults), "an added row of the log"
    ledger.db.execute("delete from revisions")
    assert verify(ledger, BOOK).faults == []
    missed, tried = [], 0
    for table in ledger.db.table_names():
        if table.startswith("_"):
            continue
        for column, kind in ledger.db.table(table).columns_dict.items():
            rows = list(ledger.db.query(f"select rowid as place, {column} as cell from {table}"))
            for row in rows[-1:]:
                cell = row["cell"]
                new = 7 if cell is None and kind is int else b"x" if cell is None and kind is bytes else changed(cell)
                with pytest.raises(ZeroDivisionError), ledger.db.atomic():
                    try:
                        ledger.db.execute(f"update {table} set {column} = ? where rowid = ?", [new, row["place"]])
                    except sqlite3.IntegrityError:
                        raise ZeroDivisionError from None  # the tables themselves refuse it
                    tried += 1
                    if not verify(ledger, BOOK).faults:
                        missed.append(f"{table}.{column}: {cell!r} -> {new!r}")
                    raise ZeroDivisionError
    assert missed == []
    assert tried > 150


def test_every_row_is_pinned(ledger: Ledger) -> None:
    fill(ledger, VISIT)
    missed = []
    for table in ledger.db.table_names():
        if table.startswith("_"):
            continue
        for row in list(ledger.db.query(f"select rowid as place from {table}")):
            with pytest.raises(ZeroDivisionError), ledger.db.atomic():
                ledger.db.execute(f"delete from {table} where rowid = ?", [row["place"]])
                last = table == "observations" and row["place"] == ledger.db.table(table).count + 1
                if not verify(ledger, BOOK).faults and not last:
                    missed.append((table, row["place"]))
                raise ZeroDivisionError
    assert missed == []


SWAP = """
    update observations set seq = -seq where seq in (3, 4);
    update observation_parts set seq = -seq where seq in (3, 4);
    update observations set seq = 7 + seq where seq < 0;
    update observation_parts set seq = 7 + seq where seq < 0;
"""
INSERT = """
    update observations set seq = -seq - 1 where seq > 3; update observations set seq = -seq where seq < 0;
    update observation_parts set seq = -seq - 1 where seq > 3; update observation_parts set seq = -seq where seq < 0;
    insert into observations select run_id, 4, 'new', 'request', client, exchange_id, at, prev_hash, hash
      from observations where seq = 3;
"""


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("update observation_parts set digest = 'x' where seq = 2 and name = 'meta'", "observation 2"),
        ("update observations set at = at + 1 where seq = 3", "observation 3 (response) was changed"),
        ("update observations set client = 'other' where seq = 2", "observation 2 (request) was changed"),
        ("delete from observations where seq = 2; delete from observation_parts where seq = 2", "observation 2 is missing"),
        ("update observation_parts set content = x'789c030000000001' where seq = 2 and name = 'meta'", "observation 2: part meta was changed"),
        ("update observation_parts set size = 1 where seq = 2 and name = 'request_line'", "observation 2 (request) was changed"),
        ("update observation_parts set salt = '00' where seq = 2 and name = 'observed'", "observation 2: part observed was changed"),
        ("update observation_parts set form = 'original' where seq = 2 and name = 'request_line'", "observation 2: part request_line"),
        ("update observation_parts set content = null, form = 'masked+removed' where name = 'observed'", "part observed was removed"),
        ("delete from observation_parts where seq = 3 and name = 'status_line'", "observation 3 (response) was changed"),
        (SWAP, "observation 3"),
        (INSERT, "observation 4"),
        ("update violations set severity = 'low'", "violations: row"),
        ("delete from violations", "was removed"),
        ("insert into notices (id, recording) select 'x', recording from runs", "notices: row x was added"),
        ("insert into coverage (recording, property, regime, state) values ('nobody', 'p', 'eu', 'gpc')", "coverage: 1 rows"),
        ("update runs set options = '{}', started_at = '2020'", "started_at"),
        ("update runs set regimes = '[\"us-ca\"]'; delete from violations where regime = 'eu'", "regimes is"),
        ("update runs set recording = 'x'", "the recording x"),
        ("delete from runs", "a run"),
        ("insert into salts values ('x', 'y')", "salts: rows were added"),
        ("create trigger t after insert on hits begin select 1; end", "trigger t"),
        ("create view v as select 1", "view v"),
        ("drop table violations; create view violations as select 1 as id, 2 as run_id", "view violations"),
    ],
)  # fmt: skip
def test_tampering_is_named(ledger: Ledger, statement: str, named: str) -> None:
    fill(ledger, VISIT)
    ledger.db.executescript(statement)
    found = verify(ledger, BOOK) if "drop table" not in statement else check(ledger, tables=False)
    assert any(named in fault for fault in found.faults), found.faults
    first = next(f for f in found.faults if ("observation" in named and ": observation" in f) or named in f)
    assert named in first, "the first place is named first"


def test_a_cut_tail_is_found_with_the_head(ledger: Ledger) -> None:
    run = fill(ledger, VISIT)
    head = ledger.head(run)
    last = "(select max(seq) from observations)"
    ledger.db.executescript(
        f"delete from observation_parts where seq = {last}; delete from observations where seq = {last};"
        "update runs set complete = 0, finished_at = null, observations = observations - 1,"
        "chain_head = (select hash from observations order by seq desc limit 1)"
    )
    assert verify(ledger, BOOK).faults == []  # nobody can know, without the head
    assert any("cut off" in fault for fault in verify(ledger, BOOK, head=head).faults)


def test_what_was_added_after_the_head_is_said(ledger: Ledger) -> None:
    run = fill(ledger, VISIT)
    head = ledger.head(run)
    write(ledger, run, [mark_record(mark(500, "note to self"))], BOOK, keep_plaintext=False)
    found = verify(ledger, BOOK, head=head, tables=False)
    assert found.faults == []
    assert any("1 observations were added after the head" in note for note in found.notes)


def test_a_run_cannot_be_taken_out_from_before_another(ledger: Ledger) -> None:
    first = fill(ledger, VISIT[:2], "a")
    fill(ledger, [page(90_000), hit(91_000)], "b")
    assert verify(ledger, BOOK).faults == []
    for table in ("observations", "observation_parts", "hits", "violations", "signals", "page_views", "exchanges"):
        ledger.db.execute(f"delete from {table} where run_id = ?", [first])
    for table in ("coverage", "blind_spots", "traffic", "pixels", "notices"):
        ledger.db.execute(f"delete from {table} where recording = ?", [first])
    for table in ("identifiers", "collected"):
        ledger.db.execute(f"delete from {table} where hit_id not in (select id from hits)")
    ledger.db.execute("delete from runs where id = ?", [first])
    assert any(f"the run {first} before it" in fault for fault in verify(ledger, BOOK).faults)


def test_other_rules_are_not_taken_for_tampering(ledger: Ledger) -> None:
    from dataclasses import replace

    fill(ledger, VISIT)
    other = replace(BOOK, digest="0" * 64)
    found = verify(ledger, other)
    assert found.faults == []
    assert any("other rules" in said for said in found.unchecked)
    ledger.db.execute("update identifiers set value = 'x'")
    assert any("identifiers" in fault for fault in verify(ledger, other).faults)


def test_columns_that_rest_on_rules_are_known(ledger: Ledger) -> None:
    from pixelwitness.ledger.compare import JUDGED

    fill(ledger, VISIT)
    full = next(iter(ledger.db.query("select * from hits")))
    from pixelwitness.ledger.project import _hit

    said = next(h for _, s, _ in ledger.observed(ledger.recording_of(full["run_id"])) for h in s.hits)
    bare = _hit(said, None, full["run_id"])
    assert {c for c, v in full.items() if v != bare[c]} <= JUDGED["hits"]


def test_an_open_run_is_not_called_tampered_with(ledger: Ledger) -> None:
    run = ledger.begin_run(info("live")).id
    write(ledger, run, [mark_record(mark(500, "clicked reject"))], BOOK, keep_plaintext=False)
    found = verify(ledger, BOOK)
    assert found.faults == []
    assert any("not judged yet" in said for said in found.unchecked)


def test_reading_changes_nothing(ledger: Ledger) -> None:
    fill(ledger, VISIT)
    ledger.close()
    before = ledger.path.read_bytes()
    other = read_ledger(ledger.path)
    verify(other, BOOK)
    other.close()
    assert ledger.path.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"kind":', '"kind": '),
        ('"kind":', '"kind":"none","kind":'),
    ],
)
def test_another_spelling_of_the_same_is_a_change(ledger: Ledger, old: str, new: str) -> None:
    """Two readers of JSON may take a name that stands twice for different things."""
    fill(ledger, VISIT)
    query = (
        "select rowid as place, name, form, content from observation_parts where name = 'observed' order by seq desc"
    )
    for row in ledger.db.query(query):
        said = zlib.decompress(row["content"]).decode()
        if old not in said:
            continue
        content = zlib.compress(said.replace(old, new, 1).encode())
        with pytest.raises(ZeroDivisionError), ledger.db.atomic():
            # As a forger would: the digest of the original is his as well.
            ledger.db.execute(
                "update observation_parts set content = ?, form = 'masked' where rowid = ?", [content, row["place"]]
            )
            assert any("part observed was changed" in fault for fault in verify(ledger, BOOK).faults)
            raise ZeroDivisionError
        return
    pytest.fail("nothing was tried")
