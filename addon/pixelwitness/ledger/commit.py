"""Commitments to what is stored: any field can be taken out of a copy, and all others can still be checked.

Every value of a document (a JSON value, or the text or bytes of a part) has a salted digest of its own, and objects and
lists are digests of those of their members. In a copy for sharing a value is replaced by its digest, and the salt of
that value is left out: the digest of the whole stays the same, and the value cannot be guessed from it. Equal values
have equal digests within one ledger, so that what was taken out keeps its identity: a pseudonym.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any

type LeafOf = Callable[[bytes], bytes]
"""The digest of a tagged value. Raises KeyError where a copy for sharing holds no salt for it."""
type Path = tuple[str | int, ...]
"""Where a value stands in a document: keys and positions."""
type Taken = Callable[[Path], str | None]
"""How a value may be taken out of a copy: `all` of it, the `query` of its URL, or (None) never."""

SALT = 16
CACHED = 256
"""Bytes up to which a value's digest is remembered: most values occur again and again."""
MAX_TEXTS = 400
"""Texts in a list whose digest is remembered, of at most 64 characters each."""
REDACTED = re.compile(r"\[redacted:([0-9a-f]{64})\]")
REDACTED_TAIL = re.compile(r"(.*)\?\[redacted:([0-9a-f]{64})\]", re.S)
"""A URL of which what follows the first ? or # was taken out."""
LEAF, NODE = b"\x00", b"\x01"
"""RFC 6962's way to keep a value from being passed off as an object."""
SIMPLE = {value: sha256(NODE + repr(value).encode()).digest() for value in (None, True, False)}


def never(path: Path) -> str | None:
    """In an original nothing is taken out."""
    return None


def salted(salt: bytes, tagged: bytes) -> bytes:
    """The digest of a tagged value. Raises ValueError for a salt of another length than ours."""
    if len(salt) != SALT:
        raise ValueError("a salt has 16 bytes")
    return sha256(LEAF + salt + tagged).digest()


def salt_for(secret: bytes, tagged: bytes) -> bytes:
    """The salt of a value in a ledger with this secret."""
    return hmac.digest(secret, tagged, "sha256")[:SALT]


@lru_cache(8)
def keyed(secret: bytes) -> LeafOf:
    """The digests of values in a ledger that has its secret."""

    # HMAC as RFC 2104 writes it, for keys of up to a block: what goes before is the same each time.
    block = secret.ljust(64, b"\0")
    inner, outer = bytes(b ^ 0x36 for b in block), bytes(b ^ 0x5C for b in block)

    def quick(tagged: bytes) -> bytes:
        salt = sha256(outer + sha256(inner + tagged).digest()).digest()[:SALT]
        return sha256(LEAF + salt + tagged).digest()

    def slow(tagged: bytes) -> bytes:
        return salted(salt_for(secret, tagged), tagged)

    fresh = quick if len(block) == 64 else slow
    cached = lru_cache(16_384)(fresh)
    return lambda tagged: cached(tagged) if len(tagged) <= CACHED else fresh(tagged)


def tree(value: Any, leaf: LeafOf, taken: Taken = never, path: Path = ()) -> bytes:
    """The commitment to a document. Where `taken` allows it, a text that stands for a digest is taken as that digest.

    Raises KeyError or ValueError where a salt is missing, TypeError for what is no document, RecursionError for one
    nested too deeply.
    """
    if isinstance(value, str):
        return _text(value, leaf, taken(path))
    if isinstance(value, dict):
        members = (name_of(k) + tree(v, leaf, taken, (*path, k)) for k, v in value.items())
        return sha256(NODE + b"d" + b"".join(members)).digest()
    if isinstance(value, list):
        members = (tree(v, leaf, taken, (*path, i)) for i, v in enumerate(value))
        return sha256(NODE + b"l" + b"".join(members)).digest()
    if value is None or isinstance(value, bool):
        return SIMPLE[value]
    return leaf(tag(value))


@lru_cache(8)
def committed(leaf: LeafOf) -> Callable[[Any], bytes]:
    """`tree` for what this program stores itself, where nothing was taken out: the same digests in fewer steps."""

    @lru_cache(16_384)
    def short(value: str) -> bytes:
        return _text(value, leaf, None)

    @lru_cache(4096)
    def pair(name: str, value: str) -> bytes:
        return sha256(NODE + b"l" + short(name) + short(value)).digest()

    @lru_cache(16_384)
    def member(key: str, value: str) -> bytes:
        return name_of(key) + short(value)

    @lru_cache(1024)
    def texts(values: tuple[str, ...]) -> bytes:
        return sha256(NODE + b"l" + b"".join([short(v) for v in values])).digest()

    def row(value: Sequence[Any]) -> bytes:
        size = len(value)
        if size == 2 and type(value[0]) is type(value[1]) is str and len(value[0]) + len(value[1]) <= CACHED:
            return pair(*value)  # a header field: most come again and again
        if 2 < size <= MAX_TEXTS and all(type(v) is str and len(v) <= 64 for v in value):
            return texts(tuple(value))  # the names of a cookie jar, the same with every request
        return sha256(NODE + b"l" + b"".join([digest(v) for v in value])).digest()

    def digest(value: Any) -> bytes:
        if isinstance(value, str):
            return short(value) if len(value) <= CACHED else _text(value, leaf, None)
        if isinstance(value, dict):
            members = b"".join(
                [
                    member(k, v) if type(v) is str and len(v) + len(k) <= CACHED else name_of(k) + digest(v)
                    for k, v in value.items()
                ]
            )
            return sha256(NODE + b"d" + members).digest()
        if isinstance(value, list | tuple):
            return row(value)
        if value is None or isinstance(value, bool):
            return SIMPLE[value]
        return leaf(tag(value))

    return digest


def tag(value: str | bytes | float) -> bytes:
    """A value as the bytes that are digested, told apart by kind."""
    if isinstance(value, str):
        return b"s" + value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes):
        return b"b" + value
    if type(value) is int:
        return b"n%d" % value
    if isinstance(value, int | float):
        return b"n" + json.dumps(value).encode()
    raise TypeError(f"a {type(value).__name__} is no value of a document")


def name_of(key: str) -> bytes:
    """A member's name, as it is digested before its value."""
    return _short_name(key) if len(key) <= 64 else _long_name(key)


@lru_cache(4096)
def _short_name(key: str) -> bytes:
    return _long_name(key)


def _long_name(key: str) -> bytes:
    raw = key.encode("utf-8", "surrogatepass")
    return b"%d:%b" % (len(raw), raw)


def _text(text: str, leaf: LeafOf, how: str | None) -> bytes:
    if how == "all" and (whole := REDACTED.fullmatch(text)):
        return bytes.fromhex(whole[1])
    if how == "query" and (tail := _tail(text)):
        return _url(leaf(tag(tail[1])), bytes.fromhex(tail[2]))
    cut = query_at(text)
    if cut is None:
        return leaf(tag(text))
    return _url(leaf(tag(text[:cut])), leaf(tag(text[cut:])))


def _tail(text: str) -> re.Match[str] | None:
    return REDACTED_TAIL.fullmatch(text) if "://" in text else None


def _url(before: bytes, after: bytes) -> bytes:
    return sha256(NODE + b"u" + before + after).digest()


def query_at(text: str) -> int | None:
    """Where the query or fragment of a text with a URL in it begins: that can be taken out by itself."""
    if "://" not in text:
        return None
    cuts = [at for at in (text.find("?"), text.find("#")) if at >= 0]
    return min(cuts) if cuts else None


def redact(value: Any, leaf: LeafOf, taken: Taken, wanted: Callable[[Path], bool], path: Path = ()) -> Any:
    """A document with the wanted values replaced by their digests, where `taken` allows that and as it says.

    A text there that only looks like a replaced one is replaced as well: nothing else could tell them apart.
    """
    if isinstance(value, dict):
        return {k: redact(v, leaf, taken, wanted, (*path, k)) for k, v in value.items()}
    if isinstance(value, list):
        return [redact(v, leaf, taken, wanted, (*path, i)) for i, v in enumerate(value)]
    how = taken(path)
    if how is None or value is None or isinstance(value, bool):
        return value
    if how == "all":
        looks = isinstance(value, str) and REDACTED.fullmatch(value)
        return f"[redacted:{tree(value, leaf).hex()}]" if looks or wanted(path) else value
    cut = query_at(value) if isinstance(value, str) else None
    if cut is not None and (wanted(path) or _tail(value)):
        return f"{value[:cut]}?[redacted:{leaf(tag(value[cut:])).hex()}]"
    return value


def values(value: Any, taken: Taken, path: Path = ()) -> Iterator[bytes]:
    """Every tagged value that a redacted document still shows: those whose salts a copy must hold."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from values(child, taken, (*path, key))
    elif isinstance(value, list):
        for at, child in enumerate(value):
            yield from values(child, taken, (*path, at))
    elif isinstance(value, str):
        how = taken(path)
        if how == "all" and REDACTED.fullmatch(value):
            return
        tail = _tail(value) if how == "query" else None
        cut = query_at(value)
        if tail is not None:
            yield tag(tail[1])
        elif cut is not None:
            yield from (tag(value[:cut]), tag(value[cut:]))
        else:
            yield tag(value)
    elif value is not None and not isinstance(value, bool):
        yield tag(value)
