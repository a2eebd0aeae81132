"""Walks a run's chain from its first observation to its last, and names every place where it does not hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from typing import Any

from sqlite_utils import Database

from pixelwitness.ledger.chain import (
    DOCUMENTS,
    GENESIS,
    Part,
    Row,
    body_hash,
    document,
    first_row_hash,
    packed_json,
    row_hash,
    salt_of,
    unpacked,
)
from pixelwitness.ledger.commit import LeafOf, keyed, never, salt_for, salted, tree
from pixelwitness.ledger.sharing import REMOVABLE, taken_from

FORMS = frozenset({"original", "masked"})
BROKEN = (ValueError, LookupError, RecursionError, TypeError)
"""What reading a part raises that this program did not write."""


@dataclass
class Walked:
    """What a walk found. `faults` in the order of the chain; counts of what was taken out of a copy."""

    head: str = GENESIS
    observations: int = 0
    faults: list[str] = field(default_factory=list)
    redacted: int = 0
    removed: int = 0
    older: int = 0
    """Observations whose stored content is not committed to: recorded under the first two schemas."""
    given_at: int | None = None
    """Where the head that the caller gave stands in the chain."""


def walk(
    db: Database, run: dict[str, Any], given: str | None = None, used: Callable[[str], object] | None = None
) -> Walked:
    """Checks a run's chain. `run` is its row of `runs`; `given` a head that the run once printed.

    `used` hears of each salt that a copy for sharing needs. Memory does not grow with the length of the chain.
    """
    found = Walked()
    leaf = leaf_of(db, run["secret"], used)
    how = _How(leaf, copy=not run["secret"], salts=derives_salts(db, run["id"]))
    parts = _grouped_parts(db, run["id"])
    waiting = next(parts, None)
    for cells in db.query("select * from observations where run_id = ? order by seq", [run["id"]]):
        seq = cells["seq"]
        while waiting is not None and waiting[0] < seq:
            found.faults.append(f"parts of observation {waiting[0]}, which is missing")
            waiting = next(parts, None)
        own: list[Part] = []
        if waiting is not None and waiting[0] == seq:
            own = waiting[1]
            waiting = next(parts, None)
        _step(db, found, cells, own, how)
        if cells["hash"] == given:
            found.given_at = found.observations
    while waiting is not None:
        found.faults.append(f"parts of observation {waiting[0]}, which is missing")
        waiting = next(parts, None)
    if given is not None and found.given_at is None:
        found.faults.append(
            f"no observation has the head {given[:16]}...: the chain ends at {found.head[:16]}... with observation "
            f"{found.observations}; what came after was cut off, or all was written anew"
        )
    return found


@dataclass(frozen=True)
class _How:
    """How the parts of a run are to be checked."""

    leaf: LeafOf
    copy: bool
    """A copy for sharing."""
    salts: bool
    """Whether salts follow from what is stored; earlier versions made them at random."""


def derives_salts(db: Database, run: str) -> bool:
    """Whether a run says so in its first observation."""
    query = "select content from observation_parts where run_id = ? and seq = 1 and name = 'run'"
    try:
        said = [json.loads(unpacked(r["content"])) for r in db.query(query, [run])]
    except BROKEN:
        return False
    return bool(said) and isinstance(said[0], dict) and said[0].get("salts") == "derived"


def _step(db: Database, found: Walked, cells: dict[str, Any], parts: list[Part], how: _How) -> None:
    seq, expected = cells["seq"], found.observations + 1
    missing = seq - expected
    if missing > 0:
        which = f"observation {expected} is" if missing == 1 else f"observations {expected} to {seq - 1} are"
        found.faults.append(f"{which} missing")
    elif missing < 0:
        found.faults.append(f"observation {seq} was inserted: the chain counts from 1")
    named = [fault for p in parts for fault in _part(found, seq, p, how)]
    found.faults += named
    row = Row(**{name: cells[name] for name in Row.__slots__})
    if parts and all(p.stored is None for p in parts):
        found.older += 1
        own = first_row_hash(cells["prev_hash"], row, parts)
    else:
        own = row_hash(cells["prev_hash"], _body(row, parts, how.leaf, how.copy))
    if own != cells["hash"]:
        if not named:
            found.faults.append(f"observation {seq} ({cells['kind']}) was changed")
    elif cells["prev_hash"] != found.head and missing == 0:
        found.faults.append(_misplaced(db, cells, found.head))
    found.head, found.observations = cells["hash"], max(seq, found.observations)


def _misplaced(db: Database, cells: dict[str, Any], head: str) -> str:
    """An observation that is sound in itself but does not follow the one before it."""
    query = "select seq from observations where run_id = ? and prev_hash = ? order by seq limit 1"
    rows = list(db.query(query, [cells["run_id"], head]))
    seq = cells["seq"]
    if rows:
        return f"observation {seq} was inserted or moved here: what follows {seq - 1} stands at {rows[0]['seq']}"
    return f"observation {seq} does not follow {seq - 1}: one of them was replaced, or one between them removed"


def _body(row: Row, parts: list[Part], leaf: LeafOf, copy: bool) -> str:
    try:
        return body_hash(row, parts, leaf, copy=copy)
    except BROKEN:
        return ""  # no hash fits: the observation was changed


def _part(found: Walked, seq: int, part: Part, how: _How) -> Iterator[str]:
    what = f"observation {seq}: part {part.name}"
    base, _, later = part.form.partition("+")
    if base not in FORMS or later not in ("", "redacted", "removed"):
        yield f"{what} was changed: no such form"
        return
    if how.copy and part.form != "original" and part.salt is not None:
        yield f"{what} was changed: a copy holds no salt of it"
        return
    if part.content is None:
        if later == "removed" and part.name in REMOVABLE and how.copy:
            found.removed += 1
        else:
            yield f"{what} was removed"
        return
    if later and not how.copy:
        yield f"{what} was changed: something is taken out of copies only"
        return
    if later == "removed":
        yield f"{what} was changed: it is said to be removed"
        return
    try:
        stored = unpacked(part.content)
        said = document(part.name, stored)
        taken = taken_from(part.name, said) if later else never
        fits = part.stored is None or (
            tree(said, how.leaf, taken).hex() == part.stored and _as_written(part, said, stored)
        )
        if later and fits:
            fits = not _is_whole(part, said, how.leaf)
    except BROKEN:
        yield f"{what} was changed"
        return
    if base == "original" and not later:
        # Of the older schemas this digest is all there is.
        fits = fits and part.salt is not None and _digest(part.salt, stored) == part.digest
    if fits and how.salts and not how.copy:
        fits = part.salt == salt_of(part.name, part.form, str(part.stored), how.leaf)
    if not fits:
        yield f"{what} was changed"
    elif later:
        found.redacted += 1


def _is_whole(part: Part, said: Any, leaf: LeafOf) -> bool:
    """Whether nothing was taken out of a part that is said to be redacted."""
    try:
        return tree(said, leaf, never).hex() == part.stored
    except BROKEN:
        return False  # the salts of what was taken out are not there


def _as_written(part: Part, said: Any, stored: bytes) -> bool:
    """No other spelling of the same document, no name twice in one object."""
    return part.name not in DOCUMENTS or packed_json(said) == stored


def _digest(salt: str, stored: bytes) -> str:
    return hashlib.sha256(salt.encode() + stored).hexdigest()


def _grouped_parts(db: Database, run_id: str) -> Iterator[tuple[int, list[Part]]]:
    names = ", ".join(Part.__slots__)
    rows = db.query(f"select seq, {names} from observation_parts where run_id = ? order by seq, name", [run_id])  # noqa: S608  fixed names
    for seq, group in groupby(rows, key=lambda r: int(r["seq"])):
        yield seq, [Part(**{name: r[name] for name in Part.__slots__}) for r in group]


def leaf_of(db: Database, secret: str | None, used: Callable[[str], object] | None = None) -> LeafOf:
    """How values are committed to: by the ledger's secret, or in a copy for sharing by the salts of what is left."""
    salt = salts_of(db, secret, used)
    return keyed(bytes.fromhex(secret)) if secret and _is_hex(secret) else lambda tagged: salted(salt(tagged), tagged)


def salts_of(
    db: Database, secret: str | None, used: Callable[[str], object] | None = None
) -> Callable[[bytes], bytes]:  # fmt: skip
    """The salt of each value; empty where a copy for sharing holds none."""
    if secret:
        key = bytes.fromhex(secret) if _is_hex(secret) else b""
        return lambda tagged: salt_for(key, tagged)

    @lru_cache(65_536)
    def known(value: str) -> bytes:
        rows = list(db.query("select salt from salts where value = ?", [value]))
        if rows and used is not None:
            used(value)
        return bytes.fromhex(rows[0]["salt"]) if rows else b""

    return lambda tagged: known(hashlib.sha256(tagged).hexdigest())


def _is_hex(text: str) -> bool:
    try:
        bytes.fromhex(text)
    except ValueError:
        return False
    return True
