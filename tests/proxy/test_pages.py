"""What the add-on may change when asked to: policies opened by one hash and one path, scripts first in the head."""

from __future__ import annotations

import gzip
import time

import pytest
from mitmproxy import http
from mitmproxy.test import tutils

from pixelwitness.proxy import gpc, pages, probe
from pixelwitness.proxy.csp import open_metas, open_policy, source_of
from support import BOOK

HASH = source_of("x")
TO = "https://shop.example/.well-known/pixelwitness/probe"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("script-src 'nonce-abc' 'strict-dynamic'", f"script-src 'nonce-abc' 'strict-dynamic' {HASH}"),
        ("script-src 'unsafe-inline'", "script-src 'unsafe-inline'"),
        ("script-src 'unsafe-inline' 'nonce-a'", f"script-src 'unsafe-inline' 'nonce-a' {HASH}"),
        ("script-src 'unsafe-inline' 'strict-dynamic'", f"script-src 'unsafe-inline' 'strict-dynamic' {HASH}"),
        ("script-src 'none'", f"script-src {HASH}"),
        ("SCRIPT-SRC 'self'; script-src 'none'", f"SCRIPT-SRC 'self' {HASH}; script-src 'none'"),
        ("script-src 'self'; script-src-elem 'self'", f"script-src 'self'; script-src-elem 'self' {HASH}"),
        ("img-src *", "img-src *"),
        ("upgrade-insecure-requests", "upgrade-insecure-requests"),
        ("connect-src 'none'", f"connect-src {TO}"),
        ("connect-src 'self' api.example", "connect-src 'self' api.example"),
        ("connect-src *", "connect-src *"),
        ("", ""),
    ],
)
def test_a_policy_is_opened_by_no_more_than_needed(policy: str, expected: str) -> None:
    assert open_policy(policy, [HASH], TO) == expected


def test_default_src_is_repeated_where_connections_fell_back_to_it() -> None:
    made = open_policy("default-src 'none'", [HASH], TO)
    assert made == f"default-src {HASH}; connect-src {TO}"
    made = open_policy("default-src https: 'unsafe-inline'", [HASH], TO)
    assert made == f"default-src https: 'unsafe-inline'; connect-src https: 'unsafe-inline' {TO}"


def test_a_policy_that_was_opened_is_not_opened_again() -> None:
    once = open_policy("default-src 'none'; script-src 'nonce-a'", [HASH], TO)
    assert open_policy(once, [HASH], TO) == once


def test_a_policy_in_a_meta_tag_lets_the_reports_out() -> None:
    html = b'<meta http-equiv="Content-Security-Policy" content="connect-src \'none\'"><meta name=a content="connect-src \'none\'">'
    opened = open_metas(html, TO)
    assert opened.count(TO.encode()) == 1
    assert opened.endswith(b"<meta name=a content=\"connect-src 'none'\">")


def test_odd_markup_costs_little() -> None:
    for odd in (
        b"<meta " * 100_000,
        b"<!--" * 100_000,
        b"<html a='" * 50_000,
        b"<meta http-equiv=content-security-policy " * 20_000,
    ):
        start = time.monotonic()
        pages.put_in(page(odd), ["x()"], TO)
        assert time.monotonic() - start < 2


def page(html: bytes, **headers: str) -> http.Response:
    made = http.Response.make(200, b"", {"Content-Type": "text/html", **headers})
    made.raw_content = html
    return made


@pytest.mark.parametrize(
    ("html", "before"),
    [
        (b"<!doctype html><html lang=en><head><title>a", b"<!doctype html><html lang=en><head>"),
        (b"<!DOCTYPE html>\n<!-- <head> -->\n<HTML data-a='>'>\n<HEAD class=\"x>y\"><b>", b"<!DOCTYPE html>\n<!-- <head> -->\n<HTML data-a='>'>\n<HEAD class=\"x>y\">"),
        (b"<!doctype html><title>a", b"<!doctype html>"),
        (b"<header>a</header>", b""),
        (b"hello", b""),
        (b"\xef\xbb\xbf<!doctype html><p>", b"\xef\xbb\xbf<!doctype html>"),
    ],
)  # fmt: skip
def test_the_script_comes_first(html: bytes, before: bytes) -> None:
    response = page(html)
    assert pages.put_in(response, ["x()"], TO) is None
    assert response.raw_content == before + b"<script>x()</script>" + html[len(before) :]
    assert response.headers["content-length"] == str(len(response.raw_content))


def test_a_compressed_page_is_undone_and_a_bomb_left_alone() -> None:
    response = page(gzip.compress(b"<head>a"), **{"Content-Encoding": "gzip"})
    assert pages.put_in(response, ["x()"], None) is None
    assert response.content == b"<head><script>x()</script>a"
    assert "content-encoding" not in response.headers
    bomb = page(gzip.compress(b"<head>" + b"a" * 50_000_000), **{"Content-Encoding": "gzip"})
    before = bomb.get_state()
    assert pages.put_in(bomb, ["x()"], None)
    assert bomb.get_state() == before


def test_what_is_no_page_is_left_alone() -> None:
    for kind in ("application/json", "text/plain", ""):
        assert not pages.is_html(http.Response.make(200, b"<head>", {"Content-Type": kind}))
    for status in (204, 301, 304):
        assert not pages.is_html(http.Response.make(status, b"", {"Content-Type": "text/html"}))
    utf16 = http.Response.make(200, "<head>".encode("utf-16"), {"Content-Type": "text/html"})
    assert pages.put_in(utf16, ["x()"], None)
    request = tutils.treq(headers=((b"sec-fetch-dest", b"empty"),))
    assert not pages.is_page(request, page(b"<head>"))
    request = tutils.treq(headers=((b"sec-fetch-dest", b"iframe"),))
    assert pages.is_page(request, page(b"<head>"))
    assert not pages.is_page(request, page(b"<head>", **{"Content-Disposition": "attachment; filename=a.html"}))


def test_a_charset_that_the_script_pushes_away_moves_into_the_header() -> None:
    response = page(b"<head><meta charset=windows-1252><title>\xe9</title>")
    pages.put_in(response, ["x()" + " " * 2000], None)
    assert response.headers["content-type"] == "text/html; charset=windows-1252"
    response = http.Response.make(200, b"<head><meta charset=latin1>", {"Content-Type": "text/html; charset=utf-8"})
    pages.put_in(response, ["x()"], None)
    assert response.headers["content-type"] == "text/html; charset=utf-8"


def test_scripts_cannot_end_early_and_are_the_same_every_time() -> None:
    for script in (probe.script(BOOK), gpc.SCRIPT):
        assert "</script" not in script.lower()
        assert "<!--" not in script
    assert probe.script(BOOK) == probe.script.__wrapped__(BOOK)
    assert probe.address(
        tutils.treq(scheme=b"https", port=8443, host="a.example", authority=b"a.example:8443")
    ).startswith("https://a.example:8443/")
