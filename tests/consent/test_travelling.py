"""Where standard strings travel: queries of any request, bodies of consent systems, apps; and what they then decide."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pixelwitness.exchange import Exchange, Response
from pixelwitness.ingest import observe_request, observe_response
from pixelwitness.observations import Signal
from support import BOOK, SHOP, START, hit, judged, mark, page, rules

DENIED = "CPubvkAPubvkAAHABBENDMCgAAAAAAAAAB5YAAAAAAAA.YAAAAAAAAAAA"
GRANTED = "COv_eg6Ov_eg6AOADBENAaCgAP_AAH_AACiQAVEUQQoAIQAqIoghAAQgAA.YAAAAAAAAAAAAAAAAAA"
OPTED_OUT = "DBABLA~BVQVAAAAAAGA.YA"


def third_party(url: str, at: int = 500, **more: Any) -> Exchange:
    return Exchange("c", START + at, more.pop("method", "GET"), url, (("Referer", SHOP),), **more)


def said(exchange: Exchange) -> list[Signal]:
    return [*observe_request(exchange, BOOK).signals, *observe_response(exchange, BOOK).signals]


@pytest.mark.parametrize(
    ("query", "expect"),
    [
        (f"gdpr=1&gdpr_consent={DENIED}", [("tcf", "denied", None)]),
        (f"gdpr_consent={GRANTED}", [("tcf", None, None)]),
        ("us_privacy=1YYN", [("usp", None, True)]),
        ("US_PRIVACY=1YNN", [("usp", None, False)]),
        (f"gpp={OPTED_OUT}&gpp_sid=7", [("gpp", None, True), ("gpp", None, True)]),  # the opt-out, and its own GPC
        (f"gpp={OPTED_OUT}&gpp_sid=-1", [("gpp", None, None), ("gpp", None, True)]),
        (f"gpp={OPTED_OUT.replace('~', '%7E')}", [("gpp", None, True), ("gpp", None, True)]),
        ("addtl_consent=2~7.12~dv.9", [("ac", None, None)]),
        ("gcs=G100&gcd=13p3p3p3p5l1&npa=1", [("google", None, None)]),
        ("gdpr=1", [("tcf", None, None)]),
        ("gdpr=0", []),
        ("gdpr_consent=${GDPR_CONSENT_755}&us_privacy=${US_PRIVACY}&gpp=", []),
    ],
)
def test_a_query_of_any_third_party(query: str, expect: list[tuple[str, str | None, bool | None]]) -> None:
    found = said(third_party(f"https://sync.ads.example/px?x=1&{query}"))
    assert [(s.cmp, s.state, s.opt_out) for s in found] == expect
    assert all(s.page == SHOP for s in found)


def test_gdpr_applies_stands_beside_the_string() -> None:
    (one,) = said(third_party(f"https://ads.example/?gdpr=0&gdpr_consent={DENIED}"))
    assert one.detail["gdpr_applies"] is False


def test_google_only_corroborates() -> None:
    (one,) = said(third_party("https://www.google-analytics.com/g/collect?gcs=G111&gcd=13r3r3r3r5l1&npa=0&dma=1"))
    assert (one.source, one.level, one.state) == ("google", "none", None)
    assert one.detail["answered"] == "granted by an update"
    assert (one.detail["npa"], one.detail["dma"]) == (False, True)
    visit = [page(0), third_party("https://www.google-analytics.com/g/collect?gcs=G111&gcd=13r3r3r3r5l1"), hit(900)]
    without = judged([visit[0], visit[2]])
    assert judged(visit).verdicts[-1].consent_state == without.verdicts[-1].consent_state


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"consent": {"tcString": DENIED}}),
        json.dumps({"payload": json.dumps({"euconsent": DENIED})}),
        f"id=1&tc={DENIED}&x=2",
    ],
)
def test_a_body_that_a_consent_system_gets(body: str) -> None:
    exchange = third_party("https://cdn.privacy-mgmt.com/wrapper/v2/choice/gdpr/1", method="POST", body=body.encode())
    assert [(s.cmp, s.state) for s in said(exchange) if s.source == "body"] == [("tcf", "denied")]


def test_a_string_that_is_sent_without_a_choice_may_be_a_default() -> None:
    body = json.dumps({"tc": DENIED, "uspString": "1YYN"}).encode()
    for url in ("https://cdn.privacy-mgmt.com/wrapper/v2/pv-data", "https://api.privacy-center.org/v1/events"):
        exchange = third_party(url, method="POST", body=body)
        found = [s for s in said(exchange) if s.source == "body"]
        assert [(s.cmp, s.state, s.reason, s.opt_out) for s in found] == [
            ("tcf", None, None, None),
            ("usp", None, None, True),
        ]
        assert judged([page(0, cookie="a=1"), exchange, hit(5_000)]).verdicts[-1].consent_state != "denied"
    clicked = third_party("https://api.privacy-center.org/v1/events", method="POST",
                          body=json.dumps({"type": "consent.given", "tc": DENIED}).encode())  # fmt: skip
    assert [s.state for s in said(clicked) if s.source == "body"] == ["denied"]


def test_what_a_consent_system_answers_may_be_its_default() -> None:
    answer = Response(START + 600, 200, (), json.dumps({"euconsent": DENIED, "uspstring": "1YYN"}).encode())
    exchange = third_party("https://cdn.privacy-mgmt.com/wrapper/v2/messages", response=answer)
    found = [s for s in said(exchange) if s.source == "body"]
    assert [(s.cmp, s.state, s.opt_out) for s in found] == [("tcf", None, None), ("usp", None, None)]
    assert found[0].detail["purposes"] == []


def test_a_gpp_opt_out_that_travelled_binds_in_california() -> None:
    visit = [page(0), third_party(f"https://ads.example/?gpp={OPTED_OUT}&gpp_sid=7", 200), page(400), hit(900)]
    assert "opt-out-ignored" in rules(judged(visit), "us-ca")
    unknown = [page(0), third_party("https://ads.example/?gpp=DBABLA~DVQVAAAAAAGA&gpp_sid=7", 200), page(400), hit(900)]
    assert "opt-out-ignored" not in rules(judged(unknown), "us-ca")


# --- apps ----------------------------------------------------------------------------------------------------------


def batch(at: int, device: dict[str, Any], **more: Any) -> Exchange:
    message = {
        "type": "track", "event": "Purchase", "timestamp": "2026-11-18T00:00:00Z",
        "context": {"app": {"namespace": "com.shop.app"}, "device": device, "library": {"name": "tiktok/tiktok-business-ios-sdk"}},
        **more,
    }  # fmt: skip
    body = json.dumps({"tiktok_app_id": "7", "event_source": "APP_EVENTS_SDK", "batch": [message]}).encode()
    return Exchange("phone", START + at, "POST", "https://analytics.us.tiktok.com/api/v1/app_sdk/batch",
                    (("Content-Type", "application/json"),), body)  # fmt: skip


@pytest.mark.parametrize(("status", "meaning"), [("DENIED", "refused"), ("AUTHORIZED", "allowed"), (0, "not asked")])
def test_a_tracking_permission_is_shown_and_decides_nothing(status: Any, meaning: str) -> None:
    exchange = batch(0, {"platform": "ios", "att_status": status})
    (one,) = said(exchange)
    assert (one.source, one.name, one.property) == ("app", "att_status", "com.shop.app")
    assert one.detail["permission"] == meaning
    found = judged([exchange]).verdicts[-1]
    assert (found.property, found.consent_state) == ("com.shop.app", "unknown")
    assert found.unknown_because == ("app_consent_unknown",)
    assert found.verdicts["eu"] == "unverified"


def test_a_mark_speaks_of_an_app() -> None:
    found = judged([batch(5_000, {})], [mark(0, "clicked reject", property="com.shop.app")])
    assert found.verdicts[-1].consent_state == "denied"
    assert "fired-after-denial" in rules(found, "eu")


def test_a_string_in_the_apps_own_message() -> None:
    found = judged([batch(0, {}), batch(5_000, {}, properties={"IABTCF_TCString": DENIED})])
    assert found.verdicts[0].consent_state == "unknown"
    assert found.verdicts[-1].consent_state == "denied"


def test_a_call_of_a_mobile_consent_sdk_speaks_of_the_only_app() -> None:
    call = Exchange("phone", START, "POST", "https://mobile.privacy-mgmt.com/wrapper/v2/choice/gdpr/1", (),
                    json.dumps({"IABTCF_TCString": DENIED}).encode())  # fmt: skip
    assert judged([call, batch(5_000, {})]).verdicts[-1].consent_state == "denied"
    other = Exchange("phone", START + 10, "GET", "https://www.news.example/", (("Sec-Fetch-Dest", "document"),))
    assert judged([call, other, batch(5_000, {})]).verdicts[-1].consent_state == "unknown", "it may be the browser's"


def test_a_string_that_names_no_tiktok_is_no_missing_mechanism() -> None:
    for cookie in ("addtl_consent=2~7.12~dv.9", f"euconsent-v2={GRANTED}"):
        found = judged([page(0), page(1_000, cookie=cookie), hit(1_500)]).verdicts[-1]
        assert (found.consent_state, found.verdicts["eu"]) == ("unknown", "unverified"), cookie
