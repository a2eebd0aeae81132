"""Coverage that can be trusted: what a pass names, and what keeps silence from being one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from pixelwitness.audit.doubts import doubts_of
from pixelwitness.audit.judge import judge
from pixelwitness.audit.model import Coverage
from pixelwitness.audit.sessions import sessions_of
from pixelwitness.exchange import Exchange, Response
from pixelwitness.ingest import observe_request
from pixelwitness.observations import BlindSpot
from pixelwitness.run import Lens, Scope, Tally, request_record
from support import BOOK, PIXEL, SHOP, START, asset, cmp_script, hit, observe, onetrust, page, script, style

GPC = [("Sec-GPC", "1")]
NO = onetrust(False, at=-5000)
QUIET = page(0, cookie=NO)
QUIETLY = [QUIET, style(100)]


def row(
    exchanges: list[Exchange], state: str = "denied", regime: str = "eu", spots: tuple[BlindSpot, ...] = ()
) -> Coverage:
    rows = observe(exchanges)
    rows = rows.model_copy(update={"blind_spots": (*rows.blind_spots, *spots)})
    made = judge(rows, [BOOK.regimes["eu"], BOOK.regimes["us-ca"]], BOOK).coverage
    return next(c for c in made if (c.property, c.state, c.regime) == ("shop.example", state, regime))


def test_a_pass_names_its_page_views_and_its_control() -> None:
    visit = [
        page(0, cookie=onetrust(True, at=-5000)),
        hit(1000),
        page(20_000, SHOP + "a", cookie=onetrust(False, at=15_000)),
        style(20_100),
        page(30_000, SHOP + "b", cookie=onetrust(False, at=15_000)),
        style(30_100),
    ]
    withdrawn = row(visit, "withdrawn")
    assert (withdrawn.result, withdrawn.page_views, withdrawn.control_hits) == ("pass", 2, 1)
    assert withdrawn.note == "2 page views, nothing sent; control: sends seen 1 when granted"
    assert row(visit, "granted").note == "1 page view, 1 sends, all compliant; no_control"
    assert row(visit, "unanswered").result == "not_tested"
    assert (row(QUIETLY).note, row(QUIETLY).control_hits) == ("1 page view, nothing sent; no_control", None)


@pytest.mark.parametrize(
    ("status", "headers", "result"),
    [
        (200, (("Content-Type", "text/html"),), "pass"),
        (304, (), "pass"),
        (200, (), "pass"),
        (301, (), "not_tested"),
        (204, (), "not_tested"),
        (404, (("Content-Type", "text/html"),), "not_tested"),
        (500, (("Content-Type", "text/html"),), "not_tested"),
        (200, (("Content-Type", "application/pdf"),), "not_tested"),
        (200, (("Content-Type", "application/json"),), "not_tested"),
    ],
)
def test_only_a_page_that_came_is_a_page_view(status: int, headers: tuple, result: str) -> None:
    seen = asset(-100, cookie=NO)
    made = judge(
        observe([
            seen, replace(QUIET, response=Response(START + 20, status, headers)), style(50),
            page(99, "https://x.example/"),
        ]),
        [BOOK.regimes["eu"]], BOOK,
    ).coverage  # fmt: skip
    found = {c.state: c.result for c in made if c.property == "shop.example"}
    assert found.get("denied", "not_tested") == result


def test_a_page_without_an_answer_a_head_request_and_a_page_rendered_ahead_are_none() -> None:
    assert row([page(50, SHOP + "x", cookie=NO), replace(QUIET, response=None)]).page_views == 1
    ahead = page(100, SHOP + "x", cookie=NO, headers=[("Sec-Purpose", "prefetch;prerender")])
    assert row([QUIET, ahead]).page_views == 1
    assert row([QUIET, replace(page(100, SHOP + "x", cookie=NO), method="HEAD")]).page_views == 1


def test_a_view_under_gpc_counts_in_its_state_and_in_gpc() -> None:
    visit = [page(0, cookie=NO, headers=GPC)]
    assert row(visit, "gpc", "us-ca").page_views == row(visit, "denied", "us-ca").page_views == 1
    assert row([QUIET], "gpc", "us-ca").result == "not_tested"


GERMAN = "CookieConsent=" + quote(
    "{stamp:'x',necessary:true,preferences:false,statistics:false,marketing:false,method:'explicit',ver:1,"
    f"utc:{START - 5000},region:'de'}}"
)


def test_silence_before_a_visitor_of_another_law_passes_only_where_that_law_was_asked_for() -> None:
    visit = observe([page(0, cookie=GERMAN), style(100)])

    def denied(*named: str) -> dict[str, Coverage]:
        made = judge(visit, [BOOK.regimes["eu"], BOOK.regimes["us-ca"]], BOOK, named).coverage
        return {c.regime: c for c in made if c.state == "denied"}

    said = denied()
    assert (said["eu"].result, said["us-ca"].result, said["us-ca"].page_views) == ("pass", "unverified", 1)
    assert "does not apply to the visitor" in said["us-ca"].note
    assert denied("us-ca")["us-ca"].result == "pass"


def test_silence_before_a_law_was_in_force_is_no_pass_under_it() -> None:
    years = 7 * 365 * 86_400_000
    visit = [
        replace(page(0, cookie=onetrust(False, at=-years - 5000)), started_at=START - years), style(100 - years),
    ]  # fmt: skip
    assert row(visit, "denied", "eu").result == "pass"
    early = row(visit, "denied", "us-ca")
    assert (early.result, early.note) == ("unverified", "not in force on that day; no_control")
    later = row([*visit, page(0, SHOP + "now", cookie=NO), style(100)], "denied", "us-ca")
    assert (later.result, later.note) == ("pass", "1 page view, nothing sent; no_control")


def copy(at: int) -> Exchange:
    """The site's own copy of the event e1."""
    sender = (("Sec-Fetch-Site", "same-site"), ("Origin", SHOP.rstrip("/")), ("Referer", SHOP))
    return replace(
        hit(at, event_id="e1", host="t.shop.example"), headers=(*sender, ("Content-Type", "application/json"))
    )


def test_a_copy_that_left_after_the_withdrawal_keeps_silence_from_passing() -> None:
    refused = page(6000, SHOP + "w", cookie=onetrust(False, at=4000))
    visit = [page(0, cookie=onetrust(True, at=-5000)), hit(1000, event_id="e1"), refused, style(6100), copy(9500)]
    withdrawn = row(visit, "withdrawn")
    assert (withdrawn.result, withdrawn.hits) == ("unverified", {})
    assert row([*visit[:4], copy(1100)], "withdrawn").result == "pass"
    assert row(visit, "granted").result == "pass"


def bare(at: int) -> Exchange:
    """A request for the loader that names no page."""
    return Exchange("c", START + at, "GET", f"https://analytics.tiktok.com/i18n/pixel/events.js?sdkid={PIXEL}", (), b"")


def test_a_send_that_cannot_be_placed_keeps_silence_from_passing() -> None:
    lost = bare(-1000)
    assert row([lost, *QUIETLY]).result == "unverified"
    assert "could not be put on any page" in row([lost, *QUIETLY]).note
    assert row([replace(lost, client="d"), *QUIETLY]).result == "pass"


@pytest.mark.parametrize(
    ("spot", "result"),
    [
        (BlindSpot(client="c", host="analytics.tiktok.com", kind="tls_refused"), "unverified"),
        (BlindSpot(client="c", host="metrics.shop.example", kind="tls_refused"), "unverified"),
        (BlindSpot(client="c", host="api.other.example", kind="tls_refused"), "pass"),
        (BlindSpot(client="c", host="analytics-sg.tiktok.com", kind="quic_seen"), "unverified"),
        (BlindSpot(client="c", host="analytics.tiktok.com", kind="passed_through"), "unverified"),
        (BlindSpot(client="c", host="www.tiktok.com", kind="tls_refused"), "pass"),
        (BlindSpot(client="c", host="api16-normal-useast5.tiktokv.us", kind="tls_refused"), "pass"),
        (BlindSpot(client="c", host="8.8.8.8", kind="tls_refused"), "unverified"),
        (BlindSpot(client="c", host="an unknown host", kind="tls_refused"), "unverified"),
        (BlindSpot(client="c", host="192.168.1.9", kind="tls_refused"), "pass"),
        (BlindSpot(client="d", host="metrics.other.example", kind="tls_refused"), "pass"),
        (BlindSpot(client="capture", kind="capture_damaged"), "unverified"),
        (BlindSpot(client=None, kind="addon_fault"), "unverified"),
        (BlindSpot(client="capture", kind="odd_entry"), "unverified"),
        (BlindSpot(client="capture", kind="odd_entry", at=START), "pass"),
        (BlindSpot(client="c", kind="first_party_unseen", host="www.shop.example", page=SHOP), "unverified"),
        (BlindSpot(client="c", kind="out_of_scope_send", host="analytics.tiktok.com"), "unverified"),
        (BlindSpot(client="c", kind="blocked_send", host="analytics.tiktok.com", at=START + 5), "unverified"),
        (BlindSpot(client="c", kind="blocked_send", host="x", at=START + 5, page="https://other.example/"), "pass"),
    ],
)
def test_what_was_not_seen_keeps_silence_from_passing(spot: BlindSpot, result: str) -> None:
    assert row(QUIETLY, spots=(spot,)).result == result


def test_a_host_that_could_be_read_all_the_same_is_no_doubt() -> None:
    spot = BlindSpot(client="c", host="analytics.tiktok.com", kind="tls_refused")
    granted = [page(0, cookie=onetrust(True, at=-5000)), hit(1000)]
    assert row(granted, "granted", spots=(spot,)).result == "pass"


def test_a_blocked_send_counts_in_every_state_that_was_possible_and_in_gpc() -> None:
    blocked = hit(60_000, method="OPTIONS")
    assert row([page(0, cookie=onetrust(None)), blocked], "unanswered").result == "unverified"
    under_gpc = [page(0, cookie=onetrust(True, at=-5000), headers=GPC), hit(1000, method="OPTIONS")]
    assert row(under_gpc, "gpc", "us-ca").result == "unverified"


def test_a_message_that_cannot_be_decoded_is_no_all_clear_under_an_opt_out() -> None:
    cut = replace(hit(1000, headers=GPC), body=None, body_state="not_captured")
    visit = [page(0, cookie=onetrust(True, at=-5000), headers=GPC), cut]
    assert row(visit, "gpc", "us-ca").result == "unverified"
    assert row([QUIET, cut], "denied", "eu").result == "fail"


def test_out_of_scope_a_send_that_names_no_page_is_on_the_record_and_no_more() -> None:
    lens = Lens(BOOK, Scope(("shop.example",)))
    kept = request_record(bare(0), lens, Tally())
    assert kept is not None
    assert [s.kind for s in kept.observed.blind_spots] == ["out_of_scope_send"]
    assert kept.exchange is None
    assert not kept.observed.hits
    elsewhere = replace(script(0), headers=(("Referer", "https://mail.example/inbox"),))
    assert observe_request(elsewhere, BOOK).hits
    assert request_record(elsewhere, lens, Tally()) is None


# --- what a recording must show for its silence to count ---------------------------------------------------------------


def test_a_recording_of_documents_only_is_no_all_clear() -> None:
    alone = row([QUIET])
    assert alone.result == "unverified"
    assert "not shown that a send would have been" in alone.note
    assert row(QUIETLY).result == "pass"


def test_what_was_seen_of_the_pages_before_says_nothing_of_a_state_of_which_only_documents_were_kept() -> None:
    agreed = [page(0, cookie=onetrust(True, at=-5000)), style(50), hit(1000)]
    refused = page(20_000, SHOP + "a", cookie=onetrust(False, at=15_000))
    assert row([*agreed, refused], "withdrawn").result == "unverified"
    assert row([*agreed, refused, style(20_100)], "withdrawn").result == "pass"


def test_a_consent_system_that_loads_shows_that_other_requests_are_kept() -> None:
    assert row([QUIET, cmp_script(50)]).result == "pass"


# --- sends at the moment of a withdrawal ---------------------------------------------------------------------------------


def withdrawing(click: Exchange) -> list[Exchange]:
    """Agreed; a message near the click on "reject" at 5,000; then a page without anything sent."""
    return [
        page(0, cookie=onetrust(True, at=-5000)), style(50), click,
        page(20_000, SHOP + "a", cookie=onetrust(False, at=5000)), style(20_100),
    ]  # fmt: skip


def clicked(at: int, stamp: int | None) -> Exchange:
    return hit(at, None, path="/api/v2/pixel/act", action="Click", stamp=stamp)


def test_the_pixels_own_report_of_the_click_that_withdrew_leaves_silence_a_pass() -> None:
    said = row(withdrawing(clicked(5010, stamp=4990)), "withdrawn")
    assert (said.result, said.control_hits) == ("pass", None)
    assert "1 sends at the very moment of the choice are left open" in said.note


@pytest.mark.parametrize(("at", "stamp"), [(5100, 5050), (5100, None), (5900, 3000)])
def test_a_send_at_that_moment_that_may_have_been_made_or_sent_after_it_does_not(at: int, stamp: int | None) -> None:
    said = row(withdrawing(clicked(at, stamp)), "withdrawn")
    assert said.result == "unverified"
    assert "may belong here" in said.note


# --- traffic that passed unread -------------------------------------------------------------------------------------------


def test_an_app_may_send_to_any_host_of_the_vendors_and_a_page_may_not() -> None:
    batch = Exchange(
        "c", START + 1000, "POST", "https://analytics.us.tiktok.com/api/v1/app_sdk/batch", (),
        b'{"tiktok_app_id": "7123", "batch": [{"type": "track", "event": "launch", "context": {"app": {"id": "shop.app"}}}]}',
    )  # fmt: skip
    rows = observe([*QUIETLY, batch])
    other = BlindSpot(client="c", host="mcs.tiktokv.com", kind="tls_refused")
    placed = sessions_of(rows, BOOK.judging)
    assert {s.app for s in placed.sessions.values()} == {True, False}
    doubts = doubts_of((other,), (), rows.hits, placed, BOOK)
    assert [placed.sessions["c", prop, ""].app for prop in doubts] == [True]


# --- what was blocked -----------------------------------------------------------------------------------------------------

GTM = "https://www.googletagmanager.com/gtm.js?id=GTM-ABC123"
BLOCKED = "net::ERR_BLOCKED_BY_CLIENT"


def blocked(one: Exchange, error: str = BLOCKED) -> Exchange:
    return replace(one, error=error, response=None)


def tag_manager(at: int, **more: object) -> Exchange:
    return replace(
        Exchange("c", START + at, "GET", GTM, (("Referer", SHOP), ("Sec-Fetch-Dest", "script")), b""), **more
    )


def test_a_blocked_tag_manager_may_have_been_what_would_have_sent() -> None:
    loaded = tag_manager(200)
    assert row([*QUIETLY, loaded]).result == "pass"
    silent = row([*QUIETLY, blocked(loaded)])
    assert silent.result == "unverified"
    assert "a tag manager was blocked" in silent.note
    assert [s.kind for s in observe([*QUIETLY, blocked(loaded)]).blind_spots] == ["tag_manager_blocked"]
    nameless = replace(blocked(loaded), headers=())
    assert row([*QUIETLY, nameless]).result == "unverified"
    assert row([*QUIETLY, replace(nameless, client="d")]).result == "unverified"
    assert row([*QUIETLY, replace(blocked(loaded), headers=(("Referer", "https://other.example/"),))]).result == "pass"


def test_what_was_blocked_does_not_show_that_more_than_documents_was_recorded() -> None:
    for other in (style(100), cmp_script(100), asset(100, cookie=NO), hit(100)):
        assert row([QUIET, blocked(other)]).result == "unverified"
        assert "beside the documents themselves" in row([QUIET, blocked(other)]).note
    assert row([QUIET, blocked(style(100), "net::ERR_ABORTED")]).result == "pass"


def test_a_page_that_was_blocked_is_no_page_view() -> None:
    assert row([*QUIETLY, blocked(page(500, SHOP + "a", cookie=NO))]).page_views == 1
    assert not observe([blocked(page(500))]).page_views


# --- documents only, between which a script wrote the choice ---------------------------------------------------------------


def chosen(*pages: Exchange, state: str = "denied") -> str:
    return row(list(pages), state).result


ALONE = b"<!doctype html><title>Shop</title><script>ask()</script><img src='data:image/gif;base64,R0lG'>"
NAMES_MORE = b'<!doctype html><link href="/shop.css" rel="stylesheet"><script>ask()</script>'


def document(at: int, url: str = SHOP, *, html: bytes | None = ALONE, **more: Any) -> Exchange:
    """A page with its text."""
    made = page(at, url, **more)
    assert made.response is not None
    return replace(made, response=replace(made.response, body=html, body_state="complete" if html else "not_captured"))


CHOICE = onetrust(False, at=5_000)
ASKED, REFUSED = document(0), document(9_000, SHOP + "a", cookie=CHOICE)


def test_a_choice_written_between_two_documents_shows_that_the_pages_run_scripts_and_ask_for_nothing_else() -> None:
    silent = row([ASKED, REFUSED])
    assert (silent.result, silent.note) == ("pass", "1 page view, nothing sent; no_control")
    assert chosen(document(0, cookie=onetrust(None)), REFUSED) == "pass"
    agreed = [page(20_000, SHOP + "b", cookie=onetrust(True, at=15_000)), style(20_100), hit(21_000)]
    assert row([ASKED, REFUSED, *agreed]).note == "1 page view, nothing sent; control: sends seen 1 when granted"


def test_the_same_documents_without_a_choice_between_them_show_nothing() -> None:
    assert chosen(REFUSED) == "unverified"
    assert chosen(document(0, cookie=CHOICE), REFUSED) == "unverified"
    assert chosen(document(7_500), REFUSED) == "unverified"  # chosen before, and the first request left its cookies out
    assert chosen(ASKED, document(9_000, SHOP + "a", cookie=onetrust(None)), state="unanswered") == "unverified"
    assert chosen(document(0, "http://www.shop.example/"), REFUSED) == "unverified"
    assert chosen(document(0, "https://blog.shop.example/"), REFUSED) == "unverified"
    assert chosen(document(0, client="d"), REFUSED) == "unverified"
    assert chosen(replace(ASKED, response=Response(START + 20, 301)), REFUSED) == "unverified"


def test_a_choice_that_an_answer_wrote_shows_no_script() -> None:
    written = (("Set-Cookie", CHOICE.partition(";")[0] + "; Path=/"),)
    assert chosen(document(0, set=written), REFUSED) == "unverified"
    assert chosen(ASKED, REFUSED, document(0, client="d", set=written)) == "unverified"
    assert chosen(document(0, set=(("Set-Cookie", "sid=1"),)), REFUSED) == "pass"


def test_pages_that_ask_for_more_and_one_that_does_not() -> None:
    """Its own requests are then missing, whatever a script wrote before it."""
    assert chosen(ASKED, style(100), REFUSED) == "unverified"
    assert chosen(ASKED, style(100), REFUSED, style(9_100)) == "pass"


def test_a_page_that_names_more_to_fetch_than_was_recorded_shows_nothing() -> None:
    """A recording that was filtered to documents: the choice was written by a script, and its requests are missing."""
    for html in (NAMES_MORE, None):
        assert chosen(ASKED, document(9_000, SHOP + "a", cookie=CHOICE, html=html)) == "unverified"
    # Each page counts by its own text.
    assert row([document(0, html=NAMES_MORE), REFUSED]).note == "1 page view, nothing sent; no_control"
