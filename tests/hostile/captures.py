"""Captures that somebody made to hurt the program, each under a name, with what must be said of it."""

from __future__ import annotations

import base64
import gzip
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brotli
import zstandard
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow, tutils

from support import PIXEL, START, body

SHOP = "https://www.shop.example/"
PIXEL_URL = "https://analytics.tiktok.com/api/v2/pixel"
TIME = "2026-11-18T06:13:20.000Z"
MB = 1024 * 1024
DEEP = 100_000
ESCAPES = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e"
ATTACK = f'=HYPERLINK("http://evil.example")\'; DROP TABLE hits; --<script>alert(1)</script>{ESCAPES}|[x](javascript:alert(1))`'


def entry(
    url: str = PIXEL_URL, *, text: str | None = None, method: str = "POST", headers: Any = (), answer: Any = None,
    at: str = TIME, kind: str = "text/plain",
) -> dict[str, Any]:  # fmt: skip
    """One entry of a HAR."""
    pairs = [{"name": n, "value": v} for n, v in (("Origin", SHOP[:-1]), ("Referer", SHOP), *headers)]
    request: dict[str, Any] = {"method": method, "url": url, "headers": pairs}
    if text is not None:
        request["postData"] = {"mimeType": kind, "text": text}
    return {
        "startedDateTime": at,
        "time": 5,
        "request": request,
        "response": answer or {"status": 200, "headers": [], "content": {}},
    }


def visit(headers: Any = (), url: str = SHOP) -> dict[str, Any]:
    """A top-level page of the shop."""
    made = entry(url, method="GET", headers=(("Sec-Fetch-Dest", "document"), ("Sec-Fetch-Site", "none"), *headers))
    made["request"]["headers"] = made["request"]["headers"][2:]
    return made


def sound() -> dict[str, Any]:
    """A message that must be found whatever stands around it."""
    return entry(text=json.dumps(body("Purchase")), at="2026-11-18T06:13:21.000Z")


def har(*entries: Any, escape: bool = True) -> bytes:
    return json.dumps({"log": {"version": "1.2", "entries": [*entries, sound()]}}, ensure_ascii=escape).encode(
        "utf-8", "replace"
    )


def flow(
    url: str,
    *,
    method: bytes = b"POST",
    content: bytes = b"",
    headers: Any = (),
    answer: Any = None,
    at: float = START / 1000,
) -> Any:
    request = tutils.treq(method=method, content=content, timestamp_start=at, timestamp_end=at)
    request.url = url
    request.headers.clear()
    for name, value in (("origin", SHOP[:-1]), ("referer", SHOP), *headers):
        request.headers.add(name, value)
    made = tflow.tflow(req=request, resp=answer or tutils.tresp(content=b"", timestamp_start=at, timestamp_end=at))
    made.request.headers["content-length"] = str(len(content))
    return made


def flows(*made: Any) -> bytes:
    out = io.BytesIO()
    writer = FlowWriter(out)
    for one in (*made, flow(PIXEL_URL, content=json.dumps(body("Purchase")).encode(), at=START / 1000 + 1)):
        writer.add(one)
    return out.getvalue()


def packed(encoding: str, size: int) -> bytes:
    data = b'{"event":"' + b"A" * size
    for name in encoding.split(", "):
        if name == "gzip":
            data = gzip.compress(data, 6)
        elif name == "br":
            data = brotli.compress(data, quality=1)
        elif name == "zstd":
            data = zstandard.compress(data)
        else:
            data = zlib.compress(data)
    return data


def bomb(encoding: str, size: int = 200 * MB) -> bytes:
    """A request and an answer that unpack to far more than the bound."""
    data = packed(encoding, size)
    answer = tutils.tresp(content=b"", timestamp_start=START / 1000, timestamp_end=START / 1000)
    answer.headers.clear()
    answer.headers["content-type"], answer.headers["content-encoding"] = "application/json", encoding
    answer.raw_content = data
    one = flow(PIXEL_URL, headers=(("content-encoding", encoding),), answer=answer)
    one.request.raw_content = data
    return flows(one)


def endless() -> bytes:
    """A chunked body that the recorder cut: the stored record says more than it holds."""
    one = flow(PIXEL_URL, headers=(("transfer-encoding", "chunked"),), content=b"5\r\nhello\r\n" * 400_000)
    return flows(one)[: 3 * MB]


def deep_json() -> bytes:
    nested = '{"a":' * DEEP + "1" + "}" * DEEP
    lists = "[" * DEEP + "]" * DEEP
    prefixed = '{"event":"Pageview","context":{"pixel":{"code":"%s"},"page":{"url":"%s"}},"properties":%s}'
    return har(
        entry(text=nested), entry(text=lists), entry(text="[" * DEEP),
        entry(text=prefixed % (PIXEL, SHOP, nested)), entry(text=prefixed % (PIXEL, SHOP, json.dumps(nested))),
        entry(text=json.dumps({"data": prefixed % (PIXEL, SHOP, lists)})),
        entry(f"{PIXEL_URL}?analytics_message={lists}", method="GET"),
        entry(text=base64.b64encode(nested.encode()).decode()),
    )  # fmt: skip


def deep_har() -> bytes:
    whole = har(visit()).decode()
    return whole.replace('"cache"', "").replace('"time": 5', '"time": ' + "[" * DEEP + "]" * DEEP, 1).encode()


def deep_consent() -> bytes:
    nested = "[" * DEEP + "]" * DEEP
    objects = '{"a":' * 40_000 + "1" + "}" * 40_000
    names = ("OptanonConsent", "CookieConsent", "klaro", "cmplz_consent", "CookieScriptConsent", "consent-policy", "tarteaucitron",
             "orejime", "cookieyes-consent", "__hs_cookie_cat_pref", "fs-cc", "euconsent-v2", "usprivacy", "uc_settings")  # fmt: skip
    cookies = [
        f"{n}={v}" for n in names for v in (nested[:30_000], objects[:30_000], base64.b64encode(b"[" * 20_000).decode())
    ]
    answer = {"status": 200, "headers": [{"name": "Content-Type", "value": "application/json"}],
              "content": {"mimeType": "application/json", "text": nested}}  # fmt: skip
    configured = [
        entry("https://cdn.cookielaw.org/consent/0000-0000/0000/en.json", method="GET", answer=answer),
        entry("https://consent.cookiebot.com/uc.js", method="GET", answer=answer),
        entry("https://analytics.tiktok.com/i18n/pixel/config.js", method="GET", answer=answer),
    ]
    return har(*(visit([("Cookie", c)]) for c in cookies), *configured)


def odd_json() -> bytes:
    whole = json.dumps(body("Pageview"))[1:-1]
    texts = [
        "{" + whole + ',"timestamp":' + "9" * 1_000_000 + "}",
        "{" + whole + ',"timestamp":1e400,"properties":{"value":-1e999,"price":NaN,"q":Infinity,"z":-Infinity}}',
        '{"event":"First","event":"Second",' + whole + ',"event":"Third"}',
        "{" + whole + ',"event":"\\ud800","properties":{"\\udfff":"\\ud83d"}}',
        "{" + whole + ',"event":"a\\u0000b","properties":{"\\u0000":"\\u0000"}}',
        "{" + whole + ',"timestamp":-99999999999999999999,"limited_data_use":"yes"}',
        "{" + whole + ',"context":' + json.dumps({"page": {"url": "https://\u0000\u202e/../..//"}, "pixel": {"code": ["x"]}}) + "}",
        "\ufeff{" + whole + "}", "{" + whole, "null", '"text"', "[]", "{}", "[{}]", '{"batch":[1,null,"x",{"event":[]}]}',
    ]  # fmt: skip
    return har(*(entry(text=t) for t in texts))


def headers() -> bytes:
    many = [(f"x-{i}", "v") for i in range(10_000)]
    names = ["\x00", "a\r\nb", "\x1b[2J", "", "é", "名", "a b", "\ud800"]
    odd = flow(PIXEL_URL, content=json.dumps(body("Pageview")).encode())
    odd.request.headers.fields = (
        *odd.request.headers.fields,
        (b"x-\xff\xfe", b"\xff\x00\x80"),
        (b"", b""),
        (b"cookie", b"\xff=\xfe; OptanonConsent=\xff"),
    )
    return flows(
        flow(SHOP, method=b"GET", headers=many),
        odd,
        *(flow(SHOP, method=b"GET", headers=[(n.encode("utf-8", "surrogatepass"), b"v")]) for n in names if n),
    )


def cookies(which: str) -> bytes:
    """`answers`, `strings` or `names` of a megabyte and of odd characters, or the same as `set` by the site."""
    big = "OptanonConsent=" + "groups=C0004%3A1&" * 62_000
    names = [
        "a\x00b",
        "\x1b[2J",
        "OptanonConsent\r\n",
        "\u202eonetrust",
        "=",
        ";" * 100_000,
        "x" * MB,
        "__proto__",
        "\ud800",
    ]
    many = "; ".join(f"consent{i}=1" for i in range(50_000))
    values = [big, many, "euconsent-v2=" + "C" * MB, "__gpp=" + "DBABLA~" * 150_000,
              "CookieConsent=" + "{stamp:'" * 100_000, "x=" + "%25" * 30_000, "klaro=" + "%7B" * 30_000]  # fmt: skip
    answers = {
        "status": 200,
        "content": {},
        "headers": [{"name": "Set-Cookie", "value": v} for v in (*values[:2], *(f"{n}=1; Path=/" for n in names))],
    }
    made = visit()
    made["response"] = answers
    if which == "set":
        return har(made)
    if which in ("answers", "strings"):
        return har(*(visit([("Cookie", v)]) for v in (values[:2] if which == "answers" else values[2:])))
    return har(*(visit([("Cookie", f"{n}=1; OptanonConsent=groups=C0004%3A0")]) for n in names))


def hosts() -> bytes:
    urls = [
        "https://b\u00fccher.example/", "https://xn--bcher-kva.example/", "https://\u0430nalytics.tiktok.com/api/v2/pixel",
        "https://analytics.tikt\u043ek.com/api/v2/pixel", "https://analytics.tiktok.com.evil.example/api/v2/pixel",
        "https://evil.example/analytics.tiktok.com/api/v2/pixel", "https://analytics.tiktok.com@evil.example/api/v2/pixel",
        "https://analytics.tiktok.com\\@evil.example/api/v2/pixel", "https://analytics.tiktok.com/../../../api/v2/pixel",
        "https://analytics.tiktok.com/api/v2/pixel/../../../../etc/passwd", "https://[::1]/", "https://[::ffff:1.2.3.4%25eth0]/",
        "https://1.2.3.4/", "https://" + "a." * 5_000 + "example/", "https://" + "x" * 100_000 + "/", "https://./", "https://../",
        "https://a..b/", "https://shop.example:99999/", "https://shop.example:-1/", "https:///", "//", "::", "\x00", "https://\x00/",
        "https://shop.example/%00/%2e%2e/%ff", "HTTPS://ANALYTICS.TIKTOK.COM/api/v2/pixel", "https://analytics.tiktok.com./api/v2/pixel",
        "https://\u2100.example/", "https://xn--" + "a" * 100 + ".example/", "https://xn--\u0000.example/", "file:///etc/passwd",
    ]  # fmt: skip
    return har(
        *(entry(u, text=json.dumps(body("Pageview", url=u))) for u in urls), *(visit(url=u) for u in urls), escape=True
    )


def attacks() -> bytes:
    """Text that is a command to a browser, a database, a terminal, a spreadsheet or a document, in every field."""
    context: dict[str, Any] = {
        "user": {"anonymous_id": ATTACK, "email": ATTACK, "phone_number": ATTACK, "external_id": ATTACK, ATTACK: ATTACK},
        "pixel": {"code": ATTACK, "runtime": ATTACK, "mode": ATTACK, "codes": ATTACK},
        "page": {"url": SHOP + ATTACK, "referrer": SHOP + ATTACK}, "library": {"name": ATTACK, "version": ATTACK},
        "ad": {"ttclid": ATTACK, ATTACK: ATTACK}, "device": {ATTACK: ATTACK}, "session_id": ATTACK, "pageview_id": ATTACK,
        "sessions": [{"pixel_code": ATTACK}],
    }  # fmt: skip
    message = {"event": ATTACK, "event_id": ATTACK, "message_id": ATTACK, "timestamp": ATTACK, "action": ATTACK, "context": context,
               "partner": ATTACK, "properties": {ATTACK: ATTACK, "contents": [{"content_name": ATTACK}], "currency": ATTACK}}  # fmt: skip
    named = {**message, "context": {**context, "page": {"url": SHOP, "referrer": SHOP}, "pixel": {"code": PIXEL}}}
    cookie = f"{ATTACK.replace(';', '')}=1; consent{ESCAPES}=1; OptanonConsent=groups=C0004%3A0{ATTACK}"
    extra = [("Cookie", cookie), (ATTACK, ATTACK), ("User-Agent", ATTACK), ("Content-Type", ATTACK)]
    failed = entry(text=json.dumps(message), headers=extra)
    failed["response"] = {"status": 0, "_error": "net::ERR_BLOCKED_BY_CLIENT" + ATTACK}
    strange = entry(text=json.dumps(message), method=ATTACK)
    return har(
        visit([("Cookie", "OptanonConsent=groups=C0004%3A0&landingPath=NotLandingPage" + ATTACK)]), visit(extra, SHOP + ATTACK),
        entry(text=json.dumps(message), headers=extra), entry(text=json.dumps(named), headers=extra), failed, strange,
        entry("https://cdn.cookielaw.org/scripttemplates/otSDKStub.js?" + ATTACK, method="GET"),
        entry(f"https://{ATTACK}.example/api/v2/pixel", text=json.dumps(named)),
        entry(f"https://gtm{ESCAPES}.shop.example/api/v2/pixel?{ATTACK}", text=json.dumps(named)),
    )  # fmt: skip


def many_messages() -> bytes:
    whole = body("Pageview")
    return har(entry(text=json.dumps({"batch": [whole] * 5_000})), entry(text=json.dumps([whole] * 5_000)))


def many_sessions() -> bytes:
    whole = body("Pageview")
    whole["context"]["sessions"] = [{"pixel_code": f"C{i}"} for i in range(20_000)]
    return har(entry(text=json.dumps(whole)))


def rich(properties: Any) -> bytes:
    """A message with far more than anybody looks at, and what must be found in it all the same behind that."""
    whole = body("Pageview", user={"email": "somebody@shop.example"})
    return har(
        entry(text=json.dumps({"properties": properties, **{k: v for k, v in whole.items() if k != "properties"}}))
    )


def file_of_flows() -> bytes:
    """A flow file that unpacks to far more than it is."""
    return gzip.compress(flows(flow("https://cdn.shop.example/x", content=b"A" * (5 * MB))) * 60)


def huge(size: int) -> Callable[[], bytes]:
    def made() -> bytes:
        text = '{"event":"Pageview","context":{"pixel":{"code":"' + PIXEL + '"}},"x":"' + "A" * size + '"}'
        return har(entry(text=text, headers=[("Content-Length", str(size))]))

    return made


def file_bomb() -> bytes:
    """A small file that unpacks to two gigabytes."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9) as packer:
        packer.write(b'{"log":{"entries":[')
        for _ in range(2000):
            packer.write(b" " * MB)
    return out.getvalue()


def big_response() -> bytes:
    answer = {"status": 200, "headers": [{"name": "Content-Type", "value": "application/json"}],
              "content": {"mimeType": "application/json", "text": '{"a":"' + "b" * (60 * MB)}}  # fmt: skip
    return har(entry("https://cdn.cookielaw.org/consent/x/y/en.json", method="GET", answer=answer))


def open_page(piece: str) -> bytes:
    """A page of tags of which none ends."""
    page = visit()
    page["response"] = {"status": 200, "headers": [{"name": "Content-Type", "value": "text/html"}],
                        "content": {"mimeType": "text/html", "text": "<!doctype html>" + piece * (2 * MB // len(piece) - 9)}}  # fmt: skip
    return har(page)


CAPTURES: dict[str, Callable[[], bytes]] = {
    **{f"bomb {e}.mitm": lambda e=e: bomb(e) for e in ("gzip", "br", "zstd", "deflate")},
    "bomb nested.mitm": lambda: bomb("gzip, br, zstd, gzip"),
    "bomb many layers.mitm": lambda: bomb(", ".join(["gzip"] * 12), 400 * MB),
    "bomb file.har.gz": file_bomb,
    "cut chunks.mitm": endless,
    "no such length.mitm": lambda: flows() + b"99999999999:" + b"A" * 1000,
    "63 MB.mitm": lambda: flows(flow(PIXEL_URL, content=b'{"event":"' + b"A" * (63 * MB))),
    "70 MB.mitm": lambda: flows(flow(PIXEL_URL, content=b'{"event":"' + b"A" * (70 * MB))),
    "63 MB.har": huge(63 * MB),
    "70 MB.har": huge(70 * MB),
    "15 MB.har": huge(15 * MB),
    "big response.har": big_response,
    "deep json.har": deep_json,
    "deep har.har": deep_har,
    "deep consent.har": deep_consent,
    "odd json.har": odd_json,
    "headers.mitm": headers,
    **{f"cookies {w}.har": lambda w=w: cookies(w) for w in ("answers", "strings", "names", "set")},
    "hosts.har": hosts,
    "attacks.har": attacks,
    "bomb file.mitm.gz": file_of_flows,
    "many keys.har": lambda: rich({f"key{i}": i for i in range(200_000)}),
    "many addresses.har": lambda: rich({"x": " ".join(f"user{i}@mail{i}.example" for i in range(400_000))}),
    "many numbers.har": lambda: rich({"x": " ".join(f"+4915112{i:06d}" for i in range(400_000))}),
    "many values.har": lambda: rich({"x": [f"user{i}@mail{i}.example" for i in range(200_000)]}),
    "many layers.har": lambda: rich(
        {"x": "&".join(f"a{i}=%7B%22b%22%3A%2261%2540b.example%22%7D" for i in range(100_000))}
    ),
    "many messages.har": many_messages,
    "open scripts.har": lambda: open_page("<script "),
    "open links.har": lambda: open_page("<link rel="),
    "many sessions.har": many_sessions,
}


def write(name: str, folder: Path) -> Path:
    path = folder / name
    path.write_bytes(CAPTURES[name]())
    return path
