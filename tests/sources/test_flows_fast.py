"""A flow read without mitmproxy gives what mitmproxy gives, and one that is damaged or odd is left to mitmproxy."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow

from pixelwitness.sources import CaptureError, flows
from pixelwitness.sources.added import ADDED
from pixelwitness.sources.flows import read_flows
from pixelwitness.sources.mitm import exchange_from_flow, read_one
from support import SHARED

CAPTURES = [
    *sorted((Path(__file__).parents[2] / "captures").rglob("*.mitm")),
    *sorted((SHARED / "captures").rglob("*.mitm")),
]


def outcome(items: Iterator[Any]) -> tuple[list[Any], str]:
    """All items, and what was wrong in the end, without the place."""
    found = []
    try:
        for item in items:
            found.append(item)
    except CaptureError as error:
        return found, str(error).partition(", byte")[0]
    return found, ""


def by_mitmproxy(data: bytes) -> tuple[list[Any], str]:
    found, wrong = outcome(read_one(data, "x.mitm", 0, 0))
    other = found.count(None)
    note = [flows.ReadNote("not_http", f"{other} flows that are not HTTP")] if other and not wrong else []
    return [*(f for f in found if f is not None), *note], wrong


def written(*made: Any) -> bytes:
    out = io.BytesIO()
    for one in made:
        FlowWriter(out).add(one)
    return out.getvalue()


@pytest.mark.parametrize("path", CAPTURES, ids=lambda p: p.name)
def test_captures_are_read_the_same_and_without_mitmproxy(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = path.read_bytes()
    quick = [0]

    def counted(raw: bytes) -> Any:
        made = original(raw)
        quick[0] += 1
        return made

    original = flows.quick
    monkeypatch.setattr(flows, "quick", counted)
    found = outcome(read_flows(io.BytesIO(data), "x.mitm"))
    assert found == by_mitmproxy(data)
    assert quick[0] >= 0.8 * len(found[0]) > 0


TEXT = st.text(max_size=12)
HOSTS = st.sampled_from(
    ["shop.example", "shop.example:8443", "SHOP.example", "xn--bcher-kva.example", "bücher.example", "[::1]", "a b", ":1",
     "shop.example:99999", "shop.example.", "10.0.0.1", "shop.example:0", "", "-", "a" * 70]
)  # fmt: skip


@st.composite
def made_flows(draw: st.DrawFn) -> Any:
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from([tflow.ttcpflow, tflow.tudpflow]))()
    one = tflow.tflow(resp=draw(st.booleans()), err=draw(st.integers(0, 9)) == 0, ws=draw(st.integers(0, 9)) == 0)
    request = one.request
    names = st.sampled_from(["host", "Host", "Cookie", "content-encoding", "X"])
    rows = draw(st.lists(st.tuples(names, HOSTS | TEXT | st.just("gzip")), max_size=4))
    request.headers = http.Headers([(k.encode(), v.encode("utf-8", "surrogateescape")) for k, v in rows])
    request.data.host = draw(HOSTS)
    request.data.port = draw(st.sampled_from([80, 443, 8080]))
    request.data.scheme = draw(st.sampled_from([b"http", b"https", b"HTTPS", b""]))
    request.data.authority = draw(st.sampled_from([b"", b"shop.example", b"\xff", b"shop.example:443"]))
    request.data.http_version = draw(st.sampled_from([b"HTTP/1.1", b"HTTP/2.0", b"HTTP/3"]))
    request.data.method = draw(st.sampled_from([b"GET", b"post", b"CONNECT", b"\xff"]))
    request.data.path = draw(st.sampled_from([b"/", b"*", b"", b"/a?b=c#d", b"/\xc3\xa9", b"/\xff"]))
    request.data.content = draw(st.sampled_from([b"", b"abc", None]))
    request.data.timestamp_start = draw(st.sampled_from([1.5, 0, 1795400769.655, 946681200]))
    one.client_conn.peername = draw(st.sampled_from([("10.0.0.2", 1), ("", 0)]))
    one.metadata = draw(st.sampled_from([{}, {ADDED: ["Sec-GPC"]}, {"proxyauth": ["anna", "x"]}, {"a": {"b": [1]}}]))
    if one.response is not None:
        one.response.data.status_code = draw(st.sampled_from([200, 407, 0]))
        kinds = st.sampled_from(["text/html", "image/png", "application/json", ""])
        one.response.headers = http.Headers([(b"content-type", draw(kinds).encode())])
        one.response.data.timestamp_end = draw(st.sampled_from([None, 1795400770.25]))
    return one


@settings(max_examples=300, deadline=None)
@given(st.lists(made_flows(), max_size=5), st.integers(20, 5000))
def test_any_flows(made: list[Any], size: int) -> None:
    data = written(*made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flows, "BUFFER", size)
        assert outcome(read_flows(io.BytesIO(data), "x.mitm")) == by_mitmproxy(data)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 6000), st.binary(max_size=3), st.integers(0, 3))
def test_damage_costs_no_flow_before_it(at: int, piece: bytes, less: int) -> None:
    whole = written(*(tflow.tflow(resp=True) for _ in range(4)))
    data = whole[:at] + piece + whole[at + less :]
    found, wrong = outcome(read_flows(io.BytesIO(data), "x.mitm"))
    expected, expected_wrong = by_mitmproxy(data)
    # Damage in what no exchange needs is skipped, so that there may be more, and never less.
    assert len(found) >= len(expected)
    assert bool(wrong) <= bool(expected_wrong)


def test_live_and_from_a_file_is_one_exchange() -> None:
    one = tflow.tflow(resp=True)
    (read,) = read_flows(io.BytesIO(written(one)), "x.mitm")
    assert read == exchange_from_flow(one)
