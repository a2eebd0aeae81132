"""Writes a small ledger with the schema of this checkout, as a fixture that later ones must be able to open.

Run it in the checkout of the last commit before a migration is added: `python tests/ledger/make_schema.py N OUT.db.gz`
(N: how many migrations there are; it is checked).
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CAPTURE = ROOT / "captures" / "demo" / "onetrust-bad-reject.har"
KEEP = 8


def small(har: Path) -> str:
    """The beginning of a capture of the demo shop, without the bodies of its responses."""
    log = json.loads(har.read_text())
    del log["log"]["entries"][KEEP:]
    for entry in log["log"]["entries"]:
        entry["response"]["content"].pop("text", None)
    return json.dumps(log)


def main(count: int, out: Path) -> None:
    """Replays the small capture with this checkout's own code."""
    from sqlite_utils import Database

    with tempfile.TemporaryDirectory() as folder:
        capture, db = Path(folder, "shop.har"), Path(folder, "audit.db")
        capture.write_text(small(CAPTURE))
        code = "from pixelwitness.cli import main; main()"
        command = [sys.executable, "-c", code, "replay", capture.name, "--db", db.name, "--json"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
        ledger = Database(db)
        assert ledger.table("_sqlite_migrations").count == count, "another number of migrations"
        assert ledger.table("violations").count > 0, "a ledger without a finding tests little"
        ledger.execute("PRAGMA journal_mode=DELETE")
        ledger.vacuum()
        ledger.close()
        out.write_bytes(gzip.compress(db.read_bytes(), 9, mtime=0))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
