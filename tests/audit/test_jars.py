"""Hosts of one site that keep consent cookies of their own: what was said on one does not speak for pages of another.

The stamp of an answer shows that it stood in one jar all the time from then on; another value found meanwhile on
another host stood in another jar.
"""

from __future__ import annotations

import pytest

from pixelwitness.audit.model import HitVerdict
from pixelwitness.exchange import Exchange
from support import START, asset, hit, judged, onetrust, page, style, verdict

WWW, BLOG, HELP = "https://www.shop.example/", "https://blog.shop.example/", "https://help.shop.example/"
NO, YES, YES_BEFORE = onetrust(False, at=5_000), onetrust(True, at=15_000), onetrust(True, at=5_000)
BEFORE = [page(0, WWW, cookie=onetrust(None)), page(10_000, WWW, cookie=NO), page(20_000, BLOG, cookie=YES)]
STILL_NO, STILL_YES = page(40_000, WWW, cookie=NO), page(45_000, BLOG, cookie=YES)


def at_hit(visit: list[Exchange], host: str, at: int = 30_000) -> HitVerdict:
    return verdict([*visit, hit(at, url=host)])


def test_each_host_is_judged_by_its_own_cookie() -> None:
    visit = [*BEFORE, STILL_NO, STILL_YES]
    refused, agreed = at_hit(visit, WWW), at_hit(visit, BLOG)
    assert (refused.consent_state, refused.verdicts["eu"]) == ("denied", "violation")
    assert (agreed.consent_state, agreed.verdicts["eu"]) == ("granted", "compliant")
    assert not refused.unknown_because


def test_an_answer_on_another_host_is_the_new_one_where_nothing_shows_that_the_old_one_stayed() -> None:
    assert at_hit(BEFORE, WWW).consent_state == "granted"
    assert at_hit([*BEFORE, STILL_YES], WWW).consent_state == "granted"


def test_on_a_third_host_either_may_count() -> None:
    v = at_hit([*BEFORE, STILL_NO], HELP)
    assert set(v.possible_states) == {"granted", "denied"}
    assert (v.verdicts["eu"], v.unknown_because) == ("unverified", ("consent_elsewhere",))
    assert at_hit(BEFORE, HELP).consent_state == "granted"


def test_what_a_third_host_says_may_count_beside_the_own_cookie() -> None:
    later = page(50_000, HELP, cookie=onetrust(True, at=48_000))
    v = at_hit([*BEFORE, STILL_NO, later], WWW, at=55_000)
    assert set(v.possible_states) == {"granted", "denied"}
    assert "consent_elsewhere" in v.unknown_because


def test_a_host_that_itself_showed_both_values_has_two_visitors_behind_it() -> None:
    also = asset(25_000, cookie=YES)
    v = at_hit([*BEFORE, also, STILL_NO], WWW)
    assert v.verdicts["eu"] == "unverified"


@pytest.mark.parametrize(("until", "apart"), [(20_900, False), (22_100, True)])
def test_requests_that_may_have_overtaken_each_other_show_no_second_jar(until: int, *, apart: bool) -> None:
    v = at_hit([*BEFORE, asset(until, cookie=NO)], HELP)
    assert ("consent_elsewhere" in v.unknown_because) is apart


def test_the_banner_of_the_other_host_before_any_answer_there() -> None:
    """It asks by itself: what was agreed to on www is no answer there, and no violation of www's."""
    agreed = [page(10_000, WWW, cookie=YES_BEFORE), page(20_000, BLOG, cookie=onetrust(None))]
    visit = [*agreed, page(40_000, WWW, cookie=YES_BEFORE), page(41_000, BLOG, cookie=onetrust(None))]
    assert at_hit(visit, WWW).verdicts["eu"] == "compliant"
    assert at_hit(visit, BLOG).consent_state == "unanswered"


def test_a_call_on_one_host_is_no_answer_on_the_other() -> None:
    call = Exchange(
        "c", START + 42_000, "POST", "https://privacyportal-eu.onetrust.com/request/v1/consentreceipts",
        (("Referer", BLOG),), b'{"purposes":[{"Id":"a","TransactionType":"OPT_OUT"}]}',
    )  # fmt: skip
    agreed = [page(10_000, WWW, cookie=YES_BEFORE), page(20_000, BLOG, cookie=NO), page(40_000, WWW, cookie=YES_BEFORE)]
    assert at_hit([*agreed, call], WWW, at=44_000).consent_state == "granted"
    assert at_hit([*agreed, call], BLOG, at=44_000).consent_state == "denied"
    assert at_hit([agreed[0], call], WWW, at=44_000).consent_state == "denied"


def test_page_views_count_in_the_state_of_their_own_host() -> None:
    views = [*BEFORE[1:], STILL_NO, STILL_YES]
    made = judged([*views, *(style(v.started_at - BEFORE[0].started_at + 10) for v in views)])
    seen = {c.state: c.page_views for c in made.coverage if c.regime == "eu"}
    assert (seen["denied"], seen["granted"]) == (2, 2)


def test_many_hosts_are_not_compared() -> None:
    """Beyond the bound the stamps that contradict each other prove nothing, as on one host: unverified."""
    crowd = [page(19_000 + i, f"https://h{i}.shop.example/", cookie=YES) for i in range(60)]
    v = at_hit([*BEFORE, *crowd, STILL_NO], WWW)
    assert v.verdicts["eu"] == "unverified"
