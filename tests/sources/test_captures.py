"""Captures of every sort: the two formats agree, odd entries cost only themselves, bad files say what they are."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwitness.exchange import Exchange
from pixelwitness.sources import CaptureError, ReadNote
from pixelwitness.sources.content import decode
from pixelwitness.sources.files import captures_in, read_capture
from pixelwitness.sources.har import har_time, read_har
from support import SHARED, needs_shared

SDK = SHARED / "captures" / "sdk"
GOOD = {
    "startedDateTime": "2026-11-22T08:31:36.660Z",
    "time": 12.5,
    "request": {"method": "GET", "url": "https://shop.example/", "headers": [{"name": "Cookie", "value": "a=1"}]},
    "response": {"status": 200, "headers": [], "content": {"mimeType": "text/html", "text": "x"}},
}


def har_of(*entries: Any) -> bytes:
    return json.dumps({"log": {"version": "1.2", "entries": list(entries)}}).encode()


def read(data: bytes) -> tuple[list[Exchange], list[ReadNote]]:
    items = list(read_har(io.BytesIO(data), "x.har", "c"))
    return [i for i in items if isinstance(i, Exchange)], [i for i in items if isinstance(i, ReadNote)]


@needs_shared
@pytest.mark.parametrize("name", sorted(p.stem for p in SDK.glob("*.mitm")))
def test_a_flow_file_and_its_har_are_the_same_exchanges(name: str) -> None:
    flows = [e for e in read_capture(SDK / f"{name}.mitm", client="c") if isinstance(e, Exchange)]
    har = [e for e in read_capture(SDK / f"{name}.har", client="c") if isinstance(e, Exchange)]
    assert [e.id for e in flows] == [e.id for e in har]
    assert [(e.url, e.method, e.headers, e.body or b"") for e in flows] == [
        (e.url, e.method, e.headers, e.body or b"") for e in har
    ]
    assert [e.response.status if e.response else None for e in flows] == [
        e.response.status if e.response else None for e in har
    ]


def odd(**changes: Any) -> dict[str, Any]:
    entry = json.loads(json.dumps(GOOD))
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = entry
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is KeyError:
            place.pop(last, None)
        else:
            place[last] = value
    return entry


READABLE = [
    odd(request__httpVersion=KeyError), odd(time=None), odd(time="12"), odd(response=None), odd(response=KeyError),
    odd(response__status="200"), odd(response__status="ok"), odd(response__content=KeyError), odd(response__content=[]),
    odd(request__postData={"text": None}), odd(request__postData={"params": [{"name": "a", "value": "b"}]}),
    odd(request__postData={"text": "!!", "encoding": "base64"}), odd(request__headers=None), odd(request__headers=[None, 1]),
    odd(request__headers=[{"name": "X", "value": None}]), odd(request__headers={"a": 1}), odd(request__cookies=[1]),
    odd(request__url="blob:https://shop.example/1"), odd(request__url="data:text/plain,x"), odd(request__url="https://b\u00fccher.example/"),
    odd(request__url="wss://shop.example/s"), odd(request__url="https://[bad/"), odd(request__method=None),
    odd(request__postData={"text": "\ud800"}), odd(request__postData={"_file": "x.dat"}), odd(response__status=0),
    odd(response__content={"text": "\ud800", "encoding": "base64"}), odd(request__postData=[]), odd(cache=KeyError),
    odd(startedDateTime="2026-11-22T08:31:36+01:00"), odd(startedDateTime="2026-11-22 08:31:36.1234567Z"),
]  # fmt: skip
UNREADABLE = [
    None,
    1,
    "x",
    [],
    {},
    odd(request=None),
    odd(request__url=None),
    odd(startedDateTime="soon"),
    odd(startedDateTime=5),
]


@pytest.mark.parametrize("entry", READABLE, ids=lambda e: json.dumps(e)[:0] or None)
def test_an_odd_entry_is_read_in_part_and_the_rest_whole(entry: Any) -> None:
    exchanges, _ = read(har_of(GOOD, entry, GOOD))
    assert len(exchanges) == 3
    for exchange in exchanges:
        assert exchange.id
        assert exchange.host is not None


@pytest.mark.parametrize("entry", UNREADABLE)
def test_an_entry_without_a_url_or_time_is_skipped_and_noted(entry: Any) -> None:
    exchanges, notes = read(har_of(GOOD, entry, GOOD))
    assert (len(exchanges), [n.kind for n in notes]) == (2, ["odd_entry"])


def test_cookies_kept_only_in_their_array_are_a_cookie_header() -> None:
    entry = odd(request__headers=[], request__cookies=[{"name": "a", "value": "1"}, {"name": "b", "value": "2"}])
    assert read(har_of(entry))[0][0].fields["cookie"] == "a=1; b=2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2026-11-22T08:31:36.660Z", 660), ("2026-11-22T08:31:36Z", 0), ("2026-11-22T08:31:36.6609999+00:00", 660),
     ("2026-11-22T08:31:36.66+0000", 660), ("2026-11-22T08:31:36.1", 100)],
)  # fmt: skip
def test_times(text: str, expected: int) -> None:
    assert (har_time(text) or 0) % 1000 == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=8), v, max_size=3), max_leaves=8,
)  # fmt: skip


@settings(max_examples=150)
@given(st.sampled_from(["request", "response", "time", "startedDateTime", "request__postData", "request__headers",
                        "request__cookies", "response__content", "response__headers", "request__url"]), json_values)  # fmt: skip
def test_any_value_anywhere_costs_at_most_its_entry(path: str, value: Any) -> None:
    data = json.dumps({"log": {"entries": [GOOD, odd(**{path: value}), GOOD]}}).encode()
    try:
        exchanges, _ = read(data)
    except CaptureError:
        assert b"NaN" in data or b"Infinity" in data  # no JSON at all
        return
    assert len(exchanges) >= 2


def test_a_cut_har_yields_every_whole_entry_and_then_says_so() -> None:
    data = har_of(GOOD, GOOD, GOOD)[:-200]
    items = []
    with pytest.raises(CaptureError, match="x.har: after 2 entries: the HAR is damaged or cut"):
        for item in read_har(io.BytesIO(data), "x.har", "c"):
            items.append(item)
    assert len(items) == 2


BAD = {
    "empty.har": (b"", "the file is empty"),
    "picture.har": (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "is a PNG picture"),
    "text.mitm": (b"hello", "is neither a HAR nor a mitmproxy flow file"),
    "other.har": (b'{"a": 1}', "is JSON, but no HAR"),
    "cut.har.gz": (gzip.compress(har_of(GOOD) * 50)[:60], "cut or damaged"),
    "new.mitm": (b"70:7:version;3:999#4:type;4:http;2:id;2:ab;9:timestamp;1:1^5:error;0:~8:metadata;0:}}", "newer"),
    "cut.mitm": (b"5000:abc", "damaged or cut"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_says_what_it_is_and_what_to_do(name: str, tmp_path: Path) -> None:
    data, expected = BAD[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(CaptureError) as caught:
        list(read_capture(path, client="c"))
    text = str(caught.value)
    assert name in text
    assert "\n" not in text
    if name != "new.mitm":
        assert expected in text


def test_an_empty_list_of_entries_is_a_sound_file(tmp_path: Path) -> None:
    path = tmp_path / "x.har"
    path.write_bytes(har_of())
    assert list(read_capture(path, client="c")) == []


@pytest.mark.parametrize("wrap", [lambda d: d, gzip.compress, lambda d: b"\xef\xbb\xbf" + d, lambda d: b" \n" + d])
def test_wrappings(wrap: Any, tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(wrap(har_of(GOOD, GOOD)))
    first, second = (e for e in read_capture(path, client="c") if isinstance(e, Exchange))
    assert (first.ordinal, second.ordinal) == (0, 1)
    assert first.id != second.id


def test_a_folder_without_captures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="holds no capture"):
        captures_in([tmp_path])


def test_a_bomb_costs_no_more_than_its_bound() -> None:
    import zlib

    bomb = zlib.compress(b"\0" * (80 * 1024 * 1024))
    assert decode(bomb, "deflate") == (None, "too_large")
    assert decode(gzip.compress(b"x"), "gzip") == (b"x", "complete")
    assert decode(b"rubbish", "gzip") == (b"rubbish", "undecodable")
    assert decode(b"x", "dcb") == (b"x", "undecodable")
