"""Captures of other years: the law of their day, the systems and messages of their time, answers as old as they were then."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pixelwitness.audit.judge import judge
from pixelwitness.audit.model import Judgement
from pixelwitness.exchange import Exchange, iso
from support import BOOK, PIXEL, SHOP, START, hit, observe, page

GPC = [("Sec-GPC", "1")]


def day(year: int, month: int, of_month: int = 1) -> int:
    return int(datetime(year, month, of_month, 12, tzinfo=UTC).timestamp() * 1000)


def moved(exchanges: list[Exchange], to: int) -> list[Exchange]:
    return [
        replace(
            e, started_at=e.started_at - START + to,
            response=replace(e.response, at=e.response.at - START + to) if e.response else None,
        )
        for e in exchanges
    ]  # fmt: skip


def onetrust(advertising: bool, answered: int) -> str:
    flag = int(advertising)
    value = (
        f"OptanonConsent=isGpcEnabled=0&interactionCount=1&landingPath=NotLandingPage&groups=C0001%3A1%2CC0004%3A{flag}"
    )
    return f"{value}; OptanonAlertBoxClosed={iso(answered)}"


def on(when: int, visit: list[Exchange], *regimes: str) -> Judgement:
    return judge(observe(moved(visit, when)), [BOOK.regimes[r] for r in regimes or BOOK.regimes], BOOK)


@pytest.mark.parametrize(
    ("when", "binding"),
    [
        (day(2019, 6), set()),
        (day(2020, 6), set()),
        (day(2020, 9), {"us-ca"}),
        (day(2023, 9), {"us-ca"}),
        (day(2024, 8), {"us-ca", "us-co"}),
        (day(2026, 3), {"us-ca", "us-co", "us-ct", "us-de", "us-md", "us-mn", "us-mt", "us-ne", "us-nh", "us-nj", "us-or",
                        "us-tx"}),
    ],
)  # fmt: skip
def test_gpc_binds_from_the_day_on_which_it_did(when: int, binding: set[str]) -> None:
    j = on(when, [page(0, cookie=onetrust(True, when - 60_000), headers=GPC), hit(1000, headers=GPC)])
    assert {v.regime for v in j.violations if v.rule == "gpc-ignored"} == binding


def test_a_law_that_was_not_in_force_neither_accuses_nor_clears() -> None:
    when = day(2019, 6)
    j = on(when, [page(0, cookie=onetrust(False, when - 60_000)), hit(1000)])
    words = j.verdicts[-1].verdicts
    assert {r for r, w in words.items() if w == "violation"} == {"eu", "uk", "ch"}
    assert {w for r, w in words.items() if r not in ("eu", "uk", "ch")} == {"not_applicable"}
    assert {c.result for c in j.coverage if c.regime.startswith("us-")} <= {"unverified", "not_tested"}


@pytest.mark.parametrize(
    ("answered", "granted", "eu", "because"),
    [
        (day(2020, 7), True, "compliant", ()),
        (day(2020, 5), True, "unverified", ("answer_expired",)),
        (day(2020, 5), False, "violation", ("answer_expired",)),
    ],
)
def test_an_answer_is_as_old_as_it_was_on_that_day(answered: int, granted: bool, eu: str, because: tuple) -> None:
    j = on(day(2021, 6), [page(0, cookie=onetrust(granted, answered)), hit(1000)], "eu")
    assert (j.verdicts[-1].verdicts["eu"], j.verdicts[-1].unknown_because) == (eu, because)


def test_a_cookie_of_2019_and_a_message_of_2020_are_read() -> None:
    old = (
        "OptanonConsent=landingPath=NotLandingPage&datestamp=Sat+Jun+01+2019+12%3A00%3A00+GMT%2B0000&version=4.8.0"
        "&groups=1%3A1%2C2%3A0%2C3%3A0%2C4%3A0; OptanonAlertBoxClosed=2019-06-01T12:00:00.000Z"
    )
    told = {
        "event": "ViewContent", "analytics_uniq_id": "z", "timestamp": "2019-06-02T12:00:01.000Z",
        "context": {"ad": {}, "user": {"user_id": "x"}, "pixel": {"code": PIXEL}, "page": {"url": SHOP, "referrer": ""},
                    "library": {"name": "pixel.js", "version": "0.0.24"}},
    }  # fmt: skip
    sent = replace(hit(1000, path="/api/v1/track"), body=json.dumps(told).encode())
    j = on(day(2019, 6, 2), [page(0, cookie=old), sent], "eu", "us-ca")
    assert j.verdicts[-1].verdicts == {"eu": "violation", "us-ca": "not_applicable"}
    assert {(v.rule, v.event) for v in j.violations} == {("fired-after-denial", "ViewContent")}


def test_a_string_of_the_first_version_decides_nothing() -> None:
    first = "euconsent=BOlLbqtOlLbqtAVABADECg-AAAApp7v______9______9uz_Ov_v_f__33e8__9v_l_7_-___u_-3zd4-_1vf99yfm1-7etr3tp_87ues2_Xur__79__3z3_9phP78k89r7337Ew-v02"
    last = on(day(2019, 6), [page(0, cookie=first), hit(1000)], "eu").verdicts[-1]
    assert (last.verdicts["eu"], last.unknown_because) == ("unverified", ("old_string",))
