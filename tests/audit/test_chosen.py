"""Recordings in which it is known what the visitor had chosen: no verdict may contradict it."""

from __future__ import annotations

import json

import pytest

from pixelwitness.audit.judge import judge
from pixelwitness.exchange import Exchange
from pixelwitness.sources.files import read_capture
from support import BOOK, SHARED, needs_shared, observe

SDK = SHARED / "captures" / "sdk"
FILES = sorted(p.stem for p in SDK.glob("13*.mitm"))
SAME = {"granted": "granted", "accepted": "granted", "accept": "granted", "denied": "denied", "rejected": "denied",
        "reject": "denied", "none": "unanswered", "unanswered": "unanswered", "undecided": "unanswered"}  # fmt: skip


@needs_shared
@pytest.mark.parametrize("name", FILES)
def test_no_state_contradicts_what_the_visitor_chose(name: str) -> None:
    exchanges = [e for e in read_capture(SDK / f"{name}.mitm", client="c") if isinstance(e, Exchange)]
    states = {v.hit_id: v for v in judge(observe(exchanges), [BOOK.regimes["eu"]], BOOK).verdicts}
    for line in (SDK / "truth.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["file"] != name or not row.get("consent_actual"):
            continue
        actual = SAME[str(row["consent_actual"]).lower()]
        verdict = states[f"{exchanges[row['index']].id}.0"]
        assert actual in verdict.possible_states, (row["index"], row["consent_actual"], verdict)
        if actual == "granted":
            assert verdict.verdicts["eu"] != "violation"
