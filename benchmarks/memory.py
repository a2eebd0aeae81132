"""How much memory large captures take: `uv run python benchmarks/memory.py [--megabytes 2000] [--reader-only]`.

A HAR of that size is made in a temporary folder, and one of a tenth of it. Printed is the most that a process held at
once, by the system's count: of the reader alone, which should not grow with the file, and of a whole replay, which
keeps what is judged.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import traffic
from run import ENVIRONMENT, MOST, OWN_HAR, REPLAY, environment, said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=2000)
    parser.add_argument("--reader-only", action="store_true")
    asked = parser.parse_args()
    print("| HAR | exchanges | reader | replay |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="pixelwitness-benchmarks-") as name:
        folder = Path(name)
        ENVIRONMENT.update(environment(folder))
        for megabytes in (asked.megabytes // 10, asked.megabytes):
            har = folder / f"{megabytes}.har"
            count = exchanges(folder, megabytes)
            traffic.write_har(har, count)
            reader = said(OWN_HAR + MOST, str(har))
            whole = None if asked.reader_only else said(REPLAY + MOST, str(har), str(folder / f"{megabytes}.db"))
            size = har.stat().st_size / 1e6
            print(f"| {size:.0f} MB | {count} | {reader:.0f} MB | {f'{whole:.0f} MB' if whole else '-'} |", flush=True)
            har.unlink()


def exchanges(folder: Path, megabytes: int) -> int:
    """How many exchanges make a HAR of a size."""
    sample = folder / "sample.har"
    traffic.write_har(sample, 1000)
    return round(1000 * megabytes * 1e6 / sample.stat().st_size)


if __name__ == "__main__":
    main()
