"""The hash chain over a run's observations: what was recorded cannot be changed, removed or reordered unseen."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zlib import adler32

from pixelwitness.ledger.commit import LeafOf, Path, committed, tag, tree

GENESIS = "0" * 64
VERSION = "pixelwitness-2"
"""How an observation is digested; it stands in the digest itself."""
DOCUMENTS = frozenset(
    {
        "observed",
        "meta",
        "counts",
        "request_headers",
        "response_headers",
        "run",
        "end",
        "settings",
        "judgement",
        "joined",
        "timestamp",
    }
)
"""Parts that are JSON; of these every value can be taken out by itself. `request_line` and `status_line` are text."""
TEXTS = frozenset({"request_line", "status_line"})
COMPACT = json.JSONEncoder(separators=(",", ":")).encode
PACKED = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
SHORT = 256
"""Bytes of a part that is remembered."""
SMALL = 4096
"""Bytes that fit into a window of 12 bits."""
TINY = 1024
"""Bytes that are not worth packing."""
UNPACKED = b"\x78\x01\x01"
"""The head of a zlib stream, and that of a last block that holds its bytes as they are (RFC 1951, 3.2.4)."""
MAX_PART = 128 * 1024 * 1024
"""Bytes that a stored part may have unpacked: more was not written by this program."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an observation: what is stored, with digests of that and of what was there originally."""

    name: str
    digest: str
    salt: str | None
    size: int
    form: str
    """`original` or `masked`; in a copy for sharing with `+redacted` or `+removed` behind it."""
    content: bytes | None
    stored: str | None
    """The commitment to `content`; null in ledgers of the first two schemas."""


def part(name: str, original: bytes, stored: bytes, leaf: LeafOf, value: Any = None) -> Part:
    """A part, with a salt that nobody can guess without the ledger's secret.

    `value`: what `stored` is the JSON of, where that is at hand.
    """
    said = commitment(name, stored, leaf) if value is None else committed(leaf)(value).hex()
    return sealed(name, original, stored, said, leaf)


def sealed(name: str, original: bytes, stored: bytes, said: str, leaf: LeafOf) -> Part:
    """The same where `said`, the commitment to what is stored, is at hand."""
    small = len(original) <= SHORT and len(stored) <= SHORT
    return _short(name, original, stored, said, leaf) if small else _sealed(name, original, stored, said, leaf)


def _sealed(name: str, original: bytes, stored: bytes, said: str, leaf: LeafOf) -> Part:
    form = "original" if stored == original else "masked"
    salt = salt_of(name, form, said, leaf)
    digest = hashlib.sha256(salt.encode() + original).hexdigest()
    return Part(name, digest, salt, len(original), form, packed(stored), said)


_short = lru_cache(4096)(_sealed)
"""Status lines, facts of a response, the address of a file that each page loads: the same again and again."""


def salt_of(name: str, form: str, stored: str, leaf: LeafOf) -> str:
    """The salt of a part's original. It follows from what is stored, so that a changed one is found although the
    original is not there to try it on."""
    return leaf(tag(f"salt of {form} {name} {stored}"))[:16].hex()


def commitment(name: str, stored: bytes, leaf: LeafOf) -> str:
    """The digest of what is stored as a part. Raises ValueError, RecursionError or TypeError where that is not what
    this program writes."""
    return committed(leaf)(document(name, stored)).hex()


def document(name: str, stored: bytes) -> Any:
    """What is stored as a part, as the document that is committed to. Raises ValueError, RecursionError."""
    if name in DOCUMENTS:
        return json.loads(stored)
    return stored.decode("utf-8") if name in TEXTS else stored


def packed_json(value: Any) -> bytes:
    """A document as it is stored: in one way only, so that not a byte of it can be changed."""
    return PACKED(value).encode("utf-8", "surrogatepass")


def packed(data: bytes) -> bytes:
    """Bytes as they are stored: always a zlib stream (RFC 1950).

    Most parts are small. Of a few bytes packing saves next to nothing, so that they stand in the stream as they are;
    and setting up zlib's largest window costs more than packing a small part.
    """
    if len(data) <= TINY:
        size = len(data)
        sizes = size.to_bytes(2, "little") + (size ^ 0xFFFF).to_bytes(2, "little")
        return UNPACKED + sizes + data + adler32(data).to_bytes(4, "big")
    if len(data) > SMALL:
        return zlib.compress(data, 6)
    work = zlib.compressobj(6, zlib.DEFLATED, 12, 5)
    return work.compress(data) + work.flush()


def unpacked(content: bytes) -> bytes:
    """The stored content of a part. Raises ValueError where it cannot be unpacked, or is a bomb."""
    undo = zlib.decompressobj()
    try:
        data = undo.decompress(content, MAX_PART)
    except zlib.error as error:
        raise ValueError("not packed as this program packs") from error
    if undo.unconsumed_tail or undo.unused_data or not undo.eof:
        raise ValueError("not packed as this program packs")
    return data


@dataclass(frozen=True, slots=True)
class Row:
    """An observation's own cells, without its place in the chain."""

    run_id: str
    seq: int
    id: str
    kind: str
    client: str | None
    exchange_id: str | None
    at: int | None


def body_hash(row: Row, parts: Iterable[Part], leaf: LeafOf, *, copy: bool = False) -> str:
    """The digest of an observation by itself. Its client is a value that may be taken out of a copy."""
    client = (tree(row.client, leaf, whole) if copy else committed(leaf)(row.client)).hex()
    rows = sorted([p.name, p.form.partition("+")[0], p.size, p.digest, p.stored] for p in parts)
    what = [VERSION, row.run_id, row.seq, row.id, row.kind, client, row.exchange_id, row.at, rows]
    return hashlib.sha256(COMPACT(what).encode()).hexdigest()


def whole(path: Path) -> str | None:
    """A value that may be taken out of a copy."""
    return "all"


def row_hash(prev: str, body: str) -> str:
    """The hash of an observation in its place: of the hash before it and its own digest."""
    return hashlib.sha256((prev + body).encode()).hexdigest()


def first_row_hash(prev: str, row: Row, parts: Sequence[Part]) -> str:
    """The same in ledgers of the first two schemas, where neither client nor stored content counted."""
    what = [prev, row.run_id, row.seq, row.id, row.kind, row.at, sorted((p.name, p.digest) for p in parts)]
    return hashlib.sha256(COMPACT(what).encode()).hexdigest()
