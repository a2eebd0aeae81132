"""From a record to the parts that are stored of it, masked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import Any

from pixelwitness.exchange import Exchange, Headers, iso
from pixelwitness.identity.people import NOBODY, People
from pixelwitness.ledger.chain import Part, packed_json, part
from pixelwitness.ledger.commit import LeafOf
from pixelwitness.ledger.pieces import Piece, listed, part_of, piece
from pixelwitness.ledger.said import document
from pixelwitness.mask import MAX_REMEMBERED, Known, known_people, mask_body, mask_headers, mask_text, of_exchange
from pixelwitness.observations import Observed

MAX_BODY = 256 * 1024
MAX_ROW = 512
"""Characters of a header field of which many are remembered."""
type Claims = Callable[[Iterable[str]], Collection[str]]
"""Which of some cookie names may be stored with their values."""


@dataclass(frozen=True)
class RunInfo:
    """What a run is: recorded before its first observation."""

    kind: str
    """`replay` or `live`."""
    program: str
    mitmproxy: str
    rules_digest: str
    started_at: int
    options: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[tuple[str, str], ...] = ()
    """Name and SHA-256 of each capture."""
    regimes: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """What is known when it begins, as it is recorded: the cells of `runs` that never change."""
        return {
            "kind": self.kind,
            "program": self.program,
            "mitmproxy": self.mitmproxy,
            "rules_digest": self.rules_digest,
            "options": self.options,
            "inputs": [{"name": mask_text(n), "sha256": d} for n, d in self.inputs],
            "started_at": iso(self.started_at),
        }

    def replay_id(self) -> str:
        """A replay's id follows from what it read and how."""
        what = json.dumps([sorted(d for _, d in self.inputs), self.options], sort_keys=True)
        return hashlib.sha256(what.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Record:
    """One thing to write: an exchange at a stage (`request`, `response`), or an observation without one."""

    kind: str
    observed: Observed
    at: int
    exchange: Exchange | None = None
    id: str | None = None
    """For records without an exchange: what makes them the same when seen again."""
    counts: dict[str, int] | None = None
    capture: str = ""
    ours: bool = False
    """Nothing in it comes from the traffic, so that it is stored as it is even where masking fails."""


@dataclass(frozen=True)
class Storing:
    """What may be stored, and how much of it."""

    claims: Claims = lambda names: ()
    keep_plaintext: bool = False
    max_body: int = MAX_BODY
    """Bytes; of a larger body only its length is kept."""
    people: People = NOBODY
    """The auditor's test personas: none of their values is stored."""


def cells_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a run says of its beginning as cells of `runs`."""
    return {k: json.dumps(v, sort_keys=True) if k in ("options", "inputs") else v for k, v in facts.items()}


def fact(name: str, facts: Any, leaf: LeafOf) -> Part:
    """A part that says something of the run itself."""
    said = packed_json(facts)
    return part(name, said, said, leaf, facts)


def parts_of(record: Record, how: Storing, leaf: LeafOf) -> Iterable[Part]:
    """The parts of a record."""
    exchange = record.exchange
    known = known_people(how.people)
    keep: frozenset[str] = frozenset()
    if exchange is not None:
        keep = frozenset(how.claims(_cookie_names(exchange)))
        known = of_exchange(exchange, keep, how.people)
    yield part_of("observed", document(record.observed, None if record.ours else known, leaf), leaf)
    if record.counts is not None:
        yield fact("counts", record.counts, leaf)
    if exchange is None:
        return
    meta: dict[str, Any] = {"category": record.observed.category, "capture": mask_text(record.capture, "", known)}
    if record.kind == "request":
        masked = mask_text(exchange.url, "", known)
        url = exchange.url if how.keep_plaintext else masked
        meta |= {"method": exchange.method, "url": masked, "host": exchange.host}
        yield part("request_line", _line(exchange.method, exchange.url), _line(exchange.method, url), leaf)
        yield _headers("request_headers", exchange.headers, keep, how.keep_plaintext, known, leaf)
        if record.observed.hits and exchange.body:
            yield _body("request_body", exchange.body, how, known, leaf)
    elif exchange.response is not None:
        meta["status"] = exchange.response.status
        status = str(exchange.response.status).encode()
        yield part("status_line", status, status, leaf)
        yield _headers("response_headers", exchange.response.headers, keep, how.keep_plaintext, known, leaf)
    yield fact("meta", meta, leaf)


def _cookie_names(exchange: Exchange) -> set[str]:
    header = exchange.fields.get("cookie", "")
    rows = exchange.response.headers if exchange.response else ()
    sent = _names_in(header) if len(header) <= MAX_REMEMBERED else _names_in.__wrapped__(header)
    return {*sent, *(v.partition("=")[0].strip() for k, v in rows if k.lower() == "set-cookie")}


@lru_cache(256)
def _names_in(header: str) -> frozenset[str]:
    return frozenset(p.partition("=")[0].strip() for p in header.split(";"))


def _line(method: str, url: str) -> bytes:
    return f"{method} {url}".encode("utf-8", "replace")


def _headers(name: str, headers: Headers, keep: frozenset[str], plain: bool, known: Known, leaf: LeafOf) -> Part:
    if not known.lasting or sum(map(len, chain.from_iterable(headers))) > MAX_REMEMBERED:
        return part_of(name, listed([_row.__wrapped__(n, v, keep, plain, known, leaf) for n, v in headers]), leaf)
    return _headers_again(name, headers, keep, plain, known, leaf)


@lru_cache(128)
def _headers_again(name: str, headers: Headers, keep: frozenset[str], plain: bool, known: Known, leaf: LeafOf) -> Part:
    """What a page loads is asked for with the same header fields: those are stored with each request, and made once."""
    rows = [(_row if len(n) + len(v) <= MAX_ROW else _long_row)(n, v, keep, plain, known, leaf) for n, v in headers]
    return part_of(name, listed(rows), leaf)


@lru_cache(2048)
def _row(name: str, value: str, keep: frozenset[str], plain: bool, known: Known, leaf: LeafOf) -> Piece:
    """One header field."""
    masked = mask_headers(((name, value),), keep, plain=plain, known=known)[0]
    return piece([name, value], [*masked], leaf)


_long_row = lru_cache(64)(_row.__wrapped__)
"""Cookie jars."""


def _body(name: str, body: bytes, how: Storing, known: Known, leaf: LeafOf) -> Part:
    if len(body) > how.max_body:
        return part(name, body, f"[{len(body)} bytes, left out: larger than {how.max_body}]".encode(), leaf)
    return part(name, body, body if how.keep_plaintext else mask_body(body, known), leaf)
