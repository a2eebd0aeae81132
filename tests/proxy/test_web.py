"""mitmweb with the add-on: its REST interface, the content view, marks, comments, commands; and a script loaded anew."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from test_addon import Origin, free_port, wait_for

from support import ROOT, body

pytestmark = [pytest.mark.skipif(os.name != "posix", reason="drives programs by signals"), pytest.mark.slow]


@pytest.fixture
def origin() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


def send(port: int, shop: str, event: str = "AddToCart") -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{port}"}))
    browser = {"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}
    refused = {"Cookie": "OptanonConsent=landingPath=NotLandingPage&groups=C0001%3A1%2CC0004%3A0"}
    opener.open(urllib.request.Request(shop, headers={**browser, **refused})).read()
    content = json.dumps(body(event, url=shop, user={"email": "a" * 64})).encode()
    opener.open(urllib.request.Request(f"{shop}api/v2/pixel", data=content, headers={"Referer": shop})).read()


class Web:
    """mitmweb's interface."""

    def __init__(self, port: int, token: str) -> None:
        self.base, self.token = f"http://127.0.0.1:{port}", token

    def get(self, path: str) -> Any:
        request = urllib.request.Request(self.base + path, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read())

    def command(self, name: str, *arguments: str) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json",
                   "Cookie": "_mitmproxy_xsrf=aaaa; _xsrf=aaaa", "X-XSRFToken": "aaaa"}  # fmt: skip
        data = json.dumps({"arguments": list(arguments)}).encode()
        request = urllib.request.Request(f"{self.base}/commands/{name}", data=data, headers=headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return json.loads(answer.read())["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read()) from error


def eventually(true: Any, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def test_mitmweb_shows_what_was_judged(origin: int, tmp_path: Path) -> None:
    port, web_port = free_port(), free_port()
    code = "import sys; from pixelwitness.cli import main; sys.argv[0] = 'pixelwitness'; main()"
    command = [sys.executable, "-c", code, "proxy", "--web", "--port", port, "--db", tmp_path / "a.db", "--client-name",
               "127.0.0.1=desk", "--", "--set", f"confdir={tmp_path}", "--set", f"web_port={web_port}",
               "--set", "web_password=secret", "--set", "web_open_browser=false"]  # fmt: skip
    proxy = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_for(port)
        wait_for(web_port)
        send(port, f"http://127.0.0.1:{origin}/")
        web = Web(web_port, "secret")
        flow = eventually(lambda: next((f for f in web.get("/flows") if f["marked"]), None))
        assert "fired-after-denial" in flow["comment"]
        view = web.get(f"/flows/{flow['id']}/request/content/auto.json")
        assert view["view_name"] == "TikTok Pixel"
        text = view["text"] if "text" in view else json.dumps(view)
        assert "consent then: denied" in text
        assert "verdict (eu): violation" in text
        assert any("violation: fired-after-denial" in row for row in web.command("pixelwitness.summary"))
        assert any("not yet seen" in row for row in web.command("pixelwitness.session"))
        assert "fired-after-denial" in "\n".join(web.command("pixelwitness.explain", "@all"))
        assert "understood as: clicked reject" in web.command("pixelwitness.mark", "clicked reject")
        web.command("pixelwitness.report", str(tmp_path / "report.txt"))
        eventually(
            lambda: (tmp_path / "report.txt").is_file() and "Chain head" in (tmp_path / "report.txt").read_text()
        )
        if shown := os.environ.get("PIXELWITNESS_SCREENSHOT"):
            from demo.screenshot import shoot

            shoot(f"http://127.0.0.1:{web_port}/?token=secret", port, Path(shown))
    finally:
        proxy.terminate()
        out, _ = proxy.communicate(timeout=60)
    assert "is complete" in out, out
    with sqlite3.connect(tmp_path / "a.db") as db:
        assert {r[0] for r in db.execute("select distinct client from hits")} == {"desk"}


def test_a_script_that_is_loaded_anew_goes_on_with_its_session(origin: int, tmp_path: Path) -> None:
    port, script = free_port(), tmp_path / "audit.py"
    script.write_text((ROOT / "addon" / "main.py").read_text())
    code = "import sys; from mitmproxy.tools.main import mitmdump; mitmdump(sys.argv[1:])"
    command = [sys.executable, "-c", code, "-s", script, "-p", port, "--listen-host", "127.0.0.1",
               "--set", f"confdir={tmp_path}", "--set", f"pixelwitness_db={tmp_path}/a.db"]  # fmt: skip
    proxy = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_for(port)
        send(port, f"http://127.0.0.1:{origin}/", "One")
        script.write_text(script.read_text() + "# changed\n")
        os.utime(script, (time.time() + 5, time.time() + 5))
        time.sleep(4)
        send(port, f"http://127.0.0.1:{origin}/", "Two")
        time.sleep(1)
    finally:
        proxy.terminate()
        out, _ = proxy.communicate(timeout=60)
    assert "goes on" in out, out
    with sqlite3.connect(tmp_path / "a.db") as db:
        assert db.execute("select count(*), sum(complete) from runs").fetchone() == (1, 1)
        assert {r[0] for r in db.execute("select event from hits")} == {"One", "Two"}
