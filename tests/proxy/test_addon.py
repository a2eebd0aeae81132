"""The add-on in mitmproxy: real programs, a real origin on loopback, one path with the replay."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mitmproxy.test import taddons, tflow, tutils

from pixelwitness.proxy.addon import PixelWitness
from support import ROOT, body

SCRIPT = ROOT / "addon" / "main.py"
pytestmark = pytest.mark.skipif(os.name != "posix", reason="drives programs by signals")


class Origin(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_POST = do_GET

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def origin() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def start(*args: object) -> subprocess.Popen[str]:
    code = "import sys; from mitmproxy.tools.main import mitmdump; mitmdump(sys.argv[1:])"
    return subprocess.Popen([sys.executable, "-c", code, *map(str, args)], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)  # fmt: skip


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 120  # a machine may be busy
    while time.monotonic() < deadline:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("the proxy did not come up")


@pytest.mark.parametrize(
    ("setting", "words"),
    [("pixelwitness_regmes=eu", "no such option"), ("pixelwitness_regimes=mars", "no regime mars"),
     ("pixelwitness_keep_plaintext=maybe", "pixelwitness"), ("pixelwitness_rules=/nowhere", "no such folder")],
)  # fmt: skip
def test_a_wrong_option_stops_the_start(setting: str, words: str, tmp_path: Path) -> None:
    proxy = start("-s", SCRIPT, "--set", setting, "--set", f"confdir={tmp_path}", "-p", free_port(),
                  "--set", f"pixelwitness_db={tmp_path}/a.db")  # fmt: skip
    out, _ = proxy.communicate(timeout=60)
    assert proxy.returncode == 1
    assert words in out


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_live_and_replay_are_one_path(ending: signal.Signals, origin: int, tmp_path: Path) -> None:
    port = free_port()
    flows = tmp_path / "live.mitm"
    proxy = start("-s", SCRIPT, "-p", port, "-w", flows, "--set", f"confdir={tmp_path}", "--listen-host", "127.0.0.1",
                  "--set", f"pixelwitness_db={tmp_path}/live.db", "--set", f"hardump={tmp_path}/live.har",
                  "--map-remote", f"|//analytics.tiktok.com|//127.0.0.1:{origin}")  # fmt: skip
    wait_for(port)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{port}"}))
    shop = f"http://127.0.0.1:{origin}/"
    document = {"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}
    opener.open(urllib.request.Request(shop, headers={**document, "Cookie": "usprivacy=1YYN"})).read()
    message = json.dumps(body("AddToCart", url=shop)).encode()
    copy = f"http://127.0.0.1:{origin}/api/v2/pixel"
    opener.open(urllib.request.Request(copy, data=message, headers={"Referer": shop})).read()
    time.sleep(0.6)
    proxy.send_signal(ending)
    out, _ = proxy.communicate(timeout=60)
    assert "is complete" in out, out

    def found(db: Path) -> dict[str, list]:
        with sqlite3.connect(db) as connection:
            return {
                "hits": sorted(connection.execute("select id, event, property, consent_state, verdicts, tier from hits")),
                "violations": sorted(connection.execute("select id, rule, severity, regime, explanation from violations")),
            }  # fmt: skip

    from test_cli import run

    assert found(tmp_path / "live.db")["violations"]
    for capture in (flows, tmp_path / "live.har"):
        done = run("replay", capture, "--db", tmp_path / f"{capture.suffix}.db")
        assert done.returncode == 0, done.stderr
        assert found(tmp_path / f"{capture.suffix}.db") == found(tmp_path / "live.db")


def test_a_fault_in_a_hook_leaves_the_flow_alone_and_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    from pixelwitness.proxy import addon as module
    from pixelwitness.proxy import recorder as recorder_module

    async def go() -> None:
        addon = PixelWitness()
        with taddons.context(addon) as context:
            context.configure(addon, pixelwitness_db=str(tmp_path / "a.db"))
            addon.running()
            flow = tflow.tflow(req=tutils.treq(host="analytics.tiktok.com", path=b"/api/v2/pixel"))
            before = flow.get_state()
            monkeypatch.setattr(module, "exchange_from_flow", lambda *a, **k: 1 / 0)
            addon.request(flow)
            monkeypatch.undo()
            monkeypatch.setattr(recorder_module, "request_record", lambda *a, **k: 1 / 0)
            addon.request(flow)
            assert flow.get_state() == before
            addon.done()

    asyncio.run(go())
    with sqlite3.connect(tmp_path / "a.db") as db:
        assert db.execute("select count(*) from blind_spots where kind = 'addon_fault'").fetchone()[0] == 2


def test_a_request_without_a_response_is_a_hit(tmp_path: Path) -> None:
    import asyncio

    async def go() -> None:
        addon = PixelWitness()
        with taddons.context(addon) as context:
            context.configure(addon, pixelwitness_db=str(tmp_path / "a.db"))
            addon.running()
            content = json.dumps(body()).encode()
            request = tutils.treq(host="analytics.tiktok.com", authority=b"", path=b"/api/v2/pixel", method=b"POST",
                                  content=content, headers=((b"host", b"analytics.tiktok.com"),))  # fmt: skip
            addon.request(tflow.tflow(req=request))
            addon.done()

    asyncio.run(go())
    with sqlite3.connect(tmp_path / "a.db") as db:
        assert db.execute("select event, kind from hits").fetchall() == [("Pageview", "event")]


def test_a_client_that_refuses_interception_is_a_blind_spot(tmp_path: Path) -> None:
    import asyncio

    from mitmproxy.proxy.context import Context
    from mitmproxy.test import taddons
    from mitmproxy.tls import TlsData

    async def go() -> None:
        addon = PixelWitness()
        with taddons.context(addon) as context:
            context.configure(addon, pixelwitness_db=str(tmp_path / "a.db"))
            addon.running()
            client = tflow.tclient_conn()
            client.sni = "api.pinned.example"
            addon.tls_failed_client(TlsData(client, Context(client, context.options)))
            addon.done()

    asyncio.run(go())
    with sqlite3.connect(tmp_path / "a.db") as db:
        assert db.execute("select kind, detail from blind_spots").fetchall() == [("tls_refused", "api.pinned.example")]


def test_a_ledger_that_cannot_be_opened_stops_the_proxy(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"not a database" * 100)
    proxy = start(
        "-s", SCRIPT, "-p", free_port(), "--set", f"confdir={tmp_path}", "--set", f"pixelwitness_db={tmp_path}/a.db"
    )
    out, _ = proxy.communicate(timeout=60)
    assert proxy.returncode == 1
    assert "is no ledger" in out
