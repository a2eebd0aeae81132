"""Messages with far more values than anybody sends: small objects first, and what was not looked at is named."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwitness.ingest import observe_request
from pixelwitness.pixels.tiktok.bounded import MOST, bounded
from support import BOOK, body, hit


def test_a_usual_message_is_left_as_it_is() -> None:
    message = body("Purchase", user={"email": "a" * 64})
    assert bounded(message).message is message


def test_a_huge_list_hides_nothing_that_stands_behind_it() -> None:
    message = {
        "properties": {f"k{i}": i for i in range(100_000)},
        "more": [[{"x": i}] for i in range(50_000)],
        **body("Purchase"),
    }
    message["properties"] = {f"k{i}": i for i in range(100_000)}
    said = bounded(message)
    assert said.message["context"] == message["context"]
    assert said.message["event"] == "Purchase"
    assert set(said.left_out) >= {"properties"}
    assert said.left_out["properties"] > 80_000


def test_what_was_not_looked_at_is_a_blind_spot() -> None:
    many = " ".join(f"user{i}@mail.example" for i in range(3_000))
    observed = observe_request(hit(0, "Purchase", user={"email": "ada@persona.example"}, text=many), BOOK)
    (spot,) = observed.blind_spots
    assert (spot.kind, spot.detail) == ("message_too_rich", "not looked at: the rest of text")
    assert {p.where for p in observed.hits[0].plaintext} == {"text", "context.user.email"}
    observed = observe_request(hit(0, "Purchase", items=list(range(30_000))), BOOK)
    (spot,) = observed.blind_spots
    assert spot.kind == "message_too_rich"
    assert "values in items" in spot.detail


_values = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=3), v, max_size=4),
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=3), _values, max_size=4))
def test_all_that_fits_is_kept(message: dict[str, Any]) -> None:
    rich = {**message, "many": [0] * MOST}
    said = bounded(rich)
    kept = {k: v for k, v in said.message.items() if k != "many"}
    assert json.dumps(kept) == json.dumps({k: v for k, v in message.items() if k != "many"})
    assert len(said.message["many"]) + said.left_out["many"] == MOST
