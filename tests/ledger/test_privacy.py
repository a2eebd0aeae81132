"""What may not be stored is nowhere: in no encoding, in no table, part, write-ahead log, report or copy."""

from __future__ import annotations

import base64
import html
import io
import json
import os
import re
import sqlite3
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from click.testing import CliRunner
from sqlite_utils import Database

from pixelwitness.cli import cli
from pixelwitness.exchange import iso
from pixelwitness.identity.people import load_people
from pixelwitness.ledger.store import open_ledger
from pixelwitness.replay import Options, replay
from pixelwitness.report.queries import datasette_metadata
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
TOKEN = "Hq7ZkPw3Xn5Rt8Vb2Lc"
"""Stands only under names that say so: in addresses, in JSON in JSON, in base64."""


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
    "json escapes": lambda t: '{"v": "' + "".join(f"\\u{ord(c):04x}" for c in t) + '"}',
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
            page = f"{SHOP}?q={query}&access_token={TOKEN}"
            doc = [("Sec-Fetch-Dest", "document"), ("Sec-Fetch-Mode", "navigate"), ("Cookie", cookie), auth,
                   ("Referer", page)]  # fmt: skip
            set_cookie = (("Set-Cookie", f"who={quote(text, safe='')}; Path=/"), ("Location", page), ("X-Note", text))
            entries.append(entry(at, "GET", page, doc, answer=set_cookie))
            message = body(
                "AddToCart", url=page, referrer=page, user={"email": text, "custom": {"list": [text]}},
                properties={"title": f"Hello {text}!", "nested": {"a": [{"b": text}]}, text: 1, "form": f"a=1&b={query}"},
                auto_collected_properties={"page_trigger": "x", "content_data": {"title": f"Shop - {text}"}},
                event_id=text, deep=json.dumps({"inner": json.dumps({"refresh_token": TOKEN, "user": {"password": TOKEN}})}),
                coded=b64(json.dumps({"api_key": TOKEN})),
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
    yield from (value.encode("utf-16-le"), value.encode("utf-16-be"), value.encode().hex().encode())
    yield "".join(f"\\u{ord(c):04x}" for c in value).encode()
    yield json.dumps(value).strip('"').replace("@", "\\u0040").encode()
    yield "".join(f"&#x{ord(c):x};" for c in value).encode()
    if value.startswith("+"):
        yield re.sub(r"\D", "", value).encode()


def unpacked(data: bytes) -> bytes:
    """What stands packed in a file: parts of a ledger, members of a zip, base64 in evidence."""
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return b"\n".join(unpacked(archive.read(name)) for name in archive.namelist())
    runs = re.findall(rb"[A-Za-z0-9+/]{24,}={0,2}", data) if data.startswith(b"{") else []
    return b"\n".join([data, *(base64.b64decode(r + b"=" * (-len(r) % 4)) for r in runs if len(r) % 4 != 1)])


def everything(folder: Path) -> bytes:
    """Every byte of a ledger's files (the write-ahead log too), and every part unpacked."""
    raw = b"\n".join(p.read_bytes() for p in folder.iterdir() if p.name.startswith(("audit", "copy")))
    db = Database(folder / "audit.db")
    parts = [zlib.decompress(r["content"]) for r in db.query("select content from observation_parts")]
    db.close()
    return raw + b"\n".join(parts)


FORMATS = ("terminal", "json", "csv", "sarif", "junit", "markdown", "html")


def shown(folder: Path) -> bytes:
    """What every command makes of a ledger: on the terminal, and as files, each readable by its owner alone."""
    db = folder / "audit.db"
    with sqlite3.connect(db) as ledger:
        violations = [r[0] for r in ledger.execute("select min(id) from violations group by rule, regime")]
        properties = [
            r[0] for r in ledger.execute("select distinct property from page_views where property is not null")
        ]
    out = folder / "out"
    out.mkdir()
    commands: list[list[object]] = [
        ["report", db, "--format", f, "--out", out / f"report.{f}", "--all"] for f in FORMATS
    ]
    commands += [["report", db, "--all"], ["verify", db], ["rejudge", db, "--dry-run", "--json", "--regime", "uk"]]
    commands += [["explain", v, "--db", db] for v in violations]
    commands += [["export-evidence", v, "--db", db, "--out", out / f"{v}.zip"] for v in violations]
    commands += [["timeline", db, "--property", p] for p in properties]
    commands += [
        ["mark", "clicked reject", "--db", db],
        ["redact", db, folder / "copy.db"],
        ["compare", db, folder / "copy.db"],
    ]
    said = [json.dumps(datasette_metadata("audit")).encode()]
    for command in commands:
        done = CliRunner().invoke(cli, [str(c) for c in command])
        assert done.exit_code in (0, 1), (command, done.output)
        assert done.exception is None or isinstance(done.exception, SystemExit)
        said.append(done.output.encode())
    assert len(list(out.iterdir())) == len(FORMATS) + len(violations)
    written = [*out.iterdir(), *(p for p in folder.iterdir() if p.name.startswith(("audit", "copy")))]
    if os.name == "posix":
        assert {stat.S_IMODE(p.stat().st_mode) for p in written} == {0o600}, written
    return b"\n".join([*said, *(unpacked(p.read_bytes()) for p in out.iterdir())])


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
    found = everything(tmp_path)  # before it is closed: the write-ahead log is searched as well
    assert (tmp_path / "audit.db-wal").stat().st_size > 0
    if os.name == "posix":
        files = [p for p in tmp_path.iterdir() if p.name.startswith("audit")]
        assert {stat.S_IMODE(p.stat().st_mode) for p in files} == {0o600}, files
    ledger.close()
    return found + shown(tmp_path) + everything(tmp_path)


def missed(found: bytes, values: dict[str, str]) -> list[str]:
    """What of the values stands there. Base64 has its own case; all else is found in any."""
    low = found.lower()
    return [
        f"{kind}: {look!r} in ...{around(found, low, look)!r}..."
        for kind, value in values.items()
        for look in looks(value)
        if look in found or (look.lower() in low and look not in coded(value))
    ]


def coded(value: str) -> set[bytes]:
    return {look for look in looks(value) if re.fullmatch(rb"[A-Za-z0-9+/_-]+", look) and look.decode() != value}


def around(found: bytes, low: bytes, look: bytes) -> bytes:
    at = found.find(look) if look in found else low.find(look.lower())
    return found[max(0, at - 60) : at + len(look) + 20]


@pytest.mark.slow
def test_what_anybody_can_tell_is_nowhere(tmp_path: Path) -> None:
    found = record(tmp_path, {**ANYBODY, **SECRETS}, identity=False)
    assert missed(found, {**ANYBODY, **SECRETS, "token": TOKEN}) == []


@pytest.mark.slow
def test_no_value_of_a_test_persona_is_anywhere(tmp_path: Path) -> None:
    values = {**ANYBODY, **OF_PERSONA}
    found = record(tmp_path, values, identity=True)
    assert missed(found, {**values, **SECRETS, "token": TOKEN}) == []


def test_the_search_would_find_them(tmp_path: Path) -> None:
    capture = json.dumps(visit({"email": ANYBODY["email"], **SECRETS})).encode()
    for value in (ANYBODY["email"], COOKIE, BEARER):
        assert missed(capture, {"x": value})
    assert missed(b64("x" + BEARER).encode(), {"x": BEARER})
    for coded in (
        BEARER.encode("utf-16-le"),
        BEARER.encode().hex().encode(),
        "".join(f"\\u{ord(c):04x}" for c in BEARER).encode(),
    ):
        assert missed(coded, {"x": BEARER})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("chain.json", json.dumps({"content": b64(f"a part with {BEARER} in it")}))
    assert missed(unpacked(packed.getvalue()), {"x": BEARER})
