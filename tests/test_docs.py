"""What of the documentation follows from the code does follow from it."""

from __future__ import annotations

import re
import sys

import pytest

from support import ROOT

sys.path.insert(0, str(ROOT / "docs"))
from generate import queries, reference, schemas

HOW = "run `uv run python docs/generate.py` and commit what it wrote"
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])


def test_the_reference_is_that_of_the_commands() -> None:
    assert (ROOT / "docs" / "reference.md").read_text("utf-8") == reference(), HOW


def test_the_queries_are_those_that_are_saved() -> None:
    assert (ROOT / "docs" / "queries.md").read_text("utf-8") == queries(), HOW


def test_the_schemas_are_those_of_the_models() -> None:
    for name, text in schemas().items():
        assert (ROOT / "docs" / "schema" / name).read_text("utf-8") == text, HOW


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(page) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page.name}: {target}"
