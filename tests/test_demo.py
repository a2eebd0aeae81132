"""A real browser through the real add-on: what each visit must show."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest

from demo.browser import BrowserMissing, browser_path, visit
from demo.scenarios import SCENARIOS, Scenario
from demo.sites import DemoSites
from pixelwitness.proxy.addon import PixelWitness


@pytest.fixture(autouse=True)
def browser() -> None:
    try:
        browser_path()
    except BrowserMissing as error:
        if os.environ.get("PIXELWITNESS_NEEDS_BROWSER"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def confdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ca")


@pytest.mark.browser
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_scenario(scenario: Scenario, confdir: Path, tmp_path: Path) -> None:
    class Audit(PixelWitness):
        def load(self, loader: object) -> None:
            super().load(loader)  # type: ignore[arg-type]
            loader.master.options.update(pixelwitness_db=str(tmp_path / "a.db"))  # type: ignore[attr-defined]

    with visit([Audit(), DemoSites()], confdir, gpc=scenario.gpc) as (page, tape):
        scenario.steps(page, scenario, tape)
        document = next(f for f in tape.flows if f.request.headers.get("sec-fetch-dest") == "document")
        assert (document.request.headers.get("sec-gpc") == "1") == scenario.gpc
    own = f"{scenario.shop}.example"
    with sqlite3.connect(tmp_path / "a.db") as db:
        db.row_factory = sqlite3.Row
        sent = sum(f.request.pretty_host == "analytics.tiktok.com" for f in tape.flows)
        assert db.execute("select count(*) from hits where property = ?", [own]).fetchone()[0] == sent
        broken = {(r["regime"], r["rule"]) for r in db.execute("select regime, rule from violations")}
        wanted = {("eu", r) for r in scenario.eu} | {("us-ca", r) for r in scenario.us_ca}
        rows = {
            (r["regime"], r["state"]): r["result"]
            for r in db.execute("select * from coverage where property = ?", [own])
        }
        story = [
            tuple(r)
            for r in db.execute("select occurred_at, event, action, consent_state, verdicts from hits order by 1")
        ]
        assert broken == wanted, story
        for row in scenario.passes:
            assert rows[row] == "pass", (row, story)
        for row in scenario.fails:
            assert rows[row] == "fail", (row, story)
        assert not db.execute("select * from blind_spots where kind = 'addon_fault'").fetchall()
        for text in db.execute("select payload from hits where payload is not null"):
            assert "jane.doe" not in json.dumps(text[0])
