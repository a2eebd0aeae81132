"""Real programs under real load: the proxy, an origin on loopback, clients; and small disks of our own to fill."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from support import ROOT, body

SCRIPT = ROOT / "addon" / "main.py"
COMMAND = "from pixelwitness.cli import main; main()"
MITMDUMP = "import sys; from mitmproxy.tools.main import mitmdump; mitmdump(sys.argv[1:])"


class Origin(BaseHTTPRequestHandler):
    """Answers everything with a small page."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_POST = do_GET

    def log_message(self, *args: object) -> None:
        pass


@contextlib.contextmanager
def origin() -> Iterator[int]:
    """An origin's port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def proxy(folder: Path, port: int, db: Path, *more: object, code: str = MITMDUMP, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:  # fmt: skip
    """A mitmdump with the add-on. Wait with `wait_for`."""
    options = ["-q"] if "-q" in more else []
    args = ["-s", SCRIPT, "-p", port, "--listen-host", "127.0.0.1", "--set", f"confdir={folder}",
            "--set", f"pixelwitness_db={db}", *options, *(m for m in more if m != "-q")]  # fmt: skip
    return subprocess.Popen([*before, sys.executable, "-c", code, *map(str, args)], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, cwd=ROOT)  # fmt: skip


def wait_for(port: int, program: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert program.poll() is None, program.communicate()[0]
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    program.kill()
    raise TimeoutError("the proxy did not come up")


def command(*args: object, before: tuple[str, ...] = (), **more: object) -> subprocess.CompletedProcess[str]:
    """A run of the command line."""
    return subprocess.run([*before, sys.executable, "-c", COMMAND, *map(str, args)], capture_output=True, text=True,
                          check=False, timeout=200, **more)  # type: ignore[call-overload]  # fmt: skip


class Client:
    """Sends messages of the pixel through a proxy until it is stopped or cut off; remembers when each was answered."""

    def __init__(self, port: int, shop: int, pause: float = 0.01) -> None:
        self.answered: list[tuple[str, float]] = []
        self._port, self._shop, self._pause = port, f"http://127.0.0.1:{shop}/", pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Client:
        self._thread.start()
        return self

    def until(self, answers: int) -> Client:
        """Waits for so many answers: a proxy accepts connections before it is ready."""
        deadline = time.monotonic() + 120
        while len(self.answered) < answers:
            assert time.monotonic() < deadline, f"{len(self.answered)} answers in two minutes"
            assert self._thread.is_alive(), "the client was cut off"
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(60)

    def send(self, connection: http.client.HTTPConnection, name: str) -> None:
        message = json.dumps(body("AddToCart", url=self._shop, event_id=name, user={"email": "a" * 64}))
        connection.request("POST", f"{self._shop}api/v2/pixel", message, {"Referer": self._shop})
        connection.getresponse().read()
        self.answered.append((name, time.time()))

    def _run(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
            while not self._stop.is_set():
                self.send(connection, f"e{len(self.answered)}")
                time.sleep(self._pause)


def small_disk(folder: Path, size: str, then: str = "") -> tuple[str, ...]:
    """The beginning of a command line that runs what follows it with a small disk of its own at `folder`.

    Empty where this system does not allow that. `then`: a shell command to run before.
    """
    if shutil.which("unshare") is None or shutil.which("mount") is None:
        return ()
    user = () if os.getuid() == 0 else ("--user", "--map-root-user")
    script = f'mount -t tmpfs -o size={size} tmpfs "{folder}" && {then or "true"} && exec "$@"'
    made = ("unshare", *user, "--mount", "sh", "-c", script, "sh")
    tried = subprocess.run([*made, "true"], capture_output=True, check=False)
    return made if tried.returncode == 0 else ()
