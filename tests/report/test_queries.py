"""Saved queries against a real ledger, and Datasette itself."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

from pixelwitness.ledger.views import VIEWS
from pixelwitness.report.queries import QUERIES

EMPTY = {"personas", "gpc"}
"""This capture has no test personas, and no GPC."""


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_answers(audited: Path, name: str) -> None:
    with sqlite3.connect(f"file:{audited}?mode=ro", uri=True) as db:
        rows = db.execute(QUERIES[name].sql).fetchall()
    assert bool(rows) == (name not in EMPTY)


def test_there_are_ten() -> None:
    assert len(QUERIES) == 10


def test_answers_are_those_of_the_tables(audited: Path) -> None:
    with sqlite3.connect(audited) as db:
        assert (
            db.execute("select sum(requests) from violations_by_rule").fetchone()
            == db.execute("select count(*) from violations").fetchone()
        )
        assert db.execute("select count(*) from sends").fetchone() == (23,)
        assert all(seconds > 0 for *_, seconds in db.execute(QUERIES["after_refusal"].sql))
        proof = db.execute(QUERIES["proof"].sql).fetchall()
        assert all(len(row[6]) == 64 for row in proof)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_in_every_ledger(audited: Path, view: str) -> None:
    with sqlite3.connect(audited) as db:
        assert db.execute(f"select count(*) from {view}").fetchone()[0] >= 0


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="the child is stopped by a signal")
def test_explore_serves_this_machine_and_its_starter_only(audited: Path, tmp_path: Path) -> None:
    pytest.importorskip("datasette", reason="the extra `explore` is not installed")
    ledger = shutil.copy(audited, tmp_path / "audit.db")
    main = "from pixelwitness.cli import main; main()"
    command = [sys.executable, "-c", main, "explore", str(ledger), "--port", "0"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
                             env={**os.environ, "PYTHONUNBUFFERED": "1"})  # fmt: skip
    try:
        login, address = "", ""
        for line in child.stdout or []:
            login = next(iter(re.findall(r"http://127\.0\.0\.1\S*auth-token\S+", line)), login)
            address = next(iter(re.findall(r"running on (http://127\.0\.0\.1:\d+)", line)), address)
            if login and address:
                break
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{address}/audit.json", timeout=20)
        assert refused.value.code == 403
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        browser.open(f"{address}/-/auth-token?{login.partition('?')[2]}", timeout=20)
        answer = json.load(browser.open(f"{address}/audit/worst.json?_shape=array", timeout=20))
        assert answer[0]["property"] == "shop.example"
    finally:
        os.killpg(child.pid, signal.SIGTERM)
        child.wait(20)
