"""A folder of captures, and what a ledger says after reading it, apart from times and salts."""

from __future__ import annotations

import json
import shutil
import zlib
from pathlib import Path

from pixelwitness.ledger.store import Ledger
from pixelwitness.replay import Options
from pixelwitness.rulebook import load_rulebook

BOOK = load_rulebook()
DEMO = sorted((Path(__file__).parents[2] / "captures" / "demo").glob("*.har"))
OPTIONS = Options((BOOK.regimes["eu"], BOOK.regimes["us-ca"]), separate=True)
TABLES = (
    "hits",
    "identifiers",
    "signals",
    "page_views",
    "exchanges",
    "violations",
    "coverage",
    "blind_spots",
    "traffic",
)
CHAIN = """
    select o.run_id, o.seq, o.id, o.kind, o.client, o.exchange_id, p.name, p.size, p.form, p.content
    from observations o join observation_parts p on p.run_id = o.run_id and p.seq = o.seq order by o.seq, p.name
"""
OF_THE_RUN = ("run", "end", "judgement")


def fill(folder: Path) -> Path:
    """Sound captures, a cut one, one that is none, and one twice."""
    folder.mkdir()
    for path in DEMO[:6]:
        shutil.copy(path, folder)
    shutil.copy(DEMO[0], folder / "again.har")
    (folder / "cut.har").write_bytes(DEMO[6].read_bytes()[:-3000])
    (folder / "none.har").write_bytes(b"no capture")
    return folder


def tables_of(ledger: Ledger) -> dict[str, list[str]]:
    """The public tables and the chain."""
    found: dict[str, list[str]] = {}
    for table in TABLES:
        rows = list(ledger.db.query(f"select * from {table}"))
        for row in rows:
            if row.get("kind") == "capture_damaged":
                row["first_at"] = row["last_at"] = "when it was read"
        found[table] = sorted(json.dumps(row, sort_keys=True) for row in rows)
    found["chain"] = [
        json.dumps({**row, "content": zlib.decompress(row["content"]).decode("utf-8", "replace")})
        for row in ledger.db.query(CHAIN)
        if row["kind"] not in OF_THE_RUN
    ]
    return found
