from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pixelwitness.ledger.store import open_ledger
from pixelwitness.replay import Options, replay
from report.hostile import poison
from support import BOOK, ROOT


@pytest.fixture(scope="session")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of a capture with all kinds of findings."""
    path = tmp_path_factory.mktemp("report") / "audit.db"
    ledger = open_ledger(path)
    capture = ROOT / "captures" / "onetrust-reject.har"
    regimes = (BOOK.regimes["eu"], BOOK.regimes["us-ca"])
    replay(ledger, [(capture, "captures/onetrust-reject.har")], Options(regimes, ()), BOOK, lambda name, count: None)
    ledger.close()
    return path


@pytest.fixture
def poisoned(audited: Path, tmp_path: Path) -> Path:
    """The same, with an attack in every text."""
    path = tmp_path / "poisoned.db"
    shutil.copy(audited, path)
    poison(path)
    return path
