"""Times that identifiers embed: named readers, which rule files refer to. Each gives milliseconds, or None."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
BASE32HEX = "0123456789ABCDEFGHIJKLMNOPQRSTUV"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
KSUID_EPOCH = 1_400_000_000
EARLIEST, LATEST = 1_262_304_000_000, 4_102_444_800_000
"""2010 to 2100: outside of it the value is something else that looks alike."""


def _number(text: str, digits: str) -> int:
    value = 0
    for character in text:
        value = value * len(digits) + digits.index(character)
    return value


def ulid(value: str) -> int | None:
    """A ULID, alone or at the beginning: its first ten characters are milliseconds."""
    found = re.match(r"([0-7][0-9A-HJKMNP-TV-Z]{9})[0-9A-HJKMNP-TV-Z]{16}(?![0-9A-Za-z])", value)
    return _number(found[1], CROCKFORD) if found else None


def ksuid(value: str) -> int | None:
    """A KSUID: 27 base62 characters for 20 bytes, of which the first four are seconds since May 2014."""
    if not re.fullmatch(r"[0-9A-Za-z]{27}", value):
        return None
    number = _number(value, BASE62)
    return ((number >> 128) + KSUID_EPOCH) * 1000 if number < 1 << 160 else None


def xid(value: str) -> int | None:
    """An xid in upper-case base32hex: 20 characters for 12 bytes, of which the first four are Unix seconds."""
    if not re.fullmatch(r"[0-9A-V]{19}[0G]", value):
        return None
    return (_number(value, BASE32HEX) >> 68) * 1000


def leading_ms(value: str) -> int | None:
    """Milliseconds, then `::` and more."""
    found = re.match(r"([0-9]{13})::", value)
    return int(found[1]) if found else None


READERS: dict[str, Callable[[str], int | None]] = {"ulid": ulid, "ksuid": ksuid, "xid": xid, "leading_ms": leading_ms}


def created_at(value: str, formats: Sequence[str]) -> int | None:
    """The time that a value embeds in the first of some formats that it has."""
    for name in formats:
        at = READERS[name](value)
        if at is not None and EARLIEST <= at < LATEST:
            return at
    return None
