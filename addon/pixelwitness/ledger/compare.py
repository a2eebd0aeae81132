"""Compares the public tables with what the observations and their judgement give, row by row and cell by cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from pixelwitness.ledger.project import BY_HIT, BY_RECORDING, BY_RUN
from pixelwitness.ledger.store import Ledger

KEYS = {
    "hits": ("id",), "violations": ("id",), "signals": ("id",), "page_views": ("id",), "exchanges": ("id",),
    "coverage": ("recording", "property", "regime", "state"), "blind_spots": ("id",),
    "traffic": ("recording", "property", "host", "category"),
    "pixels": ("recording", "property", "vendor", "code"), "notices": ("id",),
    "identifiers": ("hit_id", "field", "name"), "collected": ("hit_id", "field", "what"),
    "revisions": ("hit_id", "regime", "revised_at"),
}  # fmt: skip
"""By what a row is found again; equal ones are told apart by their order."""
JUDGED = {
    "hits": frozenset({
        "property", "attribution", "consent_state", "possible_states", "effective_default", "opt_outs", "cmp",
        "verdicts", "reasons", "mitigations", "copy_of", "repeats", "confidence", "signals", "set_aside",
        "shown_by", "unknown_because",
    }),
    "exchanges": frozenset({"property"}),
    "signals": frozenset({"property"}),
    "page_views": frozenset({"property", "consent_state"}),
}  # fmt: skip
"""Cells that rest on rules and regimes as well as on the observations."""
JUDGED_TABLES = frozenset({"violations", "coverage", "blind_spots", "pixels", "notices"})
MOST = 50
"""Differences that are told a table."""

type Cells = dict[str, Any]


def compare(ledger: Ledger, recording: str, expected: dict[str, list[Cells]], *, judged: bool) -> Iterator[str]:
    """Every cell, row too many and row too few in a recording's tables.

    `judged` False: only what follows from the observations alone, whatever the rules.
    """
    for table in KEYS:
        if table in JUDGED_TABLES and not judged:
            continue
        ignored = frozenset() if judged else JUDGED.get(table, frozenset())
        yield from _table(table, expected.get(table, []), _stored(ledger, table, recording), ignored)


def strangers(ledger: Ledger) -> Iterator[str]:
    """Rows that belong to no run of this ledger."""
    for table in ("observations", "observation_parts", *BY_RUN):
        query = f"select distinct run_id from {table} where run_id is null or run_id not in (select id from runs)"  # noqa: S608  fixed names
        for row in ledger.db.query(query):
            yield f"{table}: rows of a run {row['run_id']} that `runs` does not name"
    for table in BY_RECORDING:
        yield from _too_many(ledger, table, "recording is null or recording not in (select recording from runs)")
    for table in (*BY_HIT, "revisions"):
        yield from _too_many(ledger, table, "hit_id is null or hit_id not in (select id from hits)")


def _too_many(ledger: Ledger, table: str, where: str) -> Iterator[str]:
    query = f"select count(*) as n from {table} where {where}"  # noqa: S608  fixed names
    count = next(iter(ledger.db.query(query)))["n"]
    if count:
        yield f"{table}: {count} rows that belong to nothing in this ledger were added"


def _stored(ledger: Ledger, table: str, recording: str) -> Iterable[Cells]:
    runs = "select id from runs where recording = ?"
    where = {
        **dict.fromkeys(BY_RUN, f"run_id in ({runs})"),
        **dict.fromkeys(BY_RECORDING, "recording = ?"),
        **dict.fromkeys((*BY_HIT, "revisions"), f"hit_id in (select id from hits where run_id in ({runs}))"),  # noqa: S608  fixed names
    }[table]
    return ledger.db.query(f"select * from {table} where {where} order by rowid", [recording])  # noqa: S608  fixed names


def _table(table: str, expected: list[Cells], stored: Iterable[Cells], ignored: frozenset[str]) -> Iterator[str]:
    told = 0
    wanted = dict(_numbered(table, expected))
    for key, row in _numbered(table, stored):
        right = wanted.pop(key, None)
        if right is None:
            faults = [f"{table}: row {_named(key)} was added: no observation gives it"]
        else:
            faults = [
                f"{table}: row {_named(key)}: {column} is {_short(value)}, the observations give "
                f"{_short(right.get(column))}"
                for column, value in row.items()
                if column not in ignored and not _same(value, right.get(column))
            ]
        told += len(faults)
        yield from faults
        if told >= MOST:
            yield f"{table}: and perhaps more"
            return
    for key in list(wanted)[: MOST - told]:
        yield f"{table}: row {_named(key)} was removed: the observations give it"


def _same(stored: Any, right: Any) -> bool:
    return type(stored) is type(right) and bool(stored == right)


def _numbered(table: str, rows: Iterable[Cells]) -> Iterator[tuple[tuple[Any, ...], Cells]]:
    seen: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        key = tuple(row.get(name) for name in KEYS[table])
        seen[key] += 1
        yield (*key, seen[key]), row


def _named(key: tuple[Any, ...]) -> str:
    *parts, number = key
    return " / ".join(str(p) for p in parts) + (f" ({number})" if number > 1 else "")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
