"""Several browsers behind one client's name: each is judged by its own cookies."""

from __future__ import annotations

from dataclasses import replace

from pixelwitness.exchange import Exchange
from support import SHOP, asset, hit, judged, onetrust, page, style

PHONE, TABLET = "Mozilla/5.0 (iPhone)", "Mozilla/5.0 (Linux; Android 14)"
YES, NO = onetrust(True, at=-50_000), onetrust(False, at=-40_000)


def by(agent: str, *exchanges: Exchange) -> list[Exchange]:
    return [replace(e, headers=(*e.headers, ("User-Agent", agent))) for e in exchanges]


def both() -> list[Exchange]:
    """One address: a phone whose owner agreed, a tablet whose owner refused; each sends right after the other asked."""
    return [
        *by(PHONE, page(0, cookie=YES)), *by(TABLET, page(2000, cookie=NO)), *by(PHONE, hit(2500)),
        *by(PHONE, asset(4000, cookie=YES)), *by(TABLET, hit(4500)),
        *by(TABLET, asset(5000, cookie=NO)), *by(PHONE, hit(5500)),
    ]  # fmt: skip


def test_what_one_browser_chose_says_nothing_of_another() -> None:
    j = judged(both())
    assert sorted(v.consent_state for v in j.verdicts) == ["denied", "granted", "granted"]
    assert {v.rule for v in j.violations if v.regime == "eu"} == {"fired-after-denial"}
    assert "several_browsers" in {b.kind for b in j.blind_spots}


def test_their_pages_and_blocked_sends_are_counted_once() -> None:
    tried = by(TABLET, hit(6000, method="OPTIONS"))
    rows = {c.state: c for c in judged([*both(), *tried]).coverage if c.regime == "eu"}
    assert (rows["granted"].page_views, rows["denied"].page_views, rows["withdrawn"].page_views) == (1, 1, 0)
    quiet = [*by(TABLET, page(0, cookie=NO), style(10)), *tried, *by(PHONE, page(9000, cookie=YES))]
    rows = {c.state: c for c in judged(quiet).coverage if c.regime == "eu"}
    assert "1 sends were tried" in rows["denied"].note
    assert "tried" not in rows["granted"].note


def test_a_browser_that_never_asked_for_anything_of_the_site_has_no_evidence_of_the_others() -> None:
    third = by("Mozilla/5.0 (Windows)", hit(6000))
    last = judged([*both(), *third]).verdicts
    assert [v.unknown_because for v in last if v.consent_state == "unknown"] == [("several_browsers",)]


def test_clocks_of_two_devices_are_not_mixed() -> None:
    ahead = 3 * 3_600_000
    phone = by(
        PHONE, page(0, cookie=onetrust(None)), hit(1000, stamp=1000 + ahead),
        asset(9000, cookie=onetrust(False, at=5000 + ahead)), hit(9500, stamp=9500 + ahead),
    )  # fmt: skip
    tablet = by(
        TABLET, page(20_000, SHOP, cookie=onetrust(None)), hit(21_000, stamp=21_000),
        asset(29_000, cookie=onetrust(True, at=25_000)), hit(29_500, stamp=29_500),
    )  # fmt: skip
    found = judged([*phone, *tablet]).verdicts
    assert sorted(v.consent_state for v in found) == ["denied", "granted", "unanswered", "unanswered"]
