"""Fails a build when the TikTok Pixel fires before the visitor has agreed. Copy it into your own tests.

`PIXEL_HAR` names a HAR that your end-to-end test recorded with cookies: a fresh profile, nothing clicked, two pages.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HAR = Path(os.environ.get("PIXEL_HAR", "visit.har"))
MAIN = "from pixelwitness.cli import main; main()"


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What pixelwitness found in the HAR (`docs/schema/summary.schema.json`)."""
    ledger = tmp_path_factory.mktemp("audit") / "audit.db"
    command = [sys.executable, "-c", MAIN, "replay", str(HAR), "--db", str(ledger), "--regime", "eu", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_pixel_waits_for_consent(summary: dict) -> None:
    groups = [g for p in summary["properties"] for g in p["groups"]]
    found = [f"{v['fingerprint']} {v['explanation']}" for g in groups for v in g["violations"]]
    assert not found, "\n".join([*found, *{g["remedy"] for g in groups}])


def test_it_was_really_tested(summary: dict) -> None:
    """Without pages seen before a choice, the test above would pass by seeing nothing."""
    quiet = summary["quiet_pages"].values()
    pages = sum(p.get("unanswered", 0) for p in quiet)
    pages += sum(
        r["page_views"] for p in summary["properties"] for r in p["coverage"]["eu"] if r["state"] == "unanswered"
    )
    assert pages > 0, f"no page was seen before a choice; blind spots: {[b['title'] for b in summary['blind_spots']]}"
