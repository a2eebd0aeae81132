"""The fast way through a HAR gives what the streaming parser gives, whatever stands in it and however it is laid out."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwitness.sources import CaptureError, har, har_typed
from pixelwitness.sources.files import read_capture
from pixelwitness.sources.har import read_har, read_slowly
from support import SHARED

OWN = sorted((Path(__file__).parents[2] / "captures").rglob("*.har"))
REAL = sorted((SHARED / "captures").rglob("*.har"))
TEXT = st.text(max_size=20) | st.sampled_from(
    ['},{"a":1', '"entries": [', "\\", '\\"', "é🎈", "},\n{", "a=1; b=2", "x" * 5000, "\ud800", '{"log":{"entries":[{}]}}']
)  # fmt: skip
PAIRS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["Cookie", "Host", ":path", "Content-Type", "x"]) | TEXT,
         "value": TEXT | st.sampled_from(["gzip", "a=1"]) | st.none() | st.integers()}
    ),
    max_size=4,
)  # fmt: skip
ODD = st.none() | st.booleans() | st.integers() | TEXT | st.lists(st.integers(), max_size=2)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


REQUEST = some(
    method=st.sampled_from(["GET", "post", ""]) | ODD, url=st.sampled_from(["https://a.example/", "x"]) | TEXT | ODD,
    headers=PAIRS | ODD, cookies=PAIRS | ODD,
    postData=some(text=TEXT | ODD, encoding=st.just("base64") | ODD, params=PAIRS | ODD) | ODD,
)  # fmt: skip
RESPONSE = some(
    status=st.integers(-1, 600) | ODD | st.just(200.0), headers=PAIRS | ODD, _error=TEXT | ODD,
    content=some(text=TEXT | ODD, encoding=st.just("base64") | ODD, mimeType=TEXT | ODD) | ODD,
)  # fmt: skip
USUAL = {
    "startedDateTime": "2026-11-22T08:31:36.660Z", "time": 3.5,
    "request": {"method": "GET", "url": "https://a.example/", "headers": [{"name": "Cookie", "value": "a=1"}]},
    "response": {"status": 200, "headers": [], "content": {"text": "x", "mimeType": "text/html"}},
}  # fmt: skip
ENTRY = (
    st.just(USUAL)
    | some(
        _initiator=st.just({"stack": [{"a": 1}, {"b": 2}]}) | ODD, _priority=TEXT, time=st.floats(0, 1e9) | ODD,
        startedDateTime=st.just("2026-11-22T08:31:36.660Z") | ODD, request=REQUEST | ODD, response=RESPONSE | ODD,
        _blockedReason=TEXT | ODD, _failureText=TEXT,
    )
    | ODD
)  # fmt: skip
LAYOUTS = st.sampled_from([{}, {"indent": 2}, {"separators": (",", ":")}, {"ensure_ascii": False}, {"indent": "\t"}])


def outcome(read: Any, data: bytes) -> tuple[list[Any], bool]:
    """All items, and whether the end was reached."""
    found = []
    try:
        for item in read(io.BytesIO(data), "x.har", "c"):
            found.append(item)
    except CaptureError:
        return found, False
    return found, True


@settings(max_examples=300, deadline=None)
@given(st.lists(ENTRY, max_size=8), LAYOUTS, st.booleans(), st.integers(20, 4000))
def test_any_entries_in_any_layout(entries: list[Any], layout: Any, behind: bool, size: int) -> None:
    log = {"version": "1.2", "pages": [{"title": '"entries":['}], "entries": entries}
    data = json.dumps({"log": {**log, "comment": "x"} if behind else log}, **layout).encode("utf-8", "replace")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(har, "BUFFER", size)
        assert outcome(read_har, data) == outcome(read_slowly, data)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 3000), st.binary(max_size=3), st.integers(0, 3), st.integers(200, 2000))
def test_damage_anywhere_loses_no_more_than_before(at: int, piece: bytes, less: int, size: int) -> None:
    data = json.dumps({"log": {"entries": [USUAL] * 9}}).encode()
    data = data[:at] + piece + data[at + less :]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(har, "BUFFER", size)
        fast, slow = outcome(read_har, data), outcome(read_slowly, data)
    # The streaming parser loses whole entries that stand in one piece with the damage, the fast way does not.
    assert fast[0][: len(slow[0])] == slow[0]
    assert fast[1] == slow[1]
    assert len(fast[0]) == len(slow[0]) or not slow[1]


@pytest.mark.parametrize("path", [*OWN, *REAL], ids=lambda p: p.name)
def test_captures_are_read_the_same_and_fast(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = path.read_bytes()
    slowly = outcome(read_slowly, data)
    typed = [0]

    def counted(*arguments: Any) -> Any:
        typed[0] += 1
        return har_typed.usual(*arguments)

    monkeypatch.setattr(har, "usual", counted)
    assert outcome(read_har, data) == slowly
    # The last entry has nothing behind it that would show its end.
    assert typed[0] >= len(slowly[0]) - 1 > 0


def test_bodies_that_nobody_wants_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.har.gz"
    path.write_bytes(gzip.compress(json.dumps({"log": {"entries": [USUAL] * 3}}).encode()))
    states = [
        item.response.body_state
        for item in read_capture(path, client="c", wanted=lambda url, body: False)
        if not isinstance(item, har.ReadNote) and item.response
    ]
    assert states == ["not_captured"] * 3
