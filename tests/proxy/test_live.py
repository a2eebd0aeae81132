"""The add-on inside mitmproxy's own test context: marks on flows, commands, options that change, clients by name."""

from __future__ import annotations

import asyncio
import gc
import json
import sqlite3
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import contentviews, exceptions, flowfilter, http
from mitmproxy.io import FlowWriter
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.events import DataReceived
from mitmproxy.proxy.layer import NextLayer
from mitmproxy.test import taddons, tflow, tutils

from flows import answered, document, flow, pixel
from pixelwitness.consent.probe import PATH
from pixelwitness.ledger.store import open_ledger
from pixelwitness.proxy.addon import PixelWitness
from pixelwitness.proxy.clients import Chosen, Names
from pixelwitness.proxy.contentview import VIEW
from pixelwitness.proxy.marking import Flows
from support import SHOP, body
from test_cli import run


def live(tmp_path: Path, act: Callable[[PixelWitness, Any], Awaitable[None]], **options: Any) -> sqlite3.Connection:
    """Runs something with a recording add-on; returns the ledger."""

    async def go() -> None:
        addon = PixelWitness()
        with taddons.context(addon) as context:
            context.configure(addon, pixelwitness_db=str(tmp_path / "a.db"), **options)
            addon.running()
            try:
                await act(addon, context)
            finally:
                addon.done()

    asyncio.run(go())
    db = sqlite3.connect(tmp_path / "a.db")
    assert not db.execute("select * from blind_spots where kind = 'addon_fault'").fetchall()
    return db


def test_a_hostile_name_of_an_event_can_be_saved(tmp_path: Path) -> None:
    async def act(addon: PixelWitness, context: Any) -> None:
        content = json.dumps(body("AddToCart")).replace("AddToCart", "\\ud800\\u0000\\u001b[31m").encode()
        hit = flow("https://analytics.tiktok.com/api/v2/pixel", method="POST", content=content, referer=SHOP)
        await visit(addon, document(), hit)
        await until(lambda: hit.marked)
        assert "\x1b" not in hit.comment
        with (tmp_path / "flows.mitm").open("wb") as stream:
            FlowWriter(stream).add(hit)

    live(tmp_path, act)


async def until(true: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def visit(addon: PixelWitness, *flows: http.HTTPFlow) -> None:
    for one in flows:
        addon.requestheaders(one)
        addon.request(one)
        addon.response(answered(one))


def test_flows_carry_their_verdict_and_the_filters_find_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    async def act(addon: PixelWitness, context: Any) -> None:
        page, hit, other = (
            document(cookie="OptanonConsent=landingPath=NotLandingPage&groups=C0004%3A0"),
            pixel(),
            document("https://else.example/"),
        )
        await visit(addon, page, hit, other)
        await until(lambda: hit.marked)
        found = [f for f in (page, hit, other) if flowfilter.match("~marked", f)]
        assert found == [hit]
        for wanted in ("~comment violation", "~comment fired-after-denial", "~meta fired-after-denial", "~marker red"):
            assert flowfilter.match(wanted, hit), wanted
        hit.get_state()  # it can still be saved
        metadata = contentviews.Metadata(flow=hit, http_message=hit.request)
        assert VIEW.render_priority(hit.request.content, metadata) > 1
        assert (
            VIEW.render_priority(page.request.content, contentviews.Metadata(flow=page, http_message=page.request)) < 0
        )
        text = VIEW.prettify(hit.request.content, metadata)
        for words in (
            "the event AddToCart, to TikTok",
            "email (sha256 hex",
            "consent then: denied",
            "verdict (eu): violation",
            "what to do:",
            '"event": "AddToCart"',
        ):
            assert words in text
        assert "violation" in "\n".join(context.master.commands.call("pixelwitness.explain", [hit]))
        assert any("eu: 1 violation" in row for row in context.master.commands.call("pixelwitness.summary"))
        assert any("denied: fail" in row for row in context.master.commands.call("pixelwitness.coverage"))
        assert any(
            "shop.example before any choice with two page views" in row
            for row in context.master.commands.call("pixelwitness.session")
        )

    live(tmp_path, act)
    assert (
        "AddToCart to TikTok on shop.example, 1 hashed identifier, after Reject: violation (eu, us-ca)" in caplog.text
    )


def test_an_auditors_own_mark_and_comment_stay(tmp_path: Path) -> None:
    async def act(addon: PixelWitness, context: Any) -> None:
        hit = pixel()
        hit.marked, hit.comment = ":star:", "look here"
        await visit(addon, document(), hit)
        await until(lambda: "pixelwitness" in hit.metadata)
        assert (hit.marked, hit.comment) == (":star:", "look here")

    live(tmp_path, act)


def test_flows_are_not_kept_alive() -> None:
    flows = Flows()
    held = [document()]
    flows.remember("a", held[0])
    assert flows.find("a") == held[0]
    held.clear()
    gc.collect()
    assert flows.find("a") is None
    for i in range(30_000):
        flows.remember(str(i), tflow.tflow())
    assert len(flows) <= 20_000


def test_options_change_while_it_records(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def act(addon: PixelWitness, context: Any) -> None:
        run = addon.recorder.run_id
        await visit(addon, document("https://one.example/"))
        context.configure(addon, pixelwitness_keep_plaintext=True)
        assert "stored as they are sent" in caplog.text
        context.configure(addon, pixelwitness_keep_plaintext=False)
        context.configure(addon, pixelwitness_scope=["two.example"], pixelwitness_regimes=["eu"])
        await visit(addon, document("https://three.example/"), document("https://www.two.example/"))
        for wrong in ({"pixelwitness_regimes": ["mars"]}, {"pixelwitness_scope": ["https://a/"]}, {"pixelwitness_client_names": ["x"]},
                      {"pixelwitness_db": str(tmp_path / "b.db")}, {"pixelwitness_identity": "/nowhere.yaml"}):  # fmt: skip
            with pytest.raises(exceptions.OptionsError):
                context.configure(addon, **wrong)
        assert addon.recorder.settings.named == ("eu",)
        assert addon.recorder.run_id == run

    db = live(tmp_path, act)
    assert {r[0] for r in db.execute("select url from page_views")} == {
        "https://one.example/",
        "https://www.two.example/",
    }
    assert json.loads(db.execute("select regimes from runs").fetchone()[0]) == ["eu"]
    ledger = open_ledger(tmp_path / "a.db", create=False)
    run_id = db.execute("select id from runs").fetchone()[0]
    assert [f["scope"] for f in ledger.facts("settings", run_id)] == [[], [], ["two.example"]]
    ledger.close()
    assert run("verify", tmp_path / "a.db").returncode == 0


def test_marks_from_the_command_and_from_the_page(tmp_path: Path) -> None:
    async def act(addon: PixelWitness, context: Any) -> None:
        await visit(addon, document())
        said = context.master.commands.call("pixelwitness.mark", "clicked reject", "shop.example", "")
        assert "clicked reject" in said
        own = "http://pixelwitness.local"
        shown = flow(f"{own}/")
        addon.request(shown)
        assert b"What is still to be seen" in shown.response.content
        assert b"<script" not in shown.response.content
        for origin, status in ((own, 303), ("https://evil.example", 403)):
            form = flow(
                f"{own}/mark", method="POST", content=b"text=nothing+clicked&property=shop.example", origin=origin
            )
            addon.request(form)
            assert form.response.status_code == status

    db = live(tmp_path, act)
    assert sorted(r[0] for r in db.execute("select name from signals where source = 'mark'")) == [
        "clicked_reject",
        "nothing_clicked",
    ]
    assert not db.execute("select * from page_views where url like '%pixelwitness.local%'").fetchall()


def test_gpc_on_demand(tmp_path: Path) -> None:
    async def act(addon: PixelWitness, context: Any) -> None:
        before = document(), pixel()
        await visit(addon, *before)
        assert all("sec-gpc" not in f.request.headers for f in before)
        context.configure(addon, pixelwitness_gpc=["all"])
        page, hit, preflight = document(), pixel(), flow("https://analytics.tiktok.com/api/v2/pixel", method="OPTIONS")
        names = set(hit.request.headers)
        await visit(addon, page, hit, preflight)
        assert page.request.headers["sec-gpc"] == hit.request.headers["sec-gpc"] == "1"
        assert set(hit.request.headers) - names == {"Sec-GPC"}
        assert "sec-gpc" not in preflight.request.headers
        assert b"globalPrivacyControl" in page.response.content
        context.configure(addon, pixelwitness_gpc=["somebody-else"])
        later = document()
        await visit(addon, later)
        assert "sec-gpc" not in later.request.headers
        assert b"script" not in later.response.content

    db = live(tmp_path, act)
    assert [r[0] for r in db.execute("select gpc from page_views order by viewed_at")] == [0, 1, 0]
    assert {
        json.loads(r[0])["added_by_proxy"] for r in db.execute("select detail from signals where name = 'Sec-GPC'")
    } == {True}
    rules = {r[0] for r in db.execute("select rule from violations where regime = 'us-ca'")}
    assert "gpc-ignored" in rules
    assert db.execute("select count(*) from blind_spots where kind = 'gpc_in_page'").fetchone()[0] == 1


def test_the_probe_is_answered_here_and_only_where_it_is_on(tmp_path: Path) -> None:
    async def act(addon: PixelWitness, context: Any) -> None:
        def sent() -> http.HTTPFlow:
            at = int(time.time() * 1000)
            row = {"kind": "cookie", "name": "", "value": "OptanonConsent=landingPath=NotLandingPage&groups=C0004%3A0", "before": "",
                   "at": at, "since": at, "act": True, "names": ["OptanonConsent"]}  # fmt: skip
            content = json.dumps({"pixelwitness": 1, "items": [row]}).encode()
            return flow(
                SHOP.rstrip("/") + PATH, method="POST", content=content, sec_fetch_site="same-origin", referer=SHOP
            )

        off, on = sent(), sent()
        addon.request(off)
        assert off.response.status_code == 204
        context.configure(addon, pixelwitness_probe=["on"])
        page = document()
        addon.request(page)
        addon.response(
            answered(page, **{"Content-Security-Policy": "default-src 'none'; script-src 'nonce-a' 'strict-dynamic'"})
        )
        assert b"/.well-known/pixelwitness/probe" in page.response.content
        assert "'sha256-" in page.response.headers["content-security-policy"]
        assert PATH in page.response.headers["content-security-policy"]
        addon.request(on)
        addon.response(on)
        assert on.response.status_code == 204

    db = live(tmp_path, act)
    assert db.execute("select count(*) from signals where source = 'probe'").fetchone()[0] == 1
    assert not db.execute("select * from traffic where category = 'probe'").fetchall()


def test_names_of_clients() -> None:
    names = Names.of(["10.0.0.2=pixel-8", "wireguard:a.conf@51820=iphone", "jane=desk"])
    assert names.name("regular@8080|10.0.0.2") == "pixel-8"
    assert names.name("wireguard:a.conf@51820|10.0.0.1") == "iphone"
    assert names.name("regular|jane|10.0.0.9") == "desk"
    assert names.name("regular|10.0.0.9") == "regular|10.0.0.9"
    for wrong in ("x", "=a", "a=", "a=b|c"):
        with pytest.raises(ValueError, match="ADDRESS=NAME"):
            Names.of([wrong])
    assert Chosen.of(["pixel-8"]).covers("pixel-8", "regular|10.0.0.2")
    assert Chosen.of(["10.0.0.2"]).covers("pixel-8", "regular|10.0.0.2")
    assert not Chosen.of(["off"]).covers("pixel-8")
    assert Chosen.of(["true"]).covers("anybody")


def test_the_report_so_far(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    async def act(addon: PixelWitness, context: Any) -> None:
        await visit(addon, document(), pixel())
        await until(lambda: addon.judgement)
        for name in ("report.txt", "report.html"):
            context.master.commands.call("pixelwitness.report", str(tmp_path / name))
            await until(lambda wanted=name: f"written to {tmp_path / wanted}" in caplog.text)
        context.master.commands.call("pixelwitness.report", "/nowhere/at/all.txt")
        await until(lambda: "/nowhere/at/all.txt: No such file" in caplog.text)

    live(tmp_path, act)
    assert "AddToCart" in (tmp_path / "report.txt").read_text()
    assert "<html" in (tmp_path / "report.html").read_text()


def test_a_compromised_authority_is_refused() -> None:
    async def go() -> None:
        addon = PixelWitness()
        with taddons.context(addon) as context:
            if "emudhra" not in context.options._options:
                context.options.add_option("emudhra", bool, False, "as mitmproxy 12.3 has it")
            with pytest.raises(exceptions.OptionsError, match="compromised"):
                context.configure(addon, emudhra=True)

    asyncio.run(go())


def test_a_beacon_whose_client_left_is_kept(tmp_path: Path) -> None:
    async def act(addon: PixelWitness, context: Any) -> None:
        hit = pixel("ViewContent")
        addon.requestheaders(hit)
        addon.request(hit)
        hit.error = tutils.terr("Client disconnected.") if hasattr(tutils, "terr") else None

    db = live(tmp_path, act)
    assert [r[0] for r in db.execute("select event from hits")] == ["ViewContent"]


def test_a_recording_with_gpc_and_the_probe_gives_the_same_when_it_is_replayed(tmp_path: Path) -> None:
    """What the add-on added is told apart: by the flow's metadata, and by the reports' own path."""
    kept: list[http.HTTPFlow] = []

    async def act(addon: PixelWitness, context: Any) -> None:
        page = document(cookie="OptanonConsent=landingPath=x&groups=C0004%3A0")
        await visit(addon, page)
        at = int(time.time() * 1000)
        row = {"kind": "cookie", "name": "", "value": "OptanonConsent=landingPath=NotLandingPage&groups=C0004%3A0",
               "before": "OptanonConsent=landingPath=x&groups=C0004%3A0", "at": at, "since": at, "act": True, "names": ["OptanonConsent"]}  # fmt: skip
        content = json.dumps({"pixelwitness": 1, "items": [row]}).encode()
        report = flow(
            SHOP.rstrip("/") + PATH, method="POST", content=content, sec_fetch_site="same-origin", referer=SHOP
        )
        hit = pixel(timestamp=datetime.fromtimestamp((at + 100) / 1000, UTC).isoformat())
        hit.request.timestamp_start = (at + 130) / 1000
        own = flow("http://pixelwitness.local/", sec_fetch_dest="document")
        await visit(addon, report, hit, own)
        assert b"defineProperty" in page.response.content
        kept.extend([page, report, hit, own])

    db = live(tmp_path, act, pixelwitness_gpc=["all"], pixelwitness_probe=["all"])
    with (tmp_path / "flows.mitm").open("wb") as stream:
        writer = FlowWriter(stream)
        for one in kept:
            writer.add(one)
    done = run("replay", tmp_path / "flows.mitm", "--db", tmp_path / "b.db")
    assert done.returncode == 0, done.stderr
    queries = ("select id, event, consent_state, verdicts, opt_outs, reasons from hits", "select id, rule, regime, explanation from violations",
               "select property, regime, state, page_views, result from coverage", "select id, name, source, state from signals")  # fmt: skip
    with sqlite3.connect(tmp_path / "b.db") as again:
        for query in queries:
            found = sorted(db.execute(query).fetchall())
            assert found, query
            assert sorted(again.execute(query).fetchall()) == found
    assert ("denied",) in db.execute("select consent_state from hits").fetchall()
    assert any("added by the proxy" in r[0] for r in db.execute("select explanation from violations"))


def test_quic_is_seen_or_blocked_and_unread_bytes_are_counted(tmp_path: Path) -> None:
    async def act(addon: PixelWitness, context: Any) -> None:
        for http3, name in ((False, "a"), (True, "b")):
            context.configure(addon, http3=http3)
            client = tflow.tclient_conn()
            client.transport_protocol, client.id, client.sni = "udp", name, None
            where = Context(client, context.options)
            where.server.address = (f"{name}.example", 443)
            following = NextLayer(where)
            following.events.append(DataReceived(client, b"\xc3" + b"\0" * 1200))
            for _ in range(3):
                addon.next_layer(following)
        addon.tcp_end(tflow.ttcpflow())

    db = live(tmp_path, act)
    rows = {r[0]: r[1:] for r in db.execute("select kind, detail, count from blind_spots where kind != 'addon_fault'")}
    assert rows["quic_blocked"] == ("a.example", 1)
    assert rows["quic_seen"] == ("b.example", 1)
    assert "bytes sent" in rows["passed_through"][0]
