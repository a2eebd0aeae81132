"""Google's additional consent: ad technology providers that are not in the TCF, by Google's own numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass

AC_SHAPE = re.compile(r"([12])~((?:\d{1,6}(?:\.\d{1,6})*)?)(?:~dv\.((?:\d{1,6}(?:\.\d{1,6})*)?))?")
MAX_AC = 65_536


@dataclass(frozen=True)
class AC:
    """What an additional-consent string says."""

    version: int
    consented: frozenset[int]
    disclosed: frozenset[int] | None
    """Shown to the visitor without consent; None: the string does not list them (version 1)."""


def read_ac(text: str) -> AC:
    """`1~1.35.41` or `2~1.35.41~dv.9.21`. Raises ValueError for anything else."""
    shape = AC_SHAPE.fullmatch(text) if len(text) <= MAX_AC else None
    if shape is None or (shape[1] == "1" and shape[3] is not None):
        raise ValueError("not the shape of an additional-consent string")
    disclosed = None if shape[3] is None else _numbers(shape[3])
    return AC(int(shape[1]), _numbers(shape[2]), disclosed)


def _numbers(text: str) -> frozenset[int]:
    return frozenset(int(n) for n in text.split(".") if n)
