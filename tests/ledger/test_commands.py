"""verify, redact and export-evidence as a user meets them."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pixelwitness.cli import cli
from support import ROOT

CAPTURE = ROOT / "captures" / "demo" / "onetrust-bad-reject.har"


def run(*args: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in args])


def test_from_a_capture_to_evidence_and_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("replay", CAPTURE, "--db", "a.db").exit_code == 0
    done = run("verify", "a.db")
    assert (done.exit_code, "every chain is sound, and the tables follow from it" in done.output) == (0, True)
    with sqlite3.connect("a.db") as db:
        violation, head = db.execute("select v.id, r.chain_head from violations v, runs r limit 1").fetchone()
    assert "check.py" in run("export-evidence", violation, "--db", "a.db").output
    copied = run("redact", "a.db", "copy.db")
    assert "bodies of requests" in copied.output
    assert "Kept: verdicts" in copied.output
    done = run("verify", "copy.db", "--head", head)
    assert done.exit_code == 0, done.output
    assert "redacted: " in done.output
    if os.name == "posix":
        modes = {stat.S_IMODE(p.stat().st_mode) for p in (Path("copy.db"), Path(f"evidence-{violation}.zip"))}
        assert modes == {0o600}
    with sqlite3.connect("a.db") as db:
        db.execute("update violations set severity = 'info'")
    done = run("verify", "a.db")
    assert (done.exit_code, "severity is 'info'" in done.output) == (1, True)
    assert run("verify", "a.db", "--chain-only").exit_code == 0
    assert run("verify", "a.db", "--run", "x").exit_code == 2
    assert run("redact", "a.db", "copy.db").exit_code == 2
    assert run("export-evidence", "x", "--db", "a.db").exit_code == 2


def test_sizes_and_clear_text_are_as_asked(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    done = run("replay", CAPTURE, "--db", db, "--max-body", "10", "--keep-plaintext")
    assert "stored as they were sent" in done.stderr
    import zlib

    with sqlite3.connect(db) as ledger:
        bodies = [zlib.decompress(r[0]) for r in
                  ledger.execute("select content from observation_parts where name = 'request_body'")]  # fmt: skip
    assert bodies
    assert all(b"left out: larger than 10" in b for b in bodies)
    assert run("replay", CAPTURE, "--db", db, "--max-body", "lots").exit_code == 2
