"""Opens ledger files: to write, bringing their tables up to date, or only to read, changing nothing."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from urllib.parse import quote

from sqlite_utils import Database

from pixelwitness.ledger.errors import WAIT_SECONDS, LedgerError
from pixelwitness.ledger.schema import migrations


def to_write(path: Path, *, create: bool = True) -> Database:
    """Opens or creates a ledger, readable by its owner only. Raises LedgerError."""
    if not path.exists():
        if not create:
            raise _absent(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise LedgerError(f"{path}: cannot be created ({error.strerror}). Choose another --db") from error
    db = _connected(path, f"file:{quote(str(path.absolute()))}?mode=rw")
    _refuse_foreign(db, path)  # before anything is changed in it
    try:
        _log_ahead(db)
        db.execute("PRAGMA synchronous=NORMAL")
    except sqlite3.DatabaseError as error:
        db.close()
        raise _unwritable(path, error) from error
    try:
        if migrations.pending(db):
            # The lock first: two runs that make the same file must not both make its tables.
            db.conn.execute("BEGIN IMMEDIATE")
            migrations.apply(db)
            db.conn.execute("COMMIT")
    except sqlite3.OperationalError as error:
        db.close()
        raise _unwritable(path, error) from error
    return db


def to_read(path: Path) -> Database:
    """Opens a ledger without changing a byte of it; one of an older schema as an up-to-date copy in memory.

    Raises LedgerError.
    """
    if not path.exists():
        raise _absent(path)
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    wal = path.with_name(path.name + "-wal")
    if not os.access(path.parent, os.W_OK):
        if wal.exists() and wal.stat().st_size:
            raise LedgerError(
                f"{path}: its last changes are in {wal.name}, which cannot be read in a read-only folder. Copy both "
                "files into a folder that can be written"
            )
        uri += "&immutable=1"
    db = _connected(path, uri)
    _refuse_foreign(db, path)
    if migrations.pending(db):
        copy = sqlite3.connect(":memory:")
        db.conn.backup(copy)
        db.close()
        db = Database(copy)
        migrations.apply(db)
    return db


def _log_ahead(db: Database) -> None:
    """Switches to the write-ahead log. For that SQLite does not wait by itself: others may open the file just now."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _connected(path: Path, uri: str) -> Database:
    try:
        db = Database(sqlite3.connect(uri, timeout=WAIT_SECONDS, uri=True))
        db.table_names()
    except sqlite3.DatabaseError as error:
        raise _unopenable(path, error) from error
    return db


def _refuse_foreign(db: Database, path: Path) -> None:
    try:
        tables = set(db.table_names())
        ours = {m.name for m in migrations.applied(db)} if "_sqlite_migrations" in tables else set()
    except sqlite3.DatabaseError as error:
        db.close()
        raise _unopenable(path, error) from error
    if tables and not ours:
        db.close()
        raise LedgerError(f"{path}: is a SQLite file of something else. Choose another --db")
    unknown = ours - {m.name for m in migrations._migrations}
    if unknown:
        db.close()
        raise LedgerError(f"{path}: was written by a newer pixelwitness ({', '.join(sorted(unknown))}). Update it")


def _absent(path: Path) -> LedgerError:
    return LedgerError(f"{path}: no such ledger. Give the file that `replay --db` or `proxy --db` wrote")


def _unopenable(path: Path, error: sqlite3.DatabaseError) -> LedgerError:
    if "locked" in str(error):
        return LedgerError(f"{path}: another process holds it ({error}). Close that, and start again")
    if "unable to open" in str(error) and not os.access(path.parent, os.W_OK):
        return LedgerError(f"{path}: cannot be written: its folder is read-only. Copy it, or choose another --db")
    return LedgerError(f"{path}: is no ledger that can be opened ({error}). Choose another --db")


def _unwritable(path: Path, error: sqlite3.DatabaseError) -> LedgerError:
    if "not a database" in str(error) or "malformed" in str(error) or "locked" in str(error):
        return _unopenable(path, error)
    return LedgerError(f"{path}: cannot be written ({error}). Check its rights, or choose another --db")
