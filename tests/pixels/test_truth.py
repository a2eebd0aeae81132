"""TikTok's own client against what is known of every request that it made."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from pixelwitness.classify import classify
from pixelwitness.exchange import Exchange
from pixelwitness.pixels.decode import hits
from pixelwitness.sources.files import read_capture
from support import BOOK, SHARED, needs_shared

SDK = SHARED / "captures" / "sdk"
FILES = sorted(p.stem for p in SDK.glob("*.mitm"))
RENAMES = {k: v for p in BOOK.pixels for k, v in p.renames.items()}
FORM = {"sha256_hex", "placeholder_hash"}


def truth() -> dict[str, dict[int, dict]]:
    rows: dict[str, dict[int, dict]] = defaultdict(dict)
    for line in (SDK / "truth.jsonl").read_text().splitlines():
        row = json.loads(line)
        rows[row["file"]][row["index"]] = row
    return rows


TRUTH = truth() if SDK.is_dir() else {}


@needs_shared
@pytest.mark.parametrize("ending", ["mitm", "har"])
@pytest.mark.parametrize("name", FILES)
def test_every_request_is_decoded_as_it_was(name: str, ending: str) -> None:
    exchanges = [e for e in read_capture(SDK / f"{name}.{ending}", client="c") if isinstance(e, Exchange)]
    for index, exchange in enumerate(exchanges):
        found, spots = hits(exchange, classify(exchange, BOOK), BOOK)
        known = TRUTH[name].get(index)
        if known is None:
            assert not found, exchange.url
            continue
        assert len(found) == 1
        assert not spots
        hit = found[0]
        assert hit.event_raw == (known["event"] or known["metric_name"])
        assert hit.event == (RENAMES.get(hit.event_raw, hit.event_raw) if hit.event_raw else None)
        assert hit.action == known["action"]
        assert sorted(hit.pixel_codes) == sorted(known["pixel_codes"])
        assert hit.limited_data_use == known["limited_data_use"]
        assert hit.page_url == known["page_url"] or "[masked:email]" in (hit.page_url or "")
        assert hit.gpc == (known["sec_gpc"] == "1")
        assert (hit.transport, known["transport"]) in {
            ("script", "script"), ("beacon", "beacon_post"), ("image", "image_get"),
        }  # fmt: skip
        assert hit.first_party_host == (known["host"] == "metrics.shop.example")
        if known["body_age_ms"] is not None:
            assert abs((hit.occurred_at - (hit.event_time or 0)) - known["body_age_ms"]) <= 2
        values = {i.value for i in hit.identifiers if i.form in FORM}
        for said in (known["hashes"] or {}).values():
            value = said["value"] if isinstance(said, dict) else said
            if isinstance(value, str) and len(value) == 64:
                assert value in values


@needs_shared
@pytest.mark.parametrize(
    ("name", "events", "acts", "codes"),
    [
        ("colorado-connectforhealthco", 2, 1, {"C8J7IKS8D8GECQQUIMM0", "CE9020JC77UFTJ8G40I0"}),
        ("maine-coverme", 1, 1, {"CL157I3C77UBVPRAJM8G"}),
        ("plannedparenthood", 4, 0, {"C25EUNFMU8Q03RAI4CE0"}),
    ],
)
def test_real_captures(name: str, events: int, acts: int, codes: set[str]) -> None:
    path = SHARED / "captures" / f"{name}.har"
    exchanges = [e for e in read_capture(path, client="c") if isinstance(e, Exchange)]
    found = [h for e in exchanges for h in hits(e, classify(e, BOOK), BOOK)[0]]
    assert len(found) == sum("analytics.tiktok.com" in e.url for e in exchanges)
    assert sum(h.kind == "event" for h in found) == events
    assert sum(h.kind == "act" for h in found) == acts
    assert {c for h in found for c in h.pixel_codes} == codes
    assert not [p for h in found for p in h.plaintext], "clear text found where there is none"


@needs_shared
def test_nothing_of_a_message_is_lost() -> None:
    for path in [SHARED / "reference" / "tiktok-bodies.jsonl"]:
        for line in Path(path).read_text().splitlines():
            row = json.loads(line)
            exchange = Exchange("c", 1, "POST", row["url"], (), row["body_text"].encode())
            hit = hits(exchange, classify(exchange, BOOK), BOOK)[0][0]
            assert hit.payload == json.loads(row["body_text"])
            assert hit.event_raw == hit.payload.get("event")
            assert hit.pixel_codes
