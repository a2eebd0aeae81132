"""A recording read from a ledger: once for its judgement and its public tables, since both need all of it."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlite_utils import Database

from pixelwitness.audit.model import Rows
from pixelwitness.observations import BlindSpot, Hit, Observed, PageView, Signal

PASSED_ON = frozenset({"preflight", "redirect"})
"""Observed kinds that judging turns into something else."""


class Asked(NamedTuple):
    """A request, as the public tables show it."""

    run_id: str
    client: str | None
    at: int
    method: str | None
    url: str | None
    host: str | None
    category: str
    cookie_names: tuple[str, ...] | None


@dataclass
class Recorded:
    """What was observed in a recording. By id; each hit, signal and page view with the run that saw it."""

    rows: Rows = field(default_factory=Rows)
    """All of it as judging takes it."""
    requests: dict[str, Asked] = field(default_factory=dict)
    statuses: dict[str, int | None] = field(default_factory=dict)
    """By exchange; those of requests that are not there are left out."""
    hits: dict[str, tuple[Hit, str]] = field(default_factory=dict)
    captures: dict[str, str] = field(default_factory=dict)
    """By hit."""
    signals: dict[str, tuple[Signal, str]] = field(default_factory=dict)
    views: dict[str, tuple[PageView, str]] = field(default_factory=dict)
    spots: list[tuple[BlindSpot, int]] = field(default_factory=list)
    """Each with the time of its observation."""
    traffic: Counter[tuple[str, str, str]] = field(default_factory=Counter)


def observed(db: Database, recording: str) -> Iterator[tuple[dict[str, Any], Observed, dict[str, Any]]]:
    """Every observation of a recording in order: its row, what it says, and its request's or response's facts."""
    query = """
        select o.run_id, o.seq, o.id, o.kind, o.client, o.exchange_id, o.at, p.content as said, m.content as meta
        from observations o join runs r on r.id = o.run_id
        join observation_parts p on p.run_id = o.run_id and p.seq = o.seq and p.name = 'observed'
        left join observation_parts m on m.run_id = o.run_id and m.seq = o.seq and m.name = 'meta'
        where r.recording = ? order by r.started_at, o.run_id, o.seq
    """
    for row in db.query(query, [recording]):
        said = Observed.model_validate_json(zlib.decompress(row.pop("said")))
        meta = row.pop("meta")
        yield row, said, json.loads(zlib.decompress(meta)) if meta else {}


def recorded(db: Database, recording: str) -> Recorded:
    """All of a recording, in one pass."""
    made = Recorded()
    rows: dict[str, list[Any]] = {name: [] for name in Rows.model_fields}
    for row, said, meta in observed(db, recording):
        run, first = row["run_id"], said.first_party
        for name in ("hits", "signals", "blind_spots", "settings", "hosted"):
            rows[name] += getattr(said, name)
        rows["page_views"] += [said.page_view] if said.page_view else []
        rows["first_party"] += [first] if first else []
        rows["frames"] += [said.frame] if said.frame else []
        if row["kind"] == "request":
            made.requests[row["id"]] = Asked(
                run, row["client"], row["at"], meta.get("method"), meta.get("url"), meta.get("host"), said.category,
                first.cookie_names if first else None,
            )  # fmt: skip
        elif row["kind"] == "response" and row["id"] in made.requests:
            made.statuses[row["id"]] = meta.get("status")
        elif row["kind"] == "traffic":
            made.traffic.update(_traffic(db, row))
        for hit in said.hits:
            made.hits[hit.id] = (hit, run)
            made.captures[hit.id] = str(meta.get("capture", ""))
        for signal in said.signals:
            made.signals[signal.id] = (signal, run)
        if said.page_view:
            made.views[said.page_view.id] = (said.page_view, run)
        made.spots += [(s, row["at"]) for s in said.blind_spots if s.kind not in PASSED_ON]
    made.rows = Rows.model_construct(None, **{name: tuple(found) for name, found in rows.items()})
    return made


def _traffic(db: Database, row: dict[str, Any]) -> dict[tuple[str, str, str], int]:
    query = "select content from observation_parts where run_id = ? and seq = ? and name = 'counts'"
    found = list(db.query(query, [row["run_id"], row["seq"]]))
    counts = json.loads(zlib.decompress(found[0]["content"])) if found else {}
    return {(p, h, c): n for key, n in counts.items() for p, h, c in [json.loads(key)]}
