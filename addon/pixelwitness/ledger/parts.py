"""From a record to the parts that are stored of it, masked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pixelwitness.exchange import Exchange, Headers, iso
from pixelwitness.identity.people import NOBODY, People
from pixelwitness.ledger.chain import Part, packed_json, part
from pixelwitness.ledger.commit import LeafOf
from pixelwitness.ledger.observed import as_stored
from pixelwitness.ledger.pieces import Mould, Piece, filled, listed, mould, part_of, piece
from pixelwitness.mask import (
    MAX_REMEMBERED,
    Known,
    known_people,
    mask_body,
    mask_headers,
    mask_text,
    of_headers,
    size_of,
    telling,
)
from pixelwitness.observations import Observed

MAX_BODY = 256 * 1024
MAX_ROW = 512
"""Characters of a header field of which many are remembered."""
NONE: frozenset[str] = frozenset()

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
    keep, known = _limits(exchange, how) if exchange is not None else (NONE, known_people(how.people))
    yield part_of("observed", as_stored(record.observed, None if record.ours else known, leaf), leaf)
    if record.counts is not None:
        yield fact("counts", record.counts, leaf)
    if exchange is None:
        return
    category, capture = record.observed.category, mask_text(record.capture, "", known)
    if record.kind == "request":
        masked = mask_text(exchange.url, "", known)
        line = _line(exchange.method, exchange.url if how.keep_plaintext else masked)
        yield part("request_line", _line(exchange.method, exchange.url), line, leaf)
        yield _headers("request_headers", exchange.headers, keep, how.keep_plaintext, known, leaf)
        if record.observed.hits and exchange.body:
            yield _body("request_body", exchange.body, how, known, leaf)
        yield part_of(
            "meta", filled(_asked(category, capture, exchange.method, exchange.host, leaf), [masked], leaf), leaf
        )
        return
    if exchange.response is not None:
        yield _status(exchange.response.status, leaf)
        yield _headers("response_headers", exchange.response.headers, keep, how.keep_plaintext, known, leaf)
    yield _answered(category, capture, exchange.response.status if exchange.response else None, leaf)


@lru_cache(256)
def _asked(category: str, capture: str, method: str, host: str, leaf: LeafOf) -> Mould:
    """The facts of a request, but for its URL."""
    meta = {"category": category, "capture": capture, "method": method, "url": "", "host": host}
    return mould(meta, meta, {"url"}, leaf)


@lru_cache(256)
def _answered(category: str, capture: str, status: int | None, leaf: LeafOf) -> Part:
    """The facts of a response."""
    return fact(
        "meta", {"category": category, "capture": capture, **({} if status is None else {"status": status})}, leaf
    )


@lru_cache(256)
def _status(status: int, leaf: LeafOf) -> Part:
    line = str(status).encode()
    return part("status_line", line, line, leaf)


def _limits(exchange: Exchange, how: Storing) -> tuple[frozenset[str], Known]:
    """Which of an exchange's cookies may be stored with their values, and what must not be stored of it."""
    answered = telling(exchange.response.headers) if exchange.response else ()
    if size_of(exchange.headers) + size_of(answered) <= MAX_REMEMBERED:
        return _limits_again(exchange.headers, answered, how.claims, how.people)
    return _limits_of(exchange.headers, answered, how.claims, how.people)


def _limits_of(headers: Headers, answered: Headers, claims: Claims, people: People) -> tuple[frozenset[str], Known]:
    told = (*telling(headers), *answered)
    keep = frozenset(claims(_cookie_names(told)))
    return keep, of_headers(told, keep, people)


_limits_again = lru_cache(256)(_limits_of)


def _cookie_names(told: Headers) -> set[str]:
    named: set[str] = set()
    for lower, value in told:
        if lower == "cookie":
            value = value.encode("utf-8", "replace").decode()
            named.update(p.partition("=")[0].strip() for p in value.split(";"))
        elif lower == "set-cookie":
            named.add(value.partition("=")[0].strip())
    return named


def _line(method: str, url: str) -> bytes:
    return f"{method} {url}".encode("utf-8", "replace")


def _headers(name: str, headers: Headers, keep: frozenset[str], plain: bool, known: Known, leaf: LeafOf) -> Part:
    if not known.lasting or size_of(headers) > MAX_REMEMBERED:
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
