"""What hostile captures left in a ledger, through every command and report: nothing active, nothing raw, no fault."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hostile.captures import CAPTURES, write
from hostile.run import RAW
from pixelwitness.cli import cli

pytestmark = pytest.mark.slow
SECONDS = 10
SMALL = [
    "attacks.har", "headers.mitm", "odd json.har", "deep json.har", "hosts.har", "cookies names.har", "cookies set.har",
    "deep consent.har", "many messages.har", "many sessions.har", "many keys.har", "cut chunks.mitm", "deep har.har",
]  # fmt: skip
"""Those that leave something else in a ledger than a blind spot; all are in CAPTURES."""


class Active(HTMLParser):
    """Collects whatever a browser would run or fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[object] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "iframe", "object", "embed", "img", "link", "base", "form", "image"):
            self.found.append(tag)
        for name, value in attrs:
            address = (value or "").strip().lower()
            if name.startswith("on") or (name in ("href", "src", "action") and not address.startswith("#")):
                self.found.append((tag, name, value))


def ran(*words: object) -> Result:
    before = time.process_time()
    result = CliRunner(env={"COLUMNS": "100"}).invoke(cli, [str(w) for w in words])
    took = time.process_time() - before
    assert took < SECONDS, (words, took)
    assert result.exception is None or isinstance(result.exception, SystemExit), (words, result.exception)
    assert result.exit_code in (0, 1, 2), (words, result.output)
    return result


def shown(*words: object) -> str:
    """The output of a command for people: nothing in it that a terminal would obey."""
    result = ran(*words)
    assert not RAW.findall(result.output), words
    assert "Traceback" not in result.output
    return result.output


def _ids(db: Path, query: str) -> Iterator[str]:
    with sqlite3.connect(db) as opened:
        yield from (row[0] for row in opened.execute(query))


@pytest.mark.parametrize("name", SMALL)
def test_a_hostile_ledger_goes_through_every_command(name: str, tmp_path: Path) -> None:
    assert name in CAPTURES
    capture, db = write(name, tmp_path), tmp_path / "a.db"
    shown("replay", capture, "--db", db, "--all")
    shown("report", db, "--all")
    page = tmp_path / "r.html"
    shown("report", db, "--html", page)
    active = Active()
    active.feed(page.read_text("utf-8"))
    assert active.found == []
    json.loads(ran("report", db, "--format", "json").output)
    json.loads(ran("report", db, "--format", "sarif").output)
    rows = list(csv.reader(io.StringIO(ran("report", db, "--format", "csv").output)))
    assert not [cell for row in rows for cell in row if cell[:1] in tuple("=+-@\t\r") and len(cell) > 1]
    assert not RAW.findall(ran("report", db, "--format", "junit").output)
    markdown = shown("report", db, "--format", "markdown")
    assert "<script" not in markdown
    assert "](javascript:" not in markdown
    for prop in list(_ids(db, "select distinct property from hits where property is not null limit 5")):
        shown("timeline", db, "--property", prop, "--all")
        json.loads(ran("timeline", db, "--property", prop, "--json").output)
    assert "nothing" in shown("rejudge", db) or name in ("cut chunks.mitm",)
    assert ran("verify", db).exit_code == 0
    shown("compare", db, db)
    shared = tmp_path / "shared.db"
    shown("redact", db, shared)
    assert ran("verify", shared).exit_code == 0
    for number, violation in enumerate(list(_ids(db, "select id from violations order by id limit 2"))):
        shown("explain", violation, "--db", db, "--all")
        shown("export-evidence", violation, "--db", db, "--out", tmp_path / f"{number}.zip")
    for hit in list(_ids(db, "select id from hits order by id limit 3")):
        shown("explain", hit, "--db", db)
    shown("decode", capture)


def test_a_hostile_name_of_a_file_shows_as_it_is_not(tmp_path: Path) -> None:
    evil = tmp_path / "x\x1b[2J\u202e.har"
    evil.write_bytes(b"\x89PNG")
    for words in (("replay", evil, "--db", tmp_path / "a.db"), ("replay", f"{evil}.none"), ("report", f"{evil}.db"),
                  ("decode", evil), ("rules", "check", evil), ("replay", evil, "--rules", evil), ("replay", evil, "--identity", evil)):  # fmt: skip
        assert ran(*words).exit_code == 2
        shown(*words)


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[2J=\x07; OptanonConsent=\x1b]0;x\x07groups=C0004%3A0",
        "https://x/?gcd=\x1b[2J&us_privacy=1YNN",
        "\u202e\x9b31m",
    ],
)
def test_the_consent_command_shows_nothing_raw(text: str) -> None:
    shown("consent", text)
