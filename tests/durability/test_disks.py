"""Full, read-only, held, foreign and newer: what is said, with which exit code, and that the ledger stays whole."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest
from mitmproxy.test import taddons

from durability.programs import Client, command, free_port, origin, proxy, small_disk, wait_for
from filled import REGIMES, VISIT, fill
from pixelwitness.ledger import errors, opening
from pixelwitness.ledger.errors import LedgerBusyError
from pixelwitness.ledger.store import LedgerError, open_ledger, read_ledger
from pixelwitness.ledger.verify import verify
from pixelwitness.proxy import recorder as recorder_module
from pixelwitness.proxy.addon import PixelWitness
from pixelwitness.proxy.recorder import Recorder
from pixelwitness.proxy.settings import read
from pixelwitness.run import judge_recording, mark_record, write
from support import BOOK, ROOT, hit, mark, page

CAPTURE = ROOT / "captures" / "demo" / "onetrust-bad-reject.har"
READERS = (("report",), ("verify",), ("timeline", "--property", "shop.example"))


def sound(path: Path) -> bool:
    ledger = read_ledger(path)
    try:
        return verify(ledger, BOOK).faults == []
    finally:
        ledger.close()


def test_a_full_file_undoes_the_batch_and_says_so(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "a.db")
    run = fill(ledger, VISIT)
    before = ledger.db.table("observations").count
    pages = next(iter(ledger.db.query("pragma page_count")))["page_count"]
    ledger.db.execute(f"pragma max_page_count = {pages}")
    many = [mark_record(mark(i, f"note {i}")) for i in range(2000)]
    with pytest.raises(LedgerError, match=r"a\.db: the disk is full\. Make room, and start again"):
        write(ledger, run, many, BOOK, keep_plaintext=False)
    assert ledger.db.table("observations").count == before
    ledger.db.execute("pragma max_page_count = 1000000")
    write(ledger, run, many, BOOK, keep_plaintext=False)
    judge_recording(ledger, run, REGIMES, BOOK)
    assert ledger.db.table("signals").count > 2000
    ledger.close()
    assert sound(tmp_path / "a.db")


def recorder(tmp_path: Path, told: list[str]) -> Recorder:
    with taddons.context(PixelWitness()) as context:
        context.options.update(pixelwitness_db=str(tmp_path / "a.db"))
        return Recorder(read(context.options), on_news=lambda news: None, on_fault=told.append)


def fails(real: object, error: Exception, times: int) -> object:
    left = [times]

    def write_to(*args: object, **named: object) -> object:
        if left[0] > 0:
            left[0] -= 1
            raise error
        return real(*args, **named)  # type: ignore[operator]

    return write_to


def test_a_live_run_waits_for_room_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "RETRY", 0.05)
    monkeypatch.setattr(recorder_module, "write", fails(write, LedgerError("a.db: the disk is full"), 10**9))
    monkeypatch.setattr(recorder_module.Recorder, "_state", lambda self, ledger: None)
    told: list[str] = []
    live = recorder(tmp_path, told)
    live.start()
    for exchange in (page(0), hit(1000)):
        assert live.put("request", exchange)
    time.sleep(0.7)
    assert any("the disk is full" in said for said in told)
    monkeypatch.setattr(recorder_module, "write", write)
    live.close()
    assert (live.unwritten, bool(live.head)) == (0, True)
    with sqlite3.connect(tmp_path / "a.db") as db:
        assert db.execute("select count(*) from hits").fetchone()[0] == 1
        assert db.execute("select complete from runs").fetchone()[0] == 1
    assert sound(tmp_path / "a.db")


@pytest.mark.parametrize("error", [LedgerError("a.db: the disk is full"), LedgerBusyError("a.db: another process")])
def test_a_live_run_that_ends_without_room_gives_up_after_a_while_and_counts(
    error: LedgerError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "RETRY", 0.05)
    monkeypatch.setattr(recorder_module, "LAST_TRIES", 0.3)
    monkeypatch.setattr(recorder_module.Recorder, "_state", lambda self, ledger: None)
    told: list[str] = []
    live = recorder(tmp_path, told)
    live.start()
    monkeypatch.setattr(recorder_module, "write", fails(write, error, 10**9))
    for number in range(500):
        live.put("request", hit(number * 10))
    start = time.monotonic()
    live.close()
    assert time.monotonic() - start < 20
    assert live.unwritten >= 500
    assert live.head == ""
    assert str(error) in live.failure
    assert sound(tmp_path / "a.db")


# --- real programs ---------------------------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


@pytest.mark.slow
def test_a_replay_onto_a_full_disk(disk: Path, tmp_path: Path) -> None:
    before = small_disk(disk, "500k")
    if not before:
        pytest.skip("no disk of one's own may be mounted here; max_page_count stands for it above")
    keep = f'; code=$?; cp "{disk}"/a.db* "{tmp_path}"; exit $code'
    before = (*before[:-2], before[-2].replace('exec "$@"', '"$@"' + keep), before[-1])
    done = command("replay", CAPTURE, "--db", disk / "a.db", before=before)
    assert done.returncode == 2, done.stderr
    (said,) = done.stderr.strip().splitlines()
    assert said.startswith(f"pixelwitness: {disk / 'a.db'}: the disk is full. Make room, and start again")
    assert sound(tmp_path / "a.db")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="drives programs by signals")
def test_a_live_run_onto_a_full_disk(disk: Path, tmp_path: Path) -> None:
    before = small_disk(disk, "1m")
    if not before:
        pytest.skip("no disk of one's own may be mounted here; max_page_count stands for it above")
    keep = f'; code=$?; cp "{disk}"/a.db* "{tmp_path}"; exit $code'
    before = (*before[:-2], before[-2].replace('exec "$@"', 'trap : INT TERM; "$@"' + keep), before[-1])
    code = ("import sys, pixelwitness.proxy.recorder as r; r.LAST_TRIES = 2.0; sys.argv = ['p', 'proxy', *sys.argv[1:]];"
            "from pixelwitness.cli import main; main()")  # fmt: skip
    port = free_port()
    with origin() as shop:
        running = proxy_command(tmp_path, port, disk / "a.db", code, before)
        wait_for(port, running)
        client = Client(port, shop, 0.002).start().until(600)
        time.sleep(3)
        client.until(len(client.answered) + 50)  # a full disk is no reason for a page to stand still
        client.stop()
        os.killpg(running.pid, signal.SIGINT)
        said, _ = running.communicate(timeout=120)
    assert "the disk is full. Make room" in said
    assert "is NOT complete" in said
    assert "observations are missing" in said
    assert running.returncode == 2, said
    assert sound(tmp_path / "a.db")


def proxy_command(folder: Path, port: int, db: Path, code: str, before: tuple[str, ...]):  # type: ignore[no-untyped-def]
    import subprocess
    import sys

    args = ["--port", port, "--db", db, "--", "-q", "--set", f"confdir={folder}"]
    return subprocess.Popen([*before, sys.executable, "-c", code, *map(str, args)], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, cwd=ROOT, start_new_session=True)  # fmt: skip


@pytest.mark.slow
def test_a_read_only_folder(disk: Path, tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "made.db")
    fill(ledger, VISIT)
    ledger.close()
    before = small_disk(disk, "4m", f'cp "{tmp_path}/made.db" "{disk}/a.db" && mount -o remount,ro "{disk}"')
    if not before:
        pytest.skip("no read-only disk may be mounted here; tests/ledger/test_files.py has a folder without rights")
    for args in (("replay", CAPTURE, "--db", disk / "a.db"), ("replay", CAPTURE, "--db", disk / "new.db"),
                 ("mark", "x", "--db", disk / "a.db"), ("rejudge", disk / "a.db"),
                 ("proxy", "--port", free_port(), "--db", disk / "a.db", "--", "--set", f"confdir={tmp_path}")):  # fmt: skip
        done = command(*args, before=before)
        said = done.stdout + done.stderr
        assert done.returncode == 2, (args, said)
        assert any(w in said for w in ("cannot be written", "cannot be created")), (args, said)
        assert "Traceback" not in said
    for reader, *more in READERS:
        done = command(reader, disk / "a.db", *more, before=before)
        assert done.returncode == 0, (reader, done.stderr)


@pytest.mark.slow
def test_a_ledger_that_another_process_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "WAIT_SECONDS", 0.2)
    monkeypatch.setattr(errors, "WAIT_SECONDS", 0.2)
    ledger = open_ledger(tmp_path / "a.db")
    fill(ledger, VISIT)
    ledger.close()
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("begin exclusive")
    code = ("import pixelwitness.ledger.opening as o, pixelwitness.ledger.errors as e; o.WAIT_SECONDS = e.WAIT_SECONDS = 0.2;"
            "from pixelwitness.cli import main; main()")  # fmt: skip
    import subprocess
    import sys

    for args in (("replay", CAPTURE, "--db", "a.db"), ("mark", "x", "--db", "a.db"), ("rejudge", "a.db")):
        done = subprocess.run([sys.executable, "-c", code, *map(str, args)], cwd=tmp_path, capture_output=True,
                              text=True, check=False, timeout=100)  # fmt: skip
        assert done.returncode == 2, (args, done.stderr)
        assert "another process" in done.stderr
        assert "Close that" in done.stderr
    for reader, *more in READERS:  # readers of a ledger need not wait for its writer
        assert command(reader, tmp_path / "a.db", *more).returncode == 0
    other.execute("rollback")
    other.close()
    assert sound(tmp_path / "a.db")


def test_a_ledger_of_a_newer_schema_and_one_of_something_else(tmp_path: Path) -> None:
    newer = tmp_path / "newer.db"
    ledger = open_ledger(newer)
    fill(ledger, VISIT)
    ledger.db.execute(
        "insert into _sqlite_migrations (migration_set, name, applied_at) values ('pixelwitness', 'of_2031', '2031')"
    )
    ledger.close()
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as other:
        other.execute("create table cats (name)")
    text = tmp_path / "text.db"
    text.write_text("no database at all " * 100)
    wrong = {newer: "newer pixelwitness (of_2031). Update it", foreign: "something else. Choose another --db",
             text: "is no ledger that can be opened"}  # fmt: skip
    from click.testing import CliRunner

    from pixelwitness.cli import cli

    for path, words in wrong.items():
        before = path.read_bytes()
        for args in (("replay", CAPTURE, "--db", path), ("mark", "x", "--db", path), ("verify", path), ("report", path),
                     ("rejudge", path), ("timestamp", path, "--tsa", "http://127.0.0.1:9/"), ("redact", path, tmp_path / "c.db"), ("timeline", path, "--property", "x"), ("explore", path),
                     ("explain", "x", "--db", path), ("export-evidence", "x", "--db", path), ("compare", path, path)):  # fmt: skip
            done = CliRunner().invoke(cli, [str(a) for a in args])
            assert done.exit_code == 2, (args, done.output)
            assert words in done.output, (args, done.output)
            assert str(path) in done.output
        assert path.read_bytes() == before


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="drives programs by signals")
@pytest.mark.timeout(600)
def test_a_slow_disk_holds_up_no_request(tmp_path: Path) -> None:
    """A disk that needs three seconds for every batch: while it writes, requests are sent and answered all the same."""
    import http.client

    writes = tmp_path / "writes"
    slow = ("import sys, time, pixelwitness.proxy.recorder as r; real = r.write\n"
            "def write(*a, **n):\n"
            "    begun = time.time(); time.sleep(3.0)\n"
            f"    print(begun, time.time(), file=open({str(writes)!r}, 'a'))\n"
            "    return real(*a, **n)\n"
            "r.write = write\nfrom mitmproxy.tools.main import mitmdump; mitmdump(sys.argv[1:])")  # fmt: skip
    port = free_port()
    sent: list[tuple[float, float]] = []

    def written() -> list[tuple[float, float]]:
        lines = writes.read_text().splitlines() if writes.exists() else []
        return [(float(a), float(b)) for a, b in (line.split() for line in lines)]

    with origin() as shop:
        running = proxy(tmp_path / "c", port, tmp_path / "slow.db", "-q", code=slow)
        wait_for(port, running)
        client, line = Client(port, shop), http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        client.send(line, "first")  # answered once the run has begun, whose own first write is waited for
        begun_at = time.time()
        while len(written()) < 5:
            assert len(sent) < 5000, f"{len(written())} writes in {len(sent)} requests"
            start = time.time()
            client.send(line, f"e{len(sent)}")
            sent.append((start, time.time()))
            time.sleep(0.02)
        during = [w for w in written() if w[0] > begun_at]  # no later ones: while the run ends, nothing is sent
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=120)
    assert len(during) >= 3
    for begun, ended in during:
        assert [s for s in sent if begun < s[0] and s[1] < ended], (begun, ended, sent)
    with sqlite3.connect(tmp_path / "slow.db") as db:
        assert db.execute("select count(*) from hits").fetchone()[0] == len(sent) + 1
