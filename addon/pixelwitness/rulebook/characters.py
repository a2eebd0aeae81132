"""Sets of characters of a regular expression as bit masks over a sample of Unicode, to see which can overlap."""

from __future__ import annotations

import re
from typing import Any

SAMPLE = (
    "".join(map(chr, range(256))) + "\u0130\u0131\u017f\u0660\u2003\u2028\u212a\u4e2d\u0416\u0436\ud7ff\uffff\U0001f600"
)
"""Latin-1 in full, and of the rest: letters of two cases, a digit, blanks, an ideogram, the ends of planes."""
OTHERS = 1 << len(SAMPLE)
"""Stands for all characters that are not in the sample: where one may be meant, so may another."""
ALL = (OTHERS << 1) - 1
_CATEGORIES = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w", "LINEBREAK": r"\n"}


def mask_of(name: str, argument: Any, flags: int) -> int:
    """The characters of one node of Python's parser: LITERAL, NOT_LITERAL, ANY or IN."""
    if name == "ANY":
        return ALL if flags & re.S else ALL & ~_bit("\n")
    if name == "LITERAL":
        return _literal(argument, flags)
    if name == "NOT_LITERAL":
        return ALL & ~_literal(argument, flags) | OTHERS
    mask, negated = 0, False
    for operation, value in argument:
        kind = str(operation)
        if kind == "NEGATE":
            negated = True
        elif kind == "LITERAL":
            mask |= _literal(value, flags)
        elif kind == "RANGE":
            mask |= _range(value[0], value[1], flags)
        else:
            mask |= _category(str(value).removeprefix("CATEGORY_"))
    return (ALL & ~mask | OTHERS) if negated else mask


def _bit(char: str) -> int:
    at = SAMPLE.find(char)
    return 1 << at if at >= 0 else OTHERS


def _literal(code: int, flags: int) -> int:
    char = chr(code)
    return _cases(_bit(char), char) if flags & re.I else _bit(char)


def _cases(mask: int, char: str) -> int:
    for other in (char.lower(), char.upper(), *("\u017f" if char in "sS" else ""), *("\u212a" if char in "kK" else "")):
        if len(other) == 1:
            mask |= _bit(other)
    return mask


def _range(first: int, last: int, flags: int) -> int:
    mask = OTHERS if last > 255 else 0
    for char in SAMPLE:
        if first <= ord(char) <= last:
            mask |= _literal(ord(char), flags)
    return mask


def _category(name: str) -> int:
    negated = name.startswith("NOT_")
    shape = re.compile(_CATEGORIES[name.removeprefix("NOT_").removeprefix("UNI_")])
    mask = sum(1 << i for i, char in enumerate(SAMPLE) if (shape.match(char) is None) == negated)
    return mask | OTHERS
