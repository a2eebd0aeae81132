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
