"""What a page's text says of what it is made of: in every capture's way of writing a body."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pixelwitness.ingest import observe_response, reads_response
from pixelwitness.pagetext import LOOKED_AT, names_others
from pixelwitness.sources.files import read_capture
from support import BOOK, SHOP, page

ALONE = [
    b"<!doctype html><script>var src = 1</script><img src='data:image/png;base64,iVBO'><a href='/x.js'>x</a>",
    b'<html><link rel="canonical" href="https://shop.example/"><form action="/go"><input type="text"></form>',
    b"<html><style>p { color: red; background: url(#a) }</style><p>src=</p>",
    b"<html><p style=\"background: url( 'data:image/png;base64,iVBO')\"><svg><use href='#a'/></svg>",
]
WITH_OTHERS = [
    b"<!DOCTYPE html><script async src=/app.js></script>",
    b'<html><script type="module"\n  crossorigin src = "https://cdn.example/a.js"></script>',
    b"<html><link href='/a.css' rel='stylesheet'>",
    b"<html><link rel=preload as=script href=/a.js>",
    b'<html><img alt="a" srcset="/a.png 2x">',
    b"<html><iframe loading=lazy SRC='/frame'></iframe>",
    b"<html><style>@import '/a.css'</style>",
    b"<html><div style=\"background: url('/a.png')\"></div>",
    b"<html><script type='module'>import '/app.js'</script>",
    b"<html><body background=/a.png>",
    b"<html><video poster='/a.jpg'></video>",
    b"<html><svg><use href='/icons.svg#a'/></svg>",
    b"<html><script " + b"a " * 5_000 + b">",
    b"<html>" + b"x" * 3_000_000,
]
ENDLESS = [b"<script ", b"<link rel=", b"rel= ", b"<link a ", b"url( ", b"src= ", b"<img src = ", b"<a ", b'src="']
"""What is written again and again, and never ended."""


@pytest.mark.parametrize("html", ALONE)
def test_a_page_that_is_all_there_is(html: bytes) -> None:
    assert not names_others(html)


@pytest.mark.parametrize("html", WITH_OTHERS)
def test_a_page_that_names_more(html: bytes) -> None:
    assert names_others(html)


@pytest.mark.parametrize("opening", [b"<html>", b"<script ", b"<link "])
@pytest.mark.parametrize("piece", ENDLESS)
def test_a_page_that_leaves_all_open_takes_no_longer(piece: bytes, opening: bytes) -> None:
    """Two megabytes of it: a fraction of a second, where going back over what is open took minutes."""
    start = time.process_time()
    names_others((opening + piece * 400_000)[:LOOKED_AT])
    assert time.process_time() - start < 5


@pytest.mark.parametrize("html", [*ALONE, *WITH_OTHERS[:-1]])
def test_it_is_told_from_a_har_in_either_encoding_as_from_live_traffic(html: bytes, tmp_path: Path) -> None:
    live = page(0)
    assert live.response is not None
    live = replace(live, response=replace(live.response, body=html))
    expected = observe_response(live, BOOK).page_view
    assert expected is not None
    assert expected.names_others is names_others(html)
    for content in ({"text": html.decode()}, {"text": base64.b64encode(html).decode(), "encoding": "base64"}):
        for first in ("", "\ufeff\n ") if "encoding" not in content else ("",):
            said = {**content, "text": first + content["text"], "size": 1, "mimeType": "text/html"}
            (read,) = _read(said, tmp_path)
            assert read == expected.names_others, said


def test_without_its_text_nothing_is_known_of_a_page(tmp_path: Path) -> None:
    assert _read({"size": 500, "mimeType": "text/html"}, tmp_path) == [None]
    assert _read({"size": 500, "mimeType": "application/pdf", "text": ALONE[0].decode()}, tmp_path) == [None]


def test_other_bodies_are_not_read_for_it() -> None:
    assert not reads_response(SHOP + "app.js", b"function a(){}", BOOK)
    assert not reads_response(SHOP + "a.json", b'{"a": "<html>"}', BOOK)
    assert reads_response(SHOP, b'"<!doctype html>', BOOK)


def _read(content: dict[str, object], folder: Path) -> list[bool | None]:
    headers = [{"name": "Sec-Fetch-Dest", "value": "document"}]
    entry = {
        "startedDateTime": "2026-01-01T00:00:00.000Z", "time": 5,
        "request": {"method": "GET", "url": SHOP, "headers": headers, "cookies": [], "queryString": []},
        "response": {"status": 200, "headers": [], "cookies": [], "content": content},
    }  # fmt: skip
    (folder / "a.har").write_text(json.dumps({"log": {"version": "1.2", "entries": [entry]}}), "utf-8")
    wanted = lambda url, body: reads_response(url, body, BOOK)  # noqa: E731
    found = [observe_response(e, BOOK) for e in read_capture(folder / "a.har", client="c", wanted=wanted)]
    return [o.page_view.names_others for o in found if o.page_view]
