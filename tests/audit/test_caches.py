"""Pages for which no document was asked: out of caches, from a service worker, rendered ahead, gone back to."""

from __future__ import annotations

from dataclasses import replace

from pixelwitness.exchange import Exchange, Response
from support import SHOP, START, asset, cmp_script, hit, judged, onetrust, page, style, verdict

YES, NO, NONE = onetrust(True, at=-5000), onetrust(False, at=-5000), onetrust(None)


def ahead(at: int, url: str, cookie: str | None) -> Exchange:
    return page(at, url, cookie=cookie, headers=[("Sec-Purpose", "prefetch;prerender")])


def test_a_service_worker_page_is_judged_by_what_the_site_itself_was_asked() -> None:
    api = asset(0, cookie=NO, url=SHOP + "api/cart")
    assert verdict([api, hit(1000)]).verdicts["eu"] == "violation"
    assert verdict([asset(0, cookie=YES, url=SHOP + "api/cart"), hit(1000)]).verdicts["eu"] == "compliant"
    bare = replace(asset(0, cookie=None, url=SHOP + "api/cart"))
    assert verdict([bare, cmp_script(5), hit(1000)]).verdicts["eu"] == "unverified"


def test_a_fetch_that_leaves_cookies_out_is_no_empty_jar() -> None:
    visit = [page(0, cookie=YES), cmp_script(5), asset(500, cookie=None), hit(1000)]
    assert verdict(visit).verdicts["eu"] == "compliant"


def test_a_page_that_was_not_modified_is_a_page() -> None:
    kept = replace(page(0, cookie=NO), response=Response(START + 20, 304))
    denied = next(c for c in judged([kept, style(10)]).coverage if (c.state, c.regime) == ("denied", "eu"))
    assert (denied.page_views, denied.result) == (1, "pass")


def test_back_on_an_earlier_page_the_choice_made_since_is_in_force() -> None:
    visit = [
        page(0, cookie=YES), hit(500), page(10_000, SHOP + "b", cookie=YES),
        asset(20_000, cookie=onetrust(False, at=15_000)), hit(30_000, url=SHOP),
    ]  # fmt: skip
    j = judged(visit)
    assert [v.verdicts["eu"] for v in j.verdicts] == ["compliant", "violation"]
    assert {v.rule for v in j.violations if v.regime == "eu"} == {"fired-after-withdrawal"}


def test_a_page_rendered_ahead_sends_as_the_page_that_it_is_and_places_nothing_else() -> None:
    other = "https://other.example/"
    visit = [page(0, cookie=NO), style(10), ahead(5000, other, "sid=1"), hit(6000, headers=[("Origin", "null")])]
    j = judged(visit)
    assert [v.property for v in j.verdicts] == ["shop.example"]
    activated = judged([*visit, hit(8000, url=other, headers=[("Origin", "https://other.example")])])
    assert activated.verdicts[-1].property == "other.example"
    assert all(c.page_views == 0 for c in activated.coverage if c.property == "other.example")


def test_what_was_asked_ahead_shows_the_jar_like_any_other_request() -> None:
    visit = [page(0, cookie=NONE), hit(500), ahead(5000, SHOP + "next", onetrust(False, at=3000)), hit(9000)]
    assert [v.consent_state for v in judged(visit).verdicts] == ["unanswered", "denied"]
