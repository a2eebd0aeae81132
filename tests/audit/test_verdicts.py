"""Scenarios for DESIGN 5, each a short visit with the verdict that it asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pixelwitness.exchange import Exchange, Response
from support import (
    PIXEL,
    SHOP,
    START,
    asset,
    body,
    cmp_script,
    har,
    hit,
    judged,
    mark,
    onetrust,
    page,
    rules,
    script,
    verdict,
)  # fmt: skip

HASH = "86e0b9e56c17cc4d12387e1949b85053fbe73bc3ce5a1188713a9d300cc6133d"
GPC = [("Sec-GPC", "1")]


# --- 5.2: two clocks, possible states ------------------------------------------------------------------------------


def test_pre_choice_cookie_proves_that_nobody_had_answered_before_it() -> None:
    v = verdict([page(0), hit(1000), asset(60_000, cookie=onetrust(None))])
    assert (v.consent_state, v.verdicts["eu"]) == ("unanswered", "violation")


def test_later_answer_with_an_earlier_trusted_stamp_was_already_in_force() -> None:
    v = verdict([page(0, cookie=onetrust(None)), hit(9000), asset(20_000, cookie=onetrust(True, at=3000))])
    assert (v.consent_state, v.verdicts) == ("granted", {"eu": "compliant", "us-ca": "compliant"})


def test_hit_before_the_stamp_was_not_yet_covered() -> None:
    j = judged([page(0, cookie=onetrust(None)), hit(1000), asset(20_000, cookie=onetrust(True, at=9000))])
    assert j.verdicts[-1].consent_state == "unanswered"
    assert "fired-before-consent" in rules(j, "eu")


def test_within_the_clock_error_of_the_stamp_both_states_are_possible() -> None:
    v = verdict([page(0, cookie=onetrust(None)), hit(5200), asset(9000, cookie=onetrust(True, at=5000))])
    assert v.possible_states == ("granted", "unanswered")
    assert v.verdicts == {"eu": "unverified", "us-ca": "compliant"}


def test_refusal_within_the_clock_error_is_judged_by_the_mildest_rule() -> None:
    j = judged([page(0, cookie=onetrust(None)), hit(5200), asset(9000, cookie=onetrust(False, at=5000))])
    assert j.verdicts[-1].verdicts == {"eu": "violation", "us-ca": "unverified"}
    assert "fired-before-consent" in rules(j, "eu")
    assert "fired-after-denial" not in rules(j, "eu")


def test_answer_without_a_stamp_leaves_both_states_open_since_the_last_sighting() -> None:
    v = verdict([page(0, cookie=onetrust(None)), hit(3000), asset(5000, cookie=onetrust(True))])
    assert (v.consent_state, v.verdicts["eu"]) == ("unknown", "unverified")


@pytest.mark.parametrize(("after", "word"), [(9_000, "violation"), (11_000, "unverified")])
def test_unanswered_holds_for_ten_seconds(after: int, word: str) -> None:
    assert verdict([page(0, cookie=onetrust(None)), hit(after)]).verdicts["eu"] == word


def test_a_mark_or_a_later_request_shows_that_still_nobody_had_answered() -> None:
    late = [page(0, cookie=onetrust(None)), hit(60_000)]
    assert verdict(late).verdicts["eu"] == "unverified"
    assert verdict(late, [mark(70_000, "nothing clicked")]).verdicts["eu"] == "violation"
    assert verdict([*late, asset(65_000, cookie=onetrust(None))]).verdicts["eu"] == "violation"


def test_an_answer_holds_until_evidence_of_another() -> None:
    v = verdict([page(0, cookie=onetrust(False, at=-5000)), hit(3_600_000)])
    assert (v.consent_state, v.verdicts["eu"], v.confidence) == ("denied", "violation", "medium")
    again = [page(0, cookie=onetrust(False, at=-5000)), hit(1000), asset(2000, cookie=onetrust(False, at=-5000))]
    assert verdict(again).confidence == "high"


def test_an_expired_answer_no_longer_clears() -> None:
    year = 366 * 86_400_000
    assert verdict([page(0, cookie=onetrust(True, at=-year)), hit(500)]).verdicts["eu"] == "unverified"


def test_a_client_clock_that_runs_ahead_is_corrected() -> None:
    ahead = 600_000
    visit = [
        page(0, cookie=onetrust(None)),
        hit(8000, stamp=8000 + ahead),
        asset(9000, cookie=onetrust(False, at=3000 + ahead)),
    ]
    assert verdict(visit).consent_state == "denied"


# --- 5.3: unknown is not unanswered ---------------------------------------------------------------------------------


def test_no_mechanism_needs_a_fresh_visitor_and_readable_cookies() -> None:
    v = verdict([page(0), hit(1000)])
    assert (v.consent_state, v.effective_default, v.verdicts["eu"]) == ("unanswered", None, "violation")
    returning = verdict([page(0, cookie="sid=1"), hit(1000)])
    assert (returning.consent_state, returning.unknown_because) == ("unknown", ("visitor_not_fresh",))
    assert returning.verdicts == {"eu": "unverified", "us-ca": "compliant"}


def test_a_fresh_profile_mark_makes_a_visitor_fresh() -> None:
    visit = [page(0, cookie="sid=1"), hit(1000)]
    assert verdict(visit, [mark(-5000, "fresh profile")]).consent_state == "unanswered"


def test_a_sanitised_har_is_unknown_with_its_reason() -> None:
    v = verdict(har([page(0), hit(1000)]))
    assert (v.consent_state, v.unknown_because) == ("unknown", ("cookies_not_captured",))
    assert v.verdicts == {"eu": "unverified", "us-ca": "unverified"}


def test_a_har_that_shows_cookies_of_the_property_is_readable() -> None:
    v = verdict(har([page(0), hit(500), asset(2000, cookie="_ttp=x")]))
    assert v.consent_state == "unanswered"


def test_cookies_of_another_site_do_not_make_a_har_readable() -> None:
    other = page(0, "https://other.example/", cookie="a=1")
    assert verdict(har([other, page(10), hit(1000)])).unknown_because == ("cookies_not_captured",)


def test_no_first_party_traffic_at_all() -> None:
    v = verdict([hit(1000)])
    assert v.unknown_because == ("no_first_party_traffic",)
    assert v.verdicts == {"eu": "unverified", "us-ca": "unverified"}


def test_a_loading_cmp_with_a_readable_store_and_an_empty_jar_is_unanswered() -> None:
    v = verdict([page(0, cookie="sid=1"), cmp_script(100), hit(1000)])
    assert (v.consent_state, v.cmp) == ("unanswered", "onetrust")


@pytest.mark.parametrize(
    "url", ["https://cmp.osano.com/x/osano.js", "https://app.usercentrics.eu/browser-ui/latest/loader.js"]
)
def test_an_opaque_store_is_unknown_never_unanswered(url: str) -> None:
    v = verdict([page(0), cmp_script(100, url), hit(1000)])
    assert (v.consent_state, v.unknown_because) == ("unknown", ("opaque_store",))
    assert v.verdicts == {"eu": "unverified", "us-ca": "unverified"}


def test_a_consent_like_cookie_is_unknown() -> None:
    v = verdict([page(0), asset(500, cookie="my_consent=1"), hit(1000)])
    assert v.unknown_because == ("home_made_consent",)
    assert v.verdicts == {"eu": "unverified", "us-ca": "unverified"}


def test_a_name_without_its_shape_is_nobodys_cmp() -> None:
    v = verdict([page(0, cookie="OptanonConsent=isMarketing=0&isStatistic=0"), hit(1000)])
    assert (v.consent_state, v.cmp) == ("unknown", None)


def test_tiktoks_own_consent_cookie_says_nothing_about_the_shop() -> None:
    own = [("Cookie", 'cookie-consent={"ga":true,"optional":true}')]
    assert verdict([page(0), hit(1000, headers=own)]).consent_state == "unanswered"


def test_an_auditors_mark_decides_where_nothing_can_be_read() -> None:
    visit = [page(0), cmp_script(100, "https://cmp.osano.com/x/osano.js"), hit(20_000)]
    j = judged(visit, [mark(10_000, "clicked reject")])
    assert (j.verdicts[-1].consent_state, rules(j, "eu")) == ("denied", {"fired-after-denial"})


def test_a_beacon_that_arrives_just_after_the_call_may_have_been_sent_before_the_click() -> None:
    call = "https://consent.cookiebot.com/logconsent.ashx?action=decline&clm=false"
    decline = Exchange("c", START + 5000, "GET", call, (("Referer", SHOP),), b"")
    granted = "CookieConsent={stamp:%27x%27%2Cnecessary:true%2Cmarketing:true%2Cutc:1794990000000}"
    visit = [page(0, cookie=granted), cmp_script(10, "https://consent.cookiebot.com/uc.js"), decline]
    assert verdict([*visit, hit(5030)]).verdicts == {"eu": "unverified", "us-ca": "unverified"}
    assert rules(judged([*visit, hit(6500)]), "eu") == {"fired-after-withdrawal"}


# --- 5.4: which signal decides -----------------------------------------------------------------------------------------


def test_a_tcf_grant_alone_never_clears_and_a_refusal_denies() -> None:
    granted = "euconsent-v2=COv_eg6Ov_eg6AOADBENAaCgAP_AAH_AACiQAVEUQQoAIQAqIoghAAQgAA.YAAAAAAAAAAAAAAAAAA"
    refused = "euconsent-v2=CPubvkAPubvkAAHABBENDMCgAAAAAAAAAB5YAAAAAAAA.YAAAAAAAAAAA"
    v = verdict([page(0, cookie=granted), hit(1000)])
    assert (v.unknown_because, v.verdicts["eu"]) == (("vendor_not_named",), "unverified")
    assert verdict([page(0, cookie=refused), hit(1000)]).verdicts["eu"] == "violation"


def test_consent_to_facebook_is_no_consent_to_tiktok() -> None:
    v = verdict([page(0, cookie='klaro={"facebook":true,"youtube":true}'), hit(1000)])
    assert (v.consent_state, v.unknown_because) == ("unknown", ("vendor_not_named",))


def test_tiktoks_own_key_wins_over_the_category() -> None:
    v = verdict([page(0, cookie='klaro={"tiktok":false,"marketing":true}'), hit(1000)])
    assert (v.consent_state, v.verdicts["us-ca"]) == ("denied", "violation")


def test_of_two_loading_systems_the_more_restrictive_wins() -> None:
    cookiebot = "CookieConsent={stamp:%27x%27%2Cnecessary:true%2Cmarketing:false%2Cutc:1794990000000}"
    visit = [
        page(0, cookie=f"{onetrust(True, at=-9000)}; {cookiebot}"),
        cmp_script(10),
        cmp_script(20, "https://consent.cookiebot.com/uc.js"),
        hit(1000),
    ]
    j = judged(visit)
    assert j.verdicts[-1].consent_state == "denied"
    assert "signal_conflict" in {b.kind for b in j.blind_spots}


def test_a_cookie_of_a_system_that_is_no_longer_loaded_is_set_aside() -> None:
    cookiebot = "CookieConsent={stamp:%27x%27%2Cnecessary:true%2Cmarketing:false%2Cutc:1794990000000}"
    visit = [page(0, cookie=f"{onetrust(True, at=-9000)}; {cookiebot}"), cmp_script(10), hit(1000)]
    j = judged(visit)
    assert j.verdicts[-1].consent_state == "granted"
    assert j.verdicts[-1].set_aside
    assert "stale_cookie" in {b.kind for b in j.blind_spots}


def test_a_first_party_copy_shows_the_consent_cookie_that_it_carries() -> None:
    consent = onetrust(True, at=-5000)
    copy = hit(1000, host="www.shop.example", headers=[("Cookie", consent), ("Sec-Fetch-Site", "same-origin")])
    v = verdict([page(0, cookie=consent), cmp_script(5), copy, hit(2000)])
    assert (v.consent_state, v.verdicts["eu"]) == ("granted", "compliant")


def test_a_request_of_an_unknown_page_shows_no_empty_jar() -> None:
    bare = Exchange("c", START + 1500, "GET", SHOP + "px.gif", (("Cookie", "cross=1"),), b"")
    v = verdict([page(0, cookie=onetrust(True, at=-5000)), cmp_script(5), bare, hit(2000)])
    assert (v.consent_state, v.verdicts["eu"]) == ("granted", "compliant")


@pytest.mark.parametrize(("granted", "eu"), [(True, "unverified"), (False, "violation")])
def test_a_system_that_cannot_be_read_beside_one_that_can_may_hold_a_no(granted: bool, eu: str) -> None:
    visit = [
        page(0, cookie=onetrust(granted, at=-5000)),
        cmp_script(5),
        cmp_script(6, "https://app.usercentrics.eu/browser-ui/latest/loader.js"),
        hit(2000),
    ]
    assert verdict(visit).verdicts["eu"] == eu


# --- 5.5: the verdict ------------------------------------------------------------------------------------------------------


def test_withdrawal_is_told_from_denial() -> None:
    visit = [
        page(0, cookie=onetrust(True, at=-5000)),
        page(10_000, cookie=onetrust(False, at=5000)),
        hit(12_000),
    ]
    assert rules(judged(visit), "eu") == {"fired-after-withdrawal"}


def test_matching_and_collection_come_on_top_of_a_violation_only() -> None:
    act = hit(1000, None, path="/api/v2/pixel/act", action="Click", user={"email": HASH},
              auto_collected_properties={"trigger_element": {"inner_text": "Buy"}})  # fmt: skip
    denied = judged([page(0, cookie=onetrust(False, at=-5000)), act])
    assert rules(denied, "eu") == {"fired-after-denial", "matching-without-consent", "collection-without-consent"}
    assert rules(denied, "us-ca") == {"fired-after-denial", "matching-without-consent", "collection-without-consent"}
    assert not judged([page(0, cookie=onetrust(True, at=-5000)), act]).violations


def test_a_mere_contact_is_a_low_violation_under_opt_in_and_none_under_opt_out() -> None:
    j = judged([page(0, cookie=onetrust(False, at=-5000)), script(1000)])
    assert [(v.rule, v.severity, v.regime) for v in j.violations] == [("contacted-without-consent", "low", "eu")]
    with_ttp = judged([page(0, cookie=onetrust(False, at=-5000)), script(1000, headers=[("Cookie", "_ttp=abc")])])
    assert [(v.severity, v.tier) for v in with_ttp.violations] == [("medium", "identifier")] * 2
    assert rules(with_ttp, "eu") == {"contacted-without-consent", "identifier-cookie-without-consent"}


def test_setting_ttp_makes_a_contact_an_identifier() -> None:
    sets = replace(script(1000), response=Response(START + 1100, 200, (("Set-Cookie", "_ttp=x; Domain=tiktok.com"),)))
    j = judged([page(0, cookie=onetrust(False, at=-5000)), sets])
    assert [(v.severity, v.tier) for v in j.violations] == [("medium", "identifier")] * 2
    assert rules(j, "eu") == {"contacted-without-consent", "identifier-cookie-without-consent"}


def test_gpc_binds_in_california_whatever_the_banner_says() -> None:
    visit = [page(0, cookie=onetrust(True, at=-5000), headers=GPC), hit(1000, headers=GPC)]
    j = judged(visit)
    assert j.verdicts[-1].verdicts == {"eu": "compliant", "us-ca": "violation"}
    assert j.verdicts[-1].opt_outs == ("gpc",)
    assert rules(j, "us-ca") == {"gpc-ignored"}


def test_gpc_on_the_page_binds_though_the_hit_lacks_it() -> None:
    assert rules(judged([page(0, cookie=onetrust(True, at=-5000), headers=GPC), hit(1000)]), "us-ca") == {"gpc-ignored"}


def test_gpc_seen_earlier_and_gone_is_unverified_and_not_in_force() -> None:
    visit = [
        page(0, cookie=onetrust(True, at=-5000), headers=GPC),
        page(60_000, SHOP + "next", cookie=onetrust(True, at=-5000)),
        hit(61_000, url=SHOP + "next"),
    ]
    v = verdict(visit)
    assert (v.verdicts["us-ca"], v.opt_outs) == ("unverified", ())
    assert "Global Privacy Control" in v.reasons["us-ca"]


def test_only_the_exact_character_one_is_gpc() -> None:
    assert verdict([page(0, headers=[("Sec-GPC", "0")]), hit(500, headers=[("Sec-GPC", "true")])]).opt_outs == ()


def test_limited_data_use_turns_an_opt_out_violation_into_unverified() -> None:
    j = judged([page(0, headers=GPC), hit(1000, headers=GPC, limited_data_use=True)])
    assert j.verdicts[-1].verdicts == {"eu": "violation", "us-ca": "unverified"}
    assert j.verdicts[-1].mitigations == ("limited_data_use",)


def test_us_privacy_opt_out() -> None:
    j = judged([page(0, cookie="usprivacy=1YYN"), hit(1000)])
    assert rules(j, "us-ca") == {"opt-out-ignored"}
    assert j.verdicts[-1].opt_outs == ("usp",)


def test_plaintext_is_a_violation_whatever_the_consent() -> None:
    j = judged([page(0, cookie=onetrust(True, at=-5000)), hit(1000, url=SHOP + "?email=jane.doe%40example.com")])
    assert j.verdicts[-1].verdicts == {"eu": "violation", "us-ca": "violation"}
    assert rules(j, "eu") == rules(j, "us-ca") == {"plaintext-identifier"}
    assert "jane.doe" not in j.model_dump_json()


def test_a_capture_is_judged_by_the_law_of_its_date() -> None:
    old = 500_000_000_000  # milliseconds before START: 2011
    visit = [replace(e, started_at=e.started_at - old, response=None) for e in (page(0), hit(1000))]
    j = judged(visit)
    assert j.verdicts[-1].verdicts == {"eu": "not_applicable", "us-ca": "not_applicable"}
    assert not j.violations


def test_a_contradicted_regime_is_info_and_fails_nothing_unless_named() -> None:
    cookie = onetrust(False, at=-5000, extra="&geolocation=US%3BCA")
    visit = [page(0, cookie=cookie), hit(1000)]
    eu = [v for v in judged(visit).violations if v.regime == "eu"]
    assert [(v.applicability, v.severity) for v in eu] == [("contradicted", "info")]
    assert "does not apply" in eu[0].explanation
    assert {c.result for c in judged(visit).coverage if c.regime == "eu"} == {"unverified", "not_tested"}
    named = [v for v in judged(visit, named=("eu",)).violations if v.regime == "eu"]
    assert [(v.applicability, v.severity) for v in named] == [("contradicted", "high")]
    assert {v.applicability for v in judged(visit).violations if v.regime == "us-ca"} == {"shown"}


def test_a_preflight_without_its_post_is_a_blocked_send() -> None:
    blocked = hit(1000, method="OPTIONS")
    j = judged([page(0, cookie=onetrust(False, at=-5000)), blocked])
    assert not j.verdicts
    assert "blocked_send" in {b.kind for b in j.blind_spots}
    denied = next(c for c in j.coverage if c.state == "denied" and c.regime == "eu")
    assert (denied.result, denied.page_views) == ("unverified", 1)
    with_post = judged([page(0, cookie=onetrust(False, at=-5000)), blocked, hit(1050)])
    assert "blocked_send" not in {b.kind for b in with_post.blind_spots}


def test_a_request_that_the_browser_blocked_never_reached_tiktok() -> None:
    blocked = hit(1000, exchange={"error": "net::ERR_BLOCKED_BY_CLIENT"})
    j = judged([page(0, cookie=onetrust(False, at=-5000)), blocked])
    assert not j.verdicts
    assert "blocked_send" in {b.kind for b in j.blind_spots}


def test_a_first_party_copy_is_linked_and_counted_once() -> None:
    visit = [
        page(0, cookie=onetrust(False, at=-5000)),
        hit(1000, event_id="default_eventId-1"),
        hit(1010, event_id="default_eventId-1", host="metrics.shop.example", message_id="messageId-2"),
    ]
    j = judged(visit)
    assert len(j.verdicts) == 2
    assert [v.copy_of is not None for v in j.verdicts] == [False, True]
    assert len([v for v in j.violations if v.regime == "eu"]) == 1
    alone = judged([visit[0], visit[2]])
    assert rules(alone, "eu") == {"fired-after-denial"}


# --- 5.1: whose page -------------------------------------------------------------------------------------------------------


def test_a_leave_time_beacon_belongs_to_its_own_page() -> None:
    other = "https://other.example/"
    late = hit(1030, headers=[("Origin", "null")])
    v = verdict([page(0), page(1000, other), late])
    assert (v.property, v.attribution) == ("shop.example", "payload")


def test_without_any_evidence_time_is_the_last_resort() -> None:
    bare = Exchange(
        "c", START + 500, "GET", f"https://analytics.tiktok.com/i18n/pixel/events.js?sdkid={PIXEL}", (), b""
    )
    v = verdict([page(0), bare])
    assert (v.property, v.attribution, v.confidence) == ("shop.example", "latest_document", "low")
    alone = verdict([bare])
    assert (alone.property, alone.attribution, alone.unknown_because) == (None, "none", ("no_page",))


def test_a_cross_site_frame_is_put_on_the_page_that_embeds_it() -> None:
    message = hit(1000, url="https://widget.example/w", referrer=SHOP)
    framed = body(url="https://widget.example/w", referrer=SHOP)
    framed["context"]["pixel"]["runtime"] = "3"
    import json

    v = verdict([page(0), replace(message, body=json.dumps(framed).encode())])
    assert v.property == "shop.example"


def test_consent_never_crosses_clients() -> None:
    visit = [page(0, cookie=onetrust(True, at=-5000), client="a"), page(10, client="b"), hit(1000, client="b")]
    assert verdict(visit).consent_state == "unanswered"


# --- what has nothing to do with it -------------------------------------------------------------------------------------


def test_unrelated_traffic_changes_no_verdict() -> None:
    visit = [page(0, cookie=onetrust(None)), hit(2000), asset(9000, cookie=onetrust(False, at=5000)), hit(12_000)]
    noise = [
        page(100, "https://news.example/", client="c"),
        asset(3000, cookie="consent=1", url="https://cdn.news.example/x.js"),
        replace(hit(2500, url="https://news.example/"), client="d"),
    ]
    alone = judged(visit)
    noisy = judged([*visit, *noise])
    kept = {v.hit_id: v for v in noisy.verdicts}
    for v in alone.verdicts:
        assert kept[v.hit_id] == v
