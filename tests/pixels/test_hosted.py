"""TikTok's scripts from other hosts, and messages for TikTok that are handed to other servers."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from filled import fill
from pixelwitness.cli import cli
from pixelwitness.exchange import Exchange, Response
from pixelwitness.ingest import observe_request, observe_response
from pixelwitness.ledger.store import open_ledger, read_ledger
from pixelwitness.ledger.verify import verify
from pixelwitness.observations import Observed
from pixelwitness.sources.files import read_capture
from support import BOOK, PIXEL, SHARED, SHOP, START, asset, body, hit, judged, needs_shared, onetrust, page

LOADER = (
    'window[window["TiktokAnalyticsObject"]]._plugins={"AutoAdvancedMatching":true};!function(){var d={"info":{"pixelCode":"CODE",'
    '"name":"Shop","advertiserID":"7","partner":"","firstPartyCookieEnabled":true},"plugins":{"AdvancedMatching":{"email":true},'
    '"AutoAdvancedMatching":{"auto_email":true}}}}();'
).replace("CODE", PIXEL)
CONFIG = (
    'var t=window.TiktokAnalyticsObject;window[t].instance("CODE").setAdvancedMatchingAvailableProperties({"email":true,"auto_email":false});'
    'window[t].instance("CODE").setPixelInfo({status:0,name:"Shop"});'
).replace("CODE", PIXEL)
CLIENT = 'a="TiktokAnalyticsObject",b="tt_adInfo",c="/api/v2/pixel/act",d=e()._self_host_config'
IDENTIFY = 'x={raw_auto_phone:[]},y="is_not_possible_email",z="empty_country_code_through_ip",q="base64_hex_hashed"'
SNIPPET = "!function(w,d,t){w.TiktokAnalyticsObject=t;var ttq=w[t]=w[t]||[];ttq.load('CODE');ttq.page()}(window,document,'ttq')"
ON_SHOP, ON_CDN = SHOP + "assets/9f2.js", "https://cdn.assets.example/t/9f2.js"
SCRIPT = (("Referer", SHOP), ("Sec-Fetch-Dest", "script"))


def served(text: str, url: str = ON_SHOP, headers: Any = SCRIPT, kind: str = "text/javascript") -> Exchange:
    response = Response(START + 130, 200, (("Content-Type", kind),) if kind else (), text.encode())
    return Exchange("c", START + 100, "GET", url, tuple(headers), b"", response=response)


def seen(exchange: Exchange) -> Observed:
    assert not observe_request(exchange, BOOK).hits
    return observe_response(exchange, BOOK)


@pytest.mark.parametrize("url", [ON_SHOP, ON_CDN, "https://shop.example.evil.example/x"])
@pytest.mark.parametrize(
    ("text", "role"),
    [(LOADER, "loader"), (CONFIG, "configuration"), (CLIENT, "client"), (IDENTIFY, "identity matching")],
)
def test_a_script_is_known_by_what_stands_in_it(text: str, role: str, url: str) -> None:
    (script,) = seen(served(text, url)).hosted
    assert (script.role, script.page) == (role, SHOP)


@pytest.mark.parametrize(
    "exchange",
    [
        served(SNIPPET),
        served(LOADER.replace(PIXEL, "12345")),
        served(LOADER.replace("TiktokAnalyticsObject", "OtherObject")),
        served("var docs=" + json.dumps(LOADER)),
        served(CLIENT.replace("_self_host_config", "_host_config")),
        served(LOADER, headers=(("Referer", SHOP), ("Sec-Fetch-Dest", "document")), kind="text/html"),
        served(LOADER, headers=(("Referer", SHOP),), kind="text/html; charset=utf-8"),
        served(LOADER, headers=(("Referer", SHOP), ("Sec-Fetch-Dest", "empty")), kind="text/plain"),
        served(json.dumps({"a": LOADER}), url=SHOP + "map.json", headers=(), kind="application/json"),
        served(LOADER, url=SHOP + "notes", headers=(), kind="text/plain"),
        replace(served(LOADER), method="POST"),
    ],
    ids=["snippet", "no code", "other name", "in a text", "no client", "page", "html", "fetched", "json", "text", "POST"],
)  # fmt: skip
def test_what_only_looks_like_one(exchange: Exchange) -> None:
    said = observe_response(exchange, BOOK)
    assert (said.hosted, said.settings) == ((), ())


def test_its_settings_are_on_record_and_nothing_is_held_against_the_site(tmp_path: Path) -> None:
    visit = [page(0, cookie=onetrust(None)), served(LOADER, ON_CDN), served(CLIENT, ON_CDN)]
    judgement = judged(visit)
    assert (judgement.verdicts, judgement.violations) == ((), ())
    (pixel,) = judgement.pixels
    assert (pixel.property, pixel.code, pixel.hits) == ("shop.example", PIXEL, 0)
    assert pixel.history[0].automatic_matching == ("auto_email",)
    notices = {n.rule: n for n in judgement.notices}
    assert set(notices) == {"client-hosted-elsewhere", "matching-configured"}
    said = notices["client-hosted-elsewhere"]
    assert (said.property, said.hit_id) == ("shop.example", None)
    assert "loader and client" in said.explanation
    assert "cdn.assets.example" in said.explanation
    ledger = open_ledger(tmp_path / "a.db")
    fill(ledger, visit)
    assert verify(ledger, BOOK).faults == []
    assert [r["code"] for r in ledger.db.query("select code from pixels where hit_id is null")] == [PIXEL]
    assert len(list(ledger.db.query("select id from notices where hit_id is null"))) == 2


@needs_shared
def test_the_recorded_loaders_under_another_name() -> None:
    seen_as: set[tuple[str, str | None]] = set()
    for name in ("01-basic", "08-two-pixels", "16-self-hosted-endpoint"):
        for exchange in read_capture(SHARED / "captures" / "sdk" / f"{name}.mitm", client="c"):
            assert isinstance(exchange, Exchange)
            there = observe_response(exchange, BOOK).settings
            moved = observe_response(replace(exchange, url="https://www.shop.example/js/a.js"), BOOK)
            if "events.js" in exchange.url:
                drop = {"id", "hit_id", "host", "page", "client", "at"}
                assert [s.model_dump(exclude=drop) for s in moved.settings] == [
                    s.model_dump(exclude=drop) for s in there
                ]
                seen_as |= {(script.role, there[0].code) for script in moved.hosted}
            else:
                assert moved.hosted == ()
    assert seen_as == {("loader", "D0ME9HRC77U4Q9G3Q7A0"), ("loader", "CL157I3C77U0G3VQN5MG")}


@pytest.mark.parametrize("coding", ["text", "base64"])
@pytest.mark.parametrize("odd", [False, True], ids=["usual", "odd entry"])
def test_a_har_keeps_its_body_for_it(coding: str, odd: bool, tmp_path: Path) -> None:
    text = (
        "/* " + "x" * 100 + " */" + LOADER if coding == "text" else base64.b64encode(b"/**/" + LOADER.encode()).decode()
    )
    content = {"mimeType": "text/javascript", "text": text, **({"encoding": "base64"} if coding == "base64" else {})}
    entry = {
        "startedDateTime": "2026-11-18T10:00:00.000Z", "time": 5,
        "request": {"method": "GET", "url": ON_SHOP, "headers": [{"name": "Referer", "value": SHOP}], "cookies": []},
        "response": {"status": "200" if odd else 200, "headers": [], "content": content},
    }  # fmt: skip
    path = tmp_path / "a.har"
    path.write_text(
        json.dumps({"log": {"version": "1.2", "creator": {"name": "t", "version": "1"}, "entries": [entry] * 3}})
    )
    done = CliRunner().invoke(cli, ["replay", str(path), "--db", str(tmp_path / "a.db"), "--json"])
    assert done.exit_code == 0, done.output
    ledger = read_ledger(tmp_path / "a.db")
    assert [r["code"] for r in ledger.db.query("select code from pixels")] == [PIXEL]


# --- messages for a server -----------------------------------------------------------------------------------------

EVENT = {"event": "Purchase", "event_time": 1_795_000_000, "event_id": "o-1", "user": {"email": "a" * 64}}
V2 = {"event_source": "web", "event_source_id": PIXEL, "data": [EVENT]}
OLDER = {"pixel_code": PIXEL, "event": "CompletePayment", "context": {"user": {}, "page": {"url": SHOP}}}
BATCH = {"pixel_code": PIXEL, "batch": [{"type": "track", "event": "AddToCart", "context": {}}]}


def posted(message: Any, url: str = SHOP + "api/tt") -> Exchange:
    headers = (("Origin", SHOP.rstrip("/")), ("Referer", SHOP), ("Content-Type", "application/json"))
    return Exchange("c", START + 500, "POST", url, headers, json.dumps(message).encode())


@pytest.mark.parametrize(
    "message", [V2, OLDER, BATCH, [V2], {"payload": json.dumps(V2)}], ids=["2.0", "1", "batch", "list", "wrapped"]
)
def test_a_message_for_a_server_is_a_blind_spot_and_no_hit(message: Any) -> None:
    said = observe_request(posted(message), BOOK)
    (spot,) = said.blind_spots
    assert (spot.kind, said.hits) == ("server_relay", ())
    assert PIXEL in spot.detail
    assert any(name in spot.detail for name in ("Purchase", "CompletePayment", "AddToCart"))


@pytest.mark.parametrize(
    "message",
    [
        {**V2, "event_source_id": "4711"},
        {**V2, "event_source": "newsletter"},
        {**V2, "data": [{"event_name": "Purchase", "action_source": "website"}]},
        {**OLDER, "pixel_code": "1234567890"},
        {"pixel_code": PIXEL, "status": "installed"},
        {"event": "Purchase", "user": {"email": "a" * 64}, "page": {"url": SHOP}},
    ],
    ids=["no code", "another source", "Meta", "another code", "no event", "anybody's"],
)  # fmt: skip
def test_another_message_is_nothing(message: Any) -> None:
    said = observe_request(posted(message), BOOK)
    assert (said.blind_spots, said.hits, said.category) == ((), (), "other")


def test_to_tiktok_itself_it_is_a_hit() -> None:
    (made,) = observe_request(posted(V2, "https://business-api.tiktok.com/open_api/v1.3/event/track/"), BOOK).hits
    assert (made.event, made.pixel_codes, made.tier) == ("Purchase", (PIXEL,), "advanced_matching")


def test_the_client_s_own_message_is_still_a_hit_anywhere() -> None:
    (made,) = observe_request(posted({**body("Purchase"), "pixel_code": PIXEL}), BOOK).hits
    assert made.first_party_host


def test_silence_beside_a_relay_is_no_pass() -> None:
    def result(*more: Exchange) -> str:
        refused = onetrust(False, at=-5000)
        visit = [
            page(0, cookie=onetrust(True, at=-9000), client="a"), hit(500, client="a"),
            *(page(at, SHOP + str(at), cookie=refused) for at in (1000, 5000, 9000)),
            *(asset(at + 200, cookie=refused) for at in (1000, 5000, 9000)), *more,
        ]  # fmt: skip
        return next(c.result for c in judged(visit).coverage if (c.regime, c.state) == ("eu", "denied"))

    assert result() == "pass"
    assert result(replace(posted(V2), started_at=START + 6000)) == "unverified"
