"""Heads that a timestamp authority signs: kept in the chain, checked by verify, part of the evidence."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import socket
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from authority import make, serving
from click.testing import CliRunner, Result

from filled import VISIT, fill
from pixelwitness.cli import cli
from pixelwitness.ledger import timestamps
from pixelwitness.ledger.chain import commitment
from pixelwitness.ledger.store import open_ledger
from support import ROOT

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the local timestamp authority")
CAPTURE = ROOT / "captures" / "onetrust-reject.har"


def run(*args: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in args])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tsa") / "authority"
    make(folder)
    return folder


@pytest.fixture
def url(authority: Path) -> Iterator[str]:
    with serving(authority) as (address, _):
        yield address


@pytest.fixture
def db(tmp_path: Path) -> Path:
    ledger = open_ledger(tmp_path / "a.db")
    fill(ledger, VISIT)
    ledger.close()
    return tmp_path / "a.db"


def head_of(db: Path) -> str:
    with sqlite3.connect(db) as ledger:
        return str(ledger.execute("select chain_head from runs").fetchone()[0])


def test_a_head_is_signed_kept_and_checked(db: Path, authority: Path) -> None:
    head = head_of(db)
    with serving(authority) as (url, asked):
        done = run("timestamp", db, "--tsa", url, "--tsa-ca", authority / "root.pem")
    assert done.exit_code == 0, done.output
    assert f"Head {head} of run" in done.output
    assert f"Chain head now: {head_of(db)}" in done.output
    assert len(asked) == 1
    assert hashlib.sha256(head.encode()).digest() in asked[0]
    assert len(asked[0]) < 120, "the digest is sent, and nothing else"
    for roots, words in (((), "signature NOT checked: give --tsa-ca FILE"), (("--tsa-ca", authority / "root.pem"), "signature checked")):  # fmt: skip
        done = run("verify", db, "--head", head, *roots)
        assert done.exit_code == 0, done.output
        assert words in done.output
        assert "observations were recorded by 20" in done.output


def test_a_stranger_that_signs_is_found(db: Path, url: str, tmp_path: Path) -> None:
    other = make(tmp_path / "other")
    refused = run("timestamp", db, "--tsa", url, "--tsa-ca", other)
    assert refused.exit_code == 2
    assert "its signature does not hold" in refused.output
    assert run("timestamp", db, "--tsa", url).exit_code == 0
    done = run("verify", db, "--tsa-ca", other)
    assert done.exit_code == 1
    assert "a timestamp does not hold: its signature" in done.output


@pytest.mark.parametrize(
    ("path", "words"),
    [("cut", "no answer of a timestamp authority"), ("text", "no answer of a timestamp authority"),
     ("large", "larger than"), ("elsewhere", "answers 302")],
)  # fmt: skip
def test_what_proves_nothing_is_refused(path: str, words: str, db: Path, url: str) -> None:
    before = head_of(db)
    done = run("timestamp", db, "--tsa", url + path)
    assert done.exit_code == 2
    assert words in done.output
    assert head_of(db) == before


def test_an_answer_to_another_question_is_refused(db: Path, url: str) -> None:
    assert run("timestamp", db, "--tsa", url + "old").exit_code == 0
    done = run("timestamp", db, "--tsa", url + "old")
    assert done.exit_code == 2
    assert "another request" in done.output


def test_an_authority_that_is_not_there_is_said(db: Path) -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    done = run("timestamp", db, "--tsa", f"http://127.0.0.1:{port}/")
    assert (done.exit_code, "cannot be reached" in done.output) == (2, True)
    assert run("timestamp", db, "--tsa", "file:///etc/passwd").exit_code == 2
    assert run("timestamp", db, "--tsa", f"http://127.0.0.1:{port}/", "--run", "x").exit_code == 2
    assert run("verify", db, "--tsa-ca", db).exit_code == 2


def forged(db: Path, change: dict[str, object]) -> None:
    """As one would who can write the file, and makes the part's commitment anew; the chain is left as it is."""
    ledger = open_ledger(db)
    row = next(iter(ledger.db.query("select rowid as place, content from observation_parts where name = 'timestamp'")))
    import zlib

    said = {**json.loads(zlib.decompress(row["content"])), **change}
    stored = json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()
    ledger.db.execute(
        "update observation_parts set content = ?, stored = ? where rowid = ?",
        [zlib.compress(stored), commitment("timestamp", stored, ledger.leaf), row["place"]],
    )
    ledger.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [({"head": "0" * 64}, "is nowhere"), ({"at": 1}, "its time is another"), ({"token": "AAAA"}, "no answer"), ({"token": 7}, "not as this program")],
)  # fmt: skip
def test_a_changed_timestamp_is_named(change: dict[str, object], words: str, db: Path, url: str) -> None:
    assert run("timestamp", db, "--tsa", url).exit_code == 0
    forged(db, change)
    done = run("verify", db)
    assert done.exit_code == 1
    assert words in done.output
    with sqlite3.connect(db) as ledger:
        ledger.execute("delete from observations where kind = 'timestamp'")
    assert run("verify", db).exit_code == 1


def test_the_evidence_holds_it_and_openssl_checks_it(db: Path, url: str, authority: Path, tmp_path: Path) -> None:
    head = head_of(db)
    assert run("timestamp", db, "--tsa", url).exit_code == 0
    with sqlite3.connect(db) as ledger:
        violation = ledger.execute("select id from violations").fetchone()[0]
    for name, source in (("e.zip", db), ("copy.zip", tmp_path / "copy.db")):
        if source != db:
            assert run("redact", db, source).exit_code == 0
            assert run("verify", source, "--tsa-ca", authority / "root.pem").exit_code == 0
        assert run("export-evidence", violation, "--db", source, "--out", tmp_path / name).exit_code == 0
        folder = tmp_path / name.removesuffix(".zip")
        with zipfile.ZipFile(tmp_path / name) as archive:
            archive.extractall(folder)
        assert (folder / "timestamp-1.txt").read_text() == head
        readme = (folder / "README.txt").read_text()
        assert "openssl ts -verify -data timestamp-1.txt -in timestamp-1.tsr -CAfile root.pem" in readme
        shutil.copy(authority / "root.pem", folder)
        done = subprocess.run(["openssl", "ts", "-verify", "-data", "timestamp-1.txt", "-in", "timestamp-1.tsr", "-CAfile", "root.pem"],
                              cwd=folder, capture_output=True, text=True, check=False)  # fmt: skip
        assert "Verification: OK" in done.stdout + done.stderr
        check = [sys.executable, "-I", folder / "check.py"]
        for given in (head, head_of(db)):
            done = subprocess.run([*check, given], capture_output=True, text=True, check=False)
            assert (done.returncode, "timestamp-1.txt is a head of this chain" in done.stdout) == (0, True), done.stdout
    (folder / "timestamp-1.txt").write_text("0" * 64)
    assert "is no head of this chain" in subprocess.run(check, capture_output=True, text=True, check=False).stdout


def test_evidence_that_came_after_the_head_is_no_evidence(db: Path, tmp_path: Path) -> None:
    with sqlite3.connect(db) as ledger:
        violation = ledger.execute("select id from violations").fetchone()[0]
        early = ledger.execute("select hash from observations where seq = 1").fetchone()[0]
    assert run("export-evidence", violation, "--db", db, "--out", tmp_path / "e.zip").exit_code == 0
    with zipfile.ZipFile(tmp_path / "e.zip") as archive:
        archive.extractall(tmp_path / "e")
    done = subprocess.run(
        [sys.executable, "-I", tmp_path / "e" / "check.py", early], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1


def test_a_replay_can_be_stamped_at_its_end(url: str, tmp_path: Path) -> None:
    done = run("replay", CAPTURE, "--db", tmp_path / "b.db", "--timestamp", url)
    assert done.exit_code == 0, done.output
    assert ": timestamped 20" in done.output
    assert "signature NOT checked" in run("verify", tmp_path / "b.db").output
    ledger = open_ledger(tmp_path / "b.db")
    (stamp,) = timestamps.stamps(
        list(ledger.facts("timestamp", *(r["id"] for r in ledger.db.query("select id from runs"))))
    )
    assert base64.b64encode(stamp.token)
    ledger.close()
