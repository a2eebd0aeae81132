"""Judging again from stored observations alone, and what that changed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from pixelwitness.audit.change import stand_of, why_changed
from pixelwitness.audit.judge import judge
from pixelwitness.audit.model import Judgement
from pixelwitness.audit.regions import AUTO
from pixelwitness.ledger.project import project, stand_of_row
from pixelwitness.ledger.store import Ledger, LedgerError
from pixelwitness.observations import Signal
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.law import Regime
from pixelwitness.run import now


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Change(_Model):
    """One thing that is not as it was. `kind`: `verdict`, `violation`, `severity`, `coverage`."""

    kind: str
    regime: str
    property: str | None
    what: str
    was: str | None
    became: str | None
    why: str
    hit_id: str | None = None


class Rejudged(_Model):
    """One recording, judged again."""

    recording: str
    runs: tuple[str, ...]
    regimes: tuple[str, ...]
    hits: int
    changes: tuple[Change, ...]
    notes: tuple[str, ...]
    """Regimes added and left out, other rules, and what could not be read again."""
    heads: tuple[str, ...]
    """The chain head of each run: that it was judged by other law or rules is on its record."""


def rejudge(
    ledger: Ledger, book: Rulebook, *, run: str | None = None, regimes: Sequence[Regime] = (), auto: bool = False,
    dry_run: bool = False,
) -> list[Rejudged]:  # fmt: skip
    """Judges every recording of a ledger (or a run's) again. Named `regimes` replace those of the last judgement;
    `auto`: so do those that the traffic proposes.

    Raises LedgerError where there is no such run.
    """
    rows = list(ledger.db.query("select * from runs order by started_at, rowid"))
    if run is not None and run not in {r["id"] for r in rows}:
        raise LedgerError(f"{ledger.path}: has no run {run}. Its runs: {', '.join(r['id'] for r in rows) or 'none'}")
    recordings = list(dict.fromkeys(r["recording"] for r in rows if run in (None, r["id"])))
    return [
        _recording(ledger, book, [r for r in rows if r["recording"] == name], name, regimes, auto, dry_run)
        for name in recordings
    ]


def _recording(
    ledger: Ledger, book: Rulebook, runs: list[dict[str, Any]], name: str, asked: Sequence[Regime],
    auto: bool, dry_run: bool,
) -> Rejudged:  # fmt: skip
    stored = json.loads(runs[-1]["regimes"])
    chosen = tuple(asked) or tuple(book.regimes[r] for r in stored if r in book.regimes)
    named = frozenset(r.id for r in asked) or frozenset(json.loads(runs[-1]["named"]))
    if auto:
        chosen, named = tuple(asked), frozenset(r.id for r in asked) | {AUTO}
    recorded = ledger.recorded(name)
    judgement = judge(recorded.rows, chosen, book, named)
    ids = list(judgement.regimes)
    same_rules = all(r["rules_digest"] == book.digest for r in runs)
    signals = {s.id: s for s in recorded.rows.signals}
    changes = _changes(ledger, name, judgement, signals, stored, ids, same_rules)
    if not dry_run:
        project(ledger, runs[-1]["id"], recorded, judgement, book, named=named, provisional=False, at=now())
    return Rejudged(
        recording=name,
        runs=tuple(r["id"] for r in runs),
        regimes=tuple(ids),
        hits=len(judgement.verdicts),
        changes=tuple(changes),
        notes=tuple(_notes(ledger, name, runs, stored, ids, book)),
        heads=tuple(ledger.head(r["id"]) for r in runs),
    )


def _changes(
    ledger: Ledger, name: str, judgement: Judgement, signals: Mapping[str, Signal], stored: Sequence[str],
    ids: Sequence[str], same_rules: bool,
) -> list[Change]:  # fmt: skip
    within = "run_id in (select id from runs where recording = ?)"
    before = {
        r["id"]: r
        for r in ledger.db.query(f"select * from hits where {within}", [name])  # noqa: S608  fixed text
    }
    made: list[Change] = []
    reasons: dict[str, str] = {}
    for verdict in judgement.verdicts:
        row = before.get(verdict.hit_id)
        if row is None or row["verdicts"] is None:
            continue
        was = stand_of_row(row)
        reasons[verdict.hit_id] = why_changed(was, stand_of(verdict), signals, same_rules=same_rules)
        for regime in ids:
            old, new = was.verdicts.get(regime), verdict.verdicts[regime]
            if old != new:
                why = reasons[verdict.hit_id] if old is not None else _added(regime)
                what = f"hit {verdict.hit_id[:12]} ({row['event'] or row['kind']})"
                made.append(_change("verdict", regime, verdict.property, what, old, new, why, verdict.hit_id))
    old_rows = {
        (v["hit_id"], v["rule"], v["regime"]): v
        for v in ledger.db.query(f"select * from violations where {within}", [name])  # noqa: S608  fixed text
    }
    new_rows = {(v.hit_id, v.rule, v.regime): v for v in judgement.violations}
    for key in sorted({*old_rows, *new_rows}):
        hit_id, rule, regime = key
        old_row, new_row = old_rows.get(key), new_rows.get(key)
        prop = new_row.property if new_row else old_row["property"] if old_row else None
        old_weight = old_row["severity"] if old_row else None
        new_weight = new_row.severity if new_row else None
        if old_weight == new_weight:
            continue
        why = _added(regime) if regime not in stored else _left(regime) if regime not in ids else ""
        kind = "severity" if old_row and new_row else "violation"
        why = why or (reasons.get(hit_id, "") if kind == "violation" else "Another severity in the rules.")
        made.append(_change(kind, regime, prop, f"{rule} by hit {hit_id[:12]}", old_weight, new_weight, why, hit_id))
    old_coverage = {
        (c["property"], c["regime"], c["state"]): c["result"]
        for c in ledger.db.query("select * from coverage where recording = ?", [name])
    }
    new_coverage = {(c.property, c.regime, c.state): c.result for c in judgement.coverage}
    for place in sorted({*old_coverage, *new_coverage}):
        prop, regime, state = place
        was_result, now_result = old_coverage.get(place), new_coverage.get(place)
        if was_result != now_result:
            why = _added(regime) if regime not in stored else _left(regime) if regime not in ids else "See the hits."
            made.append(_change("coverage", regime, prop, f"coverage of {state}", was_result, now_result, why))
    return made


def _change(
    kind: str, regime: str, prop: str | None, what: str, was: str | None, became: str | None, why: str,
    hit_id: str | None = None,
) -> Change:  # fmt: skip
    return Change(
        kind=kind, regime=regime, property=prop, what=what, was=was, became=became, why=why, hit_id=hit_id
    )  # fmt: skip


def _added(regime: str) -> str:
    return f"The regime {regime} was not judged before."


def _left(regime: str) -> str:
    return f"The regime {regime} is not judged any more."


def _notes(
    ledger: Ledger, name: str, runs: list[dict[str, Any]], stored: Sequence[str], ids: Sequence[str], book: Rulebook
) -> list[str]:
    notes = [_added(r) for r in ids if r not in stored] + [_left(r) for r in stored if r not in ids]
    notes += [f"The regime {r} is in no rule any more." for r in stored if r not in book.regimes]
    others = sorted({r["rules_digest"] for r in runs} - {book.digest})
    if not others:
        return notes
    notes.append(
        f"Recorded with other rules ({', '.join(d[:12] for d in others)}; now {book.digest[:12]}): regimes, findings, "
        "severities and precedence are those of now; hits and signals stay as they were read then."
    )
    query = """
        select p.name, count(*) as n from observation_parts p join runs r on r.id = p.run_id
        where r.recording = ? and p.form != 'original' and p.name not in ('observed', 'meta', 'counts') group by p.name
    """
    kept = Counter({row["name"]: row["n"] for row in ledger.db.query(query, [name])})
    if kept:
        parts = ", ".join(f"{n} {part.replace('_', ' ')}" for part, n in sorted(kept.items()))
        notes.append(
            f"Not read again, for they are stored masked or cut: {parts}. Replay the capture to read it with new rules."
        )
    return notes
