"""US Privacy strings: four characters, of which the third says whether the visitor opted out of sale."""

from __future__ import annotations

import re
from dataclasses import dataclass

USP_SHAPE = re.compile(r"1[YNyn-][YNyn-][YNyn-]")
DAMAGED = re.compile(r"1[YNyn-]{2,4}")
"""Forms that the specification does not have and the wild does: a character too few or too many."""
_WORDS = {"Y": True, "N": False, "-": None}


@dataclass(frozen=True)
class USP:
    """What a US Privacy string says; None: a dash."""

    text: str
    notice: bool | None
    opted_out: bool | None
    """False too where the whole string says that the law does not apply (`1---`)."""
    lspa: bool | None
    applies: bool
    problem: str | None = None


def read_usp(text: str) -> USP:
    """A US Privacy string, in upper or lower case. Raises ValueError for anything else.

    A dash in the third place is legal only where all three are dashes. Elsewhere (`1Y--`, `1YN`) whether the visitor
    opted out is not said, and `problem` tells why.
    """
    if not USP_SHAPE.fullmatch(text):
        if DAMAGED.fullmatch(text):
            return USP(text.upper(), None, None, None, True, f"{len(text)} characters instead of 4")
        raise ValueError("not the shape of a US Privacy string")
    word = text.upper()
    notice, sale, lspa = (_WORDS[character] for character in word[1:])
    if word == "1---":
        return USP(word, None, False, None, False)
    problem = "a dash for the opt-out, where the law applies" if sale is None else None
    return USP(word, notice, sale, lspa, True, problem)
