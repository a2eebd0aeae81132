"""Classes of traffic: by host suffix and path, never by substring."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from pixelwitness.exchange import Exchange
from pixelwitness.hostname import MAX_NAME
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.consent import ConsentRule
from pixelwitness.rulebook.hosts import HostIndex
from pixelwitness.rulebook.pixels import Endpoint, PixelRule
from pixelwitness.rulebook.traffic import Category, TrafficHost, TrafficRule
from pixelwitness.sources.content import decode as unpack


@dataclass(frozen=True, eq=False)  # compared by identity, so that it can key caches
class Classified:
    """What an exchange is. `endpoint` and `pixel` are set for pixel traffic, `cmp` for that of consent systems."""

    category: Category
    endpoint: Endpoint | None = None
    pixel: PixelRule | None = None
    cmp: ConsentRule | None = None


GZIP = b"\x1f\x8b"
MAX_PACKED = 1 << 20
"""Bytes of a packed body that are looked into for a message."""
MIN_QUERY = 200
"""Characters of the shortest query that can hold one."""
DOCUMENT, OTHER = Classified("document"), Classified("other")


@dataclass(frozen=True)
class _Index:
    endpoints: HostIndex[tuple[PixelRule, Endpoint]]
    anywhere: tuple[tuple[Endpoint, Classified], ...]
    cmps: HostIndex[ConsentRule]
    traffic: HostIndex[tuple[TrafficRule, TrafficHost]]
    by_host: Callable[[str, str], Classified | None]


@lru_cache(8)
def _index(book: Rulebook) -> _Index:
    endpoints: HostIndex[tuple[PixelRule, Endpoint]] = HostIndex()
    anywhere = []
    for pixel in book.pixels:
        for endpoint in pixel.endpoints:
            for host in endpoint.hosts:
                endpoints.add(host, (pixel, endpoint))
            if not endpoint.hosts:
                anywhere.append((endpoint, Classified(endpoint.category, endpoint, pixel)))
    cmps: HostIndex[ConsentRule] = HostIndex()
    for rule in book.consent:
        for host in rule.hosts:
            cmps.add(host, rule)
    traffic: HostIndex[tuple[TrafficRule, TrafficHost]] = HostIndex()
    for known in book.traffic:
        for entry in known.hosts:
            traffic.add(entry.host, (known, entry))

    @lru_cache(20_000)
    def by_host(host: str, path: str) -> Classified | None:
        # A described path of a whole domain comes before "every other path" of one of its hosts.
        for pixel, endpoint in sorted(endpoints.lookup(host), key=lambda found: not found[1].paths):
            if endpoint.covers_path(path):
                return Classified(endpoint.category, endpoint, pixel)
        for rule in cmps.lookup(host):
            return Classified("cmp", cmp=rule)
        for known, entry in traffic.lookup(host):
            if not entry.paths or any(path.startswith(prefix) for prefix in entry.paths):
                return Classified(known.category)
        return None

    return _Index(endpoints, tuple(anywhere), cmps, traffic, by_host)


def classify(exchange: Exchange, book: Rulebook) -> Classified:
    """The class of an exchange, from its request alone."""
    index = _index(book)
    known = index.by_host(exchange.host, exchange.path)
    if known is not None:
        return known
    for endpoint, classified in index.anywhere if may_carry(exchange) else ():
        if endpoint.covers_path(exchange.path) and _has_markers(exchange, endpoint):
            return classified
    return DOCUMENT if is_document(exchange) else OTHER


def is_document(exchange: Exchange) -> bool:
    """Whether the request asks for a page or a frame, by what browsers say of it."""
    fields = exchange.fields
    destination = fields.get("sec-fetch-dest")
    if destination is not None:
        return destination in ("document", "iframe", "frame")
    accepts = fields.get("accept", "").startswith("text/html") or "upgrade-insecure-requests" in fields
    return accepts and exchange.method in ("GET", "POST", "HEAD")


def class_of(host: str, book: Rulebook) -> Category | None:
    """The class of everything that goes to a host and carries no vendor's message; None where it depends on the path,
    or where more than the class is to be known."""
    return _class_of(host, book) if len(host) <= MAX_NAME else _class_of.__wrapped__(host, book)


@lru_cache(4096)
def _class_of(host: str, book: Rulebook) -> Category | None:
    index = _index(book)
    if index.endpoints.lookup(host) or index.cmps.lookup(host):
        return None
    known = index.traffic.lookup(host)
    if any(entry.paths for _, entry in known):
        return None
    return known[0][0].category if known else "other"


def may_carry(exchange: Exchange) -> bool:
    """Whether there is anything in which a message could stand, or could have stood."""
    if exchange.body is None:
        return exchange.method == "POST"
    if exchange.body:
        return True
    return exchange.method == "GET" and (len(exchange.parts.query) >= MIN_QUERY or _message_in(exchange))


def _has_markers(exchange: Exchange, endpoint: Endpoint) -> bool:
    """Whether a request may carry a payload that can be on any host: that it does is known only once it is read."""
    body = exchange.body
    if body is None:
        return exchange.method == "POST" and exchange.path.rstrip("/") in endpoint.likely_paths
    if body[:2] == GZIP and len(body) <= MAX_PACKED:  # packed by the page itself: no header says so
        body = unpack(body, "gzip")[0] or body
    if body and _holds(body, endpoint.markers):
        return True
    if exchange.method == "GET" and len(exchange.parts.query) >= MIN_QUERY:
        return _holds(exchange.parts.query.encode("utf-8", "replace"), endpoint.markers) or _message_in(exchange)
    # A GET carries the same message in base64, where only its parameter's name can be seen cheaply.
    return _message_in(exchange)


def _message_in(exchange: Exchange) -> bool:
    return "analytics_message=" in exchange.parts.query and exchange.method == "GET"


def _holds(text: bytes, markers: tuple[str, ...]) -> bool:
    return any(all(any(form in text for form in forms) for forms in way) for way in _written(markers))


@lru_cache(64)
def _written(markers: tuple[str, ...]) -> tuple[tuple[tuple[bytes, ...], ...], ...]:
    """The ways in which markers can stand in a body: plain, escaped in JSON, percent-encoded, in base64 at any offset.

    A way is one tuple of alternatives for each marker. Of base64 only what does not depend on the neighbours is kept.
    """
    plain = tuple((m.encode(),) for m in markers)
    escaped = tuple((m.replace('"', '\\"').encode(),) for m in markers)
    percent = tuple((quote(m, safe="").encode(), quote(m, safe="").lower().encode()) for m in markers)
    return plain, escaped, percent, tuple(base64_forms(m.encode()) for m in markers)


def base64_forms(marker: bytes) -> tuple[bytes, ...]:
    """What of a text stands in the base64 of any longer one that holds it, at each of the three offsets."""
    forms = []
    for offset in range(3):
        coded = base64.b64encode(bytes(offset) + marker)
        sure = slice(-(-offset * 8 // 6), (offset + len(marker)) * 8 // 6)
        forms.append(coded[sure])
    return tuple(dict.fromkeys((*forms, *(f.translate(bytes.maketrans(b"+/", b"-_")) for f in forms))))
