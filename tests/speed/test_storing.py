"""What is stored is the same to the byte as when each part is made whole, by itself, of nothing that is remembered."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwitness import mask
from pixelwitness.capture import Capture, Intake, batches
from pixelwitness.exchange import Exchange
from pixelwitness.identity.people import NOBODY
from pixelwitness.ledger import chain, observed, parts
from pixelwitness.ledger.commit import keyed, salt_for, salted, tree
from pixelwitness.ledger.parts import Record, Storing, parts_of
from pixelwitness.observations import FirstParty, Hit, Identifier, Observation, Observed, Signal
from pixelwitness.sources.files import capture_digest
from support import BOOK, SHARED, asset

CAPTURES = sorted((Path(__file__).parents[2] / "captures").rglob("*-bad-*t.har"))
SECRET = bytes(range(32))
LEAF = keyed(SECRET)


def long_way(record: Record, how: Storing) -> Iterator[tuple[str, bytes, bytes]]:
    """Name, original and stored content of the parts of a record, each made anew by the plainest means."""
    exchange = record.exchange
    known = mask.Known(how.people, lasting=False)
    keep: frozenset[str] = frozenset()
    if exchange is not None:
        rows = exchange.headers + (exchange.response.headers if exchange.response else ())
        jars = [v for n, v in rows if n.lower() == "cookie"]
        names = {p.partition("=")[0].strip() for jar in jars for p in jar.split(";")}
        names |= {v.partition("=")[0].strip() for n, v in rows if n.lower() == "set-cookie"}
        keep = frozenset(how.claims(names))
        known = mask.of_exchange(exchange, keep, how.people)
        if known is not mask.ANYBODY:  # by which payloads were masked when they were read
            known = replace(known, lasting=False, others=None)
    original = json.loads(record.observed.model_dump_json(exclude_defaults=True))
    yield "observed", dumped(original), dumped(observed._clean(original, "", known, LEAF))
    if record.counts is not None:
        yield "counts", dumped(record.counts), dumped(record.counts)
    if exchange is None:
        return
    meta: dict[str, Any] = {"category": record.observed.category, "capture": mask.mask_text(record.capture, "", known)}
    headers, name = exchange.headers, "request_headers"
    if record.kind == "request":
        masked = mask.mask_text(exchange.url, "", known)
        meta |= {"method": exchange.method, "url": masked, "host": exchange.host}
        url = exchange.url if how.keep_plaintext else masked
        yield "request_line", f"{exchange.method} {exchange.url}".encode(), f"{exchange.method} {url}".encode()
        if record.observed.hits and exchange.body:
            plain = exchange.body if how.keep_plaintext else mask.mask_body(exchange.body, known)
            yield "request_body", exchange.body, plain
    elif exchange.response is not None:
        meta["status"] = exchange.response.status
        yield "status_line", str(exchange.response.status).encode(), str(exchange.response.status).encode()
        headers, name = exchange.response.headers, "response_headers"
    yield name, dumped(headers), dumped(mask.mask_headers(headers, keep, plain=how.keep_plaintext, known=known))
    yield "meta", dumped(meta), dumped(meta)


def dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def assert_same(record: Record, how: Storing) -> set[str]:
    made = {p.name: p for p in parts_of(record, how, LEAF)}
    right = {name: (original, stored) for name, original, stored in long_way(record, how)}
    assert made.keys() == right.keys()
    for name, (original, stored) in right.items():
        part = made[name]
        assert part.content is not None
        assert zlib.decompress(part.content) == stored, name
        assert part.form == ("original" if original == stored else "masked")
        assert part.size == len(original)
        assert part.stored == tree(chain.document(name, stored), LEAF).hex()
        assert part.salt == chain.salt_of(name, part.form, part.stored, LEAF)
        assert part.digest == hashlib.sha256(part.salt.encode() + original).hexdigest()
    return {name for name, part in made.items() if part.form == "masked"}


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("path", [*CAPTURES, *sorted((SHARED / "captures").rglob("0*.har"))], ids=lambda p: p.name)
def test_each_part_of_a_capture(path: Path, plain: bool) -> None:
    intake = Intake("run", keep_plaintext=plain)
    how = intake.storing(BOOK)
    records = [
        r for some, _ in batches(Capture(path, path.name, capture_digest(path)), intake, BOOK, print) for r in some
    ]
    assert sum(r.kind == "request" for r in records) > 1
    masked: set[str] = set()
    for record in records:
        masked |= assert_same(record, how)
    assert "request_headers" in masked or not any("cookie" in r.exchange.fields for r in records if r.exchange)


PIECES = st.sampled_from(
    ["Zq81kd02LLp3x7", "a%2Bb91kd02LLp3x7", "anna@shop.example", "+14155550100", "phone=4155550100", "token=abcdef123",
     "%", "%b", "%%s", "é", " ", '"', "\\", "\n", "\x00", "x", "https://shop.example/?q=", "0", "1", "[masked]"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=4).map("".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
OPTIONAL = st.none() | TEXTS
FIRST = st.builds(
    FirstParty, id=TEXTS, client=TEXTS, agent=OPTIONAL, at=st.integers(0, 2), host=TEXTS, page_host=OPTIONAL,
    document=st.booleans(), cookie_names=st.none() | st.lists(TEXTS, max_size=3).map(tuple), gpc=st.booleans(),
    authoritative=st.booleans(), set_cookie_names=st.lists(TEXTS, max_size=2).map(tuple),
)  # fmt: skip
SIGNALS = st.builds(
    Signal, id=TEXTS, exchange_id=OPTIONAL, client=OPTIONAL, host=OPTIONAL, page=OPTIONAL,
    observed_at=st.integers(0, 2), effective_at=st.none() | st.integers(0, 2), source=st.sampled_from(["cookie", "header"]),
    name=TEXTS, state=st.sampled_from([None, "granted", "denied"]), choice_made=st.none() | st.booleans(),
    opt_out=st.none() | st.booleans(), detail=st.dictionaries(TEXTS, JSON, max_size=3),
)  # fmt: skip
HITS = st.builds(
    Hit, id=TEXTS, exchange_id=TEXTS, client=TEXTS, occurred_at=st.integers(0, 2), kind=st.just("event"),
    tier=st.just("event"), event=OPTIONAL, pixel_codes=st.lists(TEXTS, max_size=2).map(tuple), method=st.just("POST"),
    transport=st.just("fetch"), request_url=TEXTS, host=TEXTS, page_url=OPTIONAL,
    identifiers=st.lists(
        st.builds(Identifier, field=TEXTS, name=TEXTS, form=TEXTS, collected=TEXTS, value=OPTIONAL), max_size=2
    ).map(tuple),
    app_consent=st.dictionaries(TEXTS, JSON, max_size=2), payload=JSON,
)  # fmt: skip
COOKIES = st.sampled_from([None, "sid=Zq81kd02LLp3x7", "sid=Zq81kd02LLp3x8; OptanonConsent=x", "a=1"])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.none() | FIRST, st.lists(SIGNALS, max_size=2), COOKIES), min_size=1, max_size=3))
def test_what_is_remembered_of_one_observation_is_not_in_another(
    made: list[tuple[FirstParty | None, list[Signal], str | None]],
) -> None:
    how = Intake("run").storing(BOOK)
    for first, signals, cookie in made:
        seen = Observed(first_party=first, signals=tuple(signals))
        assert_same(Record("request", seen, 0, asset(0, cookie=cookie)), how)
        again = Observed(
            first_party=first and first.model_copy(update={"id": "other", "at": 7}),
            signals=tuple(
                s.model_copy(update={"id": "%other", "exchange_id": None, "observed_at": 7}) for s in signals
            ),
        )
        assert_same(Record("request", again, 0, asset(1, cookie=cookie)), how)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(HITS, COOKIES), min_size=1, max_size=2))
def test_a_hit_put_together_is_the_hit(made: list[tuple[Hit, str | None]]) -> None:
    how = Intake("run").storing(BOOK)
    for hit, cookie in made:
        assert_same(Record("request", Observed(hits=(hit,)), 0, asset(0, cookie=cookie)), how)
        again = hit.model_copy(update={"id": "other", "payload": [hit.payload, {"phone": hit.payload}]})
        assert_same(Record("request", Observed(hits=(hit, again)), 0, asset(0, cookie=cookie)), how)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(TEXTS | st.sampled_from(["phone", "password"]), JSON, max_size=3), COOKIES)
def test_an_object_that_stays_is_one_in_which_nothing_is_masked(value: dict[str, Any], cookie: str | None) -> None:
    known = mask.of_exchange(asset(0, cookie=cookie), (), NOBODY)
    slow = replace(known, lasting=False, others=None)
    for told in (value, {"a": value}, {"phone": [value, 4155550100]}):
        assert mask.mask_json(told, "", known) == mask.mask_json(told, "", slow)
        body = dumped(told)
        assert mask.mask_body(body, known) == mask.mask_body(body, slow)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["Cookie", "cookie", "Authorization", "X-A", "Referer"]), TEXTS), max_size=6))
def test_header_fields_one_by_one_are_the_header(headers: list[tuple[str, str]]) -> None:
    exchange = Exchange("c", 0, "GET", "https://shop.example/?sid=Zq81kd02LLp3x7", tuple(headers))
    for plain in (False, True):
        assert_same(Record("request", Observed(), 0, exchange), Intake("run", keep_plaintext=plain).storing(BOOK))


@pytest.mark.parametrize("kind", list(observed.SHAPES))
def test_what_changes_is_always_there_and_never_masked(kind: type[Observation]) -> None:
    """Otherwise an id would be left out of what is dumped, or masked in one way here and in another there."""
    for name in kind.model_fields.keys() & observed.CHANGING.keys():
        assert kind.model_fields[name].is_required()
        assert name in observed.DIGESTS or isinstance(observed.CHANGING[name], int)
    assert list(kind.model_fields)[-1] == "detail" or "detail" not in kind.model_fields


@given(st.binary(min_size=1, max_size=100), st.binary(max_size=300))
def test_a_digest_is_that_of_hmac(secret: bytes, tagged: bytes) -> None:
    assert keyed(secret)(tagged) == salted(salt_for(secret, tagged), tagged)


@given(st.binary(max_size=3000) | st.integers(1000, 1050).map(bytes) | st.sampled_from([b"", b"x" * chain.TINY]))
def test_what_is_packed_is_a_zlib_stream(data: bytes) -> None:
    """Released versions unpack with zlib, and so does whoever reads the table."""
    assert zlib.decompress(chain.packed(data)) == data
    assert chain.unpacked(chain.packed(data)) == data


def test_nothing_large_is_remembered() -> None:
    how = Storing()
    caches = (parts._headers_again, parts._row, parts._long_row, parts._limits_again, observed._mould, chain._short)
    assert all(cache.cache_info().maxsize for cache in caches)
    for cache in caches:
        cache.cache_clear()
    headers = (("Cookie", "a=" + "x" * 20_000), ("User-Agent", "x"))
    first = FirstParty(id="1", client="c", at=0, host="h", cookie_names=("x" * 20_000,))
    signal = Signal(
        id="1", exchange_id="1", client="c", observed_at=0, source="cookie", name="n", detail={"a": "x" * 20_000}
    )
    seen = Observed(first_party=first, signals=(signal,))
    url = "https://shop.example/" + "x" * 400
    kinds = {p.name for p in parts_of(Record("request", seen, 0, Exchange("c", 0, "GET", url, headers)), how, LEAF)}
    assert kinds == {"observed", "request_line", "request_headers", "meta"}
    assert [cache.cache_info().currsize for cache in caches] == [0] * len(caches)
