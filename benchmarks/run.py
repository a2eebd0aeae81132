"""Measures the program beside its references: `uv run python benchmarks/run.py [--small] [--pairs N] [--exchanges N]`.

Inputs are made anew in a temporary folder. Each figure is CPU time (user and system) of a process of its own, ours and
the reference's in turn, so that a busy machine slows both; printed are the median of the ratios of all pairs and an
interval that holds the true median with at least 95 % (from 6 pairs on; below that the smallest and the largest).
Memory is the most that a process held at once, as the system counts it.

`--peers FOLDER` measures other tools on the same HAR as well, as far as they are found there: TrackHAR (`npm install
--prefix FOLDER trackhar`) and mitmproxy2swagger (`uv venv FOLDER/venv`, then
`uv pip install --python FOLDER/venv/bin/python mitmproxy2swagger`).
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path

import traffic

OWN_HAR = """
import sys, time
from pathlib import Path
from pixelwitness.sources.files import read_capture
import pixelwitness.sources.har
start = time.process_time()
count = sum(1 for item in read_capture(Path(sys.argv[1]), client="capture"))
print(time.process_time() - start)
"""
JSON_LOAD = """
import json, sys, time
start = time.process_time()
with open(sys.argv[1], "rb") as stream:
    json.load(stream)
print(time.process_time() - start)
"""
MITM_HAR = """
import sys, time
from mitmproxy.io import FlowReader
start = time.process_time()
with open(sys.argv[1], "rb") as stream:
    count = sum(1 for flow in FlowReader(stream).stream())
print(time.process_time() - start)
"""
REPLAY = """
import sys, time
from pixelwitness.cli import main
start = time.process_time()
sys.argv = ["pixelwitness", "replay", sys.argv[1], "--db", sys.argv[2], "--json"]
main()
print(time.process_time() - start)
"""
MITMDUMP = """
import sys, time
start = time.process_time()
from mitmproxy.tools.main import mitmdump
mitmdump(["-nr", sys.argv[1], "-q", "--set", "confdir=" + sys.argv[2]])
print(time.process_time() - start)
"""
SWAGGER = """
import runpy, sys, time
start = time.process_time()
sys.argv = ["mitmproxy2swagger", "-i", sys.argv[1], "-o", sys.argv[2], "-p", sys.argv[3], "-f", "har"]
from mitmproxy2swagger.mitmproxy2swagger import main
sys.stdout, kept = sys.stderr, sys.stdout
main()
sys.stdout = kept
print(time.process_time() - start)
"""
MOST = """
import resource, sys
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024))
"""
"""Megabytes that a process held at most, said at its end."""
ADDON = str(Path(__file__).parent.parent / "addon" / "main.py")
STARTED = """
import sys
from mitmproxy.tools.main import mitmdump
mitmdump(["-n", "-q", "--set", "confdir=" + sys.argv[1], "-r", sys.argv[2], *sys.argv[3:]])
"""
"""A mitmdump that starts, reads a file without any flow, and ends."""
PARTS = 8
"""Captures that are read at once."""
HELP = "import sys; from pixelwitness.cli import main; sys.argv = ['pixelwitness', '--help']; main()"


HERE = Path(__file__).parent
ENVIRONMENT: dict[str, str] = {}


@dataclass(frozen=True)
class Figure:
    """One ratio: what of ours over which reference, and at most how much the project aims at."""

    name: str
    own: Callable[[], float]
    reference: Callable[[], float]
    aim: float | None
    """None: a comparison without one."""
    per: int
    """Exchanges in each measurement."""
    unit: str = "ms"


def environment(folder: Path) -> dict[str, str]:
    """Both sides find their modules compiled, as an installed program does."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(folder / "compiled")}


def elapsed(*arguments: str) -> float:
    """Seconds by the clock of a whole command of ours."""
    start = time.perf_counter()
    code = "from pixelwitness.cli import main; main()"
    command = [sys.executable, "-c", code, *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=3600, env=ENVIRONMENT)
    return time.perf_counter() - start


def said(code: str, *arguments: str, python: str = sys.executable) -> float:
    """What a child says last: CPU seconds that its work took, without the interpreter's start, or megabytes."""
    command = [python, "-c", code, *arguments]
    out = subprocess.run(command, check=True, capture_output=True, text=True, timeout=3600, env=ENVIRONMENT).stdout
    return float(out.strip().splitlines()[-1])


def whole(code: str, *arguments: str) -> float:
    """Seconds of a whole process, its start included."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, capture_output=True, timeout=600, env=ENVIRONMENT
    )
    return time.perf_counter() - start


def peers(folder: Path, installed: Path, har: Path, replay: Callable[[], float], n: int) -> list[Figure]:
    """Other tools on the same HAR: they look for less, or for something else, which the documentation says."""
    found: list[Figure] = []
    node, packages = shutil.which("node"), installed / "node_modules" / "trackhar"
    if node and packages.is_dir():

        def trackhar() -> float:
            command = [node or "", str(HERE / "peers" / "whole.mjs"), str(har), str(installed)]
            return float(subprocess.run(command, check=True, capture_output=True, text=True, timeout=3600).stdout)

        found.append(Figure("HAR: replay / TrackHAR", replay, trackhar, None, n))
    python = installed / "venv" / "bin" / "python"
    if python.exists():

        def swagger() -> float:
            out = folder / "swagger.yaml"
            out.unlink(missing_ok=True)
            return said(SWAGGER, str(har), str(out), f"https://{traffic.SITE}", python=str(python))

        found.append(Figure("HAR: replay / mitmproxy2swagger", replay, swagger, None, n))
    return found


def figures(folder: Path, exchanges: int, installed: Path | None = None) -> list[Figure]:
    """Everything that is measured, with its inputs written to a folder."""
    har, flows = folder / "traffic.har", folder / "traffic.mitm"
    traffic.write_har(har, exchanges)
    traffic.write_flows(flows, exchanges)
    many = folder / "many"
    many.mkdir()
    for part in range(PARTS):
        traffic.write_har(many / f"{part}.har", exchanges // PARTS, start=part * exchanges)

    def replay(capture: Path, then: str = "") -> float:
        for old in folder.glob("audit.db*"):
            old.unlink()
        return said(REPLAY + then, str(capture), str(folder / "audit.db"))

    def together(jobs: int) -> float:
        for old in folder.glob("audit.db*"):
            old.unlink()
        return elapsed("replay", str(many), "--db", str(folder / "audit.db"), "--json", "--jobs", str(jobs))

    def read() -> float:
        return said(OWN_HAR, str(har))

    def load() -> float:
        return said(JSON_LOAD, str(har))

    def starts(*more: str) -> float:
        for old in folder.glob("start.db*"):
            old.unlink()
        return whole(STARTED, str(folder), str(nothing), *more)

    nothing = folder / "nothing.mitm"
    nothing.touch()
    with_addon = ("-s", ADDON, "--set", f"pixelwitness_db={folder / 'start.db'}")
    n = exchanges
    others = peers(folder, installed, har, lambda: replay(har), n) if installed else []
    return [
        Figure("HAR: reader / json.load", read, load, 1, n),
        Figure("HAR: reader / mitmproxy's", read, lambda: said(MITM_HAR, str(har)), 1 / 8, n),
        Figure("HAR: replay / json.load", lambda: replay(har), load, 1.25, n),
        Figure("flows: replay / mitmdump -nr", lambda: replay(flows), lambda: said(MITMDUMP, str(flows), str(folder)),
               1 / 5, n),
        Figure(f"{PARTS} HAR by the clock: --jobs 2 / --jobs 1", lambda: together(2), lambda: together(1), 1 / 1.6, n),
        Figure("memory: HAR replay / mitmproxy's HAR reader", lambda: replay(har, MOST),
               lambda: said(MITM_HAR + MOST, str(har)), None, 1, "MB"),
        Figure("start: --help / python -c pass", lambda: whole(HELP), lambda: whole("pass"), 8, 1),
        Figure("start: mitmdump with the add-on / without", lambda: starts(*with_addon), starts, 1.25, 1),
        *others,
    ]  # fmt: skip


def interval(ratios: Sequence[float]) -> tuple[float, float]:
    """Order statistics that hold the median with at least 95 %; of fewer than 6 values the outermost."""
    ordered, n, left_out, chance = sorted(ratios), len(ratios), 0, 0.0
    while (chance + comb(n, left_out)) / 2**n <= 0.025:
        chance += comb(n, left_out)
        left_out += 1
    at = max(left_out - 1, 0)
    return ordered[at], ordered[n - 1 - at]


def measure(figure: Figure, pairs: int) -> str:
    """One row of the table."""
    own, reference = [], []
    for pair in range(pairs):
        # Which goes first changes: neither always finds the files in the system's cache.
        for which in (0, 1) if pair % 2 else (1, 0):
            if which:
                own.append(figure.own())
            else:
                reference.append(figure.reference())
    ratios = [o / r for o, r in zip(own, reference, strict=True)]
    low, high = interval(ratios)
    factor = 1000 if figure.unit == "ms" else 1
    each = [factor * statistics.median(values) / figure.per for values in (own, reference)]
    unit = f"{figure.unit} an exchange" if figure.per > 1 else figure.unit
    aim = "none" if figure.aim is None else f"{figure.aim:.2f}"
    return (
        f"| {figure.name} | {statistics.median(ratios):.2f} | {low:.2f} to {high:.2f} | {aim} "
        f"| {each[0]:.3f} and {each[1]:.3f} {unit} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="1,000 exchanges, 5 pairs: a minute or two")
    parser.add_argument("--exchanges", type=int, help="how many (20,000; the whole of it also with 200,000)")
    parser.add_argument("--pairs", type=int, help="how many of each figure (10)")
    parser.add_argument("--peers", type=Path, help="a folder with other tools, see above")
    parser.add_argument("--only", default="", help="figures whose name holds this text")
    asked = parser.parse_args()
    exchanges = asked.exchanges or (1000 if asked.small else 20_000)
    pairs = asked.pairs or (5 if asked.small else 10)
    print(f"{exchanges} exchanges, 1 in 5 to TikTok; {pairs} pairs; Python {platform.python_version()}\n")
    print("| figure | ratio | interval | aim at most | ours and the reference |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="pixelwitness-benchmarks-") as folder:
        ENVIRONMENT.update(environment(Path(folder)))
        for figure in figures(Path(folder), exchanges, asked.peers):
            if asked.only in figure.name:
                print(measure(figure, pairs), flush=True)


if __name__ == "__main__":
    main()
