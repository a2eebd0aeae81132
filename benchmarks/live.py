"""What the add-on costs a live proxy: `uv run python benchmarks/live.py [--requests N] [--pairs N]` (Linux).

Two mitmdumps run side by side, one with the add-on, between a client and an upstream proxy on the loopback interface
that answers everything itself. The same requests go to the one and then to the other, in turn; of each such pair are
compared the CPU time from the first request until all is idle again, of mitmdump alone and with the process that the
add-on keeps beside it, and the 99th percentile of the answers' times. Printed are medians of the ratios of pairs.
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
WARM = 120
"""Requests that are sent before the measurement begins: enough that all that is loaded when it is used is there."""
REST = 3
"""Half seconds without work after which a proxy is taken to rest."""


@dataclass(frozen=True)
class Measured:
    """Milliseconds: of CPU a request, of mitmdump and of all its processes; the answers' 99th percentile."""

    cpu: float
    all_cpu: float
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


def tree_cpu(process: int) -> float:
    """The same with the processes that it started and that still run."""
    children = Path(f"/proc/{process}/task").glob("*/children")
    return cpu(process) + sum(tree_cpu(int(child)) for file in children for child in file.read_text().split())


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def started(folder: Path, behind: int, port: int, *, audited: bool) -> subprocess.Popen[bytes]:
    """A mitmdump, with the add-on or without."""
    command = [sys.executable, "-c", MITMDUMP, "-q", "--mode", f"upstream:http://127.0.0.1:{behind}", "-p", str(port)]
    command += ["--set", f"confdir={folder}", "--set", "listen_host=127.0.0.1"]
    if audited:
        database = Path(tempfile.mkdtemp(dir=folder)) / "audit.db"
        command += ["-s", str(ADDON), "--set", f"pixelwitness_db={database}"]
    return subprocess.Popen(command, env=environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def warmed(process: subprocess.Popen[bytes], port: int, requests: list[bytes]) -> None:
    """Waits until a proxy answers and has nothing left to load."""
    for _ in range(600):
        try:
            await sent(port, requests)
            break
        except OSError:
            await asyncio.sleep(0.1)
    await idle(process.pid)


async def measure(process: int, port: int, requests: list[bytes]) -> Measured:
    """One side of a pair."""
    before, all_before = cpu(process), tree_cpu(process)
    took = await sent(port, requests)
    await idle(process)
    each = 1000 / len(took)
    slowest = 1000 * statistics.quantiles(took, n=100)[98]
    return Measured(each * (cpu(process) - before), each * (tree_cpu(process) - all_before), slowest)


async def idle(process: int) -> None:
    """Waits until all rests: what the add-on still writes and judges belongs to what was asked of it."""
    rested = 0
    for _ in range(200):
        before = tree_cpu(process)
        await asyncio.sleep(0.5)
        rested = rested + 1 if tree_cpu(process) - before <= 0.01 else 0
        if rested == REST:
            return


async def compared(folder: Path, one_in: int, count: int, pairs: int) -> list[tuple[Measured, Measured]]:
    """Pairs of measurements with the add-on and without, of the same requests."""
    upstream = await asyncio.start_server(answer, "127.0.0.1", 0)
    behind = upstream.sockets[0].getsockname()[1]
    ports = {audited: free_port() for audited in (True, False)}
    proxies = {a: started(folder, behind, port, audited=a) for a, port in ports.items()}
    requests = [raw(e) for e in traffic.entries(WARM + count * pairs, one_in)]
    made = []
    try:
        for audited, process in proxies.items():
            await warmed(process, ports[audited], requests[:WARM])
        for pair in range(pairs):
            some = requests[WARM + pair * count :][:count]
            order = (True, False) if pair % 2 else (False, True)
            one = {a: await measure(proxies[a].pid, ports[a], some) for a in order}
            made.append((one[True], one[False]))
    finally:
        for process in proxies.values():
            process.terminate()
        for process in proxies.values():
            process.wait(300)
        upstream.close()
    return made


def shown(ratios: list[float]) -> str:
    low, high = interval(ratios)
    return f"{statistics.median(ratios):.2f} | {low:.2f} to {high:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=200, help="of each side of a pair")
    parser.add_argument("--pairs", type=int, default=10)
    asked = parser.parse_args()
    print(f"{asked.requests} requests, {asked.pairs} pairs\n")
    print(
        "| traffic | CPU of mitmdump | interval | aim at most | CPU of all | interval | p99 | interval | ms of both |"
        "\n|---|---|---|---|---|---|---|---|---|",
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="pixelwitness-live-") as name:
        for mix, (one_in, aim) in MIXES.items():
            made = asyncio.run(compared(Path(name), one_in, asked.requests, asked.pairs))
            alone = shown([a.cpu / b.cpu for a, b in made])
            both = shown([a.all_cpu / b.all_cpu for a, b in made])
            slow = shown([a.slowest / b.slowest for a, b in made])
            mean = [statistics.mean(m.cpu for m in side) for side in zip(*made, strict=True)]
            print(f"| {mix} | {alone} | {aim:.2f} | {both} | {slow} | {mean[0]:.2f}/{mean[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
