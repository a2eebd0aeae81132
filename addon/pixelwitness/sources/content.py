"""Undoes Content-Encoding within a bound, so that a decompression bomb costs no more than the bound."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import brotli
import zstandard

from pixelwitness.exchange import BodyState

MAX_BODY = 64 * 1024 * 1024
TEXTUAL = ("text/", "json", "javascript", "xml", "x-www-form-urlencoded")
"""What stands in the type of a body that can be evidence. Pictures, fonts and films are none: their bytes are not worth
undoing."""
_CHUNK = 1 << 16
_PIECE = 1 << 20


class _TooLargeError(Exception):
    pass


def decode(body: bytes, encoding: str) -> tuple[bytes | None, BodyState]:
    """The body with its Content-Encoding (a list, applied in order) undone, and whether that worked.

    An unknown or broken encoding gives the raw bytes as `undecodable`; more than MAX_BODY bytes give None and
    `too_large`.
    """
    if len(body) > MAX_BODY:
        return None, "too_large"
    data = body
    for name in reversed([part.strip().lower() for part in encoding.split(",")]):
        if name in ("", "identity"):
            continue
        undo = DECODERS.get(name)
        if undo is None:
            return body, "undecodable"
        try:
            data = undo(data)
        except _TooLargeError:
            return None, "too_large"
        except (zlib.error, brotli.error, zstandard.ZstdError, EOFError):
            return body, "undecodable"
    return data, "complete"


def _zlib(data: bytes, window: int) -> bytes:
    out: list[bytes] = []
    size = 0
    while data:
        undo = zlib.decompressobj(window)
        piece = undo.decompress(data, MAX_BODY + 1 - size)
        size += len(piece)
        out.append(piece)
        if size > MAX_BODY:
            raise _TooLargeError
        if not undo.eof:
            raise EOFError
        data = undo.unused_data
    return b"".join(out)


def _gzip(data: bytes) -> bytes:
    return _zlib(data, 31)


def _deflate(data: bytes) -> bytes:
    try:
        return _zlib(data, 15)
    except zlib.error:
        return _zlib(data, -15)


def _brotli(data: bytes) -> bytes:
    undo = brotli.Decompressor()
    out = [undo.process(data, output_buffer_limit=_PIECE)]
    size = len(out[0])
    while not undo.is_finished():
        piece = undo.process(b"", output_buffer_limit=_PIECE)
        size += len(piece)
        if size > MAX_BODY:
            raise _TooLargeError
        if not piece:
            raise EOFError
        out.append(piece)
    return b"".join(out)


def _zstd(data: bytes) -> bytes:
    out = bytearray()
    with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(data, read_across_frames=True) as reader:
        while piece := reader.read(_CHUNK):
            out += piece
            if len(out) > MAX_BODY:
                raise _TooLargeError
    return bytes(out)


DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
