"""A HAR in which every field of an entry is in turn missing, of every other type, deep or huge: the rest is read."""

from __future__ import annotations

import copy
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from hostile.captures import PIXEL_URL, SHOP, entry
from pixelwitness.cli import cli
from pixelwitness.exchange import Exchange
from pixelwitness.sources import ReadNote
from pixelwitness.sources.files import read_capture
from support import body

GONE = object()
WRONG: list[Any] = [
    GONE, None, True, False, 0, -1, 1.5, 10**30, "", "x", "\u0000\u001b[2J", "\ud800", [], ["x"], [[]], [None, 1, {}], {},
    {"x": 1}, {"name": None, "value": []}, "y" * 100_000, [{}] * 2_000, ["[" * 50],
]  # fmt: skip
DEEP: Any = "x"
for _ in range(60):
    DEEP = [DEEP]
WRONG.append(DEEP)
WHOLE: dict[str, Any] = {
    **entry(text=json.dumps(body("Pageview")), headers=[("Cookie", "OptanonConsent=groups=C0004%3A0")], answer={
        "status": 200, "statusText": "OK", "httpVersion": "h2", "redirectURL": "", "headersSize": -1, "bodySize": 2, "_error": "",
        "headers": [{"name": "Set-Cookie", "value": "_ttp=1"}], "cookies": [{"name": "_ttp", "value": "1"}],
        "content": {"size": 2, "mimeType": "text/html", "text": "b2s=", "encoding": "base64"},
    }),
    "cache": {}, "timings": {"send": 1, "wait": 2}, "serverIPAddress": "192.0.2.1", "pageref": "page_1", "connection": "1",
    "_resourceType": "ping", "_blockedReason": "", "_webSocketMessages": [{"type": "send", "time": 1, "opcode": 1, "data": "x"}],
}  # fmt: skip
WHOLE["request"] |= {
    "httpVersion": "h2", "queryString": [{"name": "a", "value": "b"}], "cookies": [{"name": "a", "value": "b"}],
    "headersSize": 1, "bodySize": 1, "url": PIXEL_URL + "?a=b",
}  # fmt: skip
WHOLE["request"]["postData"] |= {"params": [{"name": "a", "value": "b", "fileName": "c"}], "encoding": ""}


def paths(value: Any, before: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in an entry, itself included."""
    yield before
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(inner, (*before, key))


def replaced(path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return [] if value is GONE else value
    made = copy.deepcopy(WHOLE)
    place: Any = made
    for step in path[:-1]:
        place = place[step]
    if value is GONE:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return made


def test_every_wrong_type_leaves_the_other_entries_alone(tmp_path: Path) -> None:
    places = list(paths(WHOLE))
    assert len(places) > 60
    wrong = [replaced(path, value) for path in places for value in WRONG]
    sound: list[Any] = []
    mixed: list[Any] = []
    for number, one in enumerate(wrong):
        mixed.append(one)
        if number % 40 == 0:
            second = number // 40
            at = f"2026-11-18T07:{second // 60:02d}:{second % 60:02d}.000Z"
            sound.append(entry(text=json.dumps(body("Purchase")), at=at))
            mixed.append(sound[-1])
    capture = tmp_path / "wrong.har"
    capture.write_text(json.dumps({"log": {"version": "1.2", "entries": mixed}}), "utf-8")
    read = list(read_capture(capture, client="c"))
    found = [e for e in read if isinstance(e, Exchange) and b'"Purchase"' in (e.body or b"")]
    assert len(found) == len(sound)
    # Nothing is lost without a word: an entry is an exchange, or a note says why not.
    lost = [n for n in read if isinstance(n, ReadNote) and n.detail.startswith("an entry without")]
    assert len([e for e in read if isinstance(e, Exchange)]) + len(lost) == len(mixed)
    assert lost
    for exchange in (e for e in read if isinstance(e, Exchange)):
        json.dumps([exchange.url, exchange.method, exchange.client, exchange.error]).encode()


def test_every_wrong_type_goes_through_replay_and_report(tmp_path: Path) -> None:
    capture, db = tmp_path / "wrong.har", tmp_path / "a.db"
    small = [v for v in WRONG if v is GONE or len(str(v)) < 1_000]
    entries = [replaced(path, small[i % len(small)]) for i, path in enumerate(paths(WHOLE))]
    sound = entry(SHOP, method="GET"), entry(text=json.dumps(body("Purchase")), at="2026-11-18T07:00:00.000Z")
    capture.write_text(json.dumps({"log": {"entries": [*entries, *sound]}}), "utf-8")
    done = CliRunner().invoke(cli, ["replay", str(capture), "--db", str(db), "--json"])
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert "odd_entry" in {spot["kind"] for spot in summary["blind_spots"]}
    with sqlite3.connect(db) as opened:
        assert opened.execute("select count(*) from hits where event = 'Purchase'").fetchone() == (1,)
    assert CliRunner().invoke(cli, ["verify", str(db)]).exit_code == 0
