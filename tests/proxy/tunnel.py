"""A phone behind mitmproxy's WireGuard mode, on one machine: run it as `unshare -n python tunnel.py FOLDER`.

In a network namespace of its own stand the proxy and a web server; in another one, joined by a virtual cable, a
client whose way to the server leads through the tunnel only. Nothing leaves the machine. Prints what the client got.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SERVER, PROXY, PHONE, PORT = "198.51.100.7", "10.99.0.1", "10.99.0.2", 51820
PAGE = b"<!doctype html><title>Shop</title>"
DEADLINE = 60


class Shop(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Nothing on the screen: that is for the result."""


def do(*command: str, inside: int | None = None, **more: Any) -> str:
    where = ["nsenter", "-t", str(inside), "-n"] if inside else []
    return subprocess.run([*where, *command], check=True, capture_output=True, text=True, timeout=20, **more).stdout


def until(made: Any, what: str) -> Any:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        try:
            if (found := made()) not in (None, "", False):
                return found
        except (OSError, subprocess.CalledProcessError, ValueError):
            pass  # not there yet: that is what is waited for
        time.sleep(0.2)
    raise SystemExit(f"tunnel.py: waited in vain for {what}")


def _net(process: int | str) -> Path:
    """The network namespace of a process."""
    return Path(f"/proc/{process}/ns/net").readlink()


def main(folder: Path) -> None:
    do("ip", "link", "set", "lo", "up")
    do("ip", "addr", "add", f"{SERVER}/32", "dev", "lo")
    server = ThreadingHTTPServer((SERVER, 80), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    phone = subprocess.Popen(["unshare", "-n", "sleep", "200"])
    until(lambda: _net(phone.pid) != _net("self"), "the phone's namespace")
    do("ip", "link", "add", "cable0", "type", "veth", "peer", "name", "cable1", "netns", str(phone.pid))
    do("ip", "addr", "add", f"{PROXY}/24", "dev", "cable0")
    do("ip", "link", "set", "cable0", "up")
    do("ip", "addr", "add", f"{PHONE}/24", "dev", "cable1", inside=phone.pid)
    do("ip", "link", "set", "cable1", "up", inside=phone.pid)
    keys = folder / "pixel.conf"
    mode = f"wireguard:{keys}@{PORT}"
    command = [sys.executable, "-c", "from pixelwitness.cli import main; main()", "proxy", "--db", str(folder / "a.db")]
    command += ["--listen-host", PROXY, "--client-name", f"{mode}=pixel-8", "--", "--mode", mode]
    proxy = subprocess.Popen(
        [*command, "--set", f"confdir={folder}"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    tunnel = None
    try:
        kept = until(lambda: json.loads(keys.read_text()), "the proxy's keys")
        public = do("wg", "pubkey", input=kept["server_key"]).strip()
        (folder / "phone.key").write_text(kept["client_key"])
        tunnel = subprocess.Popen(
            ["nsenter", "-t", str(phone.pid), "-n", "wireguard-go", "-f", "wg0"], stderr=subprocess.DEVNULL
        )
        until(lambda: do("wg", "show", "wg0", inside=phone.pid), "the tunnel's interface")
        do("wg", "set", "wg0", "private-key", str(folder / "phone.key"), "peer", public, "endpoint", f"{PROXY}:{PORT}",
           "allowed-ips", "0.0.0.0/0", inside=phone.pid)  # fmt: skip
        do("ip", "addr", "add", "10.0.0.1/32", "dev", "wg0", inside=phone.pid)
        do("ip", "link", "set", "wg0", "up", inside=phone.pid)
        do("ip", "route", "add", "default", "dev", "wg0", inside=phone.pid)

        def got(url: str, *more: str) -> str:
            host = url.split("/")[2]
            to = ["--resolve", f"{host}:80:{SERVER}", "--max-time", "10", "-s", "-w", "%{http_code} %{local_ip}"]
            return do("curl", *to, "-o", os.devnull, *more, url, inside=phone.pid)

        page = until(lambda: got("http://www.shop.example/", "-H", "Accept: text/html"), "an answer through the tunnel")
        message = (folder / "message.json").read_text()
        sent = got("http://analytics.tiktok.com/api/v2/pixel", "-H", "Referer: http://www.shop.example/", "-d", message)
        print(json.dumps({"page": page, "sent": sent}))
    finally:
        proxy.send_signal(signal.SIGINT)
        try:
            proxy.wait(40)
        except subprocess.TimeoutExpired:
            proxy.kill()
        for one in (tunnel, phone):
            if one is not None:
                one.terminate()
                one.wait(10)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
