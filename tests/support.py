"""Small builders: exchanges as a visit would make them, and their judgement."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pixelwitness.audit.judge import judge
from pixelwitness.audit.model import HitVerdict, Judgement, Rows
from pixelwitness.consent.probe import PATH as PROBE_PATH
from pixelwitness.consent.read import mark_signal
from pixelwitness.exchange import Exchange, Numbering, Response, iso
from pixelwitness.ingest import observe_request, observe_response
from pixelwitness.observations import Observed, Signal
from pixelwitness.rulebook import load_rulebook

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
BOOK = load_rulebook()
START = 1_795_000_000_000  # 2026-11-18
PIXEL = "D0ME9HRC77U4Q9G3Q7A0"
SHOP = "https://www.shop.example/"

needs_shared = pytest.mark.skipif(
    not (SHARED / "captures").is_dir(), reason="the shared captures are not beside the checkout"
)


def page(at: int, url: str = SHOP, *, cookie: str | None = None, client: str = "c", **more: Any) -> Exchange:
    """A top-level document request, `at` milliseconds after START."""
    headers = [("Sec-Fetch-Dest", "document"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Site", "none")]
    headers += [("Cookie", cookie)] if cookie is not None else []
    headers += more.pop("headers", [])
    response = Response(START + at + 20, 200, (("Content-Type", "text/html"), *more.pop("set", ())))
    return Exchange(client, START + at, "GET", url, tuple(headers), b"", response=response, **more)


def asset(at: int, *, cookie: str | None, url: str = SHOP + "app.js", client: str = "c", **more: Any) -> Exchange:
    """A same-origin script request of the shop."""
    headers = [("Sec-Fetch-Dest", "script"), ("Sec-Fetch-Site", "same-origin"), ("Referer", SHOP)]
    headers += [("Cookie", cookie)] if cookie is not None else []
    return Exchange(client, START + at, "GET", url, tuple(headers), b"", response=Response(START + at + 5, 200), **more)


def style(at: int, url: str = SHOP + "shop.css", client: str = "c") -> Exchange:
    """A sub-resource that says nothing of consent, as nearly every page has one."""
    return Exchange(
        client,
        START + at,
        "GET",
        url,
        (("Referer", SHOP), ("Sec-Fetch-Dest", "style"), ("Sec-Fetch-Site", "same-origin")),
    )


def body(event: str | None = "Pageview", *, url: str = SHOP, stamp: int | None = None, **more: Any) -> dict[str, Any]:
    """A message of TikTok's client, in its shape."""
    made: dict[str, Any] = {
        "event_id": "",
        "message_id": "messageId-1",
        "context": {
            "user": {"anonymous_id": "01M815YN9JZW0KVGPPSCF7FDMT_.tt.1", **more.pop("user", {})},
            "pixel": {"code": PIXEL, "runtime": "1"},
            "page": {"url": url, "referrer": more.pop("referrer", "")},
            "library": {"name": "pixel.js", "version": "2.2.1"},
        },
        "properties": {},
        **more,
    }
    if event is not None:
        made["event"] = event
    if stamp is not None:
        made["timestamp"] = iso(START + stamp)
    return made


def hit(
    at: int, event: str | None = "Pageview", *, client: str = "c", path: str = "/api/v2/pixel", headers: Any = (),
    host: str = "analytics.tiktok.com", method: str = "POST", exchange: Any = None, **more: Any,
) -> Exchange:  # fmt: skip
    """A pixel message."""
    given = [("Origin", SHOP.rstrip("/")), ("Referer", SHOP), ("Content-Type", "text/plain;charset=UTF-8"), *headers]
    data = json.dumps(body(event, **more)).encode() if method == "POST" else b""
    return Exchange(client, START + at, method, f"https://{host}{path}", tuple(given), data, **(exchange or {}))


def report(
    at: int, *rows: dict[str, Any], headers: Any = (), url: str = "https://www.shop.example" + PROBE_PATH
) -> Exchange:
    """A report of the probe, `at` milliseconds after START."""
    body = json.dumps({"pixelwitness": 1, "page": "p", "number": 1, "now": START + at, "items": list(rows)})
    given = (("Sec-Fetch-Site", "same-origin"), ("Referer", "https://www.shop.example/"), *headers)
    return Exchange("c", START + at, "POST", url, given, body.encode())


def script(at: int, *, client: str = "c", headers: Any = ()) -> Exchange:
    """The loader."""
    url = f"https://analytics.tiktok.com/i18n/pixel/events.js?sdkid={PIXEL}&lib=ttq"
    return Exchange(client, START + at, "GET", url, (("Referer", SHOP), ("Sec-Fetch-Dest", "script"), *headers), b"")


def cmp_script(
    at: int, url: str = "https://cdn.cookielaw.org/scripttemplates/otSDKStub.js", client: str = "c"
) -> Exchange:
    """A consent system's script loading on the shop."""
    return Exchange(client, START + at, "GET", url, (("Referer", SHOP), ("Sec-Fetch-Dest", "script")), b"")


def onetrust(advertising: bool | None, *, at: int | None = None, default: bool = False, extra: str = "") -> str:
    """An OneTrust cookie: answered (with its stamp, if given), or before any choice (None)."""
    landing = "NotLandingPage" if advertising is not None else "https%3A%2F%2Fwww.shop.example%2F"
    flag = int(default if advertising is None else advertising)
    value = f"OptanonConsent=isGpcEnabled=0&interactionCount=1&landingPath={landing}&groups=C0001%3A1%2CC0004%3A{flag}{extra}"
    return value + (f"; OptanonAlertBoxClosed={iso(START + at)}" if at is not None else "")


def mark(at: int, text: str, **more: Any) -> Signal:
    """An auditor's mark."""
    return mark_signal(START + at, text, client=more.get("client"), property=more.get("property"), book=BOOK)


def har(exchanges: list[Exchange]) -> list[Exchange]:
    """The same exchanges as a HAR holds them: an absent Cookie header may have been left out."""
    return [replace(e, cookies_complete=False) for e in exchanges]


def observe(exchanges: list[Exchange], marks: list[Signal] | None = None) -> Rows:
    """The rows that a recording of these exchanges gives."""
    numbering = Numbering()
    said: list[Observed] = []
    for exchange in map(numbering.number, exchanges):
        said += [observe_request(exchange, BOOK), observe_response(exchange, BOOK)]
    return Rows(
        hits=tuple(h for s in said for h in s.hits),
        signals=(*(g for s in said for g in s.signals), *(marks or [])),
        page_views=tuple(s.page_view for s in said if s.page_view),
        settings=tuple(p for s in said for p in s.settings),
        hosted=tuple(h for s in said for h in s.hosted),
        first_party=tuple(s.first_party for s in said if s.first_party),
        frames=tuple(s.frame for s in said if s.frame),
        blind_spots=tuple(b for s in said for b in s.blind_spots),
    )


def judged(exchanges: list[Exchange], marks: list[Signal] | None = None, *, named: tuple[str, ...] = ()) -> Judgement:
    """The judgement of a recording under both first regimes."""
    return judge(observe(exchanges, marks), [BOOK.regimes["eu"], BOOK.regimes["us-ca"]], BOOK, named)


def verdict(exchanges: list[Exchange], marks: list[Signal] | None = None) -> HitVerdict:
    """The verdict of the only hit (or the last one) of a recording."""
    return judged(exchanges, marks).verdicts[-1]


def rules(judgement: Judgement, regime: str) -> set[str]:
    """The rules that were broken under a regime."""
    return {v.rule for v in judgement.violations if v.regime == regime}
