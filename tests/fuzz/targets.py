"""What is fuzzed: each reader and decoder as a function of bytes. Only the errors that it promises are let through."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow, tutils

from pixelwitness.consent.decoders import DECODERS
from pixelwitness.consent.explain import explain as explain_consent
from pixelwitness.consent.iab.ac import read_ac
from pixelwitness.consent.iab.gpp import read_gpp
from pixelwitness.consent.iab.tcf import read_tc, read_tc_canada
from pixelwitness.consent.iab.usp import read_usp
from pixelwitness.consent.index import index_of
from pixelwitness.consent.probe import PATH as PROBE_PATH
from pixelwitness.consent.read import read_cookies
from pixelwitness.consent.reports import REPORTED
from pixelwitness.exchange import Exchange, Response
from pixelwitness.identity.people import NOBODY
from pixelwitness.identity.personas import read_personas
from pixelwitness.ingest import observe_request, observe_response
from pixelwitness.marks import read_marks
from pixelwitness.mask import mask_headers, mask_text
from pixelwitness.pixels.explain import explain as explain_request
from pixelwitness.proxy.clients import Names
from pixelwitness.report.consent_words import lines
from pixelwitness.report.decoded import render
from pixelwitness.report.harmless import safe
from pixelwitness.rulebook import RuleError, as_rule, model_for
from pixelwitness.rulebook.load import read_yaml
from pixelwitness.sources import CaptureError
from pixelwitness.sources.content import DECODERS as UNPACKERS
from pixelwitness.sources.content import decode
from pixelwitness.sources.flows import read_flows
from pixelwitness.sources.har import read_har
from pixelwitness.sources.pasted import PastedError, exchange_of, read_pasted
from pixelwitness.statements import read_statements
from support import BOOK, SHOP

AT = 1_795_000_000_000
PIXEL_URL = "https://analytics.tiktok.com/api/v2/pixel"
FROM_SHOP = (("Origin", SHOP[:-1]), ("Referer", SHOP))
KINDS = (
    "text/plain;charset=UTF-8", "application/json", "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
)  # fmt: skip
CODED = (*UNPACKERS, "gzip, br", "identity", "zstd, unknown", "")
RULE_KINDS = (
    "consent/x.yaml", "probe/x.yaml", "pixels/tiktok/x.yaml", "regimes/x.yaml", "findings/x.yaml", "traffic/x.yaml",
    "blind_spots.yaml", "judging.yaml", "identity.yaml", "destinations.yaml", "contexts.yaml",
)  # fmt: skip


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _observed(exchange: Exchange) -> None:
    """Read as replay reads it; what comes of it can be written out."""
    for said in (observe_request(exchange, BOOK), observe_response(exchange, BOOK)):
        said.model_dump_json().encode()
    exchange.id.encode()
    mask_headers(exchange.headers)


def _pick[T](data: bytes, of: tuple[T, ...]) -> tuple[T, bytes]:
    """The first byte chooses, the rest is the input."""
    return of[(data[0] if data else 0) % len(of)], data[1:]


def har(data: bytes) -> None:
    try:
        for item in read_har(io.BytesIO(data), "x.har", "c"):
            if isinstance(item, Exchange):
                _observed(item)
    except CaptureError:
        pass


def flows(data: bytes) -> None:
    try:
        for item in read_flows(io.BytesIO(data), "x.mitm"):
            if isinstance(item, Exchange):
                _observed(item)
    except CaptureError:
        pass


def flow_fields(data: bytes) -> None:
    """A sound flow file whose fields are strangers' bytes."""
    parts = (data.split(b"|", 5) + [b""] * 6)[:6]
    request = tutils.treq(method=parts[0] or b"GET", path=b"/" + parts[1], content=parts[2])
    request.headers.fields = ((b"host", parts[3]), (parts[4], parts[5]), (b"cookie", parts[5]))
    out = io.BytesIO()
    FlowWriter(out).add(tflow.tflow(req=request, resp=tutils.tresp(content=parts[2])))
    flows(out.getvalue())


def content(data: bytes) -> None:
    encoding, body = _pick(data, CODED)
    made, _ = decode(body, encoding)
    assert made is None or isinstance(made, bytes)


def pasted(data: bytes) -> None:
    try:
        request = read_pasted(data)
        exchange = exchange_of(request, request.url or PIXEL_URL, AT)
    except PastedError:
        return
    _explained(exchange)


def _explained(exchange: Exchange) -> None:
    out = io.StringIO()
    render(explain_request(exchange, BOOK, NOBODY), out, {})
    assert not any(c < " " and c != "\n" for c in out.getvalue())
    out.getvalue().encode()
    _observed(exchange)


def message(data: bytes) -> None:
    """A body to the vendor, in every content type."""
    kind, body = _pick(data, KINDS)
    _explained(Exchange("c", AT, "POST", PIXEL_URL, (*FROM_SHOP, ("Content-Type", kind)), body))


def app_batch(data: bytes) -> None:
    _explained(Exchange("c", AT, "POST", "https://analytics.us.tiktok.com/api/v1/app_sdk/batch", (), data))


def first_party_copy(data: bytes) -> None:
    _observed(Exchange("c", AT, "POST", "https://gtm.shop.example/collect", FROM_SHOP, data))


def image(data: bytes) -> None:
    _explained(Exchange("c", AT, "GET", f"{PIXEL_URL}?{_text(data)}", FROM_SHOP, b""))


def address(data: bytes) -> None:
    """Any URL, Referer and cookie."""
    url, referer, cookie = [*_text(data).split("\n", 2), "", ""][:3]
    headers = (("Referer", referer), ("Cookie", cookie), ("Sec-Fetch-Dest", "document"))
    _observed(Exchange("c", AT, "GET", url, headers, b"", response=Response(AT + 5, 200, (("Set-Cookie", cookie),))))


def loader(data: bytes) -> None:
    url = "https://analytics.tiktok.com/i18n/pixel/config.js?sdkid=C0"
    _observed(Exchange("c", AT, "GET", url, FROM_SHOP, b"", response=Response(AT + 5, 200, (), data)))


CONFIGS = (
    "https://cdn.cookielaw.org/consent/01234567-0123-0123-0123-0123456789ab/01234567-0123-0123-0123-0123456789ab/en.json",
    "https://consent.cookiebot.com/01234567-0123-0123-0123-0123456789ab/cc.js",
    "https://www.shop.example/.well-known/gpc.json",
)


def configuration(data: bytes) -> None:
    """What a consent system, or the site itself, answers."""
    url, body = _pick(data, CONFIGS)
    _observed(Exchange("c", AT, "GET", url, (("Referer", SHOP),), b"", response=Response(AT + 5, 200, (), body)))


CALLS = tuple((r.id, c) for r in BOOK.consent for c in r.calls)


def call(data: bytes) -> None:
    """A request that a consent system makes: query up to the first line end, then the body."""
    (_, rule), rest = _pick(data, CALLS)
    query, _, body = rest.partition(b"\n")
    host = "www.shop.example" if rule.host == "*" else rule.host.lstrip("=")
    url = f"https://{host}{rule.path.rstrip('*')}?{_text(query)}"
    _observed(Exchange("c", AT, rule.method or "POST", url, (("Referer", SHOP),), body))


def cookies(data: bytes) -> None:
    header = _text(data)
    for _, _, reading in read_cookies(header, BOOK):
        json.dumps(reading.detail).encode()
    answer = Response(AT + 5, 200, (("Set-Cookie", header), ("Server-Timing", header)))
    _observed(Exchange("c", AT, "GET", SHOP, (("Cookie", header),), b"", response=answer))


USES = tuple(
    dict.fromkeys((c.decoder, json.dumps(c.params)) for r in BOOK.consent for c in (*r.cookies, *r.headers))
) + tuple(dict.fromkeys((c.decoder, json.dumps(c.params)) for r in BOOK.probe for c in (*r.storage, *r.apis)))


def consent_decoder(data: bytes) -> None:
    """Every decoder, with the parameters of every rule that uses it; after a line end, the cookies beside it."""
    (name, params), rest = _pick2(data, USES)
    value, _, beside = _text(rest).partition("\n")
    jar = dict(pair.partition("=")[::2] for pair in beside.split("\n"))
    said = {**DECODERS, **REPORTED}[name](value, jar, {**json.loads(params), "lists": index_of(BOOK).lists})
    for reading in said or ():
        json.dumps(reading.detail).encode()


def _pick2[T](data: bytes, of: tuple[T, ...]) -> tuple[T, bytes]:
    return of[int.from_bytes(data[:2], "big") % len(of)], data[2:]


def strings(data: bytes) -> None:
    """TC, GPP, US Privacy and additional-consent strings."""
    text = _text(data)
    for read in (read_tc, read_tc_canada, read_gpp, read_usp, read_ac):
        try:
            read(text)
        except ValueError:
            continue


def consent_command(data: bytes) -> None:
    try:
        said = explain_consent(_text(data), BOOK)
    except ValueError:
        return
    for line in lines(said, BOOK):
        assert "\x1b" not in safe(line, 2_000)


def probe_report(data: bytes) -> None:
    _observed(Exchange("c", AT, "POST", f"https://www.shop.example{PROBE_PATH}", FROM_SHOP, data))


def masking(data: bytes) -> None:
    text = _text(data)
    masked = mask_text(text)
    masked.encode()
    assert mask_text(masked) == masked


def _yaml(data: bytes, read: Callable[[Path], Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.yaml"
        path.write_bytes(data)
        try:
            read(path)
        except RuleError:
            return


def rules(data: bytes) -> None:
    relative, rest = _pick(data, RULE_KINDS)
    _yaml(rest, lambda path: as_rule(path, read_yaml(path), model_for(relative)))


def properties(data: bytes) -> None:
    _yaml(data, lambda path: read_statements(path, BOOK))


def identity(data: bytes) -> None:
    _yaml(data, read_personas)


def marks(data: bytes) -> None:
    _yaml(data, lambda path: read_marks(path, BOOK))


def client_names(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        Names.of(_text(data).split("\n")).name(_text(data))


TARGETS: dict[str, Callable[[bytes], None]] = {
    f.__name__: f
    for f in (
        har, flows, flow_fields, content, pasted, message, app_batch, first_party_copy, image, address, loader,
        configuration, call, cookies, consent_decoder, strings, consent_command, probe_report, masking, rules,
        properties, identity, marks, client_names,
    )
}  # fmt: skip
