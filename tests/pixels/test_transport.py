"""The same message by every way that it can travel, and messages that are none."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from urllib.parse import quote, urlencode

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwitness.classify import classify
from pixelwitness.exchange import Exchange
from pixelwitness.observations import Hit
from pixelwitness.pixels.decode import hits
from support import BOOK, START, body

URL = "https://analytics.tiktok.com/api/v2/pixel"
MESSAGE = body("AddToCart", user={"email": "a" * 64}, properties={"name": "Zubehör +/?="})
RAW = json.dumps(MESSAGE, ensure_ascii=False).encode()


def decoded(exchange: Exchange) -> tuple[tuple[Hit, ...], tuple]:
    return hits(exchange, classify(exchange, BOOK), BOOK)


def post(raw: bytes, kind: str = "text/plain", url: str = URL) -> Exchange:
    return Exchange("c", START, "POST", url, (("Content-Type", kind),), raw)


def get(value: str) -> Exchange:
    return Exchange("c", START, "GET", f"{URL}?analytics_message={value}", (), b"")


URLSAFE = base64.urlsafe_b64encode(RAW).decode()
STANDARD = base64.b64encode(RAW).decode()
MULTIPART = b'--x\r\nContent-Disposition: form-data; name="d"\r\n\r\n' + RAW + b"\r\n--x--\r\n"


def bare_deflate(raw: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(raw) + packer.flush()


@pytest.mark.parametrize(
    "exchange",
    [
        post(RAW),
        post(RAW, "application/json"),
        post(RAW, "application/x-www-form-urlencoded"),
        post(b"\xef\xbb\xbf" + RAW),
        post(urlencode({"data": RAW.decode()}).encode(), "application/x-www-form-urlencoded"),
        post(URLSAFE.encode()),
        post(MULTIPART, "multipart/form-data; boundary=x"),
        get(URLSAFE),
        get(URLSAFE.rstrip("=")),
        get(quote(STANDARD, safe="")),
        get(STANDARD.rstrip("=")),
        post(RAW, url="https://metrics.shop.example/api/v2/pixel"),
        post(RAW, url="https://shop.example/collect"),
    ],
    ids=["text", "json", "form-type", "bom", "form", "base64", "multipart", "image", "unpadded", "percent", "standard",
         "own-host", "own-path"],
)  # fmt: skip
def test_the_same_hit_whatever_carries_it(exchange: Exchange) -> None:
    (hit,), spots = decoded(exchange)
    assert not spots
    assert (hit.event, hit.tier, hit.pixel_codes, hit.payload) == (
        "AddToCart", "advanced_matching", ("D0ME9HRC77U4Q9G3Q7A0",), MESSAGE,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "kind"),
    [(b"", "unreadable_body"), (b"[]", "unreadable_body"), (b"[1]", "unreadable_body"), (b"not json", "unreadable_body"), (b"[" * 100_000, "unreadable_body"),
     (b'{"a":' * 100_000, "unreadable_body"), (b"\x00\xff" * 50, "unreadable_body"), (None, "body_not_captured")],
)  # fmt: skip
def test_what_cannot_be_read_is_a_hit_and_a_blind_spot(raw: bytes | None, kind: str) -> None:
    exchange = Exchange("c", START, "POST", URL, (), raw, "complete" if raw is not None else "not_captured")
    (hit,), (spot,) = decoded(exchange)
    assert (hit.kind, spot.kind) == ("unreadable", kind)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ["event", "context", "properties", "timestamp", "limited_data_use", "action", "message_id",
          "auto_collected_properties", "signal_diagnostic_labels", "_inspection", "batch", "data"]  # fmt: skip


@given(st.dictionaries(st.sampled_from(FIELDS), values))
def test_any_value_in_any_field_is_a_hit(fields: dict) -> None:
    raw = json.dumps({**MESSAGE, **fields}).encode("utf-8", "replace")
    found, _ = decoded(post(raw))
    assert found
    for hit in found:
        hit.model_dump_json()


@given(st.binary(max_size=300))
def test_any_bytes_are_at_least_an_unreadable_hit(raw: bytes) -> None:
    assert decoded(post(raw))[0]


@given(st.recursive(values, lambda v: st.fixed_dictionaries({"code": v}), max_leaves=3))
def test_a_context_of_any_shape(context: object) -> None:
    raw = json.dumps({"event": "x", "context": {"pixel": context, "page": context, "user": context}}).encode()
    assert decoded(post(raw))[0]


def test_a_first_party_message_needs_the_whole_shape() -> None:
    lookalike = json.dumps(
        {"context": {"pixel": {"code": 1}, "library": {"name": "other"}}, "x": '"pixel.js"'}
    ).encode()
    assert decoded(post(lookalike, url="https://shop.example/x")) == ((), ())
    assert decoded(Exchange("c", START, "GET", "https://shop.example/x?analytics_message=e30", (), b"")) == ((), ())


def test_a_message_on_an_unknown_path_of_the_vendor_is_decoded() -> None:
    (hit,), _ = decoded(post(RAW, url="https://analytics.tiktok.com/api/v3/pixel"))
    assert (hit.event, hit.tier) == ("AddToCart", "advanced_matching")
    (bare,), spots = decoded(post(b"x=1", url="https://analytics.tiktok.com/api/v3/other"))
    assert (bare.kind, bare.tier, spots) == ("telemetry", "contact", ())


def test_more_messages_than_are_read_are_a_blind_spot() -> None:
    raw = json.dumps({"batch": [MESSAGE] * 300}).encode()
    found, spots = decoded(post(raw))
    assert (len(found), [s.kind for s in spots]) == (200, ["body_cut"])


@pytest.mark.parametrize(
    ("collected", "tier"),
    [
        ({"form_details": '[{"placeholder":"you@example.com"}]'}, "auto_collected"),
        ({"trigger_element": {"tag": "a", "inner_text": "info@shop.example", "attributes": {"destination": "mailto:info@shop.example"}}},
         "auto_collected"),
        ({"trigger_element": {"tag": "a", "attributes": {"destination": "https://shop.example/?e=jane@example.com"}}}, "plaintext"),
        ({"trigger_element": {"tag": "button", "inner_text": "Log out jane@example.com"}}, "plaintext"),
    ],
)  # fmt: skip
def test_the_sites_own_words_are_not_the_visitors(collected: dict, tier: str) -> None:
    raw = json.dumps({**body(None), "action": "Click", "auto_collected_properties": collected}).encode()
    assert decoded(post(raw, url="https://analytics.tiktok.com/api/v2/pixel/act"))[0][0].tier == tier


@pytest.mark.parametrize(
    ("user", "form"),
    [({"first_name": "Jane"}, "plaintext"), ({"phone_number": "(213) 373-4253"}, "plaintext"), ({"email": "undefined!"}, "malformed")],
)  # fmt: skip
def test_clear_text_in_a_field_for_hashes(user: dict, form: str) -> None:
    (hit,), _ = decoded(post(json.dumps(body(user=user)).encode()))
    assert [i.form for i in hit.identifiers if i.name in user or i.name == "email"] == [form]


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps(RAW.decode()).encode(), json.dumps(STANDARD).encode(), quote(RAW, safe="").encode(),
        b"\r\n" + MULTIPART, zlib.compress(RAW, 1), zlib.compress(RAW, 6), brotli.compress(RAW), bare_deflate(RAW),
        json.dumps({"events": [MESSAGE]}).encode(), json.dumps({"request": {"body": RAW.decode()}}).encode(),
    ],
    ids=["JSON in JSON", "base64 in JSON", "percent", "multipart without a type", "deflate, fast", "deflate", "br", "bare deflate",
         "list in an envelope", "envelope in an envelope"],
)  # fmt: skip
def test_ways_without_a_header_that_tells_them(raw: bytes) -> None:
    (made,), spots = decoded(post(raw.lstrip(), ""))
    assert made.payload == MESSAGE
    assert spots == ()


@pytest.mark.parametrize(
    "raw",
    [
        urlencode({"email": "jane.doe@example.com", "data": RAW.decode()}).encode(),
        MULTIPART.replace(
            b"--x--", b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\njane.doe@example.com\r\n--x--'
        ),
        json.dumps({"email": "jane.doe@example.com", "data": RAW.decode()}).encode(),
        json.dumps({"v": 1, "request": {"email": "jane.doe@example.com", "body": RAW.decode()}}).encode(),
    ],
    ids=["form", "multipart", "envelope", "inner envelope"],
)
def test_what_stands_beside_the_message_is_searched_too(raw: bytes) -> None:
    (made,), _ = decoded(post(raw, "multipart/form-data; boundary=x" if raw.startswith(b"--") else ""))
    assert made.payload == MESSAGE
    assert made.tier == "plaintext"
    assert [p.where.endswith("email") for p in made.plaintext] == [True]


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_none(raw: bytes) -> None:
    for kind in ("", "multipart/form-data; boundary=x"):
        found, _ = decoded(post(raw, kind))
        assert len(found) <= 200


@pytest.mark.parametrize(
    "exchange",
    [
        post(gzip.compress(RAW), "", "https://m.shop.example/e"),
        Exchange("c", START, "GET", f"https://m.shop.example/e?v=1&d={URLSAFE.rstrip('=')}", (), b""),
        Exchange("c", START, "GET", f"https://m.shop.example/e?d={quote(RAW, safe='')}", (), b""),
        Exchange("c", START, "GET", f"https://m.shop.example/e?d={quote(STANDARD, safe='')}&z=1", (), b""),
    ],
    ids=["packed by the page", "base64url under another name", "JSON in a query", "base64 in a query"],
)
def test_on_a_host_of_the_site_as_well(exchange: Exchange) -> None:
    (made,), spots = decoded(exchange)
    assert (made.payload, made.first_party_host, spots) == (MESSAGE, True, ())
