"""What machines read: one function a format, from a summary to text."""

from __future__ import annotations

from collections.abc import Callable

from pixelwitness.report.formats.csv import as_csv
from pixelwitness.report.formats.junit import as_junit
from pixelwitness.report.formats.markdown import as_markdown
from pixelwitness.report.formats.sarif import as_sarif
from pixelwitness.report.summary import Summary


def as_json(summary: Summary) -> str:
    """The whole summary; `docs/schema/summary.schema.json` describes it."""
    return summary.model_dump_json(indent=2) + "\n"


FORMATS: dict[str, Callable[[Summary], str]] = {
    "json": as_json,
    "csv": as_csv,
    "sarif": as_sarif,
    "junit": as_junit,
    "markdown": as_markdown,
}
"""By the names of `--format`; `terminal` and `html` stand elsewhere."""
