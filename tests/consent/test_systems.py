"""Consent systems in a visit: configurations, calls, names that collide, two systems, GPC, and what reading costs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pixelwitness.consent import cookies as reader
from pixelwitness.consent.decoders import DECODERS
from pixelwitness.consent.read import read_cookies
from pixelwitness.exchange import Exchange, Response, iso
from support import BOOK, SHOP, START, asset, cmp_script, hit, judged, observe, page, verdict

UUID = "0e2b6a8e-1111-4222-8333-444455556666"


def answer(
    at: int, url: str, body: str, *, method: str = "GET", sent: str = "", headers: tuple[tuple[str, str], ...] = ()
) -> Exchange:  # fmt: skip
    """A request of the shop's page and what came back."""
    made = Exchange("c", START + at, method, url, (("Referer", SHOP), ("Sec-Fetch-Dest", "empty")), sent.encode())
    return replace(made, response=Response(START + at + 20, 200, headers, body.encode()))


def onetrust_config(at: int, **groups: list[str]) -> Exchange:
    """OneTrust's group JSON: category to the cookies and hosts that the site put there."""
    made = [
        {
            "CustomGroupId": name,
            "FirstPartyCookies": [{"Name": n} for n in names if "." not in n],
            "Hosts": [{"HostName": n, "Cookies": []} for n in names if "." in n],
        }
        for name, names in groups.items()
    ]
    url = f"https://cdn.cookielaw.org/consent/{UUID}/{UUID}/en.json"
    return answer(at, url, json.dumps({"DomainData": {"Groups": made}}))


def onetrust_cookie(groups: str) -> str:
    return f"OptanonConsent=landingPath=NotLandingPage&groups={groups}; OptanonAlertBoxClosed={iso(START - 60_000)}"


# --- which category TikTok is in -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "groups", "state"),
    [
        ({"C0008": ["_ttp"]}, "C0001%3A1%2CC0008%3A1%2CC0009%3A0", "granted"),
        ({"C0009": ["tiktok.com"]}, "C0001%3A1%2CC0008%3A1%2CC0009%3A0", "denied"),
        ({"C0002": ["_ttp", "analytics.tiktok.com"]}, "C0001%3A1%2CC0002%3A1%2CC0004%3A0", "granted"),
        ({"C0002": ["_ttp"]}, "C0001%3A1%2CC0002%3A0%2CC0004%3A1", "denied"),
        ({"C0002": ["_ttp"], "C0004": ["tiktok.com"]}, "C0001%3A1%2CC0002%3A1%2CC0004%3A0", "denied"),
        ({"C0004": ["nottiktok.com", "_ga"]}, "C0001%3A1%2CC0008%3A1%2CC0009%3A0", "unknown"),
        # What is always on is no consent of anybody: then advertising decides.
        ({"C0001": ["_ttp"]}, "C0001%3A1%2CC0004%3A0", "denied"),
    ],
)
def test_onetrusts_groups_say_where_tiktok_is(config: dict[str, list[str]], groups: str, state: str) -> None:
    visit = [page(0, cookie=onetrust_cookie(groups)), cmp_script(50), onetrust_config(100, **config), hit(500)]
    assert verdict(visit).consent_state == state


@pytest.mark.parametrize(
    ("table", "statistics", "marketing", "state"),
    [("Statistics", True, False, "granted"), ("Advertising", True, False, "denied"), ("Statistics", False, True, "denied"),
     ("Necessary", True, False, "denied")],
)  # fmt: skip
def test_cookiebots_tables_say_where_tiktok_is(table: str, statistics: bool, marketing: bool, state: str) -> None:
    script = (
        "CookieConsentDialog.cookieTableNecessary = [['a','shop.example','it\\'s [one]']];\n"
        f"CookieConsentDialog.cookieTable{table} = [['_ga','Google','x','2 years','HTTP',1],['_ttp','tiktok.com','x']];\n"
    )
    flags = f"preferences:false,statistics:{statistics},marketing:{marketing}".lower()
    cookie = f"CookieConsent={{stamp:'x==',necessary:true,{flags},method:'explicit',ver:1,utc:{START - 60_000}}}"
    visit = [page(0, cookie=cookie), answer(100, f"https://consent.cookiebot.com/{UUID}/cc.js", script), hit(500)]
    assert verdict(visit).consent_state == state


def test_a_call_is_judged_by_tiktoks_category_too() -> None:
    script = "CookieConsentDialog.cookieTableStatistics = [['_ttp','tiktok.com','x']];"
    config = answer(100, f"https://consent.cookiebot.com/{UUID}/cc.js", script)
    click = "https://consent.cookiebot.com/logconsent.ashx?action=accept&clp=false&cls=true&clm=false"
    assert verdict([page(0, cookie="a=1"), config, answer(2000, click, ""), hit(9000)]).consent_state == "granted"


COOKIEYES = "https://cdn-cookieyes.com/client_data/0123456789abcdef/script.js"


@pytest.mark.parametrize(
    ("category", "cookie", "state"),
    [
        ("analytics", "action:yes,necessary:yes,analytics:yes,advertisement:no", "granted"),
        ("analytics", "action:yes,necessary:yes,analytics:no,advertisement:yes", "denied"),
        ("social", "action:yes,necessary:yes,analytics:yes,advertisement:no,social:yes", "granted"),
        ("advertisement", "action:yes,necessary:yes,analytics:yes,advertisement:no", "denied"),
        ("necessary", "action:yes,necessary:yes,analytics:yes,advertisement:no", "denied"),
        ("analytics", "action:,necessary:yes,analytics:yes,advertisement:no", "unanswered"),
    ],
)
def test_cookieyes_script_says_where_tiktok_is(category: str, cookie: str, state: str) -> None:
    made = [{"slug": "necessary", "cookies": [{"cookieID": "sid"}]}]
    made += [{"slug": category, "cookies": [{"cookieID": "_ga"}, {"cookieID": "_ttp", "domain": ".tiktok.com"}]}]
    script = f"var config={json.dumps({'categories': made})};"
    visit = [
        page(0, cookie=f"cookieyes-consent=consentid:a,consent:yes,{cookie}"),
        answer(50, COOKIEYES, script),
        hit(500),
    ]
    assert verdict(visit).consent_state == state


AGGREGATE = "https://aggregator.service.usercentrics.eu/aggregate/en?templates=ttTemplate@1.0.0"
TEMPLATES = '{"templates":[{"templateId":"ttTemplate","dataProcessor":"TikTok Pixel"},{"templateId":"ga","dataProcessor":"GA"}]}'
SAVED = "https://consent-api.service.consent.usercentrics.eu/consent/uw/3"


@pytest.mark.parametrize(
    ("action", "tiktok", "named", "state"),
    [
        ("onUpdateServices", True, True, "granted"),
        ("onUpdateServices", False, True, "denied"),
        ("onUpdateServices", True, False, "unknown"),
        ("onAcceptAllServices", True, False, "granted"),
        ("onDenyAllServices", False, False, "denied"),
        ("onInitialPageLoad", True, True, "unknown"),
        ("onNonEURegion", True, True, "unknown"),
    ],
)
def test_usercentrics_call_says_what_was_done_to_tiktoks_service(
    action: str, tiktok: bool, named: bool, state: str
) -> None:
    consents = [
        {"consentTemplateId": "ttTemplate", "consentStatus": tiktok},
        {"consentTemplateId": "ga", "consentStatus": not tiktok},
    ]
    click = answer(2_000, SAVED, "", method="POST", sent=json.dumps({"action": action, "consents": consents}))
    settings = [answer(100, AGGREGATE, TEMPLATES)] if named else []
    assert verdict([page(0, cookie="a=1"), *settings, click, hit(9_000)]).consent_state == state


@pytest.mark.parametrize(
    "url", [COOKIEYES, AGGREGATE, f"https://app.termly.io/api/v1/snippets/websites/{UUID}/cookies"], ids=["a", "b", "c"]
)
@pytest.mark.parametrize(
    "body", ["", "[" * 50_000, '{"slug":' * 9_000, '{"templateId":7,"x":"tiktok.com"}', '[["_ttp"]]']
)
def test_a_damaged_configuration_of_another_system_says_nothing(url: str, body: str) -> None:
    assert not [s for s in observe([page(0), answer(100, url, body)]).signals if s.source == "cmp_config"]


@pytest.mark.parametrize(
    "body", ["", "[", '{"DomainData":7}', '{"DomainData":{"Groups":[7,{"Hosts":7}]}}', "[" * 50_000]
)
def test_a_damaged_configuration_says_nothing(body: str) -> None:
    url = f"https://cdn.cookielaw.org/consent/{UUID}/{UUID}/en.json"
    visit = [page(0, cookie=onetrust_cookie("C0001%3A1%2CC0004%3A1")), answer(100, url, body), hit(500)]
    assert verdict(visit).consent_state == "granted"


# --- calls at the moment of the click --------------------------------------------------------------------------------


def call(at: int, url: str, sent: Any = "") -> Exchange:
    return answer(at, url, "", method="POST", sent=sent if isinstance(sent, str) else json.dumps(sent))


def test_a_call_without_its_answer_ends_the_unanswered_state() -> None:
    event = call(2000, "https://api.privacy-center.org/v1/events", {"type": "consent.given"})
    token = "didomi_token=" + json.dumps({"user_id": "1", "created": iso(START)})
    v = verdict([page(0, cookie=token), event, hit(6000)])
    assert (v.consent_state, v.possible_states) == ("unknown", ("granted", "denied"))


def test_an_answer_with_a_stamp_says_what_the_call_did_not() -> None:
    event = call(2000, "https://api.privacy-center.org/v1/events", {"type": "consent.given"})
    token = {"user_id": "1", "updated": iso(START + 1990), "vendors": {"enabled": ["c:tiktok-WbypA3Zd"]}}
    visit = [page(0, cookie="a=1"), event, hit(6000), asset(9000, cookie="didomi_token=" + json.dumps(token))]
    assert judged(visit).verdicts[-1].consent_state == "granted"


@pytest.mark.parametrize(
    "url",
    ["https://consent-api.service.consent.usercentrics.eu/consent/uw/3", "https://consent.api.osano.com/record",
     "https://log.cookieyes.com/api/v1/log", "https://cdn.privacy-mgmt.com/wrapper/v2/choice/gdpr/12"],
)  # fmt: skip
def test_a_call_that_is_also_made_when_a_page_loads_is_no_answer(url: str) -> None:
    signals = [s for s in observe([call(0, url, {"type": "x"})]).signals if s.source == "cmp_call"]
    assert [(s.state, s.reason, s.choice_made) for s in signals] == [(None, None, None)]


# --- names that collide, and several systems -------------------------------------------------------------------------


def test_another_systems_value_under_a_name_is_not_taken_for_it() -> None:
    for header in ("CookieConsent=mandatory|external", "OptanonConsent=isMarketing=0", "klaro=1", "tcm=7"):
        v = verdict([page(0, cookie=header), hit(500)])
        assert (v.consent_state, v.unknown_because, v.cmp) == ("unknown", ("home_made_consent",), None)


def test_a_known_systems_cookie_under_the_sites_own_name() -> None:
    assert verdict([page(0, cookie="mes_cookies_consent=!tiktok=false!gtag=true"), hit(500)]).cmp == "tarteaucitron"


def test_a_system_that_nobody_can_read_is_named() -> None:
    j = judged([page(0, cookie="osano_consentmanager=UxUjGcbzh4u_-ihTq6cHngJZPMTBrJYFeI84F9RiXsWCTZCE"), hit(500)])
    assert (j.verdicts[-1].consent_state, j.verdicts[-1].cmp) == ("unknown", "osano")
    assert [(b.kind, b.detail) for b in j.blind_spots] == [("opaque_store", "Osano")]
    loaded = judged([page(0, cookie="a=1"), cmp_script(50, "https://cmp.osano.com/x/osano.js"), hit(500)])
    assert ("opaque_store", "Osano") in [(b.kind, b.detail) for b in loaded.blind_spots]


def test_a_policy_from_a_consent_systems_host_is_no_consent_system() -> None:
    policy = cmp_script(50, "https://cdn.iubenda.com/iubenda.js")
    visit = [page(0, cookie=onetrust_cookie("C0001%3A1%2CC0004%3A1")), cmp_script(40), policy, hit(500)]
    assert verdict(visit).consent_state == "granted"


def test_of_one_systems_cookies_the_one_that_says_most_counts() -> None:
    jar = "notice_behavior=implied,us; notice_gdpr_prefs=0:; cmapi_cookie_privacy=permit 1,2,3; TAconsentID=x"
    assert [(n, r.state) for n, _, r in read_cookies(jar, BOOK)] == [("notice_gdpr_prefs", "denied")]


# --- GPC and Do Not Track --------------------------------------------------------------------------------------------


def test_gpc_json_is_the_sites_word_and_no_answer() -> None:
    file = answer(100, SHOP + ".well-known/gpc.json", '{"gpc": true, "lastUpdate": "2025-04-15"}')
    rows = observe([page(0, cookie="a=1"), file])
    said = [s for s in rows.signals if s.name == "gpc.json"]
    assert [(s.source, s.host, s.detail) for s in said] == [
        ("body", "www.shop.example", {"gpc": True, "last_update": "2025-04-15"})
    ]
    assert verdict([page(0, cookie="a=1"), file, hit(500)]).opt_outs == ()


def test_do_not_track_is_recorded_and_never_scored() -> None:
    visit = [page(0, cookie="a=1", headers=[("DNT", "1")]), hit(500)]
    assert [s.name for s in observe(visit).signals if s.detail.get("dnt")] == ["DNT"]
    assert verdict(visit) == verdict([page(0, cookie="a=1"), hit(500)])


# --- what it costs ---------------------------------------------------------------------------------------------------


def test_an_unchanged_header_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def counting(name: str) -> Any:
        decode = DECODERS[name]
        return lambda *given: (calls.append(name), decode(*given))[1]

    for name in list(DECODERS):
        monkeypatch.setitem(DECODERS, name, counting(name))
    reader._read_header.cache_clear()
    reader._read_jar.cache_clear()
    busy = "; ".join(f"c{i}={'x' * 125}" for i in range(58))
    header = f"{busy}; {onetrust_cookie('C0001%3A1%2CC0004%3A0')}"
    assert len(header) > 7_500
    first = read_cookies(header, BOOK)
    once = len(calls)
    assert once == 1
    for _ in range(100):
        assert read_cookies("".join(header), BOOK) == first
    assert len(calls) == once
    # A counter that changes with every request costs no decoding either.
    for i in range(100):
        assert read_cookies(f"{header}; _ga_X=GS1.{i}", BOOK) == first
    assert len(calls) == once
    assert read_cookies(header.replace("C0004%3A0", "C0004%3A1"), BOOK) != first
    assert len(calls) == once + 1


# --- a name that does not sound of consent ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cookie", "state"),
    [
        ('shop_prefs={"tiktok":true,"matomo":false}', "unknown"),
        ("shop_prefs=%7B%22tiktokPixel%22%3Afalse%7D", "unknown"),
        ('shop_prefs={"marketing":0,"basics":1}', "unknown"),
        ('shop_prefs={"dark":true,"newcart":false}', "unanswered"),
        ('shop_prefs={"tiktok":"https://tiktok.com/@shop"}', "unanswered"),
    ],
)
def test_services_under_a_name_of_the_sites_own_may_be_the_answer(cookie: str, state: str) -> None:
    klaro = cmp_script(50, "https://cdn.kiprotect.com/klaro/v0.7/klaro.js")
    visit = [page(0, cookie="a=1"), klaro, page(5_000, cookie=f"a=1; {cookie}"), klaro, hit(6_000)]
    assert verdict(visit).consent_state == state


CALLS = [
    ("onetrust", "POST", "https://privacyportal-eu.onetrust.com/request/v1/consentreceipts", {"purposes": [{"Id": "a", "TransactionType": "OPT_OUT"}]}, "denied", True),
    ("onetrust", "POST", "https://privacyportal-uat.onetrust.com/request/v1/consentreceipts", {"purposes": [{"Id": "a", "TransactionType": "CONFIRMED"}]}, None, True),
    ("cookiebot", "GET", "https://consent.cookiebot.com/logconsent.ashx?action=accept&nocache=1&dnt=false&method=strict&clp=true&cls=true&clm=true&cbid=x&cbt=leveloptin&hasdata=true&usercountry=DE&bulk=&referer=x&rc=false", None, "granted", True),
    ("cookiebot", "GET", "https://consent.cookiebot.eu/logconsent.ashx?action=decline&clp=false&cls=false&clm=false&usercountry=AT", None, "denied", True),
    ("sourcepoint", "POST", "https://cdn.privacy-mgmt.com/wrapper/v2/choice/gdpr/13?env=prod", {}, "denied", True),
    ("sourcepoint", "POST", "https://cmp.shop.example/wrapper/v2/choice/gdpr/11?env=prod", {}, None, True),
    ("sourcepoint", "POST", "https://cdn.privacy-mgmt.com/wrapper/v2/choice/usnat/13", {}, "denied", True),
    ("sourcepoint", "GET", "https://cdn.privacy-mgmt.com/wrapper/v2/choice/consent-all?env=prod", None, None, True),
    ("sourcepoint", "POST", "https://cdn.privacy-mgmt.com/wrapper/v2/choice/gdpr/12", {}, None, None),
    ("didomi", "POST", "https://api.privacy-center.org/v1/events", {"type": "consent.given"}, None, True),
    ("usercentrics", "POST", SAVED, {"action": "onDenyAllServices", "consents": []}, "denied", True),
    ("usercentrics", "POST", SAVED, {"action": "onInitialPageLoad", "consents": []}, None, None),
    ("osano", "POST", "https://consent.api.osano.com/record", {}, None, None),
    ("cookieyes", "POST", "https://log.cookieyes.com/api/v1/log", {}, None, None),
    ("shopify", "POST", "https://www.shop.example/set_tracking_consent.json", {}, None, True),
    ("fides", "PATCH", "https://privacy.shop.example/api/v1/privacy-preferences", {}, None, True),
]  # fmt: skip


@pytest.mark.parametrize(("cmp", "method", "url", "sent", "state", "chose"), CALLS)
def test_a_call_of_a_consent_system_is_a_signal_at_its_moment(
    cmp: str, method: str, url: str, sent: Any, state: str | None, chose: bool | None
) -> None:
    made = answer(2_000, url, "", method=method, sent="" if sent is None else json.dumps(sent))
    (signal,) = [s for s in observe([made]).signals if s.source == "cmp_call"]
    assert (signal.cmp, signal.observed_at, signal.state, signal.choice_made) == (cmp, START + 2_000, state, chose)
    after = verdict([page(0, cookie="a=1"), made, hit(9_000)]).consent_state
    # One that is also made when a page loads leaves an empty jar what it is: nobody has answered.
    assert after == (state or "unknown") or (cmp, chose, after) == ("cookieyes", None, "unanswered")
