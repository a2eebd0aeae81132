"""A real browser behind a real proxy, all on loopback."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from mitmproxy import http, options
from mitmproxy.tools.dump import DumpMaster

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


class BrowserMissing(Exception):
    """There is no Chromium on this machine."""


def browser_path() -> str:
    """The path of a Chromium. Raises BrowserMissing."""
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    raise BrowserMissing("no Chromium on the path (Debian: apt-get install chromium-headless-shell)")


class Tape:
    """Every flow, in the order of its request."""

    def __init__(self) -> None:
        self.flows: list[http.HTTPFlow] = []

    def request(self, flow: http.HTTPFlow) -> None:
        self.flows.append(flow)


class Proxy:
    """mitmproxy in a thread, on a free port of loopback."""

    def __init__(self, addons: Sequence[Any], confdir: Path) -> None:
        self._addons, self._confdir = addons, confdir
        self._up = threading.Event()
        self.port = 0
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    async def _run(self) -> None:
        opts = options.Options(listen_host="127.0.0.1", listen_port=0, confdir=str(self._confdir))
        self._loop = asyncio.get_running_loop()
        self.master = DumpMaster(opts, with_termlog=False, with_dumper=False)
        self.master.addons.add(*self._addons, self)
        opts.update(connection_strategy="lazy")
        await self.master.run()

    def running(self) -> None:
        asyncio.get_running_loop().create_task(self._find_port())

    async def _find_port(self) -> None:
        while not (addresses := self.master.addons.get("proxyserver").listen_addrs()):
            await asyncio.sleep(0.01)
        self.port = addresses[0][1]
        self._up.set()

    def __enter__(self) -> Proxy:
        self._thread.start()
        if not self._up.wait(30):
            raise TimeoutError("the proxy did not come up")
        return self

    def __exit__(self, *args: object) -> None:
        self._loop.call_soon_threadsafe(self.master.shutdown)
        self._thread.join(30)


def _pin(confdir: Path) -> str:
    certificate = x509.load_pem_x509_certificate((confdir / "mitmproxy-ca-cert.pem").read_bytes())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


@contextmanager
def visit(addons: Sequence[Any], confdir: Path, *, gpc: bool = False) -> Iterator[tuple[Any, Tape]]:
    """A page of a fresh browser behind a proxy with some add-ons, and the tape of all its flows."""
    from playwright.sync_api import sync_playwright

    path = browser_path()
    tape = Tape()
    with Proxy([tape, *addons], confdir) as proxy, sync_playwright() as playwright:
        arguments = [
            "--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update",
            "--no-first-run", f"--ignore-certificate-errors-spki-list={_pin(confdir)}",
        ]  # fmt: skip
        arguments += ["--enable-features=GlobalPrivacyControlForce"] if gpc else []
        browser = playwright.chromium.launch(
            executable_path=path, args=arguments, proxy={"server": f"http://127.0.0.1:{proxy.port}"}
        )
        page = browser.new_page()
        yield page, tape
        page.goto("about:blank")
        time.sleep(0.5)  # leave-time beacons come after the page
        browser.close()


def until(true: Callable[[], bool], what: str, seconds: float = 15) -> None:
    """Waits for something, never for time. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.02)
