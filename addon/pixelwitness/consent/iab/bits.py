"""Bits out of base64url text, and sets of vendor numbers as ranges."""

from __future__ import annotations

import re

MAX_STRING = 65_536
"""Characters. Three sets of 65,535 vendors, one bit each, are 32,768 of them."""

type Ranges = tuple[tuple[int, int], ...]
"""A set of numbers as sorted ranges (first, last) that neither touch nor overlap: 65,535 vendors are one pair."""

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_SIX = str.maketrans({character: f"{value:06b}" for value, character in enumerate(_ALPHABET)})
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_LONGEST_FIBONACCI = 24
"""Bits: enough for 65,535, the highest number that any field can hold."""


class Bits:
    """A reader of base64url bits, most significant first. Reading past the end raises ValueError."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_STRING or not _BASE64URL.fullmatch(text):
            raise ValueError("not base64url")
        self._bits = text.translate(_SIX)
        self.at = 0

    @property
    def left(self) -> int:
        """How many bits are left, padding included."""
        return len(self._bits) - self.at

    @property
    def only_padding(self) -> bool:
        """Whether nothing but zeros is left."""
        return self._bits.find("1", self.at) < 0

    def number(self, width: int) -> int:
        """The next `width` bits as an unsigned number."""
        return int(self._take(width) or "0", 2)

    def flag(self) -> bool:
        """The next bit."""
        return self._take(1) == "1"

    def letters(self) -> str:
        """Two letters of six bits each: a language or a country. Raises ValueError for what is no letter."""
        codes = self.number(6), self.number(6)
        if max(codes) > 25:
            raise ValueError("not a pair of letters")
        return "".join(chr(65 + code) for code in codes)

    def flags(self, width: int) -> frozenset[int]:
        """The next `width` bits as the set of positions (from 1) that are set."""
        return frozenset(at + 1 for at, bit in enumerate(self._take(width)) if bit == "1")

    def fibonacci(self) -> int:
        """The next Fibonacci-coded number (from 1): it ends with the first two ones in a row."""
        end = self._bits.find("11", self.at, self.at + _LONGEST_FIBONACCI + 1)
        if end < 0:
            raise ValueError("no end of a Fibonacci number")
        total, one, two = 0, 1, 2
        for bit in self._take(end + 1 - self.at):
            total += one if bit == "1" else 0
            one, two = two, one + two
        self.at += 1  # the second one, which only ends it
        return total

    def bitfield(self, width: int) -> Ranges:
        """The next `width` bits as the ranges of positions (from 1) that are set."""
        return tuple((run.start() + 1, run.end()) for run in re.finditer("1+", self._take(width)))

    def fixed_ranges(self) -> Ranges:
        """A list of ranges: 12 bits of count, then each a flag and one or two numbers of 16 bits."""
        found = []
        for _ in range(self.number(12)):
            many = self.flag()
            first = self.number(16)
            found.append((first, self.number(16) if many else first))
        return merged(found)

    def fibonacci_ranges(self) -> Ranges:
        """The same with Fibonacci-coded distances from the number before."""
        found = []
        last = 0
        for _ in range(self.number(12)):
            many = self.flag()
            first = last + self.fibonacci()
            last = first + self.fibonacci() if many else first
            found.append((first, last))
        return merged(found)

    def optimised(self, *, fibonacci: bool = False) -> Ranges:
        """A set of vendors: the highest number in 16 bits, a flag, then a bit field (0) or a list of ranges (1)."""
        highest = self.number(16)
        if not self.flag():
            return self.bitfield(highest)
        return self.fibonacci_ranges() if fibonacci else self.fixed_ranges()

    def _take(self, width: int) -> str:
        taken = self._bits[self.at : self.at + width]
        if len(taken) < width:
            raise ValueError("cut short")
        self.at += width
        return taken


def merged(pairs: list[tuple[int, int]]) -> Ranges:
    """Ranges in order, joined where they touch or overlap. One that ends before it starts holds nothing."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(pairs):
        if last < first:
            continue
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)


def size(ranges: Ranges) -> int:
    """How many numbers a set holds."""
    return sum(last - first + 1 for first, last in ranges)


def holds(ranges: Ranges, number: int) -> bool:
    """Whether a set holds a number."""
    return any(first <= number <= last for first, last in ranges)
