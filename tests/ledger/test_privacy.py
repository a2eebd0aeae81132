"""What may not be stored is nowhere: in no encoding, in no table, part, write-ahead log, report or copy."""

from __future__ import annotations

import base64
import html
import json
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from sqlite_utils import Database

from pixelwitness.exchange import iso
from pixelwitness.identity.people import load_people
from pixelwitness.ledger.store import open_ledger
from pixelwitness.replay import Options, replay
from pixelwitness.report.summary import summarise
from support import BOOK, SHOP, START, body

PERSONAS = """
personas:
  - name: tester one
    country: DE
    email: Jane.Roe+tag@posteo.example
    phone: "+49 30 90182345"
    first_name: Jannike
    last_name: Rothenfeld
    street: Musterweg 17
    city: Quakenbrueck
    zip_code: "49610"
    username: jroe_berlin77
    external_id: CUST-884213
    birthday: "1988-04-23"
"""
ANYBODY = {"email": "Jane.Roe+tag@posteo.example", "phone": "+49 30 90182345"}
OF_PERSONA = {
    "first": "Jannike", "last": "Rothenfeld", "full": "Jannike Rothenfeld", "street": "Musterweg 17",
    "city": "Quakenbrueck", "user": "jroe_berlin77", "customer": "CUST-884213", "born": "1988-04-23",
}  # fmt: skip
COOKIE, BEARER = "s3ss10nZk9Qw7Lm2Xv", "tok_4fQ9zLw82mNbV7yT"
SECRETS = {"cookie": COOKIE, "bearer": BEARER}


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "percent": lambda t: quote(t, safe=""),
    "plus": quote_plus,
    "double percent": lambda t: quote(quote(t, safe=""), safe=""),
    "base64": lambda t: b64(f"value: {t} end"),
    "base64url": lambda t: base64.urlsafe_b64encode(f"<<{t}>> and more".encode()).decode().rstrip("="),
    "json in json": lambda t: json.dumps({"inner": json.dumps({"deep": t})}),
    "entities": lambda t: "".join(f"&#{ord(c)};" for c in t),
    "named entities": lambda t: html.escape(t).replace("@", "&commat;"),
    "url in json": lambda t: json.dumps({"next": f"https://www.shop.example/x?v={quote(t, safe='')}"}),
    "json in percent": lambda t: quote(json.dumps({"v": t}), safe=""),
    "json in base64": lambda t: b64(json.dumps({"v": t, "w": 1})),
}


def planted(value: str) -> list[str]:
    return [encode(value) for encode in ENCODINGS.values()]


def entry(at: int, method: str, url: str, headers: list[tuple[str, str]], text: str | None = None, *,
          answer: tuple[tuple[str, str], ...] = ()) -> dict:  # fmt: skip
    request: dict = {"method": method, "url": url, "httpVersion": "HTTP/2", "queryString": [], "cookies": [],
                     "headers": [{"name": n, "value": v} for n, v in headers], "headersSize": -1, "bodySize": 0}  # fmt: skip
    if text is not None:
        request["postData"] = {"mimeType": "text/plain", "text": text}
    response = {"status": 200, "statusText": "", "httpVersion": "HTTP/2", "cookies": [], "redirectURL": "",
                "headers": [{"name": n, "value": v} for n, v in answer], "headersSize": -1, "bodySize": 0,
                "content": {"size": 0, "mimeType": "text/html"}}  # fmt: skip
    return {"startedDateTime": iso(START + at), "time": 10, "request": request, "response": response, "cache": {},
            "timings": {"send": 1, "wait": 1, "receive": 1}}  # fmt: skip


def visit(values: dict[str, str]) -> list[dict]:
    """A visit in which every value stands in every place, in every encoding."""
    cookie = f"sid={COOKIE}; _ttp=2abcDEF3; OptanonConsent=groups=C0004:0"
    auth = ("Authorization", f"Bearer {BEARER}")
    entries = []
    at = 0
    for value in values.values():
        for text in planted(value):
            at += 1000
            query = quote(text, safe="%+")
            page = f"{SHOP}?q={query}"
            doc = [("Sec-Fetch-Dest", "document"), ("Sec-Fetch-Mode", "navigate"), ("Cookie", cookie), auth,
                   ("Referer", page)]  # fmt: skip
            set_cookie = (("Set-Cookie", f"who={quote(text, safe='')}; Path=/"), ("Location", page), ("X-Note", text))
            entries.append(entry(at, "GET", page, doc, answer=set_cookie))
            message = body(
                "AddToCart", url=page, referrer=page, user={"email": text, "custom": {"list": [text]}},
                properties={"title": f"Hello {text}!", "nested": {"a": [{"b": text}]}, text: 1, "form": f"a=1&b={query}"},
                auto_collected_properties={"page_trigger": "x", "content_data": {"title": f"Shop - {text}"}},
                event_id=text,
            )  # fmt: skip
            headers = [("Referer", page), ("Origin", SHOP.rstrip("/")), ("Cookie", cookie), auth, ("X-Custom", text)]
            entries.append(entry(at + 10, "POST", f"https://analytics.tiktok.com/api/v2/pixel?u={query}", headers,
                                 json.dumps(message)))  # fmt: skip
            form = [("Referer", page), ("Sec-Fetch-Site", "same-origin"), ("Cookie", cookie), auth]
            entries.append(entry(at + 20, "POST", f"{SHOP}account", form, f"name={query}&x=1"))
    return entries


def looks(value: str) -> Iterator[bytes]:
    """A value as somebody would search for it: as it is, and in each encoding (base64 at each of its three offsets)."""
    for name, encode in ENCODINGS.items():
        if "base64" not in name:
            yield encode(value).encode()
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + value.encode()).decode().rstrip("=")
        whole = coded[(shift * 8 + 5) // 6 + 1 : -1]
        if len(whole) >= 8:
            yield whole.encode()
            yield whole.translate(str.maketrans("+/", "-_")).encode()
    if value.startswith("+"):
        yield re.sub(r"\D", "", value).encode()


def everything(folder: Path) -> bytes:
    """Every byte of a ledger's files, and every part unpacked."""
    raw = b"\n".join(p.read_bytes() for p in folder.iterdir() if p.name.startswith("audit"))
    db = Database(folder / "audit.db")
    parts = [zlib.decompress(r["content"]) for r in db.query("select content from observation_parts")]
    db.close()
    return raw + b"\n".join(parts)


def record(tmp_path: Path, values: dict[str, str], *, identity: bool) -> bytes:
    capture = tmp_path / "shop.har"
    log = {"version": "1.2", "creator": {"name": "t", "version": "1"}, "entries": visit(values)}
    capture.write_text(json.dumps({"log": log}))
    personas = tmp_path / "personas.yaml"
    personas.write_text(PERSONAS)
    people = load_people(personas if identity else None, BOOK.identity)
    ledger = open_ledger(tmp_path / "audit.db")
    regimes = (BOOK.regimes["eu"], BOOK.regimes["us-ca"])
    outcome = replay(ledger, [(capture, "shop.har")], Options(regimes, people=people), BOOK)
    assert outcome.read == len(visit(values))
    assert ledger.db.table("hits").count == outcome.read // 3
    assert outcome.judgement.violations
    shown = summarise(ledger, BOOK, outcome.run_id).model_dump_json().encode()
    found = everything(tmp_path) + shown  # before it is closed: the write-ahead log is searched as well
    assert (tmp_path / "audit.db-wal").stat().st_size > 0
    ledger.close()
    return found + everything(tmp_path)


def missed(found: bytes, values: dict[str, str]) -> list[str]:
    low = found.lower()
    return [f"{kind}: {look.decode()}" for kind, value in values.items() for look in looks(value)
            if (look.lower() if b"%" in look or look.decode() == value else look) in (low if look.decode() == value else found)]  # fmt: skip


@pytest.mark.slow
def test_what_anybody_can_tell_is_nowhere(tmp_path: Path) -> None:
    found = record(tmp_path, {**ANYBODY, **SECRETS}, identity=False)
    assert missed(found, {**ANYBODY, **SECRETS}) == []


@pytest.mark.slow
def test_no_value_of_a_test_persona_is_anywhere(tmp_path: Path) -> None:
    values = {**ANYBODY, **OF_PERSONA}
    found = record(tmp_path, values, identity=True)
    assert missed(found, {**values, **SECRETS}) == []


def test_the_search_would_find_them(tmp_path: Path) -> None:
    capture = json.dumps(visit({"email": ANYBODY["email"], **SECRETS})).encode()
    for value in (ANYBODY["email"], COOKIE, BEARER):
        assert missed(capture, {"x": value})
    assert missed(b64("x" + BEARER).encode(), {"x": BEARER})
