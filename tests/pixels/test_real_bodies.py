"""Real bodies by every way that they can travel: the same hit each time, and no leaf of them lost."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Iterator
from urllib.parse import quote, urlencode

import brotli
import pytest
import zstandard

from pixelwitness.classify import classify
from pixelwitness.exchange import Exchange
from pixelwitness.observations import Hit
from pixelwitness.pixels.decode import hits
from pixelwitness.pixels.tiktok.paths import leaves
from pixelwitness.sources.content import decode
from pixelwitness.sources.files import read_capture
from support import BOOK, SHARED, START, needs_shared

BODIES = SHARED / "reference" / "tiktok-bodies.jsonl"
ROWS = [json.loads(line) for line in BODIES.read_text().splitlines()] if BODIES.is_file() else []
SAME = {"kind", "tier", "event", "event_raw", "action", "pixel_codes", "message_id", "event_id", "event_time", "page_url",
        "page_referrer", "limited_data_use", "partner", "library_version", "plaintext", "collected", "content", "payload"}  # fmt: skip
PACKED = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def decoded(exchange: Exchange) -> Hit:
    (hit,), spots = hits(exchange, classify(exchange, BOOK), BOOK)
    assert not spots
    return hit


def ways(url: str, raw: bytes) -> Iterator[tuple[str, Exchange]]:
    urlsafe, standard = base64.urlsafe_b64encode(raw).decode(), base64.b64encode(raw).decode()
    multipart = b'--x\r\nContent-Disposition: form-data; name="d"\r\n\r\n' + raw + b"\r\n--x--\r\n"
    form = "application/x-www-form-urlencoded"
    bodies = {
        "fetch as JSON": (raw, "application/json"),
        "form type, raw body": (raw, form),
        "no type": (raw, ""),
        "form field": (urlencode({"v": "1", "data": raw.decode()}).encode(), form),
        "form field in base64": (urlencode({"data": standard}).encode(), form),
        "multipart": (multipart, "multipart/form-data; boundary=x"),
        "base64": (standard.encode(), "text/plain"),
        "base64url, unpadded": (urlsafe.rstrip("=").encode(), "text/plain"),
        "text in JSON": (json.dumps({"v": 1, "data": raw.decode()}).encode(), "application/json"),
        "object in JSON": (b'{"payload":' + raw + b"}", "application/json"),
        "base64 in JSON": (json.dumps({"d": standard}).encode(), "application/json"),
    }
    for name, (body, kind) in bodies.items():
        yield name, Exchange("c", START, "POST", url, (("Content-Type", kind),) if kind else (), body)
    for name, pack in PACKED.items():
        undone, state = decode(pack(raw), name)
        assert state == "complete"
        yield name, Exchange("c", START, "POST", url, (("Content-Encoding", name),), undone)
    for name, value in {
        "padded": quote(urlsafe),
        "unpadded": urlsafe.rstrip("="),
        "standard": quote(standard, safe=""),
    }.items():
        yield f"image, {name}", Exchange("c", START, "GET", f"{url}?analytics_message={value}", (), b"")


@needs_shared
@pytest.mark.parametrize("row", ROWS, ids=lambda r: r["captured"])
def test_every_body_by_every_way_to_every_host(row: dict) -> None:
    raw = row["body_text"].encode()
    plain = decoded(Exchange("c", START, "POST", row["url"], (), raw))
    assert plain.payload == json.loads(raw)
    assert dict(leaves(plain.payload)) == dict(leaves(json.loads(raw)))
    own = row["url"].replace("analytics.tiktok.com", "metrics.shop.example")
    for url in (row["url"], own, "https://shop.example/relay"):
        named = "pixel.js" in row["body_text"]
        if url != row["url"] and not named:
            continue  # without its library's name nothing tells that a message elsewhere is TikTok's
        for name, exchange in ways(url, raw):
            hit = decoded(exchange)
            assert hit.model_dump(include=SAME) == plain.model_dump(include=SAME), name
            assert [(i.field, i.form, i.value) for i in hit.identifiers] == [
                (i.field, i.form, i.value) for i in plain.identifiers
            ]
            assert hit.first_party_host == (url != row["url"])


@needs_shared
def test_most_real_bodies_name_their_library() -> None:
    named = [r for r in ROWS if "pixel.js" in r["body_text"]]
    assert len(named) == len(ROWS) == 16


@needs_shared
def test_no_other_traffic_of_real_captures_is_taken_for_a_copy() -> None:
    for path in sorted((SHARED / "captures").glob("*.har")):
        for exchange in read_capture(path, client="c"):
            if isinstance(exchange, Exchange) and "tiktok" not in exchange.host:
                found, spots = hits(exchange, classify(exchange, BOOK), BOOK)
                assert (found, spots) == ((), ()), exchange.url


def test_a_probable_copy_without_its_body_is_a_blind_spot() -> None:
    url = "https://metrics.shop.example/api/v2/pixel"
    exchange = Exchange("c", START, "POST", url, (), None, "not_captured")
    found, spots = hits(exchange, classify(exchange, BOOK), BOOK)
    assert (found, [s.kind for s in spots]) == ((), ["first_party_unseen"])
    other = Exchange("c", START, "POST", "https://shop.example/api/cart", (), None, "not_captured")
    assert hits(other, classify(other, BOOK), BOOK) == ((), ())
