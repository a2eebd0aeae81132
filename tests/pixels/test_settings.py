"""What a loader's body discloses, and what that will do."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwitness.exchange import Exchange, Response
from pixelwitness.identity.stamps import created_at
from pixelwitness.ingest import observe_request, observe_response
from pixelwitness.sources.files import read_capture
from support import BOOK, PIXEL, SHARED, START, body, har, hit, judged, needs_shared, page, script

PRETTY = """(function (g) {})({"_cc": "DE", "_plugins": {"AdvancedMatching": true, "AutoAdvancedMatching": true, "WebFL": false}},
 {"pixel": {"info": {"pixelCode": "CODE", "name": "Shop", "status": 0, "setupMode": 1, "partner": "Shopify",
  "firstPartyCookieEnabled": true}, "plugins": {"AdvancedMatching": {"email": true, "city": false},
  "AutoAdvancedMatching": {"auto_email": true, "auto_phone_number": false}}}});""".replace("CODE", PIXEL)  # fmt: skip
MINIFIED = (
    "ttq._cc='US';ttq._plugins={AdvancedMatching:!0,AutoAdvancedMatching:!0};ttq._i['CODE'].info={pixelCode:'CODE',name:'Shop',"
    "partner:'',firstPartyCookieEnabled:!1,AdvancedMatching:{email:!0},AutoAdvancedMatching:{auto_email:!0,auto_phone_number:!0}}").replace("CODE", PIXEL)  # fmt: skip


def loaded(at: int, text: str) -> Exchange:
    return replace(script(at), response=Response(START + at + 30, 200, (), text.encode()))


def settings(text: str) -> dict:
    (said,) = observe_response(loaded(0, text), BOOK).settings
    return said.model_dump(exclude={"id", "client", "at", "hit_id", "vendor", "host", "page"})


def test_a_loader_in_json() -> None:
    assert settings(PRETTY) == {
        "code": PIXEL, "name": "Shop", "partner": "Shopify", "setup_mode": "1", "status": "0", "first_party_cookies": True,
        "manual_matching": ("email",), "automatic_matching": ("auto_email",),
        "plugins": ("AdvancedMatching", "AutoAdvancedMatching"), "country": "DE",
    }  # fmt: skip


def test_a_minified_loader() -> None:
    said = settings(MINIFIED)
    assert (said["country"], said["first_party_cookies"], said["partner"]) == ("US", False, None)
    assert (said["manual_matching"], said["automatic_matching"]) == (("email",), ("auto_email", "auto_phone_number"))


def test_a_switched_off_plugin_takes_its_fields_with_it() -> None:
    assert (
        settings(PRETTY.replace('"AutoAdvancedMatching": true', '"AutoAdvancedMatching": false'))["automatic_matching"]
        == ()
    )


ON = '{"info":{"pixelCode":"%s","firstPartyCookieEnabled":true},"plugins":{"AutoAdvancedMatching":{"auto_email":true}}}'
OFF = ON.replace("true", "false")


@pytest.mark.parametrize(
    ("text", "automatic", "cookies"),
    [
        (ON % PIXEL + "," + OFF % "CL157I3C77U0G3VQN5MG", None, None),
        (OFF % PIXEL + "," + ON % "CL157I3C77U0G3VQN5MG", None, None),
        ("\ufeff" + ON % PIXEL + ",\n" + ON % "CL157I3C77U0G3VQN5MG", ("auto_email",), True),
        (ON % PIXEL + ',{"info":{"pixelCode":"CL157I3C77U0G3VQN5MG"}}', None, None),
    ],
    ids=["on, off", "off, on", "both on", "one says nothing"],
)
def test_no_pixel_is_given_the_settings_of_another_in_the_same_script(
    text: str, automatic: object, cookies: object
) -> None:
    said = observe_response(loaded(0, text), BOOK).settings
    assert [s.code for s in said] == [PIXEL, "CL157I3C77U0G3VQN5MG"]
    assert [(s.automatic_matching, s.first_party_cookies) for s in said] == [(automatic, cookies)] * 2


def test_settings_inside_a_string_of_the_script_are_not_read() -> None:
    inside = json.dumps(json.dumps({"pixelCode": PIXEL, "AutoAdvancedMatching": {"auto_email": True}}))
    assert observe_response(loaded(0, f"var s={inside};"), BOOK).settings == ()


@needs_shared
def test_the_recorded_stand_ins() -> None:
    seen = set()
    for name in ("03h-identify-partner-pixel-email-only", "08-two-pixels", "01-basic"):
        for exchange in read_capture(SHARED / "captures" / "sdk" / f"{name}.mitm", client="c"):
            for said in observe_response(exchange, BOOK).settings:
                seen.add((said.code, said.partner, said.manual_matching, said.automatic_matching, said.country))
    every = ("email", "phone_number", "first_name", "last_name", "city", "state", "country", "zip_code")
    both = ("auto_email", "auto_phone_number")
    assert ("D0ME9HRC77U4Q9G3Q7A0", None, every, both, "US") in seen
    assert {(c, p, m) for c, p, m, _, _ in seen if p} == {
        ("D0ME9HRC77U4Q9G3Q7A0", "Shopify", ("email",)),
        ("CL157I3C77U0G3VQN5MG", "GoogleTagManagerClient", ("email",)),
    }


def visit(text: str, *more: Exchange) -> list[Exchange]:
    return [page(0, cookie="a=1"), loaded(100, text), *more]


def test_matching_that_is_on_and_unused_is_a_notice_and_no_violation() -> None:
    judgement = judged(visit(PRETTY, hit(500)))
    (notice,) = (n for n in judgement.notices if n.rule == "matching-configured")
    assert (notice.rule, notice.pixel_code, notice.property) == ("matching-configured", PIXEL, "shop.example")
    assert "email" in notice.explanation
    assert "matching-configured" not in {v.rule for v in judgement.violations}


@pytest.mark.parametrize(
    "exchanges",
    [
        visit(PRETTY, hit(500, user={"auto_email": "a" * 64})),
        visit(MINIFIED.replace("auto_email:!0,auto_phone_number:!0", "auto_email:!1")),
        visit("/* nothing */"),
    ],
    ids=["used", "off", "silent"],
)
def test_no_notice(exchanges: list[Exchange]) -> None:
    assert "matching-configured" not in {n.rule for n in judged(exchanges).notices}


def test_a_pixel_and_its_changes() -> None:
    changed = PRETTY.replace('"auto_phone_number": false', '"auto_phone_number": true')
    exchanges = [*visit(PRETTY, hit(500)), loaded(2000, PRETTY), loaded(3000, changed)]
    (record,) = judged(exchanges).pixels
    assert (record.code, record.created_at, record.first_seen, record.last_seen) == (
        PIXEL,
        1747772615000,
        START + 100,
        START + 3000,
    )
    assert record.hits == 4  # three loaders, of which the responses add something, and one message
    assert [s.automatic_matching for s in record.history] == [("auto_email",), ("auto_email", "auto_phone_number")]
    assert judged(har(exchanges)).pixels == (record,)


@given(st.text(alphabet="{}[]\":,!01='AdvancedMatching_pixelCode ", max_size=300))
def test_any_script_is_read_without_a_fault(text: str) -> None:
    observe_response(loaded(0, text), BOOK)


@given(st.text(max_size=40))
def test_any_id_is_read_without_a_fault(text: str) -> None:
    created_at(text, ("ulid", "ksuid", "xid", "leading_ms"))


def test_a_batch_of_an_app_is_one_app_and_many_hits() -> None:
    context = {
        "app": {"namespace": "com.shop.app", "id": "123"},
        "device": {"platform": "android", "gaid": "38400000-8cf0-11bd-b23e-10b96e40000d"},
    }
    batch = {
        "tiktok_app_id": 7123, "event_source": "APP_EVENTS_SDK",
        "batch": [
            {"type": "track", "event": "LaunchAPP", "timestamp": "2026-11-18T10:00:00Z", "context": context, "limited_data_use": True},
            {"type": "track", "event": "Purchase", "timestamp": "2026-11-18T10:00:05Z"},
        ],
    }  # fmt: skip
    raw = json.dumps(batch).encode()
    exchange = Exchange(
        "c",
        START,
        "POST",
        "https://analytics.us.tiktok.com/api/v1/app_sdk/batch",
        (("Content-Type", "application/json"),),
        raw,
    )
    found = observe_request(exchange, BOOK).hits
    assert [(h.event, h.app_id, h.limited_data_use, h.ordinal) for h in found] == [
        ("LaunchAPP", "com.shop.app", True, 0), ("Purchase", "com.shop.app", None, 1),
    ]  # fmt: skip
    assert (found[1].event_time or 0) - (found[0].event_time or 0) == 5000
    assert "gaid" in {i.name for i in found[0].identifiers}


def test_content_is_listed_leaf_by_leaf_with_its_size() -> None:
    message = {
        **body(None), "action": "Metadata",
        "auto_collected_properties": {
            "page_trigger": "PageView",
            "content_data": {"meta": '{"title":"Your results: HIV test","meta:description":"x"}', "json_ld": '[{"@type":"MedicalTest"}]', "open_graph": "{}"},
            "trigger_element": {"inner_text": "Book now", "xpath": "/html/body/button[1]"},
        },
    }  # fmt: skip
    raw = json.dumps(message).encode()
    (found,) = observe_request(
        Exchange("c", START, "POST", "https://analytics.tiktok.com/api/v2/pixel/act", (), raw), BOOK
    ).hits
    assert [(c.what, c.size, c.sample) for c in found.content] == [
        ("page title", 22, "Your results: HIV test"),
        ("page description", 1, "x"),
        ("structured data (JSON-LD)", 11, "MedicalTest"),
        ("text of the clicked element", 8, "Book now"),
        ("place of the clicked element in the page", 20, "/html/body/button[1]"),
    ]
