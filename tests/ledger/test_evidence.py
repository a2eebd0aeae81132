"""Evidence of one violation that anybody can check with Python alone, and that shows what was changed in it."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from filled import VISIT, fill
from pixelwitness.ledger.redact import share
from pixelwitness.ledger.store import LedgerError, open_ledger, read_ledger
from pixelwitness.report.proof.export import export
from pixelwitness.sources.files import read_capture
from support import BOOK


def unpacked(tmp_path: Path, *, copy: bool = False) -> tuple[Path, str]:
    ledger = open_ledger(tmp_path / "audit.db")
    run = fill(ledger, VISIT)
    head = ledger.head(run)
    if copy:
        share(ledger, tmp_path / "copy.db", BOOK)
        ledger = read_ledger(tmp_path / "copy.db")
    query = "select id from violations where rule = 'fired-after-denial' order by occurred_at desc limit 1"
    violation = next(iter(ledger.db.query(query)))["id"]
    folder = tmp_path / "evidence"
    with zipfile.ZipFile(export(ledger, violation, tmp_path / "e.zip")) as archive:
        archive.extractall(folder)
    return folder, head


def check(folder: Path, *args: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-I", str(folder / "check.py"), *args], capture_output=True, text=True,
                          check=False, timeout=60)  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


@pytest.mark.parametrize("copy", [False, True])
def test_it_can_be_checked_without_this_program(tmp_path: Path, copy: bool) -> None:
    folder, head = unpacked(tmp_path, copy=copy)
    assert check(folder) == (0, f"Chain heads: {head}\nEverything fits. (No head was given.)\n")
    assert check(folder, head)[0] == 0
    code, said = check(folder, "0" * 64)
    assert code == 1
    assert "the head that you gave" in said
    assert head in (folder / "README.txt").read_text()
    evidence = json.loads((folder / "evidence.json").read_text())
    assert [t["what"] for t in evidence["timeline"]][-1].startswith("the request")
    assert evidence["signals"]
    assert evidence["decoded"]["payload"]["event"] if not copy else evidence["decoded"]["payload"]
    assert [e.method for e in read_capture(folder / "request.har", client="c", name="x")] == ["POST"]


def reseal(folder: Path) -> None:
    """What a forger would do as well: the list of digests is made anew."""
    names = [line.partition("  ")[2] for line in (folder / "SHA256SUMS").read_text().splitlines()]
    lines = [f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names]
    (folder / "SHA256SUMS").write_text("".join(lines))


def edit(folder: Path, name: str, change: object) -> None:
    said = json.loads((folder / name).read_text())
    change(said)  # type: ignore[operator]
    (folder / name).write_text(json.dumps(said))


def new_state(chain: dict) -> None:
    for row in chain["observations"]:
        for part in row["parts"]:
            if part["name"] == "observed":
                said = json.loads(base64.b64decode(part["content"]))
                for signal in said.get("signals", []):
                    signal["state"] = "granted"
                part["content"] = base64.b64encode(json.dumps(said).encode()).decode()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("evidence.json", lambda e: e["decoded"].update(event="Purchased")),
        ("evidence.json", lambda e: e["signals"][0].update(state="granted")),
        ("chain.json", lambda c: c["observations"][0].update(at=c["observations"][0]["at"] + 1)),
        ("chain.json", lambda c: c["observations"][0].update(client="another")),
        ("chain.json", lambda c: c["observations"][0]["parts"][0].update(digest="0" * 64)),
        ("chain.json", new_state),
        ("chain.json", lambda c: c["runs"][0]["bodies"].reverse()),
        ("chain.json", lambda c: c["runs"][0].update(head="0" * 64)),
        ("chain.json", lambda c: c.update(salts={})),
    ],
)
def test_a_forged_file_is_found_even_if_its_digest_is_made_anew(tmp_path: Path, name: str, change: object) -> None:
    folder, head = unpacked(tmp_path)
    edit(folder, name, change)
    assert f"{name}: is not the file" in check(folder, head)[1]
    reseal(folder)
    assert check(folder, head)[0] == 1


def test_a_changed_request_is_found(tmp_path: Path) -> None:
    folder, head = unpacked(tmp_path)
    path = folder / "request.http"
    path.write_bytes(path.read_bytes().replace(b"POST", b"GET"))
    reseal(folder)
    code, said = check(folder, head)
    assert (code, "request.http is not what was recorded" in said) == (1, True)


def test_an_unknown_violation_is_said(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "audit.db")
    fill(ledger, VISIT)
    with pytest.raises(LedgerError, match="no violation x"):
        export(ledger, "x", tmp_path / "e.zip")
    assert not (tmp_path / "e.zip").exists()
