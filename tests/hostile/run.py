"""Runs the program as a user does, and says what it cost."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

RAW = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What a terminal would obey: controls but tab and line feed, and the characters that turn the direction of text."""


LAUNCH = """
import atexit, pathlib, sys
def peak():
    status = pathlib.Path("/proc/self/status")  # its own peak: what getrusage says holds the parent's too
    if status.exists():
        pathlib.Path(said).write_text(status.read_text().partition("VmHWM:")[2].split()[0])
said = sys.argv.pop(1)
atexit.register(peak)
from pixelwitness.cli import main
main()
"""


@dataclass(frozen=True)
class Ran:
    """`code`, what it said, `seconds` of processor and `megabytes` (resident, at most)."""

    code: int
    out: str
    err: str
    seconds: float
    megabytes: float


def run(*arguments: object, folder: Path, env: dict[str, str] | None = None, seconds: float = 120) -> Ran:
    """pixelwitness with these arguments, in a process of its own."""
    out, err, peak = folder / "stdout", folder / "stderr", folder / "peak"
    peak.write_text("0")
    command = [sys.executable, "-c", LAUNCH, str(peak), *map(str, arguments)]
    before = os.times()
    with out.open("wb") as to, err.open("wb") as to_err:
        code = subprocess.run(
            command, stdout=to, stderr=to_err, env={**os.environ, "COLUMNS": "120", **(env or {})}, timeout=seconds,
            stdin=subprocess.DEVNULL, check=False,
        ).returncode  # fmt: skip
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Ran(
        code, out.read_text("utf-8", "surrogateescape"), err.read_text("utf-8", "surrogateescape"), cpu,
        int(peak.read_text()) / 1024,
    )  # fmt: skip
