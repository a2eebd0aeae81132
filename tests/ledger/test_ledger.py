"""The ledger: repeatable, tamper-evident, masked, private."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import stat
from pathlib import Path

import pytest

from filled import REGIMES, VISIT, fill
from pixelwitness.ledger.store import Ledger, LedgerError, open_ledger
from pixelwitness.ledger.verify import verify
from pixelwitness.run import mark_record, write
from support import BOOK, ROOT, hit, mark, page


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path / "audit.db")


def dump(ledger: Ledger) -> dict[str, list]:
    names = [n for n in ledger.db.table_names() if n not in ("observation_parts", "_sqlite_migrations")]
    return {n: sorted(map(repr, ledger.db.query(f"select * from {n}"))) for n in names}


def test_the_same_capture_again_adds_nothing(ledger: Ledger) -> None:
    fill(ledger, VISIT)
    before = dump(ledger)
    assert before["violations"]
    fill(ledger, VISIT)
    assert dump(ledger) == before


def test_a_capture_that_shares_an_exchange_is_judged_together_with_it(ledger: Ledger) -> None:
    first = fill(ledger, VISIT[:2], "a")
    second = fill(ledger, VISIT, "b")
    assert ledger.recording_of(first) == ledger.recording_of(second)
    rows = list(
        ledger.db.query("select hit_id, rule, regime, count(*) as n from violations group by 1, 2, 3 having n > 1")
    )
    assert rows == []
    assert ledger.db.table("hits").count == 2
    assert {r["consent_state"] for r in ledger.db.table("hits").rows} == {"denied"}


def test_other_captures_are_other_recordings(ledger: Ledger) -> None:
    fill(ledger, VISIT[:2], "a")
    other = fill(ledger, VISIT[3:], "b")
    assert [r["consent_state"] for r in ledger.db.query("select * from hits where run_id = ?", [other])] == ["unknown"]


def test_judging_from_the_ledger_is_judging_the_capture(ledger: Ledger) -> None:
    from pixelwitness.audit.judge import judge
    from support import observe

    run = fill(ledger, VISIT)
    stored = judge(ledger.rows(ledger.recording_of(run)), REGIMES, BOOK)
    fresh = judge(observe(VISIT), REGIMES, BOOK)
    assert stored == fresh


@pytest.mark.parametrize("keep", [False, True])
def test_what_may_not_be_stored_is_nowhere_in_the_file(tmp_path: Path, keep: bool) -> None:
    import zlib

    ledger = open_ledger(tmp_path / "audit.db")
    fill(ledger, VISIT, keep=keep)
    raw = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    parts = b"".join(zlib.decompress(r["content"]) for r in ledger.db.query("select content from observation_parts"))
    for word in (b"hunter2", b"tell-nobody"):
        assert word not in raw + parts
    clear = b"jane.doe" in raw + parts
    assert clear == keep
    assert not any(b"jane.doe" in repr(row).encode() for rows in dump(ledger).values() for row in rows)


def test_a_mark_from_another_process_joins_the_chain(ledger: Ledger) -> None:
    run = fill(ledger, VISIT)
    other = open_ledger(ledger.path)
    write(other, run, [mark_record(mark(500, "clicked reject"))], BOOK, keep_plaintext=False)
    other.close()
    assert verify(ledger, BOOK, tables=False).faults == []
    assert ledger.db.table("observations").count > 0


@pytest.mark.skipif(os.name != "posix", reason="file modes are a matter of POSIX systems")
def test_the_file_is_its_owners_alone(ledger: Ledger) -> None:
    fill(ledger, VISIT)
    for path in ledger.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_cannot_be_opened_says_so(tmp_path: Path) -> None:
    text = tmp_path / "x.db"
    text.write_bytes(b"this is no database at all, but long enough to be read as one" * 20)
    with pytest.raises(LedgerError, match=r"x\.db: is no ledger"):
        open_ledger(text)
    foreign = tmp_path / "y.db"
    sqlite3.connect(foreign).execute("create table t(a)")
    with pytest.raises(LedgerError, match="something else"):
        open_ledger(foreign)
    with pytest.raises(LedgerError, match="no such ledger"):
        open_ledger(tmp_path / "z.db", create=False)
    newer = open_ledger(tmp_path / "n.db")
    newer.db.execute("insert into _sqlite_migrations (migration_set, name) values ('pixelwitness', 'from_the_future')")
    newer.db.conn.commit()
    newer.close()
    with pytest.raises(LedgerError, match="newer pixelwitness"):
        open_ledger(tmp_path / "n.db")


def test_hostile_text_survives_storage(ledger: Ledger) -> None:
    nasty = "x\x00'; DROP TABLE hits;--<script>\x1b[2J\ud800"
    fill(ledger, [page(0), hit(1000, nasty)])
    assert ledger.db.table("hits").count == 1


def test_the_documented_tables_are_the_tables(ledger: Ledger) -> None:
    text = (ROOT / "docs" / "ledger.md").read_text()
    documented: dict[str, set[str]] = {}
    for section in re.split(r"^## ", text, flags=re.M)[1:]:
        name = section.split()[0].strip("`")
        documented[name] = set(re.findall(r"^\| `(\w+)`", section, flags=re.M))
    real = {n: set(ledger.db.table(n).columns_dict) for n in ledger.db.table_names() if not n.startswith("_")}
    assert documented == real


def test_lists_are_json_and_times_are_utc(ledger: Ledger) -> None:
    fill(ledger, VISIT)
    for row in ledger.db.table("violations").rows:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row["occurred_at"])
        for column in ("pixel_codes", "opt_outs", "sent", "mitigations", "signals"):
            assert isinstance(json.loads(row[column]), list)
        assert row["severity"] in ("info", "low", "medium", "high", "critical")
