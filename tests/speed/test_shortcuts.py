"""What is remembered or left out to save time changes nothing: each shortcut against the long way."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwitness import mask
from pixelwitness.classify import classify
from pixelwitness.exchange import Exchange, Response, taken_apart
from pixelwitness.hostname import ascii_host
from pixelwitness.identity.people import NOBODY
from pixelwitness.ingest import observe_response, reads_response
from pixelwitness.ledger.chain import packed, unpacked
from pixelwitness.ledger.commit import committed, keyed, tree
from pixelwitness.pixels import decode
from pixelwitness.rulebook import load_rulebook
from pixelwitness.sources.files import read_capture
from support import SHARED

BOOK = load_rulebook()
CAPTURES = sorted((Path(__file__).parents[2] / "captures").rglob("*-bad-*t.har"))
COOKIE = (
    "sid=Zq81kd02LLp3x7; theme=dark; tok=a%2Bb91kd02LLp3x7; _ttp=2abcDEF123456789; OptanonConsent=groups%3DC0004%3A0"
)
HEADERS = (("Cookie", COOKIE), ("Authorization", "Bearer 9f8e7d6c5b4a3210"))
PIECES = st.sampled_from(
    [
        "Zq81kd02LLp3x7", "a+b91kd02LLp3x7", "a%2Bb91kd02LLp3x7", "9f8e7d6c5b4a3210", "9f8e7d6c5b4a32", "x", "é",
        "anna@shop.example", "+14155550100", "tel:+1 415 555 0100", "phone=4155550100", "token=abcdef123", "&amp;",
        "&#64;", "\\u0040", "%40", "sid", "dark", " ", "/", "?q=", "&", "=", "https://shop.example/", '"', "{", "}",
        "[", "]", ":", ",", "\ud83d",
    ]
)  # fmt: skip
ENCODED = st.sampled_from(
    [
        str,
        json.dumps,
        lambda t: quote(t, safe="", errors="replace"),
        lambda t: json.dumps({"a": t, "phone": [t]}),
        lambda t: base64.b64encode(t.encode("utf-8", "replace")).decode(),
    ]
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    text = "".join(draw(st.lists(PIECES, max_size=5)))
    for wrap in draw(st.lists(ENCODED, max_size=3)):
        text = wrap(text)
    return "".join(draw(st.lists(PIECES, max_size=2))) + text


@settings(max_examples=400, deadline=None)
@given(texts(), st.sampled_from(["", "phone", "user.tel"]))
def test_masking_from_memory_is_masking(text: str, path: str) -> None:
    exchange = Exchange("c", 0, "GET", "https://shop.example/", HEADERS)
    for keep in ((), ("OptanonConsent",)):
        known = mask.of_exchange(exchange, keep, NOBODY)
        assert known.lasting
        assert known.secrets is not None
        assert known.others is mask.ANYBODY
        slow = replace(known, lasting=False, others=None)
        assert mask.mask_text(text, path, known) == mask._settled(text, path, slow)
    nobody = replace(mask.ANYBODY, lasting=False)
    assert mask.mask_text(text, path) == mask._settled(text, path, nobody)


def test_a_request_with_other_cookies_is_masked_by_its_own() -> None:
    def masked(cookie: str, keep: tuple[str, ...] = ()) -> tuple[str, str]:
        headers = (("Cookie", f"sid={cookie}"),)
        known = mask.of_exchange(Exchange("c", 0, "GET", "https://shop.example/", headers), keep, NOBODY)
        return mask.mask_text("/a?x=Zq81kd02LLp3x7", "", known), mask.mask_headers(headers, keep, known=known)[0][1]

    assert masked("Zq81kd02LLp3x7") == ("/a?x=[masked]", "sid=[masked]")
    assert masked("Zq81kd02LLp3x8") == ("/a?x=Zq81kd02LLp3x7", "sid=[masked]")
    assert masked("Zq81kd02LLp3x7", ("sid",)) == ("/a?x=Zq81kd02LLp3x7", "sid=Zq81kd02LLp3x7")
    assert masked("Zq81kd02LLp3x7") == ("/a?x=[masked]", "sid=[masked]")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
    | st.sampled_from(["https://a.example/?q=1#f", "[redacted:" + "0" * 64 + "]", "x" * 300, "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_a_fast_commitment_is_the_commitment(value: object) -> None:
    leaf = keyed(bytes(32))
    assert committed(leaf)(value) == tree(value, leaf)


@given(st.binary(max_size=9000))
def test_what_is_packed_is_unpacked(data: bytes) -> None:
    assert unpacked(packed(data)) == data


@pytest.mark.parametrize("path", CAPTURES, ids=lambda p: p.name)
def test_remembered_hits_are_the_hits(path: Path) -> None:
    seen = 0
    for item in read_capture(path, client="c"):
        if not isinstance(item, Exchange):
            continue
        found = classify(item, BOOK)
        first = decode.hits(replace(item, response=None), found, BOOK)
        assert decode.hits(item, found, BOOK) == first == decode._hits(item, found, BOOK, NOBODY)
        other = replace(item, client="d")
        assert {h.client for h in decode.hits(other, found, BOOK)[0]} <= {"d"}
        seen += bool(first[0])
    assert seen


@pytest.mark.parametrize("path", [*CAPTURES, *sorted((SHARED / "captures").rglob("*.har"))], ids=lambda p: p.name)
def test_bodies_that_are_not_read_say_nothing(path: Path) -> None:
    without = [0, 0]
    for item in read_capture(path, client="c"):
        if not isinstance(item, Exchange) or item.response is None:
            continue
        wanted = reads_response(item.url, item.response.body or b"", BOOK)
        without[wanted] += 1
        if not wanted:
            bare = replace(item, response=replace(item.response, body=None, body_state="not_captured"))
            assert observe_response(item, BOOK) == observe_response(bare, BOOK)
    assert sum(without)


def test_a_configuration_on_any_host_is_read() -> None:
    uuid = "0195a1b2-0000-7000-8000-0123456789ab"
    assert reads_response(f"https://shop.example/x/consent/{uuid}/{uuid}/en.json", "", BOOK)
    assert reads_response("https://shop.example/.well-known/gpc.json", "", BOOK)
    assert reads_response("https://analytics.tiktok.com/i18n/pixel/events.js?sdkid=A", "", BOOK)
    assert not reads_response("https://shop.example/assets/app.js", "var a=1;", BOOK)
    assert reads_response("https://shop.example/assets/app.js", 'window["TiktokAnalyticsObject"]', BOOK)


@settings(max_examples=200, deadline=None)
@given(st.integers(), st.text(max_size=9), st.text(max_size=30), st.binary(max_size=60), st.integers(0, 9))
def test_an_id_is_the_digest_of_the_json_of_what_it_names(
    at: int, method: str, url: str, body: bytes, ordinal: int
) -> None:  # fmt: skip
    said = json.dumps([at, method, url, bytes(b for b in body if b < 128).decode(), ordinal])
    exchange = Exchange("c", at, method, url, body=body, ordinal=ordinal)
    assert exchange.id == hashlib.sha256(said.encode()).hexdigest()[:32]
    answered = replace(exchange, response=Response(at, 200))
    assert answered.id == exchange.id
    assert answered.without_response() == exchange
    assert answered.without_response().id == exchange.id


URLS = st.lists(
    st.sampled_from(
        [
            "http", "https", "://", "a.example", "A.b", ".", "..", ":", "80", ":443", ":99999", ":0", "/", "?", "#", "[",
            "]", "@", "%41", "é", "\t", " ", "\n", "xn--a", "_", "-", "a=b", "&", ";", "\\", "//", "[::1]", "~", '"', "\x00",
            "\ud800", "bücher.example",
        ]
    ),
    max_size=8,
).map("".join)  # fmt: skip


@settings(max_examples=1000, deadline=None)
@given(URLS, st.booleans())
def test_a_usual_url_is_taken_apart_as_any_other(url: str, usual: bool) -> None:
    url = "https://a.example" + url if usual else url
    parts, host = taken_apart(url)
    try:
        expected = urlsplit(url)
        name, _ = expected.hostname or "", expected.port
    except ValueError:
        assert (parts, host) == (SplitResult("", "", "", "", ""), "")
    else:
        assert (parts, host) == (expected, ascii_host(name.rstrip(".")))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Cookie", "cookie", "Accept", "ACCEPT", "X"]), st.sampled_from(["a=1", "é", "", "\ud800"])
        )
    )
)
def test_fields_are_joined_as_the_standard_says(headers: list[tuple[str, str]]) -> None:
    expected: dict[str, str] = {}
    for name in dict.fromkeys(name.lower() for name, _ in headers):
        values = [v.encode("utf-8", "replace").decode() for n, v in headers if n.lower() == name]
        expected[name] = ("; " if name == "cookie" else ", ").join(values)
    fields = Exchange("c", 0, "GET", "https://a.example/", tuple(headers)).fields
    assert fields == expected
    assert list(fields) == list(expected)
