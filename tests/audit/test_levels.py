"""A cookie that once spoke of TikTok by name and now speaks of a category alone, or the other way round: the new
answer counts, and between the two both are possible."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from pixelwitness.exchange import Exchange, Response, iso
from support import SHOP, START, asset, hit, page, verdict


def cookie(name: str, value: object) -> str:
    return f"{name}={quote(value if isinstance(value, str) else json.dumps(value))}"


TRACKING = "tracking-preferences"
SEGMENT_YES = cookie(TRACKING, {"destinations": {"TikTok Conversions": True, "Amplitude": True}, "custom": {}})
SEGMENT_NO = cookie(TRACKING, {"destinations": {"Amplitude": False}, "custom": {"advertising": False}})
SEGMENT_ALL = cookie(TRACKING, {"destinations": {"Amplitude": True}, "custom": {"advertising": True}})
DIDOMI_YES = cookie("didomi_token", {"user_id": "1", "vendors": {"enabled": ["c:tiktok-WbypA3Zd"]}, "purposes": {}})
DIDOMI_NO = cookie(
    "didomi_token",
    {
        "user_id": "1",
        "vendors": {"enabled": [], "disabled": ["google"]},
        "purposes": {"enabled": [], "disabled": ["ads"]},
    },
)
KLARO_YES = cookie("klaro", {"tiktok": True, "matomo": True})
KLARO_NO = cookie("klaro", {"marketing": False, "matomo": True})
FIRST_YES = cookie("cookiefirst-consent", {"cookiefirst": True, "tiktok": True, "type": "granular"})
FIRST_NO = cookie("cookiefirst-consent", {"necessary": True, "advertising": False, "type": "category"})
COMPLIANZ_YES = cookie("cmplz_consented_services", {"tiktok": True}) + "; cmplz_marketing=deny"
COMPLIANZ_NO = "cmplz_marketing=deny; cmplz_banner-status=dismissed"
AXEPTIO_YES = cookie("axeptio_cookies", {"$$completed": True, "tiktok": True, "Criteo": True})
AXEPTIO_NO = cookie("axeptio_cookies", {"$$completed": True, "Google_Ads": False, "Criteo": False})

CHANGES = [
    (SEGMENT_YES, SEGMENT_NO), (DIDOMI_YES, DIDOMI_NO), (KLARO_YES, KLARO_NO), (FIRST_YES, FIRST_NO),
    (COMPLIANZ_YES, COMPLIANZ_NO), (AXEPTIO_YES, AXEPTIO_NO),
]  # fmt: skip


@pytest.mark.parametrize(("yes", "no"), CHANGES, ids=lambda c: c.partition("=")[0])
def test_a_refusal_by_category_ends_a_grant_by_service(yes: str, no: str) -> None:
    before, after = page(0, cookie=yes), page(20_000, cookie=no)
    assert verdict([before, hit(500), asset(900, cookie=yes), after]).consent_state == "granted"
    v = verdict([before, after, hit(21_000), asset(22_000, cookie=no)])
    assert (v.consent_state, v.verdicts["eu"]) == ("denied", "violation")
    between = verdict([before, asset(9_000, cookie=yes), hit(10_000), after])
    assert set(between.possible_states) >= {"granted", "denied"}
    assert between.verdicts["eu"] == "unverified"


@pytest.mark.parametrize(("yes", "no"), CHANGES, ids=lambda c: c.partition("=")[0])
def test_a_grant_by_service_ends_a_refusal_by_category(yes: str, no: str) -> None:
    before, after = page(0, cookie=no), page(20_000, cookie=yes)
    assert verdict([before, hit(500), asset(900, cookie=no), after]).consent_state == "denied"
    assert verdict([before, after, hit(21_000), asset(22_000, cookie=yes)]).consent_state == "granted"
    # When the visitor changed it, nobody knows: no accusation for what left in between.
    assert verdict([before, asset(9_000, cookie=no), hit(10_000), after]).verdicts["eu"] == "unverified"


def test_a_set_cookie_ends_what_the_cookie_said() -> None:
    answer = (("Set-Cookie", SEGMENT_NO),)
    visit = [page(0, cookie=SEGMENT_YES), page(20_000, cookie=SEGMENT_YES, set=answer), hit(25_000)]
    assert verdict(visit).consent_state == "denied"


def test_a_category_that_grants_is_no_longer_hidden_by_an_old_refusal_of_the_service() -> None:
    refused = SEGMENT_YES.replace("true", "false")
    visit = [page(0, cookie=refused), page(20_000, cookie=SEGMENT_ALL), hit(21_000), asset(22_000, cookie=SEGMENT_ALL)]
    assert verdict(visit).consent_state == "granted"


def test_another_host_of_the_property_counts() -> None:
    other = page(20_000, "https://blog.shop.example/", cookie=SEGMENT_ALL)
    assert (
        verdict([page(0, cookie=SEGMENT_YES.replace("true", "false")), other, hit(21_000)]).consent_state == "granted"
    )


def test_a_number_in_place_of_the_categories_ends_what_tiktoks_own_category_said() -> None:
    """Cookiebot's `0` says no to all; the site's own category for TikTok is not named in it."""
    table = "CookieConsentDialog.cookieTableStatistics = [['_ttp','tiktok.com','x']];"
    url = "https://consent.cookiebot.com/0e2b6a8e-1111-4222-8333-444455556666/cc.js"
    yes = f"CookieConsent={{stamp:'x==',necessary:true,preferences:true,statistics:true,marketing:true,method:'explicit',ver:1,utc:{START - 60_000}}}"
    config = Exchange("c", START + 100, "GET", url, (("Referer", SHOP),), b"",
                      response=Response(START + 120, 200, (), table.encode()))  # fmt: skip
    visit = [page(0, cookie=yes), config, hit(500), page(20_000, cookie="CookieConsent=0"), hit(21_000)]
    assert verdict(visit[:3]).consent_state == "granted"
    assert verdict([*visit, asset(22_000, cookie="CookieConsent=0")]).consent_state == "denied"


def test_a_stamp_still_tells_when_the_new_answer_came() -> None:
    was = cookie("axeptio_cookies", {"$$completed": True, "tiktok": True, "$$date": iso(START - 60_000)})
    now = cookie("axeptio_cookies", {"$$completed": True, "Criteo": False, "$$date": iso(START + 5_000)})
    visit = [page(0, cookie=was), hit(3_000), hit(10_000), page(20_000, cookie=now)]
    assert verdict([visit[0], visit[1], visit[3]]).consent_state == "granted"
    assert verdict(visit).consent_state == "denied"


# --- cookies of one system on several hosts ---------------------------------------------------------------------------

REFUSED_HERE = cookie("cmplz_consented_services", {"tiktok": False}) + "; cmplz_marketing=allow"
ALL_THERE = "cmplz_marketing=allow; cmplz_banner-status=dismissed"
BLOG = "https://blog.shop.example/"


def test_a_host_that_never_got_the_services_cookie_does_not_end_what_was_said_of_the_service() -> None:
    visit = [page(0, cookie=REFUSED_HERE), page(20_000, BLOG, cookie=ALL_THERE), hit(21_000)]
    v = verdict(visit)
    assert (v.consent_state, v.verdicts["eu"]) == ("denied", "violation")
    # On that host itself a page may go by what stands there: no accusation, and no all-clear.
    there = verdict([*visit[:2], hit(21_000, url=BLOG)])
    assert set(there.possible_states) == {"granted", "denied"}
    assert (there.verdicts["eu"], there.unknown_because) == ("unverified", ("consent_elsewhere",))


def test_a_host_that_had_shown_the_services_cookie_and_shows_it_no_more_ends_it() -> None:
    had = page(10_000, BLOG, cookie=REFUSED_HERE)
    visit = [page(0, cookie=REFUSED_HERE), had, page(20_000, BLOG, cookie=ALL_THERE), hit(21_000)]
    assert verdict(visit).consent_state == "granted"


def test_both_hosts_saying_the_same_is_no_doubt() -> None:
    none = "cmplz_marketing=deny; cmplz_banner-status=dismissed"
    v = verdict([page(0, cookie=REFUSED_HERE), page(20_000, BLOG, cookie=none), hit(21_000, url=BLOG)])
    assert (v.consent_state, v.unknown_because) == ("denied", ())


# --- where the site's own configurations put TikTok -------------------------------------------------------------------


def configured(at: int, *categories: str) -> Exchange:
    """OneTrust's configuration with TikTok's cookie in some groups."""
    made = [{"CustomGroupId": c, "FirstPartyCookies": [{"Name": "_ttp"}], "Hosts": []} for c in categories]
    uuid = "0e2b6a8e-1111-4222-8333-444455556666"
    return Exchange(
        "c", START + at, "GET", f"https://cdn.cookielaw.org/consent/{uuid}/{uuid}/en.json", (("Referer", SHOP),), b"",
        response=Response(START + at + 20, 200, (), json.dumps({"DomainData": {"Groups": made}}).encode()),
    )  # fmt: skip


def grouped(groups: str) -> str:
    return (
        f"OptanonConsent=landingPath=NotLandingPage&groups={quote(groups)}; OptanonAlertBoxClosed={iso(START - 9_000)}"
    )


YES_AND_NO, NO_AND_YES, BOTH = "C0001:1,C0002:1,C0004:0", "C0001:1,C0002:0,C0004:1", "C0001:1,C0002:1,C0004:1"


@pytest.mark.parametrize("groups", [YES_AND_NO, NO_AND_YES])
def test_configurations_that_disagree_leave_tiktoks_category_open(groups: str) -> None:
    jar = grouped(groups)
    visit = [page(0, cookie=jar), configured(100, "C0002"), configured(200, "C0004"), hit(500), asset(900, cookie=jar)]
    for order in (visit, [visit[0], visit[2], visit[1], *visit[3:]]):
        v = verdict(order)
        assert set(v.possible_states) == {"granted", "denied"}
        assert (v.verdicts["eu"], v.unknown_because) == ("unverified", ("category_guessed",))
    assert verdict([v for v in visit if v is not visit[2]]).consent_state in {"granted", "denied"}


@pytest.mark.parametrize(("groups", "state"), [(BOTH, "granted"), ("C0001:1,C0002:0,C0004:0", "denied")])
def test_where_they_come_to_the_same_it_does_not_matter(groups: str, state: str) -> None:
    visit = [page(0, cookie=grouped(groups)), configured(100, "C0002"), configured(200, "C0004"), hit(500)]
    assert verdict(visit).consent_state == state


def test_of_several_categories_each_must_have_been_allowed_and_one_without_a_flag_leaves_it_open() -> None:
    both = configured(100, "C0002", "C0004")

    def states(groups: str) -> set[str]:
        return set(verdict([page(0, cookie=grouped(groups)), both, hit(500)]).possible_states)

    assert states(BOTH) == {"granted"}
    assert states(YES_AND_NO) == states("C0001:1,C0002:0") == {"denied"}
    assert states("C0001:1,C0002:1") == {"granted", "denied"}


def test_a_configuration_whose_category_no_answer_names_is_not_outvoted_by_another() -> None:
    visit = [page(0, cookie=grouped(BOTH)), configured(100, "C0002"), configured(200, "C0099"), hit(500)]
    assert set(verdict(visit).possible_states) == {"granted", "denied"}
