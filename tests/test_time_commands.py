"""explain, timeline, rejudge and compare: by what they print and what they leave in the ledger."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pixelwitness.cli import cli
from support import ROOT

DEMO = ROOT / "captures" / "demo"
BAD = DEMO / "onetrust-bad-withdraw.har"
PROJECTED = {
    "hits": "id", "violations": "id", "coverage": "property, regime, state", "page_views": "id", "signals": "id",
    "blind_spots": "id", "identifiers": "hit_id, field", "notices": "id",
}  # fmt: skip


def run(*args: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in args])


def replay(db: Path, *captures: Path, regimes: tuple[str, ...] = ("eu", "us-ca")) -> None:
    named = [part for r in regimes for part in ("--regime", r)]
    assert run("replay", *captures, "--db", db, *named).exit_code == 0


def rows(db: Path, table: str, order: str) -> list[dict[str, Any]]:
    with sqlite3.connect(db) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(r) for r in connection.execute(f"select * from {table} order by {order}")]


def projections(db: Path, *, without: tuple[str, ...] = ()) -> dict[str, list[dict[str, Any]]]:
    return {
        table: [{k: v for k, v in row.items() if k not in without} for row in rows(db, table, order)]
        for table, order in PROJECTED.items()
    }


# --- rejudge ---------------------------------------------------------------------------------------------------------


def test_rejudging_changes_nothing_where_nothing_changed(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    replay(db, BAD)
    before = projections(db)
    said = run("rejudge", db)
    assert (said.exit_code, "nothing changed" in said.output) == (0, True)
    assert projections(db) == before
    assert not rows(db, "revisions", "hit_id")


def test_rejudging_under_other_regimes_equals_a_fresh_replay(tmp_path: Path) -> None:
    first, fresh = tmp_path / "a.db", tmp_path / "b.db"
    replay(first, BAD, regimes=("eu",))
    replay(fresh, BAD, regimes=("us-ca",))
    assert run("rejudge", first, "--regime", "us-ca").exit_code == 0
    assert projections(first) == projections(fresh)


def test_a_dry_run_says_what_would_change_and_writes_nothing(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    replay(db, BAD, regimes=("eu",))
    before = projections(db)
    said = run("rejudge", db, "--regime", "us-ca", "--dry-run", "--json")
    (one,) = json.loads(said.output)
    assert any("us-ca was not judged before" in n for n in one["notes"])
    assert any(c["kind"] == "violation" and c["regime"] == "us-ca" and c["why"] for c in one["changes"])
    assert projections(db) == before


def test_other_rules_change_verdicts_and_it_says_what_was_not_read_again(tmp_path: Path) -> None:
    db, extra = tmp_path / "a.db", tmp_path / "rules"
    replay(db, BAD)
    extra.mkdir()
    text = (ROOT / "rules" / "judging.yaml").read_text()
    (extra / "judging.yaml").write_text(text.replace("least_clock_error_ms: 1000", "least_clock_error_ms: 5000"))
    (one,) = json.loads(run("rejudge", db, "--rules", extra, "--json").output)
    changed = [c for c in one["changes"] if c["kind"] == "verdict"]
    assert changed
    assert all("Possible states" in c["why"] for c in changed)
    assert any("stored masked" in n for n in one["notes"])
    assert any("Recorded with other rules" in n for n in one["notes"])


# --- compare -----------------------------------------------------------------------------------------------------------


def other_site(path: Path, name: str) -> Path:
    """A capture with the bad shop's name on it."""
    made = path.parent / name
    made.write_text(json_text(path))
    return made


def json_text(path: Path) -> str:
    return path.read_text().replace("onetrust-good.example", "onetrust-bad.example")


def test_an_audit_after_a_fix(tmp_path: Path) -> None:
    before, after, fixed = tmp_path / "before.db", tmp_path / "after.db", tmp_path / "fixed.har"
    fixed.write_text(json_text(DEMO / "onetrust-good-withdraw.har"))
    replay(before, BAD)
    replay(after, fixed)
    found = json.loads(run("compare", before, after, "--json").output)
    by_rule = {(d["regime"], d["rule"], d["state"]): d["status"] for d in found["differences"]}
    assert by_rule["eu", "fired-after-withdrawal", "denied"] == "gone"
    assert run("compare", before, after, "--fail-on-new").exit_code == 0
    backwards = run("compare", after, before, "--fail-on-new")
    assert (backwards.exit_code, "NEW" in backwards.output) == (1, True)


def test_what_was_not_tested_again_is_no_fix(tmp_path: Path) -> None:
    before, after, fixed = tmp_path / "before.db", tmp_path / "after.db", tmp_path / "fixed.har"
    fixed.write_text(json_text(DEMO / "onetrust-good-accept.har"))
    replay(before, BAD)
    replay(after, fixed)
    found = json.loads(run("compare", before, after, "--json").output)
    status = {(d["regime"], d["rule"]): (d["status"], d["why"]) for d in found["differences"]}
    assert status["eu", "fired-after-withdrawal"][0] == "not_seen"
    assert "no proof" in status["eu", "fired-after-withdrawal"][1]


def test_the_same_ledger_twice_is_unchanged(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    replay(db, BAD)
    found = json.loads(run("compare", db, db, "--json").output)
    assert {d["status"] for d in found["differences"]} == {"unchanged"}
    assert not found["coverage"]


# --- explain and timeline ------------------------------------------------------------------------------------------------


def test_a_violation_is_explained_whole(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    replay(db, BAD)
    violation = next(v for v in rows(db, "violations", "id") if v["rule"] == "fired-after-withdrawal")
    found = json.loads(run("explain", violation["id"][:10], "--db", db, "--json").output)
    assert found["hit"]["id"] == violation["hit_id"]
    decided = [s for s in found["signals"] if s["role"] == "decided"]
    assert decided
    assert {s["id"] for s in decided} == set(json.loads(violation["signals"]))
    assert any(t.startswith("If the visitor's state were known to be granted: eu: compliant") for t in found["what_if"])
    eu = next(r for r in found["regimes"] if r["regime"] == "eu")
    assert eu["source"]
    assert {r["rule"] for r in eu["rules"]} >= {"fired-after-withdrawal"}
    assert found["evidence"]
    assert all(r["severity_why"] == violation["severity_why"] for r in eu["rules"] if r["rule"] == violation["rule"])
    assert any("granted, and then withdraw it" in step for step in found["reproduce"])
    text = run("explain", violation["hit_id"], "--db", db)
    # A source of a rule is no source of each law under which it holds: once, and apart from the laws.
    california = text.output.partition("us-ca:")[2].partition("Sources of the rules")[0]
    assert "open to argument" in california
    assert "GDPR" not in california.replace("GDPR and US States", "")
    assert "What would have changed the verdict" in text.output
    assert all(len(line) <= 80 for line in text.output.splitlines())


PROPERTIES = """
as_of: 2026-11-01
properties:
  onetrust-bad.example:
    contexts: [{context: health}]
    transfer: {sccs: false, assessment: false}
"""


def test_what_would_change_starts_from_the_verdict_that_was_given(tmp_path: Path) -> None:
    db, said = tmp_path / "a.db", tmp_path / "properties.yaml"
    said.write_text(PROPERTIES)
    assert run("replay", BAD, "--db", db, "--properties", said).exit_code == 0
    told = 0
    for hit in rows(db, "hits", "id"):
        given = json.loads(hit["verdicts"])
        found = json.loads(run("explain", hit["id"], "--db", db, "--json").output)
        for regime, was in re.findall(r"([\w-]+): \w+ instead of (\w+)", "; ".join(found["what_if"])):
            assert given[regime] == was
            told += 1
        assert not any("By the rules of now" in note for note in found["notes"])
    assert told


def test_a_ledger_of_proposed_regimes_and_a_property_file_stays_sound_whatever_is_done_to_it(tmp_path: Path) -> None:
    db, said = tmp_path / "a.db", tmp_path / "properties.yaml"
    said.write_text(PROPERTIES)
    replayed = ["replay", BAD, "--db", db, "--properties", said, "--regime", "auto", "--regime", "us-co"]
    assert run(*replayed).exit_code == 0
    (before,) = {(r["regimes"], r["proposed"]) for r in rows(db, "runs", "id")}
    assert "by default" in before[1]
    at = rows(db, "hits", "occurred_at")[-1]["occurred_at"]
    for step in (["mark", "clicked reject", "--db", db, "--at", at], ["rejudge", db], replayed):
        assert run(*step).exit_code == 0
        assert run("verify", db).exit_code == 0
        assert {(r["regimes"], r["proposed"]) for r in rows(db, "runs", "id")} == {before}
    assert run("rejudge", db, "--regime", "eu").exit_code == 0
    assert run("verify", db).exit_code == 0
    assert {r["proposed"] for r in rows(db, "runs", "id")} == {"{}"}


def test_an_absence_that_decided_is_named(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    replay(db, DEMO / "onetrust-bad-before.har")
    hit = next(h for h in rows(db, "hits", "occurred_at") if h["consent_state"] == "unanswered")
    assert json.loads(hit["shown_by"]) or json.loads(hit["signals"])
    found = json.loads(run("explain", hit["id"], "--db", db, "--json").output)
    assert found["shown_by"] or any(s["role"] == "decided" for s in found["signals"])


@pytest.mark.parametrize("asked", ["zzzz", "", "%", "a' or 1=1 --"])
def test_what_is_no_id_is_one_line(tmp_path: Path, asked: str) -> None:
    db = tmp_path / "a.db"
    replay(db, BAD)
    said = run("explain", asked, "--db", db)
    assert said.exit_code == 2
    assert len(said.output.strip().splitlines()) == 1


def test_a_session_is_drawn_at_80_columns(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    replay(db, BAD)
    said = run("timeline", db, "--property", "onetrust-bad.example")
    assert said.exit_code == 0
    assert all(len(line) <= 80 for line in said.output.splitlines())
    kinds = [line[13:21].strip() for line in said.output.splitlines() if line[:2].isdigit()]
    assert {"PAGE", "CONSENT", "HIT", "loads"} <= set(kinds)
    assert "VIOLATION" in said.output
    unknown = run("timeline", db, "--property", "nowhere.example")
    assert (unknown.exit_code, "onetrust-bad.example" in unknown.output) == (2, True)


def test_hostile_names_move_no_cursor(tmp_path: Path) -> None:
    har = json.loads(BAD.read_text())
    for entry in har["log"]["entries"]:
        data = entry["request"].get("postData", {})
        if '"event":"Pageview"' in data.get("text", "").replace(" ", ""):
            data["text"] = data["text"].replace("Pageview", "P\\u001b[2J\\u202evil")
    capture, db = tmp_path / "evil.har", tmp_path / "a.db"
    capture.write_text(json.dumps(har))
    replay(db, capture)
    prop = "onetrust-bad.example"
    hit = next(h for h in rows(db, "hits", "occurred_at") if h["event"] and "\x1b" in h["event"])
    for said in (run("timeline", db, "--property", prop), run("explain", hit["id"], "--db", db), run("rejudge", db)):
        assert said.exit_code == 0
        assert "\x1b" not in said.output
        assert "\u202e" not in said.output


# --- the same capture, whichever way -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["onetrust-bad-withdraw", "cookiebot-bad-reject", "onetrust-bad-gpc"])
def test_cut_at_page_boundaries_and_replayed_together(tmp_path: Path, name: str) -> None:
    har = json.loads((DEMO / f"{name}.har").read_text())
    entries = sorted(har["log"]["entries"], key=lambda e: e["startedDateTime"])
    parts: list[list[Any]] = [[]]
    for entry in entries:
        headers = {h["name"].lower(): h["value"] for h in entry["request"]["headers"]}
        if headers.get("sec-fetch-dest") == "document" and parts[-1]:
            parts.append([])
        parts[-1].append(entry)
    assert len(parts) > 1
    files = []
    for i, part in enumerate(parts):
        file = tmp_path / f"part{i}.har"
        file.write_text(json.dumps({"log": {**har["log"], "entries": part}}))
        files.append(file)
    whole, cut = tmp_path / "whole.db", tmp_path / "cut.db"
    replay(whole, DEMO / f"{name}.har")
    replay(cut, *files)
    without = ("run_id", "recording", "capture", "id")
    for table in ("violations", "coverage", "hits"):
        assert projections(cut, without=without)[table] == projections(whole, without=without)[table]


@pytest.mark.parametrize("name", ["onetrust-bad-withdraw", "cookiebot-bad-reject", "onetrust-bad-gpc"])
def test_a_flow_file_and_a_har_of_one_visit_have_the_same_verdicts(tmp_path: Path, name: str) -> None:
    found = []
    for ending in ("mitm", "har"):
        db = tmp_path / f"{ending}.db"
        replay(db, DEMO / f"{name}.{ending}")
        found.append([(v["id"], v["rule"], v["severity"], v["consent_state"]) for v in rows(db, "violations", "id")])
    assert found[0] == found[1]
