"""What the add-on costs a live proxy: `uv run python benchmarks/live.py [--requests N] [--pairs N]` (Linux).

mitmdump runs with and without the add-on, in turn, between a client and an upstream proxy on the loopback interface
that answers everything itself. Compared are its CPU time from the first request to the last answer (and until it is
idle again), and the 99th percentile of the answers' times, as medians of the ratios of pairs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import traffic
from run import environment, interval

ADDON = Path(__file__).parent.parent / "addon" / "main.py"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/javascript\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000
MITMDUMP = "from mitmproxy.tools.main import mitmdump; mitmdump()"
MIXES = {"no request to TikTok": (0, 1.02), "one in five": (5, 1.05), "every request": (1, 1.20)}
"""By name: one in so many, and the aim."""
WARM = 60
"""Requests that are sent before the measurement begins."""


@dataclass(frozen=True)
class Measured:
    """Milliseconds of CPU a request, and the 99th percentile of the answers in milliseconds."""

    cpu: float
    slowest: float


def raw(entry: dict[str, Any]) -> bytes:
    """A HAR entry as a request to a proxy, without TLS: what is compared is the same on both sides."""
    request = entry["request"]
    url = urlsplit(request["url"])
    body = (request.get("postData") or {}).get("text", "").encode()
    target = f"http://{url.netloc}{url.path or '/'}{'?' + url.query if url.query else ''}"
    skipped = ("host", "content-length", "connection", "accept-encoding")
    rows = [f"{h['name']}: {h['value']}" for h in request["headers"] if h["name"].lower() not in skipped]
    head = [f"{request['method']} {target} HTTP/1.1", f"Host: {url.netloc}", f"Content-Length: {len(body)}", *rows]
    return "\r\n".join(head).encode("latin-1", "replace") + b"\r\n\r\n" + body


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The upstream proxy: one answer for everything."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            size = next(
                (int(r.split(b":")[1]) for r in head.split(b"\r\n") if r.lower().startswith(b"content-length")), 0
            )
            await reader.readexactly(size)
            writer.write(ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def sent(port: int, requests: list[bytes]) -> list[float]:
    """Sends requests one after the other and gives the seconds until each answer was there."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took = []
    for request in requests:
        start = time.perf_counter()
        writer.write(request)
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(2000)
        took.append(time.perf_counter() - start)
    writer.close()
    return took


def cpu(process: int) -> float:
    """Seconds of CPU that a process used so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def measure(requests: list[bytes], folder: Path, *, audited: bool) -> Measured:
    """One run of mitmdump."""
    upstream = await asyncio.start_server(answer, "127.0.0.1", 0)
    behind, port = upstream.sockets[0].getsockname()[1], free_port()
    command = [sys.executable, "-c", MITMDUMP, "-q", "--mode", f"upstream:http://127.0.0.1:{behind}", "-p", str(port)]
    command += ["--set", f"confdir={folder}", "--set", "listen_host=127.0.0.1"]
    if audited:
        database = Path(tempfile.mkdtemp(dir=folder)) / "audit.db"
        command += ["-s", str(ADDON), "--set", f"pixelwitness_db={database}"]
    process = subprocess.Popen(command, env=environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                await sent(port, requests[:WARM])
                break
            except OSError:
                await asyncio.sleep(0.1)
        await idle(process.pid)
        before = cpu(process.pid)
        took = await sent(port, requests[WARM:])
        await idle(process.pid)
        spent = cpu(process.pid) - before
    finally:
        process.terminate()
        process.wait(60)
        upstream.close()
    return Measured(1000 * spent / len(took), 1000 * statistics.quantiles(took, n=100)[98])


async def idle(process: int) -> None:
    """Waits until a process rests: what the add-on still writes belongs to what was asked of it."""
    for _ in range(100):
        before = cpu(process)
        await asyncio.sleep(0.5)
        if cpu(process) - before <= 0.01:
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--pairs", type=int, default=10)
    asked = parser.parse_args()
    print(f"{asked.requests} requests, {asked.pairs} pairs\n")
    print(
        "| traffic | CPU ratio | interval | aim at most | p99 ratio | interval |\n|---|---|---|---|---|---|", flush=True
    )
    with tempfile.TemporaryDirectory(prefix="pixelwitness-live-") as name:
        folder = Path(name)
        for mix, (one_in, aim) in MIXES.items():
            requests = [raw(e) for e in traffic.entries(asked.requests + WARM, one_in)]
            ratios, slow = [], []
            for pair in range(asked.pairs):
                order = (True, False) if pair % 2 else (False, True)
                made = {audited: asyncio.run(measure(requests, folder, audited=audited)) for audited in order}
                ratios.append(made[True].cpu / made[False].cpu)
                slow.append(made[True].slowest / made[False].slowest)
            low, high = interval(ratios)
            least, most = interval(slow)
            print(
                f"| {mix} | {statistics.median(ratios):.2f} | {low:.2f} to {high:.2f} | {aim:.2f} "
                f"| {statistics.median(slow):.2f} | {least:.2f} to {most:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
