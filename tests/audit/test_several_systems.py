"""Captures in, findings out: two consent systems on one site, one replaced by another, names that collide, values that
are encoded twice and three times, cookies of 64 KB."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from pixelwitness.exchange import iso
from support import START, asset, cmp_script, hit, judged, onetrust, page, rules, verdict

COOKIEBOT_JS = "https://consent.cookiebot.com/uc.js"
YES, NO = True, False
BOT = "CookieConsent={{stamp:'x==',necessary:true,preferences:true,statistics:true,marketing:{},method:'explicit',ver:1,utc:{}}}"


def cookiebot(allowed: bool, at: int = -60_000) -> str:
    return BOT.format(str(allowed).lower(), START + at)


# --- two systems on one site ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "state", "broken"),
    [
        (YES, YES, "granted", False),
        (YES, NO, "denied", True),
        (NO, YES, "denied", True),
        (NO, NO, "denied", True),
    ],
)
def test_of_two_systems_that_both_run_the_stricter_counts(one: bool, other: bool, state: str, broken: bool) -> None:
    jar = f"{onetrust(one, at=-60_000)}; {cookiebot(other)}"
    j = judged([page(0, cookie=jar), cmp_script(20), cmp_script(30, COOKIEBOT_JS), hit(500), asset(900, cookie=jar)])
    assert j.verdicts[-1].consent_state == state
    assert ("fired-after-denial" in rules(j, "eu")) is broken


def test_two_cookies_of_which_one_system_runs() -> None:
    """The other one's is left over from before a move: shown, not used."""
    jar = f"{onetrust(YES, at=-60_000)}; {cookiebot(NO)}"
    v = verdict([page(0, cookie=jar), cmp_script(20), hit(500), asset(900, cookie=jar)])
    assert v.consent_state == "granted"
    jar = f"{onetrust(NO, at=-60_000)}; {cookiebot(YES)}"
    v = verdict([page(0, cookie=jar), cmp_script(20), hit(500), asset(900, cookie=jar)])
    assert v.consent_state == "denied"


def test_a_shop_platforms_default_beside_the_shops_own_system_does_not_grant() -> None:
    """Shopify writes its state on every shop, whatever consent system the shop has."""
    shopify = f"_tracking_consent={quote('3.AMPS_DEBE_f_f_x')}"
    jar = f"{shopify}; {cookiebot(NO)}"
    v = verdict([page(0, cookie=jar), cmp_script(30, COOKIEBOT_JS), hit(500), asset(900, cookie=jar)])
    assert v.consent_state == "denied"


def test_one_answered_and_one_untouched_system() -> None:
    jar = f"{onetrust(None)}; {cookiebot(YES)}"
    v = verdict([page(0, cookie=jar), cmp_script(20), cmp_script(30, COOKIEBOT_JS), hit(500), asset(900, cookie=jar)])
    assert (v.consent_state, v.verdicts["eu"]) == ("unanswered", "violation")


TC_NO = "euconsent-v2=CPubvkAPubvkAAHABBENDMCgAAAAAAAAAB5YAAAAAAAA.YAAAAAAAAAAA"


def test_a_tc_string_speaks_for_a_system_whose_own_cookie_cannot_be_read() -> None:
    jar = f"consentUUID=df1f080d-e581-4702-a479-f8c8bc267d12_34; {TC_NO}"
    v = verdict([page(0, cookie=jar), hit(500), asset(900, cookie=jar)])
    assert (v.consent_state, v.verdicts["eu"]) == ("denied", "violation")


def test_a_tc_string_overrules_no_system_that_can_be_read() -> None:
    jar = f"{onetrust(YES, at=-60_000)}; {TC_NO}"
    assert verdict([page(0, cookie=jar), hit(500), asset(900, cookie=jar)]).consent_state == "granted"
    # Nor does one from before a choice, once the choice may have been made.
    jar = f"{onetrust(None)}; {TC_NO}"
    late = verdict([page(0, cookie=jar), hit(30_000)])
    assert (late.consent_state, late.verdicts["eu"]) == ("unknown", "unverified")


# --- one replaced in the middle ----------------------------------------------------------------------------------------


def test_a_new_system_asks_again() -> None:
    """The site moves from OneTrust to Cookiebot during the visit; the old cookie stays in the jar."""
    old, new = onetrust(YES, at=-60_000), cookiebot(NO, 25_000)
    visit = [
        page(0, cookie=old), cmp_script(20), hit(500), asset(900, cookie=old),
        page(20_000, cookie=old), cmp_script(20_050, COOKIEBOT_JS), hit(20_500),
        page(40_000, cookie=f"{old}; {new}"), cmp_script(40_050, COOKIEBOT_JS), hit(40_500), asset(41_000, cookie=f"{old}; {new}"),
    ]  # fmt: skip
    said = [v.consent_state for v in judged(visit).verdicts]
    assert said[0] == "granted"
    assert said[1] != "granted", "the new system has not been answered"
    assert said[2] == "denied"


def test_an_old_refusal_does_not_outlive_its_system_as_an_accusation() -> None:
    old, new = onetrust(NO, at=-60_000), cookiebot(YES, 25_000)
    visit = [
        page(0, cookie=old), cmp_script(20), asset(900, cookie=old),
        page(40_000, cookie=f"{old}; {new}"), cmp_script(40_050, COOKIEBOT_JS), hit(40_500), asset(41_000, cookie=f"{old}; {new}"),
    ]  # fmt: skip
    j = judged(visit)
    assert "fired-after-denial" not in rules(j, "eu")
    assert j.verdicts[-1].verdicts["eu"] == "unverified"


# --- names that collide ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        "CookieConsent=true", "CookieConsent=1", 'CookieConsent={"timestamp":1700000000}', "CookieConsent=-2",
        "CookieConsent=marketing", "OptanonConsent=1", "OptanonConsent=isMarketing=1&isStatistic=1",
        "cookieconsent_status=17", "consent-policy=accepted", "tcm=1", "c15t=yes", "fs-cc=true", "klaro=all",
        "didomi_token=abc", "CookieControl=1", "cookiehub=eyJhIjoxfQ==", "_iub_cs-1=true", "cc_cookie=ok",
        "cookiefirst-consent=yes", "CONSENTMGR=accepted", "TC_PRIVACY=1", "axeptio_cookies=1", "notice_preferences=all",
        "euconsent-v2=1", "usprivacy=yes", "CookieScriptConsent=1", "tracking-preferences=1", "moove_gdpr_popup=1",
    ],
)  # fmt: skip
def test_a_value_of_another_shape_under_a_known_name_decides_nothing(header: str) -> None:
    j = judged([page(0, cookie=header), hit(500), asset(900, cookie=header)])
    v = j.verdicts[-1]
    assert (v.consent_state, v.verdicts["eu"], v.cmp) == ("unknown", "unverified", None)
    assert not rules(j, "eu") - {"plaintext-identifier"}


# --- encoded twice and three times -------------------------------------------------------------------------------------

VALUES = [
    ("klaro", json.dumps({"tiktok": False, "matomo": True}), "denied"),
    ("borlabs-cookie", json.dumps({"consents": {"essential": ["b"], "marketing": ["tiktok-pixel"]}}), "granted"),
    ("cookieyes-consent", "consentid:a,consent:no,action:yes,necessary:yes,advertisement:no", "denied"),
    ("CookieInformationConsent", json.dumps({"consents_approved": ["cookie_cat_marketing"], "consents_denied": []}), "granted"),
    ("moove_gdpr_popup", json.dumps({"strict": "1", "thirdparty": "0", "advanced": "0"}), "denied"),
    ("consent-policy", json.dumps({"ess": 1, "func": 1, "anl": 1, "adv": 1}), "granted"),
    ("CONSENTMGR", "c1:0|c3:0|ts:1763460000000|consent:false", "denied"),
    ("__hs_cookie_cat_pref", "1:true,2:true,3:true", "granted"),
    ("TC_PRIVACY", f"1@032|1|4525@@2@{START - 60_000},{START - 60_000},{START + 10**9}@", "denied"),
    ("tarteaucitron", "!tiktok=true!gtag=false", "granted"),
    ("_iub_cs-1", json.dumps({"purposes": {"1": True, "5": False}, "id": 1}), "denied"),
    ("OptanonConsent", "isGpcEnabled=0&landingPath=NotLandingPage&groups=C0001%3A1%2CC0004%3A0", "denied"),
    ("euconsent-v2", "CPubvkAPubvkAAHABBENDMCgAAAAAAAAAB5YAAAAAAAA.YAAAAAAAAAAA", "denied"),
    ("notice_gdpr_prefs", "0,1,2:", "granted"),
    ("cc_cookie", json.dumps({"categories": ["necessary"], "revision": 0}), "denied"),
    ("fides_consent", json.dumps({"consent": {"marketing": True}, "fides_meta": {"consentMethod": "accept"}}), "granted"),
]  # fmt: skip


@pytest.mark.parametrize("times", [0, 1, 2])
@pytest.mark.parametrize(("name", "value", "state"), VALUES, ids=[v[0] for v in VALUES])
def test_a_value_is_read_however_often_it_is_encoded(name: str, value: str, state: str, times: int) -> None:
    for _ in range(times):
        value = quote(value, safe="")
    header = f"{name}={value}"
    v = verdict([page(0, cookie=header), hit(500), asset(900, cookie=header)])
    # A value with stamps of long ago has run out by now: what it says is then open.
    assert v.consent_state == state or (name == "CONSENTMGR" and v.consent_state in ("denied", "unknown"))


# --- 64 KB -------------------------------------------------------------------------------------------------------------


def test_a_cookie_of_64_kb_is_read_up_to_the_bound_and_doubted_beyond_it() -> None:
    services = {f"service-{i}": True for i in range(900)}
    fits = f"klaro={quote(json.dumps({'tiktok': False, **services}, separators=(',', ':')))}"
    assert 15_000 < len(fits) < 65_536
    assert verdict([page(0, cookie=fits), hit(500), asset(900, cookie=fits)]).consent_state == "denied"
    pad = "x" * 66_000
    for header in (
        f'klaro={{"tiktok":true,"a":"{pad}"}}',
        f"OptanonConsent=landingPath=NotLandingPage&groups=C0004%3A1&x={pad}",
    ):
        v = verdict([page(0, cookie=header), hit(500), asset(900, cookie=header)])
        assert (v.consent_state, v.verdicts["eu"]) == ("unknown", "unverified")


def test_a_huge_cookie_of_somebody_else_hides_nothing() -> None:
    jar = f"junk={'x' * 64_000}; {onetrust(NO, at=-60_000)}; more={'%7B' * 20_000}"
    j = judged([page(0, cookie=jar), hit(500), asset(900, cookie=jar)])
    assert "fired-after-denial" in rules(j, "eu")


def test_a_stamp_of_an_answer_that_ran_out_is_no_answer() -> None:
    old = onetrust(YES, at=-400 * 86_400_000)
    v = verdict([page(0, cookie=old), hit(500), asset(900, cookie=old)])
    assert v.consent_state == "unknown", iso(START)
