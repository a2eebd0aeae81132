"""The ledger as a file: of an older schema, read-only, held by somebody else, written by two at once."""

from __future__ import annotations

import gzip
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from filled import VISIT, fill, info
from pixelwitness.ledger import errors, opening
from pixelwitness.ledger.errors import LedgerBusyError
from pixelwitness.ledger.schema import migrations
from pixelwitness.ledger.store import LedgerError, open_ledger, read_ledger
from pixelwitness.ledger.verify import verify
from pixelwitness.rejudge import rejudge
from pixelwitness.report.summary import summarise
from pixelwitness.run import mark_record, write
from support import BOOK, ROOT, hit, mark, page

SCHEMAS = sorted((Path(__file__).parent / "schemas").glob("*.db.gz"))
PINNED_SINCE = 4
"""The schema from which what is stored is committed to value by value: what is older is read with that doubt."""
CAPTURE = ROOT / "captures" / "demo" / "onetrust-bad-reject.har"


def run(*args: object, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from pixelwitness.cli import main; main()", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **more)  # type: ignore[call-overload]


def test_there_is_a_ledger_of_every_schema_but_the_newest() -> None:
    every = range(1, len(list(migrations._migrations)))
    assert sorted(p.name for p in SCHEMAS) == [f"{n}.db.gz" for n in every]


@pytest.mark.parametrize("packed", SCHEMAS, ids=lambda p: p.name)
def test_an_older_ledger_is_read_verified_and_continued(packed: Path, tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    before = path.read_bytes()
    old = read_ledger(path)
    assert summarise(old, BOOK).properties
    found = verify(old, BOOK)
    assert found.faults == []
    before_pinning = int(packed.name.partition(".")[0]) < PINNED_SINCE
    assert any("older version" in note for note in found.notes) is before_pinning
    assert any("older version" in said for said in found.unchecked) is before_pinning
    old.close()
    assert path.read_bytes() == before, "reading brings nothing up to date in the file"
    ledger = open_ledger(path)
    first = next(iter(ledger.db.query("select id from runs")))["id"]
    write(ledger, first, [mark_record(mark(5, "clicked reject"))], BOOK, keep_plaintext=False)
    fill(ledger, VISIT, "new")
    assert verify(ledger, BOOK, tables=False).faults == []
    ledger.db.execute("update observation_parts set digest = 'x' where run_id = ? and seq = 1", [first])
    assert any("observation 1" in fault for fault in verify(ledger, BOOK, tables=False).faults)


@pytest.mark.parametrize("packed", SCHEMAS, ids=lambda p: p.name)
def test_an_older_ledger_that_is_judged_anew_is_checked_cell_by_cell(packed: Path, tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    ledger = open_ledger(path)
    assert rejudge(ledger, BOOK)
    found = verify(ledger, BOOK)
    assert (found.faults, found.unchecked) == ([], [])
    for table, column in (("violations", "severity"), ("hits", "consent_state"), ("signals", "state"), ("coverage", "result"),
                          ("page_views", "url"), ("exchanges", "host"), ("identifiers", "value"), ("blind_spots", "kind")):  # fmt: skip
        if not ledger.db.table(table).count:
            continue
        with pytest.raises(ZeroDivisionError), ledger.db.atomic():
            ledger.db.execute(f"update {table} set {column} = 'x' where rowid = (select max(rowid) from {table})")
            assert any(table in fault for fault in verify(ledger, BOOK).faults), table
            raise ZeroDivisionError
    ledger.close()


def test_a_held_ledger_is_said_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "WAIT_SECONDS", 0.2)
    monkeypatch.setattr(errors, "WAIT_SECONDS", 0.2)
    ledger = open_ledger(tmp_path / "a.db")
    run_id = fill(ledger, VISIT)
    count = ledger.db.table("observations").count
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(LedgerBusyError, match=r"a\.db: another process has held it"):
        write(ledger, run_id, [mark_record(mark(1, "x"))], BOOK, keep_plaintext=False)
    assert ledger.db.table("observations").count == count
    other.execute("rollback")
    assert write(ledger, run_id, [mark_record(mark(1, "x"))], BOOK, keep_plaintext=False) == 1


def test_a_live_run_waits_for_a_held_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mitmproxy.test import taddons

    from pixelwitness.proxy.addon import PixelWitness
    from pixelwitness.proxy.recorder import Recorder
    from pixelwitness.proxy.settings import read

    monkeypatch.setattr(opening, "WAIT_SECONDS", 0.2)
    told: list[str] = []
    with taddons.context(PixelWitness()) as context:
        context.options.update(pixelwitness_db=str(tmp_path / "a.db"))
        recorder = Recorder(read(context.options), on_news=lambda news: None, on_fault=told.append)
    recorder.start()
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None, check_same_thread=False, timeout=30)
    other.execute("begin immediate")
    for exchange in (page(0), hit(1000)):
        recorder.put("request", exchange)
    threading.Timer(1.5, lambda: other.execute("rollback")).start()
    recorder.close()
    assert any("another process has held it" in said for said in told)
    ledger = read_ledger(tmp_path / "a.db")
    assert ledger.db.table("hits").count == 1
    assert verify(ledger, BOOK).faults == []


def test_two_writers_on_one_file_do_not_fork_a_chain(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    failures: list[BaseException] = []

    def write_run(name: str, start: int) -> None:
        try:
            ledger = open_ledger(path)
            for i in range(10):
                fill_one(ledger, name, start + i)
            ledger.close()
        except BaseException as error:
            failures.append(error)

    def fill_one(ledger, name: str, i: int) -> None:
        run_id = ledger.begin_run(info(name="same")).id
        write(ledger, run_id, [mark_record(mark(i, f"{name} {i}"))], BOOK, keep_plaintext=False)

    threads = [threading.Thread(target=write_run, args=(n, s)) for n, s in (("a", 0), ("b", 1000), ("c", 2000))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    ledger = read_ledger(path)
    assert ledger.db.table("observations").count == 31
    assert verify(ledger, BOOK).faults == []


@pytest.mark.slow
def test_two_replays_of_one_capture_at_once(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from pixelwitness.cli import main; main()",
        "replay",
        str(CAPTURE),
        "--db",
        "a.db",
    ]
    both = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in "ab"]
    errors_of = [p.communicate(timeout=120)[1].decode() for p in both]
    assert [p.returncode for p in both] == [0, 0], errors_of
    ledger = read_ledger(tmp_path / "a.db")
    assert len(list(ledger.db.query("select id from runs"))) == 1
    assert verify(ledger, BOOK).faults == []
    # The second to end it may say so once more.
    assert {
        r["n"] for r in ledger.db.query("select count(*) as n from observations where kind = 'request' group by id")
    } == {1}


@pytest.mark.skipif(os.name != "posix", reason="rights of folders are a matter of POSIX systems")
def test_a_read_only_folder(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    ledger = open_ledger(folder / "a.db")
    fill(ledger, VISIT)
    ledger.close()
    folder.chmod(0o555)
    (folder / "a.db").chmod(0o444)
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:3]:
        if parent.stat().st_uid == os.getuid() and parent.name.startswith("pytest"):
            parent.chmod(0o755)
    more = {"user": 65534, "group": 65534} if os.getuid() == 0 else {}
    try:
        probe = run("verify", folder / "a.db", env={**os.environ, "HOME": "/nonexistent"}, **more)
    except PermissionError as error:
        pytest.skip(f"this interpreter cannot be run by another user here: {error}")
    finally:
        folder.chmod(0o755)
    if "No module named" in probe.stderr or "Permission denied" in probe.stderr:
        pytest.skip("this interpreter cannot be read by another user here")
    assert probe.returncode == 0, probe.stderr
    assert "every chain is sound" in probe.stdout


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(LedgerError, match="cannot be created"):
        open_ledger(blocked / "a.db")


def test_a_folder_without_the_right_to_write_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger(tmp_path / "a.db")
    fill(ledger, VISIT)
    monkeypatch.setattr(opening.os, "access", lambda path, mode: False)
    with pytest.raises(LedgerError, match="a.db-wal, which cannot be read in a read-only folder"):
        read_ledger(tmp_path / "a.db")
    ledger.close()
    reader = read_ledger(tmp_path / "a.db")
    assert verify(reader, BOOK).faults == []
    assert [p.name for p in tmp_path.iterdir()] == ["a.db"]
