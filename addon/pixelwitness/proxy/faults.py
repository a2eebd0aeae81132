"""Faults of our own, as what stands on the record of them: where it was, never what the traffic said."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pixelwitness.exchange import Exchange
from pixelwitness.observations import BlindSpot
from pixelwitness.run import now

PACKAGE = Path(__file__).resolve().parents[1]

type Lost = Literal["addon_fault", "program_fault"]
"""`addon_fault`: an exchange may be missing, so that silence proves nothing. `program_fault`: the record is whole."""


def fault(stage: str, error: BaseException, kind: Lost, *, client: str | None = None, of: Exchange | None = None,
          at: int | None = None) -> BlindSpot:  # fmt: skip
    """A fault at a stage (`judging`, `the guided page`), of an exchange where there is one.

    The error's message stays out: it may quote the traffic.
    """
    detail = f"{stage}: {type(error).__name__} at {place(error)}"
    if of is not None:
        detail += f", {of.method[:20]} {of.host}{of.path}"
        client, at = of.client, of.started_at
    return BlindSpot(
        client=client, host=of.host if of else None, kind=kind, detail=detail[:300], at=at if at is not None else now()
    )


def place(error: BaseException) -> str:
    """The innermost line of ours that an error passed: `ingest.py, line 57`."""
    found = "an unknown place"
    trace = error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.is_relative_to(PACKAGE):
            found = f"{file.relative_to(PACKAGE).as_posix()}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return found
