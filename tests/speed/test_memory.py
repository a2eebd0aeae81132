"""What reading a capture takes in memory is bounded by its largest entry, not by its size."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow

SMALL, LARGE = 1_000, 4_000
"""Entries of 20 kB: 20 and 80 MB."""
BODY = 20_000
MORE = 8_000
"""Kilobytes that four times the file may take more: what is kept of each exchange (its id) and what Python's allocator
does, beside 60 MB of entries."""
PEAK = """
import sys
from pathlib import Path
from pixelwitness.capture import Capture, Intake, batches
from pixelwitness.rulebook import load_rulebook
from pixelwitness.sources.files import capture_digest
book = load_rulebook()
for name in sys.argv[1:]:
    count = 0
    capture = Capture(Path(name), "x", capture_digest(Path(name)))
    for _, count in batches(capture, Intake("r"), book, print):
        pass
    status = Path("/proc/self/status").read_text()  # its own peak: what getrusage says holds the parent's too
    print(count, status.partition("VmHWM:")[2].split()[0])
"""


def har(path: Path, count: int) -> None:
    entry = json.dumps(
        {
            "startedDateTime": "2026-11-22T08:STAMPZ", "time": 3.5,
            "request": {
                "method": "GET", "url": "https://cdn.shop.example/NUMBER.js",
                "headers": [{"name": "Sec-Fetch-Dest", "value": "script"}, {"name": "Sec-Fetch-Site", "value": "cross-site"}],
            },
            "response": {"status": 200, "headers": [], "content": {"text": "x" * BODY, "mimeType": "text/javascript"}},
        }
    )  # fmt: skip
    with path.open("w") as out:
        out.write('{"log": {"version": "1.2", "entries": [\n')
        for n in range(count):
            stamp = f"{n // 60_000:02}:{n // 1000 % 60:02}.{n % 1000:03}"
            out.write((",\n" if n else "") + entry.replace("STAMP", stamp).replace("NUMBER", str(n)))
        out.write("\n]}}")


def packed_har(path: Path, count: int) -> None:
    har(path, count)
    path.write_bytes(gzip.compress(path.read_bytes(), 1))


def flows(path: Path, count: int) -> None:
    one = tflow.tflow(resp=True)
    assert one.response is not None
    one.response.headers["content-type"] = "image/png"
    one.response.raw_content = b"x" * BODY
    with path.open("wb") as out:
        FlowWriter(out).add(one)
    path.write_bytes(path.read_bytes() * count)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not tell a process its peak")
@pytest.mark.parametrize("write", [har, packed_har, flows])
def test_four_times_the_file_takes_hardly_more_memory(write: Callable[[Path, int], None], tmp_path: Path) -> None:
    paths = [tmp_path / "small.capture", tmp_path / "large.capture"]
    for path, count in zip(paths, (SMALL, LARGE), strict=True):
        write(path, count)
    command = [sys.executable, "-c", PEAK, *map(str, paths)]
    out = subprocess.run(command, check=True, capture_output=True, text=True, timeout=900).stdout
    small, large = (tuple(map(int, line.split())) for line in out.splitlines())
    assert (small[0], large[0]) == (SMALL, LARGE)
    assert large[1] - small[1] < MORE, out
    assert large[1] < 150_000
