"""What a look calls silent says nothing: records and counts with the look against those without it.

On every capture, and on exchanges made of all that rules read anything out of: hosts and paths of consent systems and of
TikTok, cookies, GPC, configurations, copies of the pixel and of its client on other hosts, with and without what
browsers say of a request.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwitness import glance
from pixelwitness.consent.probe import PATH as PROBE
from pixelwitness.exchange import Exchange, Response
from pixelwitness.ingest import observe_request, observe_response
from pixelwitness.observations import Observed
from pixelwitness.run import Lens, Scope, Tally, request_record, response_record, speaks
from pixelwitness.sources.files import read_capture
from support import BOOK, PIXEL, ROOT, SHARED, needs_shared

CAPTURES = [
    p
    for p in sorted(chain((ROOT / "captures").rglob("*"), (SHARED / "captures").rglob("*")))
    if p.suffix in (".har", ".mitm")
]
MESSAGE = json.dumps({"event": "Pageview", "context": {"pixel": {"code": PIXEL}, "library": {"name": "pixel.js"}}}, separators=(",", ":"))  # fmt: skip
RELAYED = json.dumps({"pixel_code": PIXEL, "event": "Purchase", "timestamp": "2026-11-18T10:00:00Z"}, separators=(",", ":"))  # fmt: skip
CLIENT = 'a="TiktokAnalyticsObject",b="tt_adInfo",c="/api/v2/pixel/act",d=e()._self_host_config'
UUID = "0195a1b2-0000-7000-8000-0123456789ab"


def told(exchange: Exchange, lens: Lens) -> tuple[list[object], object]:
    tally = Tally()
    made = [request_record(exchange, lens, tally, "a"), response_record(exchange, lens, "a")]
    return [m for m in made if m is not None], tally.counts


def long_way(exchange: Exchange, lens: Lens) -> tuple[list[object], object]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pixelwitness.run.silent_request", lambda *_: None)
        patch.setattr("pixelwitness.run.silent_response", lambda *_: False)
        return told(exchange, lens)


def check(exchange: Exchange) -> tuple[bool, bool]:
    """That the look foretells what the long way says; and whether it called the two halves silent."""
    category, quiet = glance.silent_request(exchange, BOOK), glance.silent_response(exchange, BOOK)
    if category is not None:
        assert observe_request(exchange, BOOK) == Observed(category=category)
    if quiet and exchange.response is not None:
        added = observe_response(exchange, BOOK)
        assert not speaks(added)
        assert not added.category.startswith(("pixel_", "app_sdk"))
    for lens in (Lens(BOOK), Lens(BOOK, Scope(("shop.example",)))):
        assert told(exchange, lens) == long_way(exchange, lens)
    return category is not None, quiet


@pytest.mark.parametrize("path", CAPTURES, ids=lambda p: p.name)
def test_every_exchange_of_a_capture(path: Path) -> None:
    seen = [check(item) for item in read_capture(path, client="c") if isinstance(item, Exchange)]
    assert seen


@needs_shared
def test_the_look_is_worth_it() -> None:
    """Of the recordings of real sites most is silent: else the tests above would compare the long way with itself."""
    real = [p for p in CAPTURES if p.parent.name == "captures" and p.is_relative_to(SHARED)]
    seen = [check(e) for p in real for e in read_capture(p, client="c") if isinstance(e, Exchange)]
    assert sum(request for request, _ in seen) > len(seen) // 2
    assert sum(response for _, response in seen) > len(seen) // 2


def pieces(values: Iterable[str]) -> st.SearchStrategy[str]:
    return st.sampled_from(list(values))


HOSTS = pieces(
    [
        "www.shop.example", "shop.example", "cdn.other.example", "analytics.tiktok.com", "www.tiktok.com",
        "cdn.cookielaw.org", "consent.cookiebot.com", "www.google-analytics.com", "www.googletagmanager.com",
        "connect.facebook.net", "www.facebook.com", "tiktok.com.other.example", "xn--bcher-kva.example", "SHOP.example.",
        "127.0.0.1", "pixelwitness.local", "",
    ]
)  # fmt: skip
PATHS = pieces(
    [
        "", "/", "/a.js", "/img/1.webp", "/api/v2/pixel", "/api/v2/pixel/", "/api/v2/pixel/act", "/.well-known/gpc.json",
        PROBE, f"/x/consent/{UUID}/{UUID}/en.json", "/wrapper/v2/choice/gdpr/13", "/wrapper/v2/choice/usnat/11",
        "/wp-content/plugins/complianz-gdpr/a.js", "/scripttemplates/otSDKStub.js", "/set_tracking_consent.json",
        "/api/unstable/graphql.json", "/fides.js", "/ccm19.js", "/i18n/pixel/events.js", "/tr", "/api/v1/privacy-preferences",
    ]
)  # fmt: skip
QUERIES = pieces(
    [
        "", "", "?a=1", "?us_privacy=1YYN", "?GPP_SID=7&gpp=DBABLA~BVQqAAAAAgA.QA", "?gcs=G100", "?gdpr=1", "#gdpr=1",
        "?%67dpr=1", "?analytics_message=" + base64.b64encode(MESSAGE.encode()).decode(), "?x=gdpr", "?sdkid=" + PIXEL,
    ]
)  # fmt: skip
COOKIES = pieces(
    [
        "sid=abc; theme=dark", "OptanonConsent=groups=C0001%3A1%2CC0004%3A0; sid=1", "cookie_consent=yes", "_ttp=2abc",
        "x={%22marketing%22:true}", "", "usprivacy=1YNN", "us=1YYN",
    ]
)  # fmt: skip
HEADERS = st.lists(
    st.one_of(
        st.tuples(st.just("Sec-Fetch-Dest"), pieces(["document", "iframe", "image", "script", "empty", "fencedframe"])),
        st.tuples(st.just("sec-fetch-site"), pieces(["same-origin", "same-site", "cross-site", "none"])),
        st.tuples(st.just("Cookie"), COOKIES),
        st.tuples(st.just("Sec-GPC"), pieces(["1", "0"])),
        st.tuples(st.just("DNT"), st.just("1")),
        st.tuples(pieces(["Accept", "accept"]), pieces(["*/*", "text/html,*/*", "image/webp"])),
        st.tuples(
            pieces(["Referer", "Origin"]),
            pieces(["https://www.shop.example/p", "https://cdn.other.example/", "null", "", "https://bücher.example/"]),
        ),
        st.tuples(st.just("Upgrade-Insecure-Requests"), st.just("1")),
        st.tuples(st.just("User-Agent"), st.just("Mozilla/5.0")),
        st.tuples(st.just("Sec-Purpose"), st.just("prefetch")),
    ),
    max_size=6,
).map(tuple)
BODIES = st.sampled_from(
    [
        b"", b"", b"", None, MESSAGE.encode(), RELAYED.encode(), base64.b64encode(MESSAGE.encode()), b"{}",
        gzip.compress(MESSAGE.encode(), mtime=0), json.dumps({"m": MESSAGE}).encode(), b"x" * 300,
        b'{"event_source":"web","event_source_id":"%s","event":"Purchase"}' % PIXEL.encode(), b"\x1f\x8bno",
        b'{"pixelwitness":1,"items":[{"kind":"cookie","name":"","value":"cookie_consent=yes","at":1,"since":1}]}',
    ]
)  # fmt: skip
ANSWERS = st.lists(
    st.one_of(
        st.tuples(pieces(["Set-Cookie", "set-cookie"]), COOKIES.map(lambda c: c + "; Path=/")),
        st.tuples(
            pieces(["Content-Type", "content-type"]),
            pieces(["text/html", "application/javascript", "application/json", "image/png"]),
        ),
        st.tuples(pieces(["Server-Timing", "server-timing"]), pieces(['_cmp;desc="3.AMPS"', 'cf;dur=1, _cmp;desc="3"', "cf;dur=1"])),
        st.tuples(st.just("Location"), pieces(["https://analytics.tiktok.com/api/v2/pixel?x=1", "/a", "https://["])),
        st.tuples(st.just("Date"), st.just("Mon, 23 Nov 2026 02:26:09 GMT")),
    ),
    max_size=4,
).map(tuple)  # fmt: skip
ANSWERED = st.sampled_from(
    [
        b"", None, b"var a=1;", CLIENT.encode(), b'{"gpc":true,"lastUpdate":"2026-01-01"}',
        json.dumps({"DomainData": {"Groups": [{"OptanonGroupId": "C0004", "FirstPartyCookies": [{"Name": "_ttp"}]}]}}).encode(),
    ]
)  # fmt: skip
RESPONSES = st.none() | st.builds(
    lambda headers, body, status: Response(5, status, headers, body),
    ANSWERS,
    ANSWERED,
    st.sampled_from([200, 200, 302, 307, 404]),
)
EXCHANGES = st.builds(
    lambda method, host, path, query, headers, body, response, error: Exchange(
        "c", 1_795_000_000_000, method, f"https://{host}{path}{query}", headers, body,
        "complete" if body is not None else "not_captured", response, error=error,
    ),
    pieces(["GET", "GET", "POST", "OPTIONS", "HEAD"]), HOSTS, PATHS, QUERIES, HEADERS, BODIES, RESPONSES,
    st.sampled_from([None, None, "blocked: other"]),
)  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(EXCHANGES)
def test_every_exchange_that_can_be_made(exchange: Exchange) -> None:
    check(exchange)


@pytest.mark.parametrize("host", ["cdn.other.example", "www.shop.example"])
def test_a_hosted_copy_of_the_client_is_no_silence(host: str) -> None:
    script = Response(5, 200, (("Content-Type", "application/javascript"),), b"var a=1;")
    asked = (("Sec-Fetch-Dest", "script"), ("Sec-Fetch-Site", "cross-site"), ("Referer", "https://www.shop.example/"))
    plain = Exchange("c", 1, "GET", f"https://{host}/a.js", asked, b"", response=script)
    assert check(plain)[1] is True
    copy = replace(plain, response=replace(script, body=CLIENT.encode()))
    assert check(copy)[1] is False
