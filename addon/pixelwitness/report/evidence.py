"""The evidence behind a summary, read from the ledger's tables within bounds: hits, what decided them, the bytes."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pixelwitness.exchange import from_iso
from pixelwitness.ledger.store import Ledger
from pixelwitness.report.findings import Finding
from pixelwitness.report.harmless import shortened

MOST_HITS = 120
MOST_PER_FINDING = 25
MOST_SIGNALS = 12
PAYLOAD_CHARACTERS = 6_000
EXCERPT_CHARACTERS = 600
MOST_FIELDS = 60


@dataclass(frozen=True)
class Evidence:
    """One hit with everything that shows it: rows of the public tables, and the record that it was read from."""

    hit: dict[str, Any]
    findings: tuple[tuple[str, str, str, str], ...]
    """Rule, regime, sentence, violation id."""
    delay: float | None
    """Seconds from the message's own time to its sending."""
    identifiers: list[dict[str, Any]]
    signals: list[dict[str, Any]]
    status: int | None
    run_id: str
    seq: int | None
    hash: str | None
    """The row of the chain that holds the request."""
    parts: list[dict[str, Any]]
    """Name, size, form and digest of each part of the request."""
    excerpt: str
    """The beginning of the stored body."""
    payload: str
    """The decoded body, laid out."""


def chosen(found: Sequence[Finding]) -> list[str]:
    """The hits to show in full: some of each finding, the gravest findings first, in a fixed order."""
    ids: dict[str, None] = {}
    for finding in found:
        ids |= {s.hit_id: None for s in finding.sends[:MOST_PER_FINDING]}
    return list(ids)[:MOST_HITS]


def evidence(ledger: Ledger, found: Sequence[Finding], ids: Iterable[str]) -> list[Evidence]:
    """The evidence of some hits, in order of time."""
    said: dict[str, list[tuple[str, str, str, str]]] = {}
    for finding in found:
        for send in finding.sends:
            said.setdefault(send.hit_id, []).extend(
                (finding.rule, regime, text, send.ids[regime]) for regime, text in send.explanations.items()
            )
    made = [_evidence(ledger, one, tuple(said.get(one, ()))) for one in ids]
    return sorted((e for e in made if e), key=lambda e: (e.hit["occurred_at"], e.hit["id"]))


def _delay(sent: str, happened: str | None) -> float | None:
    """Seconds from the message's own time to its send; None where a ledger that somebody wrote into holds no time."""
    try:
        return (from_iso(sent) - from_iso(happened)) / 1000 if happened else None
    except ValueError:
        return None


def _evidence(ledger: Ledger, hit_id: str, said: tuple[tuple[str, str, str, str], ...]) -> Evidence | None:
    db = ledger.db
    hits = list(db.query("select * from hits where id = ?", [hit_id]))
    if not hits:
        return None
    hit = {k: _plain(v) if k in JSON else v for k, v in hits[0].items()}
    exchange = list(db.query("select status from exchanges where id = ?", [hit["exchange_id"]]))
    query = "select run_id, seq, hash from observations where kind = 'request' and id = ?"
    record = next(iter(db.query(query, [hit["exchange_id"]])), None)
    parts: list[dict[str, Any]] = []
    body = b""
    if record:
        query = "select name, digest, size, form, content from observation_parts where run_id = ? and seq = ?"
        for part in db.query(query + " order by name", [record["run_id"], record["seq"]]):
            content = part.pop("content")
            parts.append(part)
            if part["name"] == "request_body" and content:
                body = _unpacked(content)
    return Evidence(
        hit=hit,
        findings=said,
        delay=_delay(hit["occurred_at"], hit["event_time"]),
        identifiers=list(
            db.query("select * from identifiers where hit_id = ? order by field limit ?", [hit_id, MOST_FIELDS])
        ),
        signals=_signals(ledger, hit["signals"] or []),
        status=exchange[0]["status"] if exchange else None,
        run_id=hit["run_id"],
        seq=record["seq"] if record else None,
        hash=record["hash"] if record else None,
        parts=parts,
        excerpt=shortened(body.decode("utf-8", "replace"), EXCERPT_CHARACTERS),
        payload=shortened(json.dumps(hit["payload"], indent=2, ensure_ascii=False), PAYLOAD_CHARACTERS)
        if hit["payload"] is not None
        else "",
    )


JSON = frozenset({
    "pixel_codes", "possible_states", "opt_outs", "verdicts", "reasons", "mitigations", "signals", "set_aside",
    "collected", "plaintext", "payload", "redactions",
})  # fmt: skip


def _plain(value: str | None) -> Any:
    return json.loads(value) if value else None


def _unpacked(content: bytes) -> bytes:
    """The beginning of a stored part, without inflating more than is shown."""
    return zlib.decompressobj().decompress(content, 8 * EXCERPT_CHARACTERS)


def _signals(ledger: Ledger, ids: Sequence[str]) -> list[dict[str, Any]]:
    some = ids[:MOST_SIGNALS]
    marks = ",".join("?" * len(some))
    query = f"select * from signals where id in ({marks}) order by observed_at, id"  # noqa: S608  only marks
    return list(ledger.db.query(query, list(some)))
