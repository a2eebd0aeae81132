"""One session as a sequence of lines: page views, changes of consent, sends and their verdicts."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict

from pixelwitness.hostname import ascii_host
from pixelwitness.ledger.store import Ledger, LedgerError
from pixelwitness.observations import NEVER_SENT

SHORT = {"violation": "VIOLATION", "compliant": "ok", "unverified": "unverified", "not_applicable": "n/a"}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Moment(_Model):
    """One line. `kind`: `page`, `consent`, `opt_out`, `mark`, `hit`, `loaded`. Text comes from the traffic."""

    at: str
    kind: str
    id: str
    text: str
    state: str | None = None
    verdicts: dict[str, str] = {}
    tier: str | None = None
    repeats: int = 0
    """How often the same was seen again before something else was."""


class Drawn(_Model):
    """A session: one client on one property."""

    client: str
    property: str
    moments: tuple[Moment, ...]


def sessions(ledger: Ledger, prop: str, client: str | None = None, *, everything: bool = False) -> list[Drawn]:
    """The sessions of a property, by client. Raises LedgerError where the ledger knows no such property or client."""
    known = {
        r["property"]
        for table in ("hits", "page_views", "signals")
        for r in ledger.db.query(f"select distinct property from {table} where property is not null")  # noqa: S608
    }
    prop = prop if prop in known else ascii_host(prop)
    if prop not in known:
        names = ", ".join(sorted(known)[:20]) or "none"
        raise LedgerError(f"{ledger.path}: knows no property {prop}. There are: {names}")
    rows = [(r["client"], m) for r, m in _rows(ledger, prop)]
    clients = list(dict.fromkeys(c for c, _ in rows if c is not None))
    if client is not None and client not in clients:
        raise LedgerError(f"{ledger.path}: no client {client} on {prop}. There are: {', '.join(clients)}")
    drawn = []
    for one in [client] if client is not None else clients:
        own = sorted((m for c, m in rows if c in (one, None)), key=lambda m: (m.at, m.kind != "page", m.id))
        drawn.append(Drawn(client=one, property=prop, moments=tuple(own if everything else _folded(own))))
    return drawn


def _rows(ledger: Ledger, prop: str) -> list[tuple[dict[str, Any], Moment]]:
    made: list[tuple[dict[str, Any], Moment]] = []
    for r in ledger.db.query("select * from page_views where property = ?", [prop]):
        flags = (" GPC" if r["gpc"] else "") + (" prerendered" if r["prerendered"] else "")
        status = f" {r['status']}" if r["status"] is not None else ""
        made.append((r, Moment(at=r["viewed_at"], kind="page", id=r["id"], state=r["consent_state"],
                               text=f"{r['url']}{status}{flags}")))  # fmt: skip
    for r in ledger.db.query("select * from signals where property = ? or source = 'mark'", [prop]):
        if r["source"] == "mark" and r["property"] not in (None, prop):
            continue
        made.append((r, _signal(r)))
    for r in ledger.db.query("select * from hits where property = ?", [prop]):
        name = r["event"] or r["action"] or r["kind"]
        copy = " (first-party copy)" if r["copy_of"] else " (sent once more)" if r["repeats"] else ""
        made.append((r, Moment(at=r["occurred_at"], kind="hit", id=r["id"], tier=r["tier"], text=f"{name}{copy}",
                               state=_states(r), verdicts=json.loads(r["verdicts"] or "{}"))))  # fmt: skip
    return made


def _signal(row: dict[str, Any]) -> Moment:
    says = row["state"] or (row["reason"] or "").replace("_", " ") or None
    kind, detail = "consent", json.loads(row["detail"] or "{}")
    if row["source"] == "mark":
        kind, says = "mark", detail.get("text", row["name"])
    elif row["opt_out_kind"]:
        kind = "opt_out"
        says = {1: "opted out", 0: "not opted out", None: "does not say"}[row["opt_out"]]
    elif row["source"] in ("cmp_loaded", "cmp_config"):
        kind, says = "loaded", "blocked" if NEVER_SENT in detail else row["source"].removeprefix("cmp_")
    dated = f", dated {row['effective_at']}" if row["effective_at"] else ""
    who = f"{row['cmp']} " if row["cmp"] else ""
    text = (
        f"{says}{dated}" if kind == "mark" else f"{who}{row['source'].replace('_', ' ')} {row['name']}: {says}{dated}"
    )
    state = row["state"] if kind in ("consent", "mark") else None
    return Moment(at=row["observed_at"], kind=kind, id=row["id"], text=text, state=state)


def _states(row: dict[str, Any]) -> str:
    states = json.loads(row["possible_states"] or "[]")
    return " or ".join(states) if 1 <= len(states) <= 2 else "unknown"


def _folded(moments: list[Moment]) -> list[Moment]:
    """Without what only repeats: a signal is shown where it says something else than it said last."""
    kept: list[Moment] = []
    last: dict[str, int] = {}
    for m in moments:
        if m.kind in ("consent", "opt_out", "loaded"):
            subject, _, says = m.text.rpartition(": ")
            index = last.get(subject)
            if index is not None and kept[index].text.rpartition(": ")[2].partition(",")[0] == says.partition(",")[0]:
                kept[index] = kept[index].model_copy(update={"repeats": kept[index].repeats + 1})
                continue
            last[subject] = len(kept)
        kept.append(m)
    return kept
