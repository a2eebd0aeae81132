"""Chains of redirects: through the site's own host to TikTok, from TikTok's advertisement to the site, between pages."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

from pixelwitness.exchange import Exchange, Response
from support import SHOP, START, asset, body, cmp_script, hit, judged, onetrust, page, style

NO = onetrust(False, at=-5000)
TOLD = "?analytics_message=" + base64.urlsafe_b64encode(json.dumps(body("Pageview")).encode()).decode().rstrip("=")
TIKTOK = "https://analytics.tiktok.com/api/v2/pixel"


def moved(exchange: Exchange, to: str, status: int = 302) -> Exchange:
    return replace(exchange, response=Response(exchange.started_at + 5, status, (("Location", to),)))


def image(at: int, url: str, site: str) -> Exchange:
    headers = (("Referer", SHOP), ("Sec-Fetch-Dest", "image"), ("Sec-Fetch-Site", site))
    return Exchange("c", START + at, "GET", url, headers, b"")


def own(at: int, path: str) -> Exchange:
    return image(at, "https://t.shop.example" + path, "same-site")


def test_an_image_that_the_sites_host_hands_on_to_tiktok_is_one_send() -> None:
    chain = [moved(own(1000, "/t" + TOLD), TIKTOK + TOLD), image(1010, TIKTOK + TOLD, "cross-site")]
    j = judged([page(0, cookie=NO), *chain])
    assert [v.copy_of is not None for v in j.verdicts] == [True, False]
    assert [v.rule for v in j.violations if v.regime == "eu"] == ["fired-after-denial"]
    assert next(c.hits for c in j.coverage if (c.state, c.regime) == ("denied", "eu")) == {"event": 1}


def test_a_hop_that_says_nothing_itself_is_none_and_its_end_counts() -> None:
    chain = [moved(own(1000, "/r?e=1"), TIKTOK + TOLD), image(1010, TIKTOK + TOLD, "cross-site")]
    j = judged([page(0, cookie=NO), *chain])
    assert [v.verdicts["eu"] for v in j.verdicts] == ["violation"]


def test_a_post_that_is_handed_on_has_no_origin_and_stays_on_its_page() -> None:
    first = hit(1000, host="t.shop.example", headers=[("Sec-Fetch-Site", "same-site")])
    second = hit(1010, headers=[("Origin", "null")])
    j = judged([page(0, cookie=NO), moved(first, TIKTOK, 307), second])
    assert {v.property for v in j.verdicts} == {"shop.example"}
    assert len([v for v in j.violations if v.regime == "eu"]) == 1


def test_a_click_on_an_advertisement_lands_on_the_site_and_not_on_tiktok() -> None:
    landing = SHOP + "?ttclid=E.C.P.abcdefghijklmnop"
    came = [("Referer", "https://www.tiktok.com/")]
    click = moved(page(-300, "https://www.tiktok.com/link/v2?aid=1"), landing)
    visit = [
        click, moved(page(-100, landing, headers=came), SHOP + "home?ttclid=E.C.P.abcdefghijklmnop", 301),
        page(0, SHOP + "home?ttclid=E.C.P.abcdefghijklmnop", headers=came), cmp_script(10),
        hit(1000, url=SHOP + "home?ttclid=E.C.P.abcdefghijklmnop"), asset(2000, cookie=onetrust(None)),
    ]  # fmt: skip
    j = judged(visit)
    assert [(v.property, v.consent_state) for v in j.verdicts] == [("shop.example", "unanswered")]
    rows = {c.property: c.page_views for c in j.coverage if (c.state, c.regime) == ("unanswered", "eu")}
    assert rows == {"shop.example": 1}


def test_a_redirect_to_another_site_is_no_view_of_this_one() -> None:
    out = moved(page(5000, SHOP + "go?to=other", cookie=NO), "https://other.example/")
    visit = [page(0, cookie=NO), style(10), out, page(5100, "https://other.example/", headers=[("Referer", SHOP)])]
    j = judged(
        [*visit, style(5200, "https://other.example/x.css"), hit(5300, "PageLeave", headers=[("Origin", "null")])]
    )
    assert [(v.property, v.consent_state) for v in j.verdicts] == [("shop.example", "denied")]
    denied = next(c for c in j.coverage if (c.property, c.state, c.regime) == ("shop.example", "denied", "eu"))
    assert denied.page_views == 1


# --- a hop that is not in the recording -------------------------------------------------------------------------------


def coverage(*exchanges: Exchange) -> tuple[str, str]:
    made = judged([page(0, cookie=NO), style(10), *exchanges]).coverage
    return next((c.result, c.note) for c in made if (c.property, c.state, c.regime) == ("shop.example", "denied", "eu"))


def kinds(*exchanges: Exchange) -> list[str]:
    return [b.kind for b in judged([page(0, cookie=NO), style(10), *exchanges]).blind_spots]


HANDED_ON = moved(own(1000, "/r?e=1"), TIKTOK + TOLD)


def test_a_redirect_to_tiktok_whose_next_hop_was_not_seen_keeps_silence_from_passing() -> None:
    result, note = coverage(HANDED_ON)
    assert result == "unverified"
    assert "a redirect to TikTok was seen" in note
    assert kinds(HANDED_ON) == ["redirect_unseen"]
    nameless = replace(HANDED_ON, headers=())
    assert coverage(nameless)[0] == "unverified"
    assert coverage(moved(own(1000, "/r"), "//analytics.tiktok.com/i18n/pixel/events.js?sdkid=x#a"))[0] == "unverified"


def test_a_next_hop_that_was_seen_or_blocked_is_no_doubt_beside_what_it_is() -> None:
    arrived = image(1010, TIKTOK + TOLD, "cross-site")
    assert "redirect_unseen" not in kinds(HANDED_ON, arrived)
    assert kinds(HANDED_ON, replace(arrived, error="net::ERR_BLOCKED_BY_CSP")) == ["blocked_send"]
    # One request is the next hop of one redirect, and not of a later one, nor another visitor's.
    assert "redirect_unseen" in kinds(HANDED_ON, arrived, replace(HANDED_ON, started_at=START + 1005))
    assert "redirect_unseen" in kinds(HANDED_ON, replace(arrived, client="d"))
    assert "redirect_unseen" in kinds(HANDED_ON, replace(arrived, started_at=START + 900))
    assert "redirect_unseen" in kinds(HANDED_ON, image(1010, TIKTOK, "cross-site"))


def test_browsers_spell_an_address_in_their_own_way() -> None:
    loose = moved(own(1000, "/r"), "https://Analytics.TikTok.com/api/v2/pixel?a=b c")
    assert "redirect_unseen" not in kinds(loose, image(1010, TIKTOK + "?a=b%20c", "cross-site"))


def test_a_redirect_to_a_page_of_tiktoks_or_one_that_is_none_is_no_doubt() -> None:
    assert coverage(moved(own(1000, "/r"), "https://www.tiktok.com/@shop"))[0] == "pass"
    assert coverage(moved(own(1000, "/r"), TIKTOK + TOLD, 200))[0] == "pass"
    assert coverage(moved(own(1000, "/r"), "https://[rubbish"))[0] == "pass"
    assert coverage(moved(own(1000, "/r"), "/elsewhere"))[0] == "pass"


def test_a_redirect_on_another_site_leaves_this_one_alone() -> None:
    other = replace(HANDED_ON, headers=(("Referer", "https://other.example/"),))
    assert coverage(other)[0] == "pass"
