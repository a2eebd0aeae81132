"""What a ledger cannot do, in words: which file, what is wrong, and what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path

WAIT_SECONDS = 30
"""How long another process may hold a ledger before that is an error."""


class LedgerError(Exception):
    """A ledger that cannot be used. One line: which file, what, and what to do."""


class LedgerBusyError(LedgerError):
    """Another process holds the ledger: the same may succeed later."""


def in_words(path: Path, error: sqlite3.OperationalError) -> LedgerError:
    """SQLite's error as ours."""
    code = error.sqlite_errorcode & 0xFF if hasattr(error, "sqlite_errorcode") else None
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LedgerBusyError(
            f"{path}: another process has held it for more than {WAIT_SECONDS} seconds. Close that (a database "
            "browser, another run), and start again: nothing that was recorded is lost"
        )
    if code == sqlite3.SQLITE_FULL:
        return LedgerError(f"{path}: the disk is full. Make room, and start again: what was recorded before is kept")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return LedgerError(f"{path}: cannot be written ({error}). Check the rights of the file and its folder")
    return LedgerError(f"{path}: {error}. Check the disk; `pixelwitness verify {path}` checks the ledger")
