"""Timestamps of a chain's head by an authority (RFC 3161): that everything before it was recorded by then.

What is stamped is the head as it is printed: the SHA-256 of its 64 hexadecimal digits in ASCII. A stamp is an
observation of its own, so that it cannot be taken out unseen either. Nothing here touches the network.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelwitness.exchange import iso
from pixelwitness.ledger.errors import LedgerError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from rfc3161_client import TimeStampResponse

    from pixelwitness.ledger.store import Ledger

MAX_TOKEN = 256 * 1024
"""Bytes of an authority's answer: a real one has a few thousand."""
SHA256 = "2.16.840.1.101.3.4.2.1"


class StampError(Exception):
    """An authority's answer that proves nothing. One line."""


@dataclass(frozen=True)
class Query:
    """What an authority is asked: the request as bytes (DER), and what its answer must say again."""

    head: str
    asked: bytes
    nonce: int | None


@dataclass(frozen=True)
class Stamp:
    """An authority's answer about a head. `token` is the whole response (DER), as `openssl ts` reads it."""

    head: str
    at: int
    """The authority's time, in milliseconds."""
    authority: str
    """Where it was asked."""
    token: bytes


def query(head: str) -> Query:
    """The request for a head, with a nonce, asking for the authority's certificates."""
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    made = TimestampRequestBuilder().data(head.encode()).hash_algorithm(HashAlgorithm.SHA256).build()
    return Query(head, made.as_bytes(), made.nonce)


def answered(asked: Query, answer: bytes, authority: str, roots: Sequence[Certificate] = ()) -> Stamp:
    """The stamp that an answer is. With `roots` its signature is checked as well. Raises StampError."""
    said = _read(answer)
    if asked.nonce is not None and said.tst_info.nonce != asked.nonce:
        raise StampError("it answers another request (its nonce is another)")
    stamp = Stamp(asked.head, _at(said), authority, answer)
    check(stamp, roots)
    return stamp


def check(stamp: Stamp, roots: Sequence[Certificate] = ()) -> None:
    """Whether a stamp is of its head and time and, with `roots`, signed by an authority under one of them.

    The certificates must have been valid when it was signed, not now. Raises StampError.
    """
    said = _read(stamp.token)
    imprint = said.tst_info.message_imprint
    right = hashlib.sha256(stamp.head.encode()).digest()
    if imprint.hash_algorithm.dotted_string != SHA256 or imprint.message != right:
        raise StampError("it is not of this head")
    if _at(said) != stamp.at:
        raise StampError("its time is another")
    if roots:
        from rfc3161_client import VerificationError, VerifierBuilder

        try:
            VerifierBuilder(roots=list(roots)).build().verify(said, right)
        except (VerificationError, ValueError) as error:
            raise StampError(f"its signature does not hold ({error})") from error


def certificates(path: Path) -> list[Certificate]:
    """The certificates of a PEM file. Raises StampError."""
    from cryptography.x509 import load_pem_x509_certificates

    try:
        return load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else "no certificate in PEM form"
        raise StampError(f"{path}: {what}. Give the authority's root certificate as a PEM file") from error


def _read(answer: bytes) -> TimeStampResponse:
    from rfc3161_client import decode_timestamp_response

    if len(answer) > MAX_TOKEN:
        raise StampError(f"it is larger than {MAX_TOKEN} bytes")
    try:
        said = decode_timestamp_response(answer)
        if said.status != 0:
            raise StampError(f"it refuses (status {said.status}: {' '.join(said.status_string)[:200]})")
        _ = said.tst_info.message_imprint.message
    except ValueError as error:
        raise StampError("it is no answer of a timestamp authority (RFC 3161)") from error
    return said


def _at(said: TimeStampResponse) -> int:
    moment = said.tst_info.gen_time
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


# --- in a ledger ----------------------------------------------------------------------------------------------------


def keep(ledger: Ledger, run_id: str, stamp: Stamp, at: int) -> None:
    """Puts a stamp on the record of its run. Raises LedgerError."""
    token = base64.b64encode(stamp.token).decode()
    facts = {"head": stamp.head, "at": stamp.at, "authority": stamp.authority, "token": token}
    ledger.note(run_id, "timestamp", at, facts)


def stamps(facts: Sequence[dict[str, Any]]) -> Iterator[Stamp]:
    """The stamps on record. Raises StampError for one that this program did not write."""
    for said in facts:
        head, at, authority, token = (said.get(name) for name in ("head", "at", "authority", "token"))
        if not (
            isinstance(head, str) and isinstance(at, int) and isinstance(authority, str) and isinstance(token, str)
        ):
            raise StampError("a timestamp is not as this program writes it")
        try:
            yield Stamp(head, at, authority, base64.b64decode(token, validate=True))
        except binascii.Error as error:
            raise StampError("a timestamp is not as this program writes it") from error


def words(stamp: Stamp, covered: int, *, checked: bool) -> str:
    """One line: what a stamp proves."""
    how = "signature checked" if checked else "signature NOT checked: give --tsa-ca FILE"
    return f"{covered} observations were recorded by {iso(stamp.at)}, says {stamp.authority} ({how})"


def newest_run(ledger: Ledger, run: str | None) -> str:
    """The run to stamp: the one named, or the newest. Raises LedgerError."""
    rows = [str(r["id"]) for r in ledger.db.query("select id from runs order by rowid desc")]
    if not rows or run not in (None, *rows):
        raise LedgerError(f"{ledger.path}: has no run {run or ''}. Its runs: {', '.join(rows) or 'none'}")
    return run or rows[0]
