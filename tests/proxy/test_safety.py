"""Safe to use: loopback unless told otherwise, mitmweb behind its password, an authority that goes with its audit."""

from __future__ import annotations

import http.client
import os
import re
import sqlite3
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from test_addon import free_port, wait_for

from pixelwitness.cli import cli
from pixelwitness.proxy.authority import fresh_authority
from pixelwitness.proxy.onscreen import greeting, is_wide

SETTINGS: dict[str, Any] = {
    "pixelwitness_db": "a.db", "pixelwitness_scope": ["shop.example"], "pixelwitness_gpc": [], "pixelwitness_probe": [],
    "listen_host": "127.0.0.1", "listen_port": 8080,
}  # fmt: skip


@pytest.mark.parametrize(
    ("host", "more", "wide"),
    [
        ("127.0.0.1", (), False), ("::1", (), False), ("0.0.0.0", (), True), ("192.0.2.10", (), True), ("", (), True),
        ("127.0.0.1", ("--listen-host", "0.0.0.0"), True), ("127.0.0.1", ("--listen-host=::",), True),
        ("127.0.0.1", ("--listen-host=192.0.2.1",), True), ("127.0.0.1", ("--set", "listen_host=0.0.0.0"), True),
        ("127.0.0.1", ("--mode", "regular@0.0.0.0:8081"), True), ("127.0.0.1", ("--mode", "regular@127.0.0.1:8081"), False),
        ("127.0.0.1", ("--mode", "wireguard:x.conf@51820"), False), ("127.0.0.1", ("--set", "mode=regular@[::]:80"), True),
        ("127.0.0.1", ("--set", "listen_host=127.0.0.1"), False),
    ],
)  # fmt: skip
def test_a_wider_listener_says_what_that_means(host: str, more: tuple[str, ...], wide: bool) -> None:
    assert is_wide(host, more) is wide
    said = greeting({**SETTINGS, "listen_host": host}, more, None)
    assert ("everybody who reaches this address can send traffic through the proxy" in said) is wide
    assert ("--proxyauth" in said) is wide


def test_a_fresh_authority_is_private_and_gone_afterwards() -> None:
    with fresh_authority() as one, fresh_authority() as other:
        assert one.fingerprint != other.fingerprint
        assert one.name.startswith("pixelwitness audit 20")
        assert "PRIVATE KEY" not in one.certificate.read_text()
        assert re.fullmatch(r"([0-9A-F]{2}:){31}[0-9A-F]{2}", one.fingerprint)
        said = greeting(SETTINGS, (), one)
        for words in (
            str(one.certificate),
            one.fingerprint,
            one.name,
            "mitm.it",
            "Certificate Trust Settings",
            "deleted",
        ):
            assert words in said
        if os.name == "posix":
            assert one.folder.stat().st_mode & 0o077 == 0
    assert not one.folder.exists()


def test_a_throw_away_authority_and_one_that_stays_exclude_each_other() -> None:
    done = CliRunner().invoke(cli, ["proxy", "--fresh-ca", "--", "--set", "confdir=ca"])
    assert done.exit_code == 2
    assert "give one of them" in done.output


def status(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="drives programs by signals")
def test_mitmweb_keeps_its_password_and_the_authority_goes_with_the_audit(tmp_path: Path) -> None:
    port, web = free_port(), free_port()
    code = "import sys; from pixelwitness.cli import main; sys.argv[0] = 'pixelwitness'; main()"
    command = [sys.executable, "-c", code, "proxy", "--web", "--fresh-ca", "--port", port, "--db", tmp_path / "a.db", "--",
               "--set", f"web_port={web}", "--set", "web_open_browser=false"]  # fmt: skip
    env = {**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    proxy = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env
    )  # fmt: skip
    try:
        wait_for(port)
        wait_for(web)
        for path in ("/", "/flows", "/state", "/options", "/flows/dump"):
            assert status(f"http://127.0.0.1:{web}{path}") == 403
            assert status(f"http://127.0.0.1:{web}{path}", Authorization="Bearer guessed") == 403
        assert status(f"http://127.0.0.1:{web}/?token=guessed") == 403
        (folder,) = tmp_path.glob("pixelwitness-ca-*")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{port}"}))
        served = opener.open("http://mitm.it/cert/pem").read().decode()
        assert served.strip() == (folder / "mitmproxy-ca-cert.pem").read_text().strip()
        if sys.platform == "linux":
            listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
            for one in (port, web):
                assert {row.split()[1].partition(":")[0] for row in listening.splitlines()
                        if f":{one:04X} " in row[:20] and row.split()[3] == "0A"} <= {"0100007F"}  # fmt: skip
    finally:
        proxy.terminate()
        said, _ = proxy.communicate(timeout=60)
    assert "is complete" in said, said
    assert "the authority's key is deleted" in said
    assert ssl.PEM_cert_to_DER_cert(served)
    assert not folder.exists()
    assert not list(tmp_path.glob(".mitmproxy/*.pem"))


PIECE = b"A" * (1 << 20)
PIECES = 160


class Endless(BaseHTTPRequestHandler):
    """Sends a chunked body that is as good as endless, and takes one."""

    protocol_version = "HTTP/1.1"
    taken = 0

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(PIECES):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(PIECE), PIECE))
        self.wfile.write(b"0\r\n\r\n")

    def do_POST(self) -> None:
        while (size := int(self.rfile.readline(), 16)) > 0:
            Endless.taken += len(self.rfile.read(size))
            self.rfile.readline()
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")
def test_bodies_that_do_not_end_pass_through_and_fill_no_memory(tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port, shop = free_port(), f"http://127.0.0.1:{server.server_address[1]}"
    code = "import sys; from pixelwitness.cli import main; sys.argv[0] = 'pixelwitness'; main()"
    command = [sys.executable, "-c", code, "proxy", "--port", port, "--db", tmp_path / "a.db", "--", "--set", f"confdir={tmp_path}"]  # fmt: skip
    proxy = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_for(port)
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        link.request("GET", f"{shop}/endless.json")
        answer, got = link.getresponse(), 0
        while piece := answer.read(1 << 20):
            got += len(piece)
        assert got == PIECES * len(PIECE)

        def pieces() -> Iterator[bytes]:
            yield b'{"event":"'
            yield from (PIECE for _ in range(PIECES))

        link.request("POST", f"{shop}/api/v2/pixel", body=pieces(), encode_chunked=True,
                     headers={"Transfer-Encoding": "chunked", "Referer": f"{shop}/"})  # fmt: skip
        assert link.getresponse().status == 204
        assert Endless.taken == PIECES * len(PIECE) + 10
        peak = int(Path(f"/proc/{proxy.pid}/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
    finally:
        proxy.terminate()
        said, _ = proxy.communicate(timeout=60)
        server.shutdown()
    assert "is complete" in said, said
    assert peak < 300, peak
    with sqlite3.connect(tmp_path / "a.db") as db:
        assert {row[0] for row in db.execute("select kind from blind_spots")} == {"first_party_unseen"}
