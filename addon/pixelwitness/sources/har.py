"""HAR 1.1 and 1.2, entry by entry, in memory that is bounded by the largest entry.

Entries are cut out of the file where a learnt separator says, many at once, and read by their expected types. What
comes of that is right or fails: a piece that is a valid list of JSON values is what stands there. Wherever it fails the
streaming parser goes on, which reads everything, and says what is wrong.
"""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO, cast

import ijson
import msgspec
from msgspec import Raw

from pixelwitness.exchange import Exchange
from pixelwitness.sources import CaptureError, ReadNote, Wanted, all_wanted
from pixelwitness.sources.bounded import BUFFER, MAX_STRING, Guarded
from pixelwitness.sources.har_entry import TOO_LARGE, har_time, tolerant
from pixelwitness.sources.har_typed import Entry, entries, typed, usual

__all__ = ["har_time", "read_har", "read_slowly"]

OPENING = b'{"log":{"entries":['
ENTRIES = re.compile(rb'"entries"\s*:\s*\[\s*')
BETWEEN = re.compile(rb'\}\s*,\s*\{\s*"(?:[^"\\]){1,40}"')
MAX_HEAD = 8 * BUFFER
MAX_PIECE = 8 * BUFFER
"""A longer entry is left to the streaming parser, which bounds every string."""
MAX_CANDIDATES = 2000
MAX_TRIES = 5
"""How often a text is taken for what separates entries that only separates something in them."""
type Values = Sequence[Entry | Raw]
_list = msgspec.json.Decoder(list[Raw])


def read_har(
    stream: BinaryIO, name: str, client: str, wanted: Wanted = all_wanted
) -> Iterator[Exchange | ReadNote]:  # fmt: skip
    """The exchanges of a HAR. Raises CaptureError at damage, after every whole entry before it.

    `wanted` says which responses' bodies are read at all.
    """
    piece = stream.read(BUFFER)
    start = None
    while start is None and len(piece) < MAX_HEAD:
        start = _first_entry(piece)
        if start is None:
            more = stream.read(BUFFER)
            if not more:
                break
            piece += more
    if start is None:
        yield from read_slowly(_Joined(piece, stream), name, client, wanted)
        return
    index = 0
    piece = piece[start:]
    separators: list[bytes] = []
    while True:
        cut = _whole_entries(piece, separators)
        if cut is None and (learnt := _separator(piece)) and learnt not in separators:
            separators.append(learnt)
            continue
        if cut is None:
            more = stream.read(max(BUFFER, len(piece))) if len(piece) < MAX_PIECE else b""
            if not more:
                break
            piece += more
            continue
        inside, found, end = cut
        for one in _exchanges(inside, found, client, wanted):
            if isinstance(one, Exchange):
                yield one
            else:
                yield from read_slowly(io.BytesIO(OPENING + bytes(one) + b"]}}"), name, client, wanted, index)
            index += 1
        piece = piece[end:] + stream.read(BUFFER)
    yield from read_slowly(_Joined(OPENING + piece, stream), name, client, wanted, index)


def _first_entry(head: bytes) -> int | None:
    """Where the first entry begins: right behind the bracket of `log.entries`, proved by closing what is open."""
    for found in ENTRIES.finditer(head):
        try:
            said = json.loads(head[: found.end()].decode() + "]}}")
        except ValueError:
            continue
        if list(said)[-1:] == ["log"] and isinstance(said["log"], dict):
            entries = said["log"].get("entries")
            return found.end() if list(said["log"])[-1] == "entries" and entries == [] else None
    return None


def _separator(piece: bytes) -> bytes:
    """What stands between the first two entries, up to the name of the second one's first field; empty if unseen."""
    failed: Counter[bytes] = Counter()
    for found in islice(BETWEEN.finditer(piece), MAX_CANDIDATES):
        if failed[found[0]] < MAX_TRIES:
            if _values(piece[: found.start() + 1]) is not None:
                return found[0]
            failed[found[0]] += 1
    return b""


def _exchanges(inside: bytes, found: Values, client: str, wanted: Wanted) -> Iterator[Exchange | Raw]:
    """Of each entry the exchange, or the text where it is not of the usual shape."""
    raws: list[Raw] = []
    for at, one in enumerate(found):
        made = usual(one, client, wanted) if isinstance(one, Entry) else typed(one, client, wanted)
        if made is not None:
            yield made
        elif isinstance(one, Raw):
            yield one
        else:
            raws = raws or _list.decode(b"[" + inside + b"]")
            yield raws[at]


def _whole_entries(piece: bytes, separators: list[bytes]) -> tuple[bytes, Values, int] | None:
    """The text of the entries at the beginning of a piece, they themselves, and where the next one begins; None where
    none is seen to end."""
    end = len(piece)
    for _ in range(MAX_TRIES):
        end, separator = max(((piece.rfind(s, 0, end), s) for s in separators), default=(-1, b""))
        if end < 0:
            return None
        inside = piece[: end + 1]
        found = _values(inside)
        if found is not None:
            return inside, found, end + separator.index(b"{")
    return None


def _values(inside: bytes) -> Values | None:
    """The JSON values of which a text is a list, as entries where all are such; None where it is no list."""
    try:
        if not inside.isascii():
            inside.decode()
        text = b"[" + inside + b"]"
        return entries(text) or _list.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


class _Joined:
    """What was read already, and then the rest of a stream."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest = io.BytesIO(head), rest

    def read(self, size: int = -1) -> bytes:
        return self._head.read(size) or self._rest.read(size)


def read_slowly(
    stream: Any, name: str, client: str, wanted: Wanted = all_wanted, index: int = 0
) -> Iterator[Exchange | ReadNote]:  # fmt: skip
    """The exchanges of a HAR by a streaming parser; `index`: so many entries were read before."""
    # A larger buffer: the parser begins a long string again with each one.
    guarded = Guarded(cast(BinaryIO, stream), name)
    entries = ijson.items(guarded, "log.entries.item", buf_size=BUFFER)
    while True:
        try:
            entry = next(entries)
        except StopIteration:
            break
        except (ijson.JSONError, ValueError, RecursionError, OverflowError) as error:
            what = " ".join(str(error).split())[:120]
            raise CaptureError(
                name, f"after {index} entries", f"the HAR is damaged or cut ({what})",
                "Export it again; everything before was read",
            ) from error  # fmt: skip
        index += 1
        if guarded.was_cut():
            _without_the_cut(entry)
        yield from tolerant(entry, client, f"entry {index}", wanted)


def _without_the_cut(entry: Any) -> None:
    """Marks the body that was cut on its way as one that is too large."""
    for message, place in (("request", "postData"), ("response", "content")):
        holder = entry.get(message) if isinstance(entry, dict) else None
        data = holder.get(place) if isinstance(holder, dict) else None
        if isinstance(data, dict) and isinstance(data.get("text"), str) and len(data["text"]) > MAX_STRING // 7:
            data["text"] = TOO_LARGE
