"""One event sent twice: to the site's own host (one send), and once more to another host of TikTok (two sends)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pixelwitness.audit.copies import first_party_copies, repetitions
from pixelwitness.cli import cli
from pixelwitness.exchange import Exchange
from pixelwitness.ingest import observe_request
from pixelwitness.sources.files import read_capture
from support import BOOK, SHARED, hit, judged, needs_shared, onetrust, page

IPV6 = "analytics-ipv6.tiktokw.us"
FIRST = "messageId-1-2077404442540-D0ME9HRC77U4Q9G3Q7A0"


def original(at: int = 1000, event: str = "Pageview", **more: Any) -> Exchange:
    return hit(at, event, message_id=FIRST, event_id="", **more)


def again(at: int = 1010, of: str = FIRST, trigger: str | None = "Pageview", **more: Any) -> Exchange:
    said = {"trigger_event": trigger} if trigger else {}
    made = hit(at, "EnrichIpv6", message_id=of + "#source=2", event_id="", **said, **more)
    return replace(made, url=f"https://{IPV6}/ipv6/enrich_ipv6")


def refused(*sends: Exchange) -> list[Exchange]:
    return [page(0, cookie=onetrust(False, at=-5000)), *sends]


def links(*sends: Exchange) -> list[bool]:
    return [v.repeats is not None for v in judged(refused(*sends)).verdicts]


@pytest.mark.parametrize("at", [990, 1010, 1_000_000])
def test_an_event_sent_once_more_is_linked_and_stays_a_send_of_its_own(at: int) -> None:
    judgement = judged(refused(original(), again(at)))
    by_link = {v.repeats is not None: v for v in judgement.verdicts}
    assert by_link[True].repeats == by_link[False].hit_id
    assert {v.copy_of for v in judgement.verdicts} == {None}
    assert {v.verdicts["eu"] for v in judgement.verdicts} == {"violation"}
    assert len({v.hit_id for v in judgement.violations if v.regime == "eu"}) == 2


def test_an_event_whose_original_was_not_captured_is_judged_all_the_same() -> None:
    judgement = judged(refused(again()))
    assert [(v.repeats, v.verdicts["eu"]) for v in judgement.verdicts] == [(None, "violation")]


def test_what_only_looks_like_a_repetition_is_not_linked() -> None:
    assert links(original(), again(of=FIRST[:-1])) == [False, False]  # another message
    assert links(original(), again(trigger="EnrichAM")) == [False, False]  # another event
    other = {"pixel": {"code": "CL157I3C77U0G3VQN5MG", "runtime": "1"}, "library": {"name": "pixel.js"}}
    assert links(original(), again(context=other)) == [False, False]  # another pixel
    assert links(original(), replace(again(), client="somebody else"))[:1] == [False]
    assert links(again(), again(1020)) == [False, False]  # of each other


def test_a_renamed_event_is_the_same_event() -> None:
    assert links(original(event="CompletePayment"), again(trigger="CompletePayment")) == [False, True]
    assert links(original(), again(trigger=None)) == [False, True]


@needs_shared
def test_every_recorded_repetition_finds_its_event_and_is_no_copy() -> None:
    found = 0
    for path in sorted((SHARED / "captures" / "sdk").glob("*.mitm")):
        exchanges = [x for x in read_capture(path, client="c") if isinstance(x, Exchange)]
        hits = [h for x in exchanges for h in observe_request(x, BOOK).hits]
        linked = repetitions(hits, BOOK)
        by_id = {h.id: h for h in hits}
        wanted = {h.id: h.payload["trigger_event"] for h in hits if h.event == "EnrichIpv6"}
        assert {one: by_id[other].event for one, other in linked.items()} == wanted, path.name
        assert not set(linked) & set(first_party_copies(hits, BOOK))
        found += len(linked)
    assert found == 40


def run(*words: str) -> str:
    result = CliRunner().invoke(cli, list(words))
    assert result.exit_code in (0, 1), result.output
    return result.output


@needs_shared
def test_link_and_delay_are_shown(tmp_path: Path) -> None:
    db, capture = str(tmp_path / "a.db"), str(SHARED / "captures" / "sdk" / "07a-hold-then-grant.har")
    run("replay", capture, "--db", db)
    query = "select id, event, repeats from hits where event in ('EnrichIpv6', 'Pageview')"
    from sqlite_utils import Database

    ledger = Database(db)
    rows = {r["event"]: r for r in ledger.query(query + " and (repeats is null or payload like '%\"Pageview\"%')")}
    assert rows["EnrichIpv6"]["repeats"] == rows["Pageview"]["id"]
    said = json.loads(run("explain", rows["EnrichIpv6"]["id"], "--db", db, "--json"))
    assert any(f"event of hit {rows['Pageview']['id']} once more, to {IPV6}" in n for n in said["notes"])
    assert any("sent 4.9 s after it was made" in t for t in said["times"])
    said = json.loads(run("explain", rows["Pageview"]["id"], "--db", db, "--json"))
    assert any(f"Sent once more to {IPV6}, as hit {rows['EnrichIpv6']['id']}" in n for n in said["notes"])
    ledger.close()
    html = tmp_path / "out.html"
    run("report", db, "--html", str(html))
    text = html.read_text("utf-8")
    assert f"the event of hit <code>{rows['Pageview']['id']}</code>, sent once more" in text
    assert "by the page's own clock; sent 4.9" in text.replace("&#39;", "'")
    assert run("verify", db)
    told = run("decode", capture)
    assert "s after it was made, by the page's own clock: held back" in " ".join(told.split())
    assert "Pageview, message" in told


@needs_shared
def test_what_left_at_once_is_not_called_late() -> None:
    told = run("decode", str(SHARED / "captures" / "sdk" / "01-basic.har"))
    assert "EnrichIpv6" in told
    assert "held back" not in told


def test_of_a_pasted_request_no_delay_is_told() -> None:
    made = hit(0, stamp=0)
    result = CliRunner().invoke(cli, ["decode", "-"], input=made.body)
    assert "happened at" in result.output
    assert "held back" not in result.output
