"""Hostile captures through `pixelwitness replay`: what is sound in them is found, the rest is said, nothing is hurt."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from hostile.captures import CAPTURES, write
from hostile.run import RAW, run

pytestmark = pytest.mark.slow
MEGABYTES = 300
SECONDS = 10
LOST = {
    "bomb file.har.gz": "unpacks to far more",
    "bomb file.mitm.gz": "unpacks to far more",
    "cut chunks.mitm": "damaged or cut",
    "no such length.mitm": "damaged or cut",
    "deep har.har": "nests deeper than",
}
"""Captures that cannot be read on: the message. Of all others the sound message at the end must be found."""
SAID = {
    "bomb gzip.mitm": "body_too_large", "bomb br.mitm": "body_too_large", "bomb zstd.mitm": "body_too_large",
    "bomb deflate.mitm": "body_too_large", "bomb nested.mitm": "body_too_large", "bomb many layers.mitm": "body_too_large",
    "63 MB.har": "body_too_large", "70 MB.har": "body_too_large", "deep json.har": "unreadable_body",
    "odd json.har": "unreadable_body", "attacks.har": "blocked_send", "many messages.har": "body_cut",
    **{f"many {what}.har": "message_too_rich" for what in ("keys", "addresses", "numbers", "values", "layers")},
}  # fmt: skip
"""The blind spot that must be on the record."""


@pytest.mark.parametrize("name", list(CAPTURES))
def test_a_hostile_capture_costs_little_and_hides_nothing(name: str, tmp_path: Path) -> None:
    capture = write(name, tmp_path)
    ran = run("replay", capture, "--db", tmp_path / "a.db", folder=tmp_path)
    assert "Traceback" not in ran.out + ran.err
    assert not RAW.findall(ran.out + ran.err)
    assert ran.code == (2 if name in LOST else 0), ran.err
    assert LOST.get(name, "") in ran.err
    assert ran.megabytes < MEGABYTES
    assert ran.seconds < SECONDS
    with sqlite3.connect(tmp_path / "a.db") as db:
        kinds = {row[0] for row in db.execute("select kind from blind_spots")}
        if name in LOST:
            assert "capture_damaged" in kinds
        else:
            assert db.execute("select count(*) from hits where event = 'Purchase'").fetchone()[0] >= 1
        if SAID.get(name) == "message_too_rich":
            # What stands behind a hundred thousand other things is found all the same.
            clear = db.execute("select tier, property, plaintext from hits where event = 'Pageview'").fetchall()
            assert [row[:2] for row in clear] == [("plaintext", "shop.example")]
            assert "context.user.email" in clear[0][2]
        assert SAID.get(name, "") in {"", *kinds}
