"""Opens captures: by what is in them, not by their names."""

from __future__ import annotations

import gzip
import hashlib
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, BinaryIO, cast

from pixelwitness.exchange import Exchange, Numbering
from pixelwitness.sources import CaptureError, ReadNote, Wanted, all_wanted

ENDINGS = (".har", ".har.gz", ".mitm", ".mitm.gz", ".flow", ".flows", ".dump")
MAX_UNPACKED = 64 * 1024**3
MAX_RATIO = 100
FLOW = re.compile(rb"\d{1,12}:")


class _Unpacked:
    """A gzipped capture, read through a bound on its size and ratio, so that a bomb ends early."""

    def __init__(self, path: Path, name: str) -> None:
        self._raw = path.open("rb")
        self._stream = cast(BinaryIO, gzip.GzipFile(fileobj=self._raw))
        self._size = path.stat().st_size
        self._read = 0
        self._name = name

    def read(self, size: int = -1) -> bytes:
        """So many bytes, as long as there are; without a size some."""
        wanted = size if size >= 0 else 1 << 22
        parts: list[bytes] = []
        while wanted > 0 and (piece := self._piece(min(wanted, 1 << 22))):
            parts.append(piece)
            wanted -= len(piece)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _piece(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._read += len(data)
        if self._read > max(MAX_RATIO * self._size, 100_000_000) or self._read > MAX_UNPACKED:
            raise CaptureError(self._name, f"byte {self._read}", "unpacks to far more than it is", "Unpack it by hand")
        return data

    def peek(self, size: int) -> bytes:
        return cast(gzip.GzipFile, self._stream).peek(size)

    def tell(self) -> int:
        return self._read

    def close(self) -> None:
        self._stream.close()
        self._raw.close()


def captures_in(paths: Iterable[Path]) -> list[Path]:
    """The captures that paths name: files as given, folders by the endings of captures, sorted."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and p.name.lower().endswith(ENDINGS))
            if not inside:
                raise CaptureError(str(path), "", "the folder holds no capture", f"Looked for {', '.join(ENDINGS)}")
            found += inside
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def capture_digest(path: Path) -> str:
    """SHA-256 of a capture's bytes, in hex. Raises CaptureError where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise CaptureError(
            str(path), "", f"cannot be read ({error.strerror})", "Check the path and its rights"
        ) from error


@contextmanager
def standard_input() -> Iterator[Path]:
    """Standard input as a private file, so that it can be read twice (its digest, then its exchanges)."""
    with tempfile.NamedTemporaryFile(prefix="pixelwitness-", suffix=".capture") as spool:
        while piece := sys.stdin.buffer.read(1 << 20):
            spool.write(piece)
        spool.flush()
        yield Path(spool.name)


def read_capture(
    path: Path, *, client: str, name: str | None = None, wanted: Wanted = all_wanted
) -> Iterator[Exchange | ReadNote]:  # fmt: skip
    """The exchanges of a capture, numbered among equals. `client` names whoever a HAR's requests came from, `wanted`
    the URLs from which bodies of responses are read.

    Raises CaptureError for what is no capture, and at damage after everything before it was yielded.
    """
    shown = name or str(path)
    numbering = Numbering()
    for item in _read(path, client, shown, wanted):
        yield numbering.number(item) if isinstance(item, Exchange) else item


def _read(path: Path, client: str, name: str, wanted: Wanted) -> Iterator[Exchange | ReadNote]:
    try:
        stream: IO[bytes] = path.open("rb")
    except OSError as error:
        raise CaptureError(name, "", f"cannot be read ({error.strerror})", "Check the path and its rights") from error
    try:
        head = stream.read(512)
        if head[:2] == b"\x1f\x8b":
            stream.close()
            stream = cast(IO[bytes], _Unpacked(path, name))
            head = cast(_Unpacked, stream).peek(512)[:512]
        else:
            stream.seek(0)
        yield from _by_content(cast(BinaryIO, stream), head, client, name, path, wanted)
    except (EOFError, gzip.BadGzipFile) as error:
        raise CaptureError(name, f"byte {stream.tell()}", "the gzip data is cut or damaged", "Copy it again") from error
    finally:
        stream.close()


def _by_content(
    stream: BinaryIO, head: bytes, client: str, name: str, path: Path, wanted: Wanted
) -> Iterator[Exchange | ReadNote]:  # fmt: skip
    if not head:
        raise CaptureError(name, "byte 0", "the file is empty", "Export or record it again")
    if FLOW.match(head):
        # mitmproxy is slow to import, and a HAR does not need it.
        from pixelwitness.sources.flows import read_flows

        yield from read_flows(stream, name)
        return
    if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{":
        from pixelwitness.sources.har import read_har

        if head.startswith(b"\xef\xbb\xbf"):
            stream.read(3)
        empty = True
        for item in read_har(stream, name, client, wanted):
            empty = False
            yield item
        if empty and not _has_entries(path):
            raise CaptureError(
                name, "byte 0", "is JSON, but no HAR: it has no log.entries", "Export the traffic as HAR"
            )
        return
    known = "a PNG picture" if head.startswith(b"\x89PNG") else "neither a HAR nor a mitmproxy flow file"
    raise CaptureError(name, "byte 0", f"is {known}", "Give a HAR (1.1, 1.2) or a flow file saved by mitmproxy")


def _has_entries(path: Path) -> bool:
    """Whether a HAR that yielded nothing has at least an empty list of entries."""
    import ijson

    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path, "rb") if packed else path.open("rb") as stream:
        head = stream.read(3)
        if head != b"\xef\xbb\xbf":
            stream.seek(0)
        try:
            return any(prefix == "log.entries" for prefix, _, _ in ijson.parse(stream))
        except ijson.JSONError:
            return False


def in_client(exchange: Exchange, client: str | None) -> Exchange:
    """The exchange under another client's name, where one is given."""
    return replace(exchange, client=client) if client else exchange
