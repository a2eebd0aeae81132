"""The captures of this project: each gives what stands beside it, in both formats."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from support import ROOT

sys.path.insert(0, str(ROOT / "captures"))
from record import expected

FOUND = sorted((ROOT / "captures").rglob("*.expected.json"))
CAPTURES = [p for e in FOUND for p in sorted(e.parent.glob(e.name.replace(".expected.json", ".*"))) if p != e]


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda p: p.name)
def test_a_capture_gives_what_stands_beside_it(capture: Path) -> None:
    wanted = json.loads(capture.with_name(f"{capture.stem}.expected.json").read_text())
    assert expected(capture) == wanted


def test_every_capture_has_its_findings() -> None:
    names = {p.stem for folder in ("", "demo") for p in (ROOT / "captures" / folder).glob("*.har")}
    assert names == {p.name.removesuffix(".expected.json") for p in FOUND}
