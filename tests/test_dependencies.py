"""Dependencies are few, and each has its reason."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

from support import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PAGE = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
COLUMNS = 5
WITH = {"markupsafe": "jinja2"}
"""Parts of another package that are packages of their own, by the same people, and named beside it in the table."""


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~\[; ]", requirement)[0].lower() for requirement in requirements}


def reasons(part: str) -> dict[str, list[str]]:
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in part.splitlines() if row.startswith("| `")]
    return {row[0].strip("`"): row for row in rows}


RUNTIME = names(PROJECT["project"]["dependencies"])
EXTRA = {n for more in PROJECT["project"]["optional-dependencies"].values() for n in names(more)}
TESTS = {n for group in PROJECT["dependency-groups"].values() for n in names(group)}


def test_every_direct_dependency_has_its_reason_licence_and_keeper() -> None:
    program, _, tests = PAGE.partition("## Tests and lint only")
    assert set(reasons(program)) == RUNTIME | EXTRA
    assert set(reasons(tests)) == TESTS - EXTRA
    for row in {**reasons(program), **reasons(tests)}.values():
        assert len(row) == COLUMNS
        assert all(row)


def test_what_is_imported_is_declared() -> None:
    """Nothing is used that only happens to be there because something else needs it."""
    known = packages_distributions()
    used: dict[str, str] = {}
    for path in (ROOT / "addon").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.append(node.module)
            used.update({module.partition(".")[0]: str(path) for module in modules})
    own = set(sys.stdlib_module_names) | {"pixelwitness"}
    for module, where in used.items():
        if module not in own:
            packages = {n.lower().replace("_", "-") for n in known.get(WITH.get(module, module), [module])}
            assert packages & (RUNTIME | EXTRA), (module, where)


def test_every_dependency_has_a_tested_version() -> None:
    pinned = names((ROOT / "constraints.txt").read_text("utf-8").splitlines())
    assert not {n.replace(".", "-") for n in RUNTIME} - {n.replace(".", "-") for n in pinned}
