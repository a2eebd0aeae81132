"""Sends that were tried and did not leave: how many, beside those that did."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from pixelwitness.exchange import Exchange
from pixelwitness.observations import BlindSpot
from support import SHOP, START, asset, cmp_script, hit, judged, onetrust, page, style, verdict

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


@pytest.mark.parametrize(
    "error", ["net::ERR_BLOCKED_BY_RESPONSE.NotSameOrigin", "net::ERR_BLOCKED_BY_ORB", "blocked: corp-not-same-origin"]
)
def test_an_answer_that_was_kept_from_the_page_came_to_a_request_that_had_left(error: str) -> None:
    assert judged([page(0, cookie=NO), hit(1000, exchange={"error": error})]).violations


# --- what a blocked request shows -------------------------------------------------------------------------------------------

BLOCKED = "net::ERR_BLOCKED_BY_CLIENT"


def test_a_blocked_request_without_cookies_shows_no_empty_jar() -> None:
    """Recorders show what the page asked for, not the cookies that would have gone with it."""
    again = page(5_000, SHOP + "a")
    visit = [page(0, cookie=onetrust(True, at=-5000)), replace(again, error=BLOCKED, response=None), hit(20_000)]
    assert verdict(visit).consent_state == "granted"
    assert verdict([visit[0], again, hit(5_500)]).consent_state == "unanswered"


def test_cookies_of_a_blocked_request_count_as_little() -> None:
    stopped = replace(asset(5_000, cookie=NO), error=BLOCKED)
    visit = [page(0, cookie=onetrust(True, at=-5000)), stopped, hit(20_000)]
    assert verdict(visit).consent_state == "granted"
    assert verdict([visit[0], asset(5_000, cookie=onetrust(False, at=4_000)), hit(20_000)]).consent_state == "denied"


def test_a_consent_system_that_was_blocked_is_not_missing() -> None:
    """It asked nobody and held nothing back: neither "the site has no banner" nor an accusation."""
    fresh, stub = page(0), cmp_script(100)
    kept_out = replace(stub, error=BLOCKED)
    v = verdict([fresh, style(50), kept_out, hit(1000)])
    assert (v.verdicts["eu"], v.unknown_because) == ("unverified", ("cmp_blocked",))
    assert verdict([fresh, style(50), stub, hit(1000)]).verdicts["eu"] == "violation"
    notices = {n.rule for n in judged([fresh, style(50), kept_out, hit(1000)]).notices}
    assert "no-consent-mechanism" not in notices
    assert "no-consent-mechanism" in {n.rule for n in judged([fresh, style(50), hit(1000)]).notices}


def test_what_a_cookie_says_is_not_lost_with_a_blocked_script() -> None:
    kept_out = replace(cmp_script(100), error=BLOCKED)
    assert verdict([page(0, cookie=NO), kept_out, hit(1000)]).consent_state == "denied"
    # A script that was blocked does not make another system's cookie a stale one.
    other = replace(cmp_script(100, "https://consent.cookiebot.com/uc.js"), error=BLOCKED)
    assert verdict([page(0, cookie=NO), other, hit(1000)]).consent_state == "denied"


def test_a_choice_whose_report_was_blocked_was_made_all_the_same() -> None:
    call = Exchange(
        "c", START + 5_000, "POST", "https://privacyportal-eu.onetrust.com/request/v1/consentreceipts",
        (("Referer", SHOP),), b'{"purposes":[{"Id":"a","TransactionType":"OPT_OUT"}]}', error=BLOCKED,
    )  # fmt: skip
    assert verdict([page(0, cookie=onetrust(True, at=-5000)), call, hit(20_000)]).consent_state == "denied"


def _some_visit(r: Random) -> list[Exchange]:
    """A visit to several hosts of the shop with all kinds of consent cookies, at odd moments."""
    made: list[Exchange] = []
    for at in sorted(r.sample(range(60_000), 7)):
        host = r.choice([SHOP, "https://blog.shop.example/"])
        jar = r.choice(
            [None, onetrust(None), onetrust(True), onetrust(False, at=at - 3_000), onetrust(True, at=at // 2)]
        )
        kinds = [
            page(at, host, cookie=jar),
            asset(at, cookie=jar, url=host + "app.js"),
            hit(at, url=host),
            cmp_script(at),
        ]
        made.append(r.choice(kinds))
    return made


@pytest.mark.parametrize("seed", range(60))
def test_what_was_blocked_changes_no_verdict_and_makes_no_pass(seed: int) -> None:
    r = Random(seed)
    visit = _some_visit(r)
    extra = [page(r.randrange(60_000)), style(r.randrange(60_000)), asset(r.randrange(60_000), cookie=None)]
    alone = judged(visit)
    with_it = judged([*visit, *(replace(e, error=BLOCKED, response=None) for e in extra)])
    assert {v.hit_id: (v.verdicts, v.possible_states) for v in with_it.verdicts} == {
        v.hit_id: (v.verdicts, v.possible_states) for v in alone.verdicts
    }
    assert [(c.regime, c.state, c.result) for c in with_it.coverage] == [
        (c.regime, c.state, c.result) for c in alone.coverage
    ]
