"""Traffic to measure with, made from the demo's own recordings: a busy site, one request in so many to TikTok.

The same numbers give the same bytes. Half of all requests are the site's own and carry its cookies; the others go to a
content network, an analytics service and the consent system. No real person, site or identifier is in it.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

DEMO = Path(__file__).parent.parent / "captures" / "demo" / "onetrust-bad-accept.har"
SITE = "www.onetrust-bad.example"
STEP = timedelta(milliseconds=40)
PAGE_EVERY = 60
"""Requests a page, as the HTTP Archive counts them on a median page."""
ASSETS = (
    (f"https://{SITE}/assets/app.{{n}}.js", "script", "application/javascript"),
    ("https://cdn.onetrust-bad-assets.example/img/{n}.webp", "image", "image/webp"),
    (f"https://{SITE}/api/stock?item={{n}}", "empty", "application/json"),
    ("https://www.google-analytics.com/g/collect?v=2&tid=G-0000000000&cid=1.{n}&en=scroll", "empty", "text/plain"),
    (f"https://{SITE}/assets/theme.{{n}}.css", "style", "text/css"),
    ("https://cdn.onetrust-bad-assets.example/fonts/{n}.woff2", "font", "font/woff2"),
    (f"https://{SITE}/api/events", "empty", "application/json"),
)  # fmt: skip
BUSY = "; ".join(
    f"{name}={hashlib.sha256(name.encode()).hexdigest()[:size]}"
    for name, size in [
        ("session", 40), ("cart", 24), ("ab_bucket", 6), ("_ga", 20), ("_gid", 20), ("_fbp", 28), ("_uetsid", 32),
        ("_uetvid", 32), ("locale", 5), ("currency", 3), ("last_seen", 12), ("_hjid", 36), ("__cf_bm", 64),
        ("_clck", 24), ("_clsk", 24), ("recent", 60), ("store", 4), ("_pin_unauth", 48), ("_scid", 36), ("csrf", 48),
    ]
)  # fmt: skip
"""Cookies of a busy shop, beside those of consent."""


def entries(count: int, one_in: int = 5, start: int = 0) -> Iterator[dict[str, Any]]:
    """HAR entries in the order of time, from number `start` on; every `one_in`th goes to TikTok (0: none, 1: all)."""
    demo = json.loads(DEMO.read_bytes())["log"]["entries"]
    pixels = [e for e in demo if ".tiktok.com/" in e["request"]["url"]]
    pages = [e for e in demo if e["request"]["url"].startswith(f"https://{SITE}/") and not _name(e).endswith(".js")]
    consent = pages[-1]  # carries the answer that was given
    began = datetime.fromisoformat(demo[0]["startedDateTime"])
    for n in range(start, start + count):
        at = began + n * STEP
        if one_in and n % one_in == one_in - 1:
            yield _pixel(pixels[n // one_in % len(pixels)], n, at)
        elif n % PAGE_EVERY == 0:
            yield _page(pages[n // PAGE_EVERY % len(pages)] if n else pages[0], n, at)
        else:
            yield _asset(consent, n, at)


def write_har(path: Path, count: int, one_in: int = 5, start: int = 0) -> None:
    """A HAR as browsers export it."""
    with path.open("w", encoding="utf-8") as out:
        creator = json.dumps({"name": "pixelwitness benchmarks", "version": "1"})
        out.write(f'{{"log": {{"version": "1.2", "creator": {creator}, "pages": [], "entries": [')
        for n, entry in enumerate(entries(count, one_in, start)):
            out.write((",\n" if n else "\n") + json.dumps(entry))
        out.write("\n]}}\n")


def write_flows(path: Path, count: int, one_in: int = 5) -> None:
    """The same as a flow file of mitmproxy."""
    from mitmproxy.io import FlowWriter
    from mitmproxy.io.har import request_to_flow

    with path.open("wb") as out:
        writer = FlowWriter(out)
        for entry in entries(count, one_in):
            writer.add(request_to_flow(entry))


def _name(entry: dict[str, Any]) -> str:
    return str(entry["request"]["url"]).partition("?")[0]


def _moved(entry: dict[str, Any], at: datetime) -> tuple[dict[str, Any], timedelta]:
    moved = copy.deepcopy(entry)
    by = at - datetime.fromisoformat(entry["startedDateTime"])
    moved["startedDateTime"] = at.isoformat(timespec="milliseconds")
    return moved, by


def _pixel(entry: dict[str, Any], n: int, at: datetime) -> dict[str, Any]:
    made, by = _moved(entry, at)
    text = made["request"].get("postData", {}).get("text")
    if text:
        said = json.loads(text)
        if isinstance(said.get("timestamp"), str):
            sent = datetime.fromisoformat(said["timestamp"]) + by
            said["timestamp"] = sent.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        for name in ("message_id", "event_id"):
            if isinstance(said.get(name), str):
                said[name] = f"{said[name][:-8]}{n:08d}"
        if isinstance(page := said.get("context", {}).get("page"), dict) and "url" in page:
            page["url"] = f"https://{SITE}/product/{n // PAGE_EVERY}"
        made["request"]["postData"]["text"] = json.dumps(said, separators=(",", ":"))
    return made


def _page(entry: dict[str, Any], n: int, at: datetime) -> dict[str, Any]:
    made, _ = _moved(entry, at)
    made["request"]["url"] = f"https://{SITE}/product/{n // PAGE_EVERY}"
    _with_cookies(made, new=n == 0)
    return made


def _asset(page: dict[str, Any], n: int, at: datetime) -> dict[str, Any]:
    made, _ = _moved(page, at)
    url, destination, mime = ASSETS[n % len(ASSETS)]
    own = SITE in url
    request = made["request"]
    request["url"] = url.format(n=n % 400)
    request["method"] = "POST" if url.endswith("/events") else "GET"
    request["headers"] = [
        h for h in request["headers"]
        if not h["name"].lower().startswith("sec-fetch-")
        and h["name"].lower() not in ("referer", "upgrade-insecure-requests", "host", "accept")
        and (own or h["name"].lower() != "cookie")
    ] + [
        {"name": "Host", "value": url.split("/")[2]},
        {"name": "Accept", "value": "*/*"},
        {"name": "Referer", "value": f"https://{SITE}/product/{n // PAGE_EVERY}"},
        {"name": "Sec-Fetch-Dest", "value": destination},
        {"name": "Sec-Fetch-Mode", "value": "no-cors"},
        {"name": "Sec-Fetch-Site", "value": "same-origin" if own else "cross-site"},
    ]  # fmt: skip
    request["cookies"] = []  # with another host's request no cookie of the site travels
    if own:
        _with_cookies(made, new=False)
    if request["method"] == "POST":
        body = json.dumps({"page": f"/product/{n // PAGE_EVERY}", "visible": n % 7, "scroll": n % 100})
        request["postData"] = {"mimeType": "application/json", "text": body}
    text = f"/* {n % 400} */" + "function a(b){return b+1};" * 80 if "text" in mime or "javascript" in mime else ""
    made["response"]["headers"] = [
        {"name": "content-type", "value": mime},
        {"name": "cache-control", "value": "max-age=600"},
    ]
    made["response"]["content"] = {"size": len(text), "mimeType": mime, "text": text}
    return made


def _with_cookies(entry: dict[str, Any], *, new: bool) -> None:
    for header in entry["request"]["headers"]:
        if header["name"].lower() == "cookie" and not new:
            header["value"] = f"{header['value']}; {BUSY}"
            pairs = (pair.partition("=") for pair in header["value"].split("; "))
            entry["request"]["cookies"] = [{"name": name, "value": value} for name, _, value in pairs]
