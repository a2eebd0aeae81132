"""Sends that were tried and did not leave: how many, beside those that did."""

from __future__ import annotations

import pytest

from pixelwitness.exchange import Exchange
from pixelwitness.observations import BlindSpot
from support import SHOP, hit, judged, onetrust, page, style

NO = onetrust(False, at=-5000)
JSON = [("Sec-Fetch-Mode", "cors"), ("Content-Type", "application/json")]
TEXT = [("Sec-Fetch-Mode", "no-cors")]


def asked(at: int, **more: object) -> Exchange:
    return hit(at, method="OPTIONS", **more)


def left_behind(*exchanges: Exchange) -> list[BlindSpot]:
    made = judged([page(0, cookie=NO), style(10), *exchanges])
    return [b for b in made.blind_spots if b.kind == "blocked_send"]


def tried(*exchanges: Exchange) -> str:
    rows = judged([page(0, cookie=NO), style(10), *exchanges]).coverage
    return next(c.note for c in rows if (c.state, c.regime) == ("denied", "eu"))


def test_two_preflights_and_one_request_leave_one_send_behind() -> None:
    assert "1 sends were tried" in tried(asked(1000), asked(1010), hit(1050, headers=JSON))
    assert not left_behind(asked(1000), asked(1010), hit(1050, headers=JSON), hit(1060, headers=JSON))
    assert "2 sends were tried" in tried(asked(1000), asked(1010))


def test_one_preflight_may_serve_several_requests() -> None:
    assert not left_behind(asked(1000), hit(1050, headers=JSON), hit(5000, headers=JSON))


def test_a_request_before_its_preflight_or_long_after_answers_none() -> None:
    assert left_behind(hit(900, headers=JSON), asked(1000))
    assert left_behind(asked(1000), hit(30_000, headers=JSON))


def test_a_beacon_that_asks_nobody_does_not_answer_what_another_request_asked() -> None:
    assert "1 sends were tried" in tried(asked(1000), asked(1010), hit(1050, headers=TEXT), hit(30_000, headers=TEXT))
    # Of a beacon and a request that needs to ask, the latter is the one that asked.
    assert not left_behind(asked(1000), hit(1020, headers=TEXT), hit(1050, headers=JSON))


def test_the_preflight_of_a_request_that_was_blocked_itself_is_counted_once() -> None:
    refused = hit(1050, headers=JSON, exchange={"error": "net::ERR_BLOCKED_BY_CLIENT"})
    assert "1 sends were tried" in tried(asked(1000), refused)


def test_preflights_of_two_visitors_or_two_addresses_do_not_answer_each_other() -> None:
    other = hit(1050, client="d", headers=JSON)
    assert left_behind(asked(1000), other)
    assert left_behind(asked(1000), hit(1050, path="/api/v2/pixel/act", headers=JSON))


@pytest.mark.parametrize(
    "error", ["net::ERR_FAILED", "net::ERR_BLOCKED_BY_CLIENT.Inspector", "net::ERR_BLOCKED_BY_CSP"]
)
def test_what_a_tool_or_the_browser_stopped_is_no_send(error: str) -> None:
    stopped = hit(1000, exchange={"error": error})
    made = judged([page(0, SHOP, cookie=NO), stopped])
    assert not made.verdicts
    assert left_behind(stopped)


def test_what_ended_early_had_left() -> None:
    assert judged([page(0, cookie=NO), hit(1000, exchange={"error": "net::ERR_ABORTED"})]).violations
