"""The comparison with other tools runs, and counts what it says: with a stand-in of our own for Omnibug's providers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import ROOT

COMPARE = ROOT / "benchmarks" / "peers" / "compare.py"
CAPTURE = ROOT / "captures" / "onetrust-reject.har"
BASE = """
class BaseProvider {
  checkUrl(url) { return this.pattern.test(url); }
  parseUrl(url, body) {
    const sent = body ? JSON.parse(body) : {};
    return { data: Object.keys(sent).map((key) => ({ key, field: this.names[key] || key, value: sent[key] })) };
  }
}
"""
TIKTOK = """
class TikTokProvider extends BaseProvider {
  get pattern() { return /analytics\\.tiktok\\.com\\/api\\/v2\\/pixel$/; }
  get names() { return { event: "Event" }; }
}
"""


def compared(*words: object) -> subprocess.CompletedProcess[str]:
    if shutil.which("node") is None or shutil.which("npm") is None:
        assert "PIXELWITNESS_NEEDS_NODE" not in os.environ, "CI must be able to run the comparison"
        pytest.skip("no Node and npm on the path")
    command = [sys.executable, str(COMPARE), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("inside", ["src/providers", "."])
def test_a_checkout_of_omnibug_is_counted(inside: str, tmp_path: Path) -> None:
    folder = tmp_path / inside
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "BaseProvider.js").write_text(BASE)
    (folder / "TikTok.js").write_text(TIKTOK)
    (tmp_path / "package.json").write_text('{"version": "9.8.7"}')
    done = compared(CAPTURE, "--omnibug", tmp_path, "--only-omnibug")
    assert done.returncode == 0, done.stderr
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()]
    assert lines[0][1:] == ["pixelwitness", "Omnibug 9.8.7"]
    recognised, named, acts, _, read, worded = ([cell.split(" of ")[0] for cell in line[1:]] for line in lines[2:])
    assert named[1] == recognised[1], "the stand-in names the event of each message that it recognises"
    assert (acts[1], int(acts[0]) > 0) == ("0", True), "and does not look at actions"
    assert 0 < int(read[1]) < int(read[0])
    assert worded[1] == named[1], "only the event has a word beside it"


def test_what_is_no_checkout_is_said(tmp_path: Path) -> None:
    done = compared(CAPTURE, "--omnibug", tmp_path)
    assert done.returncode == 1
    assert "has no src/providers/TikTok.js" in done.stderr


def test_a_fault_of_a_peer_is_said(tmp_path: Path) -> None:
    (tmp_path / "BaseProvider.js").write_text("class BaseProvider {")
    (tmp_path / "TikTok.js").write_text("")
    done = compared(CAPTURE, "--omnibug", tmp_path, "--only-omnibug")
    assert done.returncode == 1
    assert "SyntaxError" in done.stderr
    assert "Traceback" not in done.stderr
