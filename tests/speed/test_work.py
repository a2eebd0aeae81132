"""How much work one known capture costs, counted, not timed: a count that rises was made slower on purpose or by mistake.

The counts are compared with `work.json`. Where a change needs more work for a reason, write the new counts with
`PIXELWITNESS_COUNT=1 uv run pytest tests/speed/test_work.py`, and say the reason in the commit.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pixelwitness import mask, replay
from pixelwitness.consent import cookies
from pixelwitness.identity import layers, plaintext
from pixelwitness.ledger import chain, commit, observed, parts, pieces
from pixelwitness.ledger.store import open_ledger
from pixelwitness.pixels import decode
from pixelwitness.pixels.tiktok import clear, content, fields, loader
from pixelwitness.rulebook import load_rulebook

CAPTURE = Path(__file__).parents[2] / "captures" / "demo" / "onetrust-bad-accept.har"
BASELINE = Path(__file__).parent / "work.json"
SLACK = 1.02
"""What another order of a set may change."""
COUNTED: dict[str, tuple[Any, str]] = {
    "hits decoded": (decode, "_hits"),
    "bodies parsed": (decode, "decoded_message"),
    "texts searched for clear text": (plaintext, "_spans"),
    "texts looked into for encodings": (layers, "parse_json"),
    "texts masked": (mask, "_once"),
    "parts packed": (chain, "packed"),
    "values digested": (commit, "_text"),
    "values written as JSON": (pieces, "packed_json"),
    "header fields masked": (parts, "mask_headers"),
    "observations dumped": (observed, "_dumped"),
}
CACHES = (
    mask._cached, mask._replaced, mask._remembered, mask._cookies_again, decode._remembered, cookies._read_header,
    cookies._read_jar, plaintext._remembered, layers._holds_nothing, commit.keyed, commit.committed, parts._limits_again,
    observed._masked_names, pieces._name,
    mask._members_again, mask._inner_again, clear._sift, fields._read_again, fields._in_header_again,
    content._one_again, loader._settings_again, loader._country_again,
)  # fmt: skip


def count(monkeypatch: pytest.MonkeyPatch, path: Path) -> dict[str, int]:
    """What one replay calls how often, beginning with empty caches."""
    counts: Counter[str] = Counter()

    def counted(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            counts[name] += 1
            return work(*arguments, **named)

        return call

    book = load_rulebook()
    for cache in CACHES:
        cache.cache_clear()
    for name, (module, function) in COUNTED.items():
        monkeypatch.setattr(module, function, counted(name, getattr(module, function)))
    monkeypatch.setattr(plaintext, "parse_json", layers.parse_json)
    ledger = open_ledger(path)
    statements: list[str] = []
    ledger.db.conn.set_trace_callback(statements.append)
    replay.replay(ledger, [(CAPTURE, "a.har")], replay.Options((book.regimes["eu"],)), book)
    ledger.db.conn.set_trace_callback(None)
    ledger.close()
    # executemany runs one prepared statement a row: those are rows, not statements.
    counts["SQL statements"] = sum(not s.lstrip().lower().startswith("insert") for s in statements)
    counts["cookie headers read"] = cookies._read_header.cache_info().misses
    return dict(counts)


def test_one_capture_costs_no_more_work_than_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    counts = count(monkeypatch, tmp_path / "a.db")
    if os.environ.get("PIXELWITNESS_COUNT"):
        BASELINE.write_text(json.dumps(counts, indent=2, sort_keys=True) + "\n")
    before = json.loads(BASELINE.read_text())
    assert counts.keys() == before.keys()
    more = {k: (before[k], n) for k, n in counts.items() if n > before[k] * SLACK}
    assert not more, "more work than before (before, now)"


def test_each_request_is_decoded_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    counts = count(monkeypatch, tmp_path / "a.db")
    entries = json.loads(CAPTURE.read_bytes())["log"]["entries"]
    to_tiktok = [e for e in entries if "analytics.tiktok.com" in e["request"]["url"]]
    assert counts["hits decoded"] == len(to_tiktok)
    assert counts["cookie headers read"] <= len({h["value"] for e in entries for h in e["request"]["headers"]
                                                  if h["name"].lower() == "cookie"})  # fmt: skip
