"""Pieces of documents: the JSON of what was there, the JSON of what may be stored of it, and the commitment to that.

A document is put together from its pieces, which are made once where they come again: a header field, a signal that
differs from the one before in its id and time only. What is put together is the same to the byte as what is made whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from pixelwitness.ledger.chain import Part, packed_json, sealed
from pixelwitness.ledger.commit import NODE, LeafOf, committed, name_of

MAX_NAME = 64
"""Characters of a member's name that is remembered."""


class Piece(NamedTuple):
    """A value of a document."""

    original: bytes
    """Its JSON, unmasked: of this nothing is kept but a digest."""
    stored: bytes
    """Its JSON as it is stored."""
    digest: bytes
    """The commitment to what is stored."""


class Mould(NamedTuple):
    """An object whose members are all the same but for some simple ones, which are never masked: what stands between
    those, ready to be filled by `%`."""

    original: bytes
    stored: bytes
    digests: bytes


def piece(original: Any, said: Any, leaf: LeafOf) -> Piece:
    """A value and what of it may be stored, as `json.loads` would give them. Masking puts texts in the place of
    values, so that what is equal is the same to the byte."""
    packed = packed_json(original)
    return Piece(packed, packed if said == original else packed_json(said), committed(leaf)(said))


def listed(pieces: Sequence[Piece]) -> Piece:
    """A list of pieces."""
    return Piece(
        b"[" + b",".join([p.original for p in pieces]) + b"]",
        b"[" + b",".join([p.stored for p in pieces]) + b"]",
        hashlib.sha256(NODE + b"l" + b"".join([p.digest for p in pieces])).digest(),
    )


def shaped(members: Sequence[tuple[str, Piece]]) -> Piece:
    """An object of named pieces, in their order."""
    originals, stored, digests = [], [], [NODE + b"d"]
    for name, p in members:
        named = _name(name) if len(name) <= MAX_NAME else _name.__wrapped__(name)
        originals.append(named + p.original)
        stored.append(named + p.stored)
        digests.append(name_of(name) + p.digest)
    return Piece(
        b"{%b}" % b",".join(originals), b"{%b}" % b",".join(stored), hashlib.sha256(b"".join(digests)).digest()
    )


@lru_cache(256)
def _name(name: str) -> bytes:
    return packed_json(name) + b":"


def mould(original: dict[str, Any], said: dict[str, Any], changing: Collection[str], leaf: LeafOf) -> Mould:
    """An object as a mould with a hole for each of the `changing` members, in their order."""
    digest = committed(leaf)
    unmasked = b"{" + b",".join(_with_holes(original, changing)) + b"}"
    return Mould(
        unmasked,
        unmasked if said == original else b"{" + b",".join(_with_holes(said, changing)) + b"}",
        _plain(NODE + b"d")
        + b"".join(_plain(name_of(k)) + (b"%b" if k in changing else _plain(digest(v))) for k, v in said.items()),
    )


def _with_holes(value: dict[str, Any], changing: Collection[str]) -> Iterable[bytes]:
    for key, child in value.items():
        yield _plain(_name(key)) + (b"%b" if key in changing else _plain(packed_json(child)))


def _plain(data: bytes) -> bytes:
    return data.replace(b"%", b"%%")


def filled(into: Mould, values: Sequence[str | int | None], leaf: LeafOf) -> Piece:
    """The object of a mould with these values in its holes."""
    digest = committed(leaf)
    texts = tuple([b"%d" % v if type(v) is int else packed_json(v) for v in values])
    original = into.original % texts
    return Piece(
        original,
        original if into.stored is into.original else into.stored % texts,
        hashlib.sha256(into.digests % tuple([digest(v) for v in values])).digest(),
    )


def part_of(name: str, document: Piece, leaf: LeafOf) -> Part:
    """A document as a part."""
    return sealed(name, document.original, document.stored, document.digest.hex(), leaf)
