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
from pixelwitness.ledger.commit import LeafOf, tag
from pixelwitness.mask import ANYBODY, MAX_REMEMBERED, Known, mask_body, mask_headers, mask_json, mask_text, of_exchange
from pixelwitness.observations import Observed

MAX_BODY = 256 * 1024
DIGESTS = frozenset({"id", "exchange_id", "hit_id", "host", "page_host", "body_sha256"})
NAMES = frozenset(
    {
        "category",
        "kind",
        "tier",
        "vendor",
        "source",
        "cmp",
        "level",
        "state",
        "reason",
        "region",
        "opt_out_kind",
        "form",
    }
    | {"name", "field", "where", "layers", "collected", "persona", "attribute", "variant", "diagnostics", "property"}
    | {"code", "pixel_codes", "method", "transport", "effective_default", "cookie_names", "set_cookie_names"}
)
"""Names of ours in an observation, which a persona's first name or city must not blot out."""

JARS = frozenset({"cookie_names", "set_cookie_names"})

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


def client_as(client: str | None, how: Storing, leaf: LeafOf) -> str | None:
    """A client's name as it may be stored: what is masked of it stays told apart from others."""
    if client is None:
        return None
    masked = mask_text(client, "", Known(how.people) if how.people else ANYBODY)
    return client if masked == client else f"{masked}#{leaf(tag(client)).hex()[:8]}"


def parts_of(record: Record, how: Storing, leaf: LeafOf) -> Iterable[Part]:
    """The parts of a record."""
    exchange = record.exchange
    known = Known(how.people) if how.people else ANYBODY
    keep: Collection[str] = ()
    if exchange is not None:
        keep = how.claims(_cookie_names(exchange))
        known = of_exchange(exchange, keep, how.people)
    original = json.loads(record.observed.model_dump_json(exclude_defaults=True))
    said = original if record.ours else _observed(original, "", known, lambda c: client_as(c, how, leaf))
    yield _document("observed", original, said, leaf)
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
        yield _headers("request_headers", exchange.headers, keep, how, known, leaf)
        if record.observed.hits and exchange.body:
            yield _body("request_body", exchange.body, how, known, leaf)
    elif exchange.response is not None:
        meta["status"] = exchange.response.status
        status = str(exchange.response.status).encode()
        yield part("status_line", status, status, leaf)
        yield _headers("response_headers", exchange.response.headers, keep, how, known, leaf)
    yield fact("meta", meta, leaf)


def _cookie_names(exchange: Exchange) -> set[str]:
    header = exchange.fields.get("cookie", "")
    rows = exchange.response.headers if exchange.response else ()
    sent = _names_in(header) if len(header) <= MAX_REMEMBERED else _names_in.__wrapped__(header)
    return {*sent, *(v.partition("=")[0].strip() for k, v in rows if k.lower() == "set-cookie")}


@lru_cache(256)
def _names_in(header: str) -> frozenset[str]:
    return frozenset(p.partition("=")[0].strip() for p in header.split(";"))


def _observed(value: Any, key: str, known: Known, client: Callable[[str], str | None]) -> Any:
    """What was observed, masked once more where text of the traffic stands in it; names that judging rests on stay."""
    if isinstance(value, dict):
        if key in ("payload", "app_consent", "detail"):
            return value if known is ANYBODY and key == "payload" else mask_json(value, "", known)
        return {k: _observed(v, k, known, client) for k, v in value.items()}
    if isinstance(value, list):
        if key in JARS and sum(map(len, value)) <= MAX_REMEMBERED:
            return list(_masked_names(tuple(value)))
        return [_observed(v, key, known, client) for v in value]
    if not isinstance(value, str) or key in DIGESTS:
        return value
    if key == "client":
        return client(value)
    return mask_text(value, "", ANYBODY if key in NAMES else known)


@lru_cache(1024)
def _masked_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names in a cookie jar, which most requests of a page send again."""
    return tuple(mask_text(name) for name in names)


def _line(method: str, url: str) -> bytes:
    return f"{method} {url}".encode("utf-8", "replace")


def _headers(
    name: str, headers: Headers, keep: Collection[str], how: Storing, known: Known, leaf: LeafOf
) -> Part:  # fmt: skip
    masked = mask_headers(headers, keep, plain=how.keep_plaintext, known=known)
    return _document(name, headers, masked, leaf)


def _document(name: str, original: Any, said: Any, leaf: LeafOf) -> Part:
    """A part that is JSON. Masking puts texts in the place of values, so that what is equal is the same to the byte."""
    packed = packed_json(original)
    return part(name, packed, packed if said == original else packed_json(said), leaf, said)


def _body(name: str, body: bytes, how: Storing, known: Known, leaf: LeafOf) -> Part:
    if len(body) > how.max_body:
        return part(name, body, f"[{len(body)} bytes, left out: larger than {how.max_body}]".encode(), leaf)
    return part(name, body, body if how.keep_plaintext else mask_body(body, known), leaf)
