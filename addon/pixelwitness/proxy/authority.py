"""A throw-away certificate authority for one audit: its key exists only as long as the proxy runs."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mitmproxy import certs

BASENAME, KEY_BITS = "mitmproxy", 2048
"""As mitmproxy looks for it in its folder."""


@dataclass(frozen=True)
class Authority:
    """Where it is, by which name devices list it, and the SHA-256 of its certificate."""

    folder: Path
    name: str
    fingerprint: str

    @property
    def certificate(self) -> Path:
        """What is installed on a device; the key is not in it."""
        return self.folder / f"{BASENAME}-ca-cert.pem"


@contextmanager
def fresh_authority() -> Iterator[Authority]:
    """An authority in a private folder, which is deleted with its key at the end, whatever that was."""
    folder = Path(tempfile.mkdtemp(prefix="pixelwitness-ca-"))
    name = f"pixelwitness audit {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    try:
        certs.CertStore.create_store(folder, BASENAME, KEY_BITS, organization="pixelwitness", cn=name)
        found = certs.Cert.from_pem((folder / f"{BASENAME}-ca-cert.pem").read_bytes())
        yield Authority(folder, name, found.fingerprint().hex(":").upper())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            print(f"pixelwitness: {folder} could not be deleted: it holds the authority's key", file=sys.stderr)


def names_a_folder(more: Sequence[str]) -> bool:
    """Whether mitmproxy's own options already say where the authority is."""
    return any(word.partition("=")[0] in ("confdir", "--confdir") for word in more)
