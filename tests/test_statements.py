"""`--properties` and `--regime auto` from end to end: on the record, in the report, and the same when judged again."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from pixelwitness.cli import cli
from support import ROOT

CAPTURE = str(ROOT / "captures" / "gpc-on.har")


def run(*args: str, code: int = 0) -> str:
    done = CliRunner().invoke(cli, list(args))
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def known(tmp_path: Path) -> str:
    first = json.loads(run("replay", CAPTURE, "--db", str(tmp_path / "first.db"), "--json"))
    name = first["properties"][0]["property"]
    path = tmp_path / "properties.yaml"
    path.write_text(f"as_of: 2026-11-20\nproperties:\n  {name}: {{contexts: [{{context: health}}]}}\n")
    return str(path)


def test_a_property_file_is_on_the_record_and_holds_when_judged_again(tmp_path: Path, known: str) -> None:
    db = str(tmp_path / "a.db")
    said = json.loads(run("replay", CAPTURE, "--db", db, "--properties", known, "--json"))
    found = {g["rule"] for p in said["properties"] for g in p["groups"]}
    assert "sensitive-context" in found
    with sqlite3.connect(db) as ledger:
        rows = ledger.execute("select source, property, observed_at from signals where source = 'statement'").fetchall()
    assert [(r[0], r[2]) for r in rows] == [("statement", "2026-11-20T00:00:00.000Z")]
    run("verify", db)
    again = json.loads(run("rejudge", db, "--json"))
    assert [r["changes"] for r in again] == [[]]


def test_auto_says_in_report_and_json_why_it_judges_by_what(tmp_path: Path) -> None:
    db = str(tmp_path / "a.db")
    said = json.loads(run("replay", CAPTURE, "--db", db, "--regime", "auto", "--json"))
    assert set(said["proposed"]) == set(said["regimes"])
    assert all(said["proposed"].values())
    text = run("report", db)
    assert all(f"Regime {name}: " in text for name in said["proposed"])
    run("verify", db)


def test_a_bad_property_file_is_one_error_and_exit_2(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("as_of: 2026-11-20\nproperties: {shop.example: {contexts: [{context: astrology}]}}\n")
    out = run("replay", CAPTURE, "--db", str(tmp_path / "a.db"), "--properties", str(path), code=2)
    assert "no context astrology" in out
