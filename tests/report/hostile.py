"""A ledger whose every text column holds an attack, for all reports."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

ATTACK = (
    "=cmd|'/c calc'!A1</style></title><script>alert(1)</script><img src=x onerror=alert(2)>"
    "\"' onmouseover=alert(3) javascript:alert(4) {{7*7}} {% raw %} \x1b[2J\x07\u202e\u2066 `x` |a| [l](http://evil.example) @octocat ]]> \ufffe"
)
KEPT = {
    "id", "recording", "run_id", "hit_id", "exchange_id", "kind", "tier", "rule", "severity", "regime", "regimes",
    "named", "state", "result", "hits", "verdicts", "consent_state", "applicability", "started_at", "finished_at",
    "occurred_at", "viewed_at", "observed_at", "effective_at", "first_at", "last_at", "first_seen", "last_seen",
    "created_at", "noticed_at", "chain_head", "inputs", "options", "proposed", "possible_states", "seq", "signals",
}  # fmt: skip
LISTS = {
    "pixel_codes", "opt_outs", "sent", "mitigations", "collected", "plaintext", "redactions", "set_aside",
    "automatic_matching", "manual_matching", "plugins", "changes",
}  # fmt: skip


def poison(path: Path) -> None:
    """Overwrites every free text column of the public tables."""
    with sqlite3.connect(path) as db:
        tables = (
            "hits", "violations", "signals", "page_views", "exchanges", "coverage", "blind_spots", "traffic",
            "identifiers", "pixels", "notices", "runs",
        )  # fmt: skip
        for table in tables:
            for _, name, kind, *_ in db.execute(f"pragma table_info({table})").fetchall():
                if kind != "TEXT" or name in KEPT:
                    continue
                if name == "reasons":
                    value = json.dumps({"eu": ATTACK, "us-ca": ATTACK})
                elif name == "property":
                    db.execute(f"update {table} set property = ? where property = 'shop.example'", [ATTACK])
                    continue
                elif name in LISTS:
                    value = json.dumps([ATTACK, ATTACK])
                elif name == "payload":
                    value = json.dumps({ATTACK: [ATTACK]})
                else:
                    value = ATTACK
                db.execute(f"update or ignore {table} set {name} = ? where {name} is not null", [value])
        db.execute("update runs set inputs = ?", [json.dumps([{"name": ATTACK, "sha256": ATTACK}])])
