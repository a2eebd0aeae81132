"""The command line as a user meets it."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from pixelwitness.cli import COMMANDS, cli
from pixelwitness.report.harmless import safe
from support import ROOT

HAR = ROOT / "captures" / "onetrust-reject.har"
MITM = ROOT / "captures" / "onetrust-reject.mitm"


def run(*args: object, stdin: bytes = b"", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    done = subprocess.run([sys.executable, "-c", "from pixelwitness.cli import main; main()", *map(str, args)],
                          input=stdin, capture_output=True, cwd=cwd, env=env, timeout=120, check=False)  # fmt: skip
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def test_replay_shows_findings_a_person_can_read(tmp_path: Path) -> None:
    done = run("replay", HAR, "--db", tmp_path / "a.db")
    assert done.returncode == 0, done.stderr
    for words in ("shop.example", "Coverage, eu", "unanswered", "What to do:", "D0ME9HRC77U4Q9G3Q7A0", "Chain head:"):
        assert words in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert "\x1b" not in done.stdout
    again = run("report", tmp_path / "a.db")
    assert again.stdout == done.stdout


def test_flow_file_and_har_give_the_same_findings(tmp_path: Path) -> None:
    def found(capture: Path) -> list:
        db = tmp_path / f"{capture.suffix}.db"
        summary = json.loads(run("replay", capture, "--db", db, "--json").stdout)
        return [
            (v["id"], v["hit_id"], v["rule"], v["severity"], v["consent_state"], v["explanation"])
            for p in summary["properties"] for g in p["groups"] for v in g["violations"]
        ]  # fmt: skip

    assert found(MITM) == found(HAR) != []


def test_standard_input_gzip_and_folders(tmp_path: Path) -> None:
    packed = tmp_path / "in" / "x.har.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(HAR.read_bytes()))
    for args, stdin in ((["-"], HAR.read_bytes()), ([packed], b""), ([packed.parent], b"")):
        done = run("replay", *args, "--db", tmp_path / f"{len(stdin)}{len(str(args))}.db", "--json", stdin=stdin)
        assert done.returncode == 0, done.stderr
        assert sum(p["hits"] for p in json.loads(done.stdout)["properties"]) == 23


@pytest.mark.parametrize(("severity", "named", "code"), [("high", [], 1), ("critical", [], 0), ("critical", ["eu"], 1)])
def test_fail_on(tmp_path: Path, severity: str, named: list[str], code: int) -> None:
    regimes = [a for r in named for a in ("--regime", r)]
    assert run("replay", HAR, "--db", tmp_path / "a.db", "--fail-on", severity, *regimes).returncode == code


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["replay", "nowhere.har"], "nowhere.har: cannot be read"),
        (["replay", HAR, "--regime", "mars"], "no regime mars. There are: auto, br, "),
        (["replay", HAR, "--rules", "nowhere"], "no such folder of rules"),
        (["replay", HAR, "--wrong"], "No such option"),
        (["replay"], "Missing argument"),
        (["report", "nowhere.db"], "no such ledger"),
        (["mark", "x", "--db", "nowhere.db"], "no such ledger"),
        (["mark", "x", "--db", "nowhere.db", "--at", "noon"], "--at"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_exit_2(tmp_path: Path, args: list, words: str) -> None:
    done = run(*args, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_capture_is_read_to_the_damage(tmp_path: Path) -> None:
    cut = tmp_path / "cut.har"
    cut.write_bytes(HAR.read_bytes()[: HAR.stat().st_size // 2])
    done = run("replay", cut, "--db", tmp_path / "a.db", "--json")
    assert done.returncode == 2
    assert "cut.har: after" in done.stderr
    summary = json.loads(done.stdout)
    assert not summary["complete"]
    assert sum(p["hits"] for p in summary["properties"]) > 0
    assert "capture_damaged" in {b["kind"] for b in summary["blind_spots"]}


def test_a_bad_file_does_not_stop_the_others(tmp_path: Path) -> None:
    bad = tmp_path / "bad.har"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n")
    done = run("replay", bad, HAR, "--db", tmp_path / "a.db", "--json")
    assert done.returncode == 2
    assert sum(p["hits"] for p in json.loads(done.stdout)["properties"]) == 23


def test_marks_beside_a_capture(tmp_path: Path) -> None:
    capture = tmp_path / "gpc-on.har"
    capture.write_bytes((ROOT / "captures" / "gpc-on.har").read_bytes())
    marks = tmp_path / "gpc-on.har.marks.yaml"
    marks.write_text('- {at: "2026-11-22T00:00:00Z", text: clicked reject}\n')
    done = run("replay", capture, "--db", tmp_path / "a.db", "--json")
    assert done.returncode == 0, done.stderr
    marks.write_text("- {at: noon, text: clicked reject}\n")
    bad = run("replay", capture, "--db", tmp_path / "b.db")
    assert bad.returncode == 2
    assert "mark 1" in bad.stderr


def test_mark_on_a_finished_run_and_verify(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    run("replay", HAR, "--db", db)
    done = run("mark", "nothing clicked", "--db", db, "--at", "2026-11-22T08:31:39Z")
    assert "understood as: nothing clicked" in done.stdout
    assert "every chain is sound" in run("verify", db).stdout
    assert run("verify", db, "--head", "0" * 64).returncode == 1


def test_scope_keeps_everything_else_out(tmp_path: Path) -> None:
    import sqlite3

    run("replay", HAR, "--db", tmp_path / "a.db", "--scope", "shop.example")
    run("replay", HAR, "--db", tmp_path / "b.db", "--scope", "other.example")
    with sqlite3.connect(tmp_path / "a.db") as db:
        assert db.execute("select count(*) from exchanges where host like '%other.example'").fetchone() == (0,)
        assert db.execute("select count(*) from hits").fetchone() == (23,)
    with sqlite3.connect(tmp_path / "b.db") as db:
        assert db.execute("select count(*) from hits").fetchone() == (0,)


def test_nothing_on_a_terminal_can_move_its_cursor() -> None:
    assert "\x1b" not in safe("\x1b[2J\x07\u202e\x9b31mx")
    assert safe("a" * 1000).endswith("...")


def test_help_does_not_load_what_is_heavy() -> None:
    code = "import sys; from pixelwitness import cli; print([m for m in ('mitmproxy', 'rich', 'pydantic', 'sqlite_utils') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_has_a_help_text(command: str) -> None:
    loaded = cli.get_command(click.Context(cli), command)
    assert loaded is not None
    assert loaded.name == command
    assert loaded.help
    for option in loaded.params:
        assert isinstance(option, click.Argument) or getattr(option, "help", None), option.name
