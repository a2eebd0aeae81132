"""The hash chain over a run's observations: what was recorded cannot be changed, removed or reordered unseen."""

from __future__ import annotations

import hashlib
import json
import secrets
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from sqlite_utils import Database

GENESIS = "0" * 64


@dataclass(frozen=True)
class Part:
    """One part of an observation: what is stored, and the salted digest of what was there originally."""

    name: str
    digest: str
    salt: str
    size: int
    form: str
    """`original` or `masked`; `removed` where the content was taken out later."""
    content: bytes | None


def part(name: str, original: bytes, stored: bytes) -> Part:
    """A part, with a salt of its own, so that a masked value cannot be guessed from two ledgers."""
    salt = secrets.token_hex(16)
    digest = hashlib.sha256(salt.encode() + original).hexdigest()
    form = "original" if stored == original else "masked"
    return Part(name, digest, salt, len(original), form, zlib.compress(stored, 6))


def row_hash(prev: str, run_id: str, seq: int, id_: str, kind: str, at: int | None, digests: dict[str, str]) -> str:
    """The hash of an observation: of the one before it, its place, and the digests of its parts."""
    what = [prev, run_id, seq, id_, kind, at, sorted(digests.items())]
    return hashlib.sha256(json.dumps(what, separators=(",", ":")).encode()).hexdigest()


def faults(db: Database, run_id: str, head: str | None = None) -> Iterator[str]:
    """Every place where a run's chain is broken; nothing for a sound one.

    `head` is the chain head that the run printed: with it a cut tail is found too.
    """
    digests: dict[int, dict[str, str]] = {}
    for row in db.query(
        "select seq, name, digest, salt, size, form, content from observation_parts where run_id = ?", [run_id]
    ):
        digests.setdefault(row["seq"], {})[row["name"]] = row["digest"]
        if row["form"] == "original" and row["content"] is not None and row["salt"]:
            try:
                stored = zlib.decompress(row["content"])
            except zlib.error:
                stored = b""
            if hashlib.sha256(row["salt"].encode() + stored).hexdigest() != row["digest"]:
                yield f"run {run_id}: observation {row['seq']}: part {row['name']} was changed"
    prev, expected = GENESIS, 1
    for row in db.query("select * from observations where run_id = ? order by seq", [run_id]):
        seq = row["seq"]
        if seq != expected:
            yield f"run {run_id}: observation {expected} is missing"
        own = row_hash(prev, run_id, seq, row["id"], row["kind"], row["at"], digests.get(seq, {}))
        if row["prev_hash"] != prev:
            yield f"run {run_id}: observation {seq} does not follow the one before it (removed, inserted or reordered)"
        elif own != row["hash"]:
            yield f"run {run_id}: observation {seq} was changed"
        prev, expected = row["hash"], seq + 1
    if head is not None and head != prev:
        yield f"run {run_id}: the chain ends at {prev[:16]}, not at {head[:16]}: observations after it were cut off"
