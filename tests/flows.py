"""Flows as mitmproxy hands them to the add-on."""

from __future__ import annotations

import json
import time
from typing import Any

from mitmproxy import http
from mitmproxy.test import tflow

from support import SHOP, body


def flow(
    url: str, *, method: str = "GET", content: bytes = b"", kind: str = "text/html", **headers: str
) -> http.HTTPFlow:
    request = http.Request.make(method, url, content, {k.replace("_", "-"): v for k, v in headers.items()})
    request.timestamp_start = time.time()
    made = tflow.tflow(req=request)
    made.response = None
    return made


def document(url: str = SHOP, **headers: str) -> http.HTTPFlow:
    return flow(url, sec_fetch_dest="document", sec_fetch_mode="navigate", sec_fetch_site="none", **headers)


def pixel(event: str = "AddToCart", **more: Any) -> http.HTTPFlow:
    user = {"email": "a" * 64}
    content = json.dumps(body(event, user=user, **more)).encode()
    return flow("https://analytics.tiktok.com/api/v2/pixel", method="POST", content=content, referer=SHOP)


def answered(one: http.HTTPFlow, html: bytes = b"<head><title>a</title>", **headers: str) -> http.HTTPFlow:
    one.response = one.response or http.Response.make(200, html, {"Content-Type": "text/html", **headers})
    one.response.timestamp_start = one.response.timestamp_end = time.time()
    return one
