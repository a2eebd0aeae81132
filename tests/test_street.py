"""One direction of imports."""

from __future__ import annotations

import ast
from itertools import pairwise

from support import ROOT

STREET = ["hostname", "exchange", "observations", "property", "rulebook", "identity", "mask", "sources", "classify", "pixels",
          "consent", "pagetext", "ingest", "glance", "examples", "audit", "ledger", "report", "marks", "statements", "run", "rejudge", "capture", "workers", "preloaded", "cluster", "replay", "proxy",
          "cli"]  # fmt: skip
PACKAGE = ROOT / "addon" / "pixelwitness"


def test_imports_point_back_along_the_street() -> None:
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pixelwitness."):
                used = node.module.split(".")[1]
                if STREET.index(used) > STREET.index(own):
                    wrong.append(f"{path.name} imports {used}")
    assert wrong == []


def test_only_the_edges_know_mitmproxy() -> None:
    for path in PACKAGE.rglob("*.py"):
        if "import mitmproxy" in path.read_text() or "from mitmproxy" in path.read_text():
            assert path.parent.name in ("proxy",) or path.name in ("mitm.py", "flows.py"), path


def test_no_two_test_files_have_one_name() -> None:
    """Pytest imports them by their names alone: the second would not be run."""
    names = sorted(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [one for one, next_ in pairwise(names) if one == next_] == []
