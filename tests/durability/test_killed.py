"""Runs that are killed, ended, or that share a file: nothing that was written is lost, and what is missing is bounded."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from durability.programs import Client, command, free_port, origin, proxy, wait_for
from pixelwitness.ledger.store import open_ledger, read_ledger
from pixelwitness.ledger.verify import verify
from pixelwitness.rejudge import rejudge
from support import BOOK, ROOT

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="drives programs by signals"),
    pytest.mark.slow,
    pytest.mark.timeout(600),
]
SECONDS = 2.0
"""What docs/live.md promises of a run that keeps up."""
SLACK = 3.0
"""What a machine that is busy with other tests may add to that."""
CAPTURE = ROOT / "captures" / "demo" / "onetrust-bad-reject.har"


def recorded(db: Path) -> set[str]:
    with sqlite3.connect(f"file:{db}?mode=ro", uri=True) as ledger:
        return {r[0] for r in ledger.execute("select event_id from hits")}


def test_what_a_killed_run_lacks_is_bounded(tmp_path: Path) -> None:
    """Killed at random points of a run under load, again and again on the same file: each adds a run to it."""
    assert f"**the last {'two' if SECONDS == 2 else SECONDS} seconds**" in (ROOT / "docs" / "live.md").read_text()
    chance = random.Random(6)
    db = tmp_path / "a.db"
    with origin() as shop:
        for number in range(3):
            port = free_port()
            running = proxy(tmp_path, port, db, "-q")
            wait_for(port, running)
            client = Client(port, shop).start().until(20)
            time.sleep(chance.uniform(0.0, 4.0))
            killed = time.time()
            running.send_signal(signal.SIGKILL)
            running.communicate(timeout=30)
            client.stop()
            sent = [name for name, at in client.answered if at < killed]
            assert len(sent) >= 20
            ledger = open_ledger(db)
            runs = [r["id"] for r in ledger.db.query("select id from runs order by rowid")]
            assert len(runs) == number + 1
            found = verify(ledger, BOOK)
            assert found.faults == []
            assert any("was not closed" in said for said in (*found.notes, *found.unchecked))
            there = {h.event_id for h in ledger.rows(ledger.recording_of(runs[-1])).hits}
            missing = [at for name, at in client.answered if name not in there and at < killed]
            assert all(killed - at <= SECONDS + SLACK for at in missing), (len(missing), killed - min(missing))
            # No hole: what is missing is the end.
            kept = [name for name in sent if name in there]
            assert kept == sent[: len(kept)]
            rejudge(ledger, BOOK, run=runs[-1], regimes=(BOOK.regimes["eu"],))
            found = verify(ledger, BOOK)
            assert (found.faults, [n for n in found.notes if runs[-1] in n]) == ([], []), "what was judged is checked"
            ledger.db.conn.execute("begin")
            ledger.db.conn.execute("update hits set consent_state = 'x' where run_id = ?", [runs[-1]])
            assert any("consent_state" in fault for fault in verify(ledger, BOOK).faults)
            ledger.db.conn.rollback()
            ledger.close()


@pytest.mark.parametrize("signals", [(signal.SIGTERM,), (signal.SIGHUP,), (signal.SIGINT, signal.SIGINT)])
def test_a_run_that_is_ended_lacks_nothing(signals: tuple[signal.Signals, ...], tmp_path: Path) -> None:
    db, port = tmp_path / "a.db", free_port()
    with origin() as shop:
        running = proxy(tmp_path, port, db)
        wait_for(port, running)
        client = Client(port, shop).start().until(50)
        ended = time.time()
        for one in signals:
            running.send_signal(one)
            time.sleep(0.05)
        said, _ = running.communicate(timeout=120)
        client.stop()
    assert running.returncode == 0, said
    assert "is complete; chain head" in said
    assert {name for name, at in client.answered if at < ended} <= recorded(db)
    head = said.rpartition("chain head ")[2].split()[0]
    done = command("verify", db, "--head", head)
    assert done.returncode == 0, done.stdout + done.stderr


def test_two_live_runs_on_one_file(tmp_path: Path) -> None:
    db, ports = tmp_path / "a.db", (free_port(), free_port())
    with origin() as shop:
        running = [proxy(tmp_path / f"conf{port}", port, db) for port in ports]
        for port, one in zip(ports, running, strict=True):
            wait_for(port, one)
        clients = [Client(port, shop, 0.02).start() for port in ports]
        for client in clients:
            client.until(80)
        for client in clients:
            client.stop()
        for one in running:
            one.send_signal(signal.SIGINT)
        for one in running:
            said, _ = one.communicate(timeout=120)
            assert "is complete" in said, said
    with sqlite3.connect(db) as ledger:
        counts = [r[0] for r in ledger.execute("select count(*) from hits group by run_id")]
    assert sorted(counts) == sorted(len(c.answered) for c in clients)
    done = command("verify", db)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("ending", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_replay_that_is_ended(ending: signal.Signals, code: int, tmp_path: Path) -> None:
    """Ended twice at a random moment while it works; done once more, it is whole."""
    import sys

    from durability.programs import COMMAND

    many = tmp_path / "many"
    many.mkdir()
    for number in range(30):
        text = CAPTURE.read_text().replace("shop.example", f"shop{number}.example")
        (many / f"{number:02}.har").write_text(text)
    db = tmp_path / "a.db"
    # Slowed down, so that it is at work for ten seconds after the first capture, however fast the machine is.
    # What the caller of the tests ignores (nohup, a job in the background) would stay ignored, as it should.
    slow = ("import signal, time, pixelwitness.replay as r; real = r.batches\n"
            "for one in (signal.SIGTERM, signal.SIGHUP): signal.signal(one, signal.SIG_DFL)\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "def batches(*a):\n"
            "    for made in real(*a):\n        time.sleep(0.3)\n        yield made\n"
            f"r.batches = batches; {COMMAND}")  # fmt: skip
    args = [sys.executable, "-c", slow, "replay", str(many), "--db", str(db)]
    running = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and running.poll() is None:
        time.sleep(0.05)
        if db.exists() and count(db) > 20:
            break
    assert running.poll() is None, running.communicate()
    for _ in range(2):
        running.send_signal(ending)
        time.sleep(0.01)
    _, said = running.communicate(timeout=120)
    assert running.returncode == code, said
    assert said.strip() == "pixelwitness: interrupted; what was read so far is in the ledger"
    ledger = read_ledger(db)
    assert verify(ledger, BOOK).faults == []
    ledger.close()
    assert command("replay", many, "--db", db).returncode == 0
    assert command("verify", db).returncode == 0


def count(db: Path) -> int:
    try:
        with sqlite3.connect(f"file:{db}?mode=ro", uri=True) as ledger:
            return int(ledger.execute("select count(*) from observations").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
