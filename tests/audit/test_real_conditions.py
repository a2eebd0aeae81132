"""DESIGN 5.1 and 5.2 under real conditions: what a proxy sees when browsers, sites and clocks behave as they do."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pixelwitness.exchange import Exchange, Response
from support import SHOP, START, asset, body, cmp_script, hit, judged, mark, onetrust, page, rules, style, verdict

COOKIEBOT = "https://consent.cookiebot.com/uc.js"
OSANO = "https://cmp.osano.com/x/osano.js"


def cookiebot(marketing: bool, at: int) -> str:
    word = "true" if marketing else "false"
    return f"CookieConsent={{stamp:%27x%27%2Cnecessary:true%2Cmarketing:{word}%2Cutc:{START + at}}}"


def frame(at: int, url: str, parent: str) -> Exchange:
    """A document that is loaded into a frame of another site."""
    headers = (("Sec-Fetch-Dest", "iframe"), ("Sec-Fetch-Site", "cross-site"), ("Referer", parent))
    return Exchange("c", START + at, "GET", url, headers, response=Response(START + at + 5, 200))


# --- systems that are swapped ----------------------------------------------------------------------------------------


def swapped(old: bool, new: bool) -> list[Exchange]:
    first = onetrust(old, at=-9000)
    both = f"{first}; {cookiebot(new, 55_000)}"
    return [
        page(0, cookie=first), cmp_script(10), hit(5000),
        page(50_000, SHOP + "b", cookie=first), cmp_script(50_010, COOKIEBOT),
        page(60_000, SHOP + "c", cookie=both), hit(65_000, url=SHOP + "c"),
    ]  # fmt: skip


def test_a_system_that_came_later_says_nothing_of_the_time_before() -> None:
    before = judged(swapped(True, True)).verdicts[0]
    assert (before.consent_state, before.verdicts["eu"]) == ("granted", "compliant")


def test_after_a_swap_both_answers_count_until_they_agree() -> None:
    assert judged(swapped(True, True)).verdicts[-1].verdicts["eu"] == "compliant"
    assert judged(swapped(True, False)).verdicts[-1].consent_state == "denied"
    contrary = judged(swapped(False, True))
    assert contrary.verdicts[-1].possible_states == ("granted", "denied")
    assert "signal_conflict" in {b.kind for b in contrary.blind_spots}


# --- what an absent cookie shows ---------------------------------------------------------------------------------------


def test_a_host_of_assets_never_gets_a_cookie_bound_to_the_page_and_shows_no_missing_answer() -> None:
    assets = "https://static.shop.example/app.js"
    visit = [page(0), cmp_script(10, COOKIEBOT), asset(60_000, cookie="sid=1", url=assets), hit(61_000)]
    v = verdict(visit)
    assert (v.consent_state, v.verdicts["eu"]) == ("unknown", "unverified")


def test_no_answer_on_one_host_is_no_missing_answer_on_another() -> None:
    other = "https://blog.shop.example/"
    visit = [
        page(0, cookie=cookiebot(True, -5000)), cmp_script(10, COOKIEBOT), page(20_000, other), hit(21_000),
    ]  # fmt: skip
    assert verdict(visit).consent_state == "granted"


@pytest.mark.parametrize(("granted", "eu"), [(True, "unverified"), (False, "violation")])
def test_a_host_that_asks_by_itself_and_has_no_answer_is_not_cleared_by_another(granted: bool, eu: str) -> None:
    shop = "https://shop.example/"
    asks = replace(cmp_script(20_010), headers=(("Referer", shop), ("Sec-Fetch-Dest", "script")))
    visit = [
        page(0, cookie=onetrust(granted, at=-5000)), cmp_script(10),
        page(20_000, shop, cookie="sid=1"), asks, hit(21_000, url=shop), hit(21_500),
    ]  # fmt: skip
    there, here = judged(visit).verdicts[-2:]
    assert (there.property, there.verdicts["eu"]) == ("shop.example", eu)
    assert there.unknown_because == ("consent_elsewhere",)
    assert len(here.possible_states) == 1


def test_a_click_that_was_seen_counts_on_every_host() -> None:
    shop = "https://shop.example/"
    asks = replace(cmp_script(20_010), headers=(("Referer", shop), ("Sec-Fetch-Dest", "script")))
    visit = [
        page(0, cookie=onetrust(True, at=-5000)), cmp_script(10),
        page(20_000, shop, cookie="sid=1"), asks, hit(30_000, url=shop),
    ]  # fmt: skip
    assert verdict(visit, [mark(25_000, "clicked accept")]).verdicts["eu"] == "compliant"


def central(at: int, cookie: str) -> Exchange:
    """A page of another domain in a frame of the shop, with a consent system's cookie of that domain."""
    return replace(
        frame(at, "https://consent.owner.example/banner", SHOP),
        headers=(("Sec-Fetch-Dest", "iframe"), ("Sec-Fetch-Site", "cross-site"), ("Referer", SHOP), ("Cookie", cookie)),
    )


def test_a_banner_of_the_owners_other_domain_is_a_mechanism_that_cannot_be_read() -> None:
    visit = [page(0), central(100, onetrust(True, at=-5000)), hit(1000)]
    v = verdict(visit)
    assert (v.verdicts, v.unknown_because) == ({"eu": "unverified", "us-ca": "unverified"}, ("foreign_consent",))
    assert verdict([page(0), hit(1000)]).verdicts["eu"] == "violation"
    assert verdict([*visit, hit(20_000)], [mark(10_000, "clicked reject")]).consent_state == "denied"


def test_a_link_to_another_site_that_has_a_banner_is_none_on_this_one() -> None:
    other = page(500, "https://other.example/", cookie=onetrust(True, at=-5000), headers=[("Referer", SHOP)])
    assert [v.consent_state for v in judged([page(0), hit(300), other]).verdicts] == ["unanswered"]


def test_what_another_domain_keeps_changes_nothing_where_the_site_speaks_for_itself() -> None:
    visit = [
        page(0, cookie=onetrust(False, at=-5000)),
        cmp_script(50),
        central(100, onetrust(True, at=-5000)),
        hit(1000),
    ]
    assert verdict(visit).consent_state == "denied"


# --- acts and states ---------------------------------------------------------------------------------------------------


def test_a_request_that_overtook_a_set_cookie_does_not_undo_the_answer() -> None:
    granted = onetrust(True).partition("; ")[0]
    answer = replace(
        asset(3000, cookie=onetrust(None), url=SHOP + "consent"),
        response=Response(START + 3100, 200, (("Set-Cookie", granted),)),
    )
    visit = [page(0, cookie=onetrust(None)), answer, asset(3110, cookie=onetrust(None))]
    assert verdict([*visit, hit(6000)]).verdicts["eu"] == "compliant"
    never_kept = [*visit, asset(5500, cookie=onetrust(None)), hit(6000)]
    assert verdict(never_kept).verdicts["eu"] == "unverified"


def test_a_mark_is_set_after_the_act() -> None:
    visit = [page(0, cookie=onetrust(None)), hit(8500)]
    assert verdict(visit, [mark(10_000, "clicked accept")]).verdicts["eu"] == "unverified"
    assert verdict([page(0, cookie=onetrust(None)), hit(2000)], [mark(10_000, "clicked accept")]).verdicts["eu"] == (
        "violation"
    )


def test_a_refusal_that_no_cookie_ever_shows_is_a_conflict() -> None:
    call = "https://consent.cookiebot.com/logconsent.ashx?action=decline&clm=false"
    decline = Exchange("c", START + 5000, "GET", call, (("Referer", SHOP),), b"")
    kept = cookiebot(True, -60_000)
    visit = [page(0, cookie=kept), cmp_script(10, COOKIEBOT), decline, asset(9000, cookie=kept), hit(12_000)]
    assert verdict(visit).possible_states == ("granted", "denied")


def test_an_act_dates_the_cookie_that_carries_no_stamp() -> None:
    visit = [page(0, cookie=onetrust(None)), hit(2000), asset(8200, cookie=onetrust(True))]
    assert verdict(visit).verdicts["eu"] == "unverified"
    assert rules(judged(visit, [mark(8000, "clicked accept")]), "eu") == {"fired-before-consent"}


# --- clocks --------------------------------------------------------------------------------------------------------------


def test_a_device_clock_that_was_set_right_in_between_leaves_both_open() -> None:
    ahead = 600_000
    visit = [
        page(0, cookie=onetrust(True, at=-5000 + ahead)),
        hit(1000, stamp=1000 + ahead),
        hit(2_000_000, stamp=2_000_000),
        asset(2_010_000, cookie=onetrust(False, at=2_005_000)),
    ]
    last = judged(visit).verdicts[-1]
    assert "granted" in last.possible_states
    assert last.verdicts["eu"] == "unverified"


def test_a_device_clock_behind_is_a_wider_error() -> None:
    behind = 300_000
    visit = [
        page(0, cookie=onetrust(None)),
        hit(5000, stamp=5000 - behind),
        hit(30_000, stamp=30_000 - behind),
        asset(40_000, cookie=onetrust(True, at=35_000 - behind)),
    ]
    assert judged(visit).verdicts[-1].verdicts["eu"] == "unverified"


def test_held_events_are_judged_by_the_moment_of_sending() -> None:
    visit = [
        page(0, cookie=onetrust(None)),
        hit(500, "Pageview", stamp=450),
        page(30_000, SHOP + "b", cookie=onetrust(True, at=20_000)),
        hit(31_000, "ViewContent", stamp=1000),
    ]
    assert [v.verdicts["eu"] for v in judged(visit).verdicts] == ["violation", "compliant"]


def test_a_renewed_answer_holds_and_an_old_one_does_not() -> None:
    year = 366 * 86_400_000
    renewed = [
        page(0, cookie=onetrust(True, at=-year)),
        page(5000, SHOP + "b", cookie=onetrust(True, at=3000)),
        hit(6000),
    ]
    assert verdict(renewed).verdicts["eu"] == "compliant"


# --- pages ---------------------------------------------------------------------------------------------------------------


def framed(at: int, url: str, **more: Any) -> Exchange:
    made = hit(at, headers=[("Origin", "null")])
    return replace(made, body=json.dumps(body(url=url, **more)).encode())


def test_a_widget_in_two_sites_is_put_on_the_one_that_loaded_it_last_with_little_confidence() -> None:
    widget, other = "https://widget.example/w", "https://other.example/"
    visit = [
        page(0), frame(100, widget, SHOP), framed(500, widget),
        page(10_000, other), frame(10_100, widget, other), framed(10_500, widget),
    ]  # fmt: skip
    found = judged(visit).verdicts
    assert [(v.property, v.attribution, v.confidence) for v in found] == [
        ("shop.example", "frame", "low"), ("other.example", "frame", "low"),
    ]  # fmt: skip


def test_two_tabs_keep_their_own_pages() -> None:
    other = "https://other.example/"
    visit = [
        page(0, cookie=onetrust(False, at=-5000)), page(100, other, cookie=onetrust(True, at=-5000)),
        hit(200), hit(300, url=other, headers=[("Origin", "null")]), hit(400),
    ]  # fmt: skip
    assert sorted((v.property or "", v.verdicts["eu"]) for v in judged(visit).verdicts) == [
        ("other.example", "compliant"), ("shop.example", "violation"), ("shop.example", "violation"),
    ]  # fmt: skip


def test_three_devices_through_one_proxy_have_their_own_consent() -> None:
    states = {"a": True, "b": False, "c": None}
    visit = [page(i, cookie=onetrust(s, at=-5000 if s is not None else None), client=c)
             for i, (c, s) in enumerate(states.items())]  # fmt: skip
    visit += [hit(1000 + i, client=c) for i, c in enumerate(states)]
    assert [v.consent_state for v in judged(visit).verdicts] == ["granted", "denied", "unanswered"]


def test_a_page_out_of_the_back_forward_cache_or_a_single_page_site_asks_for_no_document() -> None:
    visit = [page(0, cookie=onetrust(False, at=-5000)), hit(600_000, url=SHOP + "cart#top")]
    j = judged(visit)
    assert (j.verdicts[-1].property, j.verdicts[-1].consent_state) == ("shop.example", "denied")


def test_a_prerendered_page_is_no_page_view() -> None:
    visit = [page(0, cookie=onetrust(False, at=-5000)),
             page(100, SHOP + "next", cookie=onetrust(False, at=-5000), headers=[("Sec-Purpose", "prefetch;prerender")])]  # fmt: skip
    denied = next(c for c in judged(visit).coverage if c.state == "denied" and c.regime == "eu")
    assert denied.page_views == 1


def test_a_private_window_beside_a_normal_one_leaves_the_state_open() -> None:
    kept = onetrust(True, at=-60_000)
    visit = [
        page(0, cookie=kept), cmp_script(10), page(5000, SHOP + "private"), asset(9000, cookie=kept), hit(9500),
        page(20_000, SHOP + "private"), hit(21_000),
    ]  # fmt: skip
    assert {v.verdicts["eu"] for v in judged(visit).verdicts} == {"unverified"}


def test_cookies_that_were_cleared_are_no_second_jar() -> None:
    visit = [page(0, cookie=onetrust(True, at=-60_000)), cmp_script(10), page(50_000, SHOP + "b"), hit(51_000)]
    assert verdict(visit).verdicts["eu"] == "violation"


def test_a_message_that_names_the_page_of_another_site_than_its_sender_has_little_weight() -> None:
    forged = replace(
        hit(1000), headers=(("Origin", "https://evil.example"), ("Referer", "https://evil.example/")),
    )  # fmt: skip
    v = verdict([page(0, cookie=onetrust(False, at=-5000)), page(500, "https://evil.example/"), forged])
    assert (v.property, v.confidence) == ("shop.example", "low")


def test_a_stamp_of_a_slow_clock_is_dropped_and_its_sighting_counts() -> None:
    visit = [page(0, cookie=onetrust(None)), hit(1000), asset(9000, cookie=onetrust(True, at=-5000)), hit(9500)]
    assert [v.possible_states for v in judged(visit).verdicts] == [("granted", "unanswered"), ("granted",)]


def test_a_cookie_that_is_set_is_read_within_its_jar() -> None:
    """Complianz keeps the answer in one cookie, and that there was one in another: renewing the first asks nobody."""
    jar = "cmplz_marketing=allow; cmplz_banner-status=dismissed"
    renewed = page(1000, cookie=jar, set=[("Set-Cookie", "cmplz_marketing=allow; Path=/")])
    said = judged([page(0, cookie=jar), renewed, style(1200), hit(3000)])
    assert [(v.consent_state, v.verdicts["eu"]) for v in said.verdicts] == [("granted", "compliant")]
    refused = page(1000, cookie=jar, set=[("Set-Cookie", "cmplz_marketing=deny; Path=/")])
    said = judged([page(0, cookie=jar), refused, style(1200), hit(5000)])
    assert [v.verdicts["eu"] for v in said.verdicts] == ["violation"]
