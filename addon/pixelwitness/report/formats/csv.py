"""Violations as CSV, one row each, that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import io
from typing import Any

from pixelwitness.report.harmless import visible
from pixelwitness.report.summary import Summary

COLUMNS = (
    "fingerprint", "id", "severity", "rule", "title", "regime", "applicability", "property", "client", "occurred_at",
    "event", "tier", "pixel_codes", "consent_state", "opt_outs", "cmp", "sent", "mitigations", "confidence",
    "request_url", "page_url", "explanation", "remedy", "citation", "hit_id", "signals", "run_id", "capture",
    "provisional",
)  # fmt: skip
STARTS_A_FORMULA = "=+-@\t\r＝＋－＠"


def as_csv(summary: Summary) -> str:
    """All violations in order of time; lists are joined by `; `."""
    rows = [
        {"title": group.title, **violation}
        for one in summary.properties
        for group in one.groups
        for violation in group.violations
    ]
    rows.sort(key=lambda r: (r["occurred_at"], r["id"]))
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([cell(row[name]) for name in COLUMNS] for row in rows)
    return out.getvalue()


def cell(value: Any) -> str:
    """A value as a cell: one line, and text that would start a formula starts with an apostrophe."""
    if isinstance(value, list):
        value = "; ".join(map(str, value))
    text = visible("" if value is None else value)
    return "'" + text if text.lstrip(" \u00a0\u3000")[:1] in tuple(STARTS_A_FORMULA) and text else text
