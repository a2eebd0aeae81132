"""JSON on its way to a parser, within bounds: how deep it nests, how long one string is.

Both cost a streaming parser more than their size: its path grows with the nesting, its buffer with the string.
"""

from __future__ import annotations

from typing import BinaryIO

from pixelwitness.sources import CaptureError

BUFFER = 1 << 20
MAX_DEPTH = 200
"""A recorder's call stacks nest some dozens deep."""
MAX_STRING = 40 * 1024 * 1024
"""Bytes as written; the rest of a longer string is left out, and `was_cut` says so. A parser holds it three times."""
_OTHERS = bytes(set(range(256)) - set(b"{}[]"))


class Guarded:
    """A stream of JSON that raises CaptureError where it nests too deeply, and that cuts strings that are too long."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name
        self._depth = self._length = self._at = 0
        self._in_string = False
        self._held = b""
        self._cut = False

    def was_cut(self) -> bool:
        """Whether a string was cut since this was last asked: it is in the value that is parsed now."""
        cut, self._cut = self._cut, False
        return cut

    def read(self, size: int = -1) -> bytes:
        """The next bytes; b"" at the end."""
        while True:
            data = self._stream.read(size)
            if size == 0 or not data:
                held, self._held = self._held, b""
                return held
            self._at += len(data)
            if kept := self._checked(self._held + data):
                return kept

    def _checked(self, data: bytes) -> bytes:
        # A backslash at the end belongs to what follows it.
        bare = data.rstrip(b"\\")
        if (len(data) - len(bare)) % 2:
            self._held, data = data[-1:], data[:-1]
        else:
            self._held = b""
        plain = data.replace(b"\\\\", b"__").replace(b'\\"', b"__") if b"\\" in data else data
        start = 0
        cuts: list[tuple[int, int]] = []
        for segment in plain.split(b'"'):
            if self._in_string:
                room = max(0, MAX_STRING - self._length)
                self._length += len(segment)
                if len(segment) > room:
                    cuts.append((start + room, start + len(segment)))
            else:
                self._length = 0
                if b"[" in segment or b"{" in segment or b"]" in segment or b"}" in segment:
                    self._nested(segment)
            start += len(segment) + 1
            self._in_string = not self._in_string
        self._in_string = not self._in_string  # the last piece ends with the data, not with a quote
        self._cut = self._cut or bool(cuts)
        for begin, end in reversed(cuts):
            data = data[:begin] + data[end:]
        return data

    def _nested(self, segment: bytes) -> None:
        marks = segment.translate(None, _OTHERS)
        opening = marks.count(b"[") + marks.count(b"{")
        if self._depth + opening > MAX_DEPTH:
            depth = self._depth
            for mark in marks:
                depth += 1 if mark in b"[{" else -1
                if depth > MAX_DEPTH:
                    raise CaptureError(
                        self._name, f"before byte {self._at}", f"nests deeper than {MAX_DEPTH}",
                        "No recorder writes that: export it again; everything before was read",
                    )  # fmt: skip
        self._depth += 2 * opening - len(marks)
