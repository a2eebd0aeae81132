"""Requests that overtake each other: what arrives late shows the cookies of the moment at which it was sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pixelwitness.exchange import Exchange
from support import asset, hit, observe, onetrust, page, verdict

NO, YES = onetrust(False, at=-5_000), onetrust(True, at=10_000)
AGREED, REFUSED_NOW = onetrust(True, at=-5_000), onetrust(False, at=10_000)


def said(*exchanges: Exchange) -> str:
    return verdict(list(exchanges)).verdicts["eu"]


@pytest.mark.parametrize("late", [10_100, 10_300, 11_100])
def test_a_request_that_was_overtaken_does_not_bring_the_old_answer_back(late: int) -> None:
    assert said(page(1_000, cookie=NO), asset(10_100, cookie=YES), asset(late, cookie=NO), hit(15_000)) == "compliant"
    assert (
        said(page(1_000, cookie=AGREED), asset(10_100, cookie=REFUSED_NOW), asset(late, cookie=AGREED), hit(15_000))
        == "violation"
    )


def test_it_is_told_as_set_aside() -> None:
    visit = [page(1_000, cookie=NO), asset(10_100, cookie=YES), asset(10_300, cookie=NO), hit(15_000)]
    overtaken = [s.id for s in observe(visit).signals if s.exchange_id == visit[2].id and s.state == "denied"]
    assert overtaken
    assert set(overtaken) <= set(verdict(visit).set_aside)


def test_an_old_answer_that_stands_again_is_none_that_was_overtaken() -> None:
    before = (page(1_000, cookie=NO), asset(10_100, cookie=YES))
    assert said(*before, asset(11_500, cookie=NO), hit(15_000)) == "violation"
    assert said(*before, asset(10_300, cookie=NO), asset(12_000, cookie=NO), hit(15_000)) == "violation"
    # The newer answer had been there for long: nothing sent before it can still be on its way.
    assert said(*before, asset(13_000, cookie=YES), asset(13_200, cookie=NO), hit(15_000)) == "violation"


def test_an_answer_with_a_newer_stamp_or_none_counts_as_before() -> None:
    before = (page(1_000, cookie=NO), asset(10_100, cookie=YES))
    again = onetrust(False, at=10_250)
    assert said(*before, asset(10_300, cookie=again), hit(15_000)) == "violation"
    unstamped = asset(10_300, cookie=onetrust(False))
    assert said(*before, unstamped, hit(15_000)) != "compliant"


def test_what_arrives_late_on_another_host_is_another_matter() -> None:
    elsewhere = replace(asset(10_300, cookie=NO), url="https://blog.shop.example/app.js")
    assert said(page(1_000, cookie=NO), asset(10_100, cookie=YES), elsewhere, hit(15_000)) != "compliant"
