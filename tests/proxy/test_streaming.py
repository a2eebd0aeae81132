"""Responses that no rule reads are streamed where the auditor allows it; what a rule reads never is."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mitmproxy import http
from mitmproxy.io import FlowReader
from mitmproxy.test import taddons

from durability.programs import free_port, proxy, wait_for
from flows import flow
from pixelwitness.exchange import Exchange
from pixelwitness.ingest import observe_response
from pixelwitness.proxy.addon import PixelWitness
from pixelwitness.proxy.streaming import may_stream
from pixelwitness.sources.files import read_capture
from support import BOOK, ROOT

CDN = "https://cdn.shop.example/"
PICTURE = b"\x89PNG" + b"x" * 50_000


def streams(url: str, kind: str | None, **headers: str) -> bool:
    answer = http.Response.make(200, b"", {"Content-Type": kind} if kind is not None else {})
    return may_stream(flow(url, **headers).request, answer, BOOK)


@pytest.mark.parametrize("kind", ["image/webp", "IMAGE/PNG", "video/mp4", "audio/ogg", "font/woff2"])
def test_pictures_sound_films_and_fonts_of_other_hosts_are_streamed(kind: str) -> None:
    assert streams(f"{CDN}a", kind)


@pytest.mark.parametrize(
    ("url", "kind", "headers"),
    [
        (f"{CDN}page", "text/html", {}),
        (f"{CDN}app.js", "application/javascript", {}),
        (f"{CDN}app.js", "text/plain", {}),
        (f"{CDN}app.js", "application/octet-stream", {}),  # without nosniff a browser runs it
        (f"{CDN}app.js", "", {}),
        (f"{CDN}app.js", None, {}),
        (f"{CDN}a.svg", "image/svg+xml", {}),
        (f"{CDN}state", "application/json", {}),
        (f"{CDN}app.js", "image/png", {"sec_fetch_dest": "script"}),
        (f"{CDN}sw.js", "font/woff2", {"sec_fetch_dest": "serviceworker"}),
        ("https://analytics.tiktok.com/i18n/pixel/events.js", "image/png", {}),
        ("https://analytics.tiktok.com/api/v2/pixel", "image/gif", {}),
        ("https://cdn.cookielaw.org/scripttemplates/otSDKStub.js", "image/png", {}),
        ("https://shop.example/.well-known/gpc.json", "image/png", {}),
    ],
)
def test_what_a_rule_may_read_is_kept(url: str, kind: str | None, headers: dict[str, str]) -> None:
    assert not streams(url, kind, **headers)


def test_what_would_be_streamed_says_the_same_without_its_body() -> None:
    """Every picture, film and font of our recordings, and each as if a first-party copy of the pixel had answered it."""
    seen = 0
    for path in sorted((ROOT / "captures").rglob("*.har")):
        for one in read_capture(path, client="c"):
            if not isinstance(one, Exchange) or one.response is None:
                continue
            asked = {k.lower().replace("-", "_"): v for k, v in one.headers if k.lower() == "sec-fetch-dest"}
            for kind in ({k.lower(): v for k, v in one.response.headers}.get("content-type"), "image/gif"):
                headers = (("Content-Type", kind or ""),)
                if streams(one.url, kind, **asked):
                    seen += 1
                    typed = replace(one.response, headers=headers)
                    whole = replace(one, response=typed)
                    bare = replace(one, response=replace(typed, body=None, body_state="not_captured"))
                    assert observe_response(whole, BOOK) == observe_response(bare, BOOK), one.url
    assert seen > 20


def test_it_is_off_unless_it_is_asked_for_and_a_wrong_value_is_refused(tmp_path: Path) -> None:
    with taddons.context(PixelWitness()) as context:
        assert context.options.pixelwitness_stream is False
        one = flow(f"{CDN}a.png")
        one.response = http.Response.make(200, b"", {"Content-Type": "image/png"})
        addon = PixelWitness()
        addon.responseheaders(one)  # nothing is recorded: nothing is touched
        assert one.response.stream is False
        with pytest.raises(TypeError):
            context.options.update(pixelwitness_stream="sometimes")


class Origin(BaseHTTPRequestHandler):
    """A page, a picture that stops in the middle until it is let go on, and a script."""

    protocol_version = "HTTP/1.1"
    go_on = threading.Event()

    def do_GET(self) -> None:
        kind, content = {
            "/": ("text/html", b"<p>a page"), "/a.png": ("image/png", PICTURE), "/a.js": ("text/javascript", b"let a"),
        }[self.path]  # fmt: skip
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:4])
        self.wfile.flush()
        if kind == "image/png":
            self.go_on.wait(60)
        self.wfile.write(content[4:])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def origin() -> Iterator[int]:
    Origin.go_on.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="drives programs by signals")
def test_in_a_real_proxy_a_picture_arrives_while_it_is_sent_and_saved_flows_replay(origin: int, tmp_path: Path) -> None:
    port, saved = free_port(), tmp_path / "saved.mitm"
    running = proxy(tmp_path / "c", port, tmp_path / "a.db", "-w", saved, "--set", "pixelwitness_stream=true")
    wait_for(port, running)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{port}"}))
    shop = f"http://127.0.0.1:{origin}"
    document = {"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}
    assert opener.open(urllib.request.Request(f"{shop}/", headers=document), timeout=60).read() == b"<p>a page"
    picture = opener.open(f"{shop}/a.png", timeout=60)
    assert picture.read(4) == PICTURE[:4]  # here before the origin has sent the rest
    Origin.go_on.set()
    assert picture.read() == PICTURE[4:]
    assert opener.open(f"{shop}/a.js", timeout=60).read() == b"let a"
    time.sleep(1)
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=120)
    assert "is complete" in said, said
    with saved.open("rb") as stream:
        kept = {f.request.path: f.response.raw_content for f in FlowReader(stream).stream()}
    assert kept == {"/": b"<p>a page", "/a.png": None, "/a.js": b"let a"}
    with sqlite3.connect(tmp_path / "a.db") as db:
        views = db.execute("select url, status from page_views").fetchall()
        spots = db.execute("select kind from blind_spots").fetchall()
    assert views == [(f"{shop}/", 200)]
    assert ("addon_fault",) not in spots
    assert ("body_not_captured",) not in spots
    from test_cli import run

    done = run("replay", saved, "--db", tmp_path / "replayed.db")
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(tmp_path / "replayed.db") as db:
        assert db.execute("select url, status from page_views").fetchall() == views
