"""Marks files beside a capture: what the auditor did, and when."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from pixelwitness.consent.read import mark_signal
from pixelwitness.exchange import from_iso
from pixelwitness.observations import Signal
from pixelwitness.rulebook import Rulebook, RuleError
from pixelwitness.rulebook.load import read_yaml


def marks_beside(capture: Path, book: Rulebook) -> list[Signal]:
    """The marks in `CAPTURE.marks.yaml` (or the capture's name without its ending); none where there is no such file.

    The file is a list of `{at: ISO 8601 time with zone, text: ..., client?: ..., property?: ...}`. Raises RuleError.
    """
    for name in (f"{capture.name}.marks.yaml", f"{capture.stem}.marks.yaml"):
        path = capture.with_name(name)
        if path.is_file():
            return read_marks(path, book)
    return []


def marks_in(name: str, data: bytes, book: Rulebook) -> list[Signal]:
    """The marks of a marks file that stood beside what a URL names. Raises RuleError."""
    with tempfile.TemporaryDirectory(prefix="pixelwitness-") as folder:
        path = Path(folder, name)
        path.write_bytes(data)
        try:
            return read_marks(path, book)
        except RuleError as error:
            raise RuleError(str(error).replace(str(path), name)) from error


def read_marks(path: Path, book: Rulebook) -> list[Signal]:
    """The marks of one file. Raises RuleError with the file and the number of the mark that cannot be read."""
    data: Any = read_yaml(path)
    rows = data.get("marks") if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise RuleError(f"{path}: must be a list of marks, each with `at` and `text`")
    return [_mark(row, f"{path}: mark {i}", book) for i, row in enumerate(rows, 1)]


def _mark(row: Any, where: str, book: Rulebook) -> Signal:
    if not isinstance(row, dict) or not isinstance(row.get("text"), str) or "at" not in row:
        raise RuleError(f"{where}: needs `at` (a time with its zone) and `text`")
    unknown = sorted(set(row) - {"at", "text", "client", "property"})
    if unknown:
        raise RuleError(f"{where}: does not know {', '.join(map(str, unknown))}")
    at = row["at"]
    try:
        moment = from_iso(at if isinstance(at, str) else at.isoformat())
    except (ValueError, AttributeError) as error:
        raise RuleError(f"{where}: `at` must be an ISO 8601 time with its zone, not {at!r}") from error
    return mark_signal(moment, row["text"], client=row.get("client"), property=row.get("property"), book=book)
