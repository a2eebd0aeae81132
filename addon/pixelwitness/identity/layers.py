"""What can stand encoded inside a text, one layer down; shared by the search for clear text and by its masking.

Both must see the same layers: what masking misses and search finds would be stored in clear, and the other way round
evidence would be destroyed. Patterns match whole runs of characters, so that each text is read once, however hostile.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote, unquote_plus

MAX_BRACKETS = 10_000
MAX_TOKENS = 2_000
"""Encoded runs of one text, in one encoding, that are undone."""
MAX_REMEMBERED = 2048
"""Characters of a text of which it is remembered whether anything stands encoded in it."""

ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30};)")
ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})")
HEX = re.compile(r"[0-9a-fA-F]+")


@dataclass(frozen=True, slots=True)
class Coding:
    """An encoding: the runs of a text that may be written in it, how to undo it, and how to write it again."""

    name: str
    hint: str
    """A text without this character has nothing in this encoding ('' where no character tells)."""
    runs: re.Pattern[str]
    undo: Callable[[str], str | None]
    """The text behind a run; None where the run is not in this encoding."""
    redo: Callable[[str, str], str]
    """The new inner text in this encoding; the old run says in which dialect."""

    def inside(self, text: str, cut: list[str] | None = None) -> Iterator[str]:
        """The texts that stand in this encoding inside a text; `cut` gets the encoding's name where there are more."""
        if self.hint not in text:
            return
        undone = 0
        for run in self.runs.finditer(text):
            inner = self.undo(run[0])
            if inner is None:
                continue
            undone += 1
            if undone > MAX_TOKENS:
                if cut is not None:
                    cut.append(self.name)
                return
            yield inner


def _percent(run: str) -> str | None:
    if "%" not in run:
        return None
    # Where a plus was encoded, as forms do, one that was not stands for a space.
    form = "+" in run and ("%2B" in run or "%2b" in run)
    plain = unquote_plus(run) if form else unquote(run)
    return plain if plain != run else None


def _entities(run: str) -> str | None:
    if not ENTITY.search(run):
        return None
    plain = html.unescape(run)
    return plain if plain != run else None


def _escapes(run: str) -> str | None:
    plain = ESCAPE.sub(lambda m: chr(int(m[1] or m[2], 16)), run)
    return plain if plain != run else None


def parse_base64(token: str) -> str | None:
    """The text in a base64 or base64url token, padded or not; None where it holds none. Hashes in hex are no text."""
    bare = token.rstrip("=")
    if len(bare) % 4 == 1 or HEX.fullmatch(bare):
        return None
    try:
        raw = base64.b64decode(bare.translate(str.maketrans("-_", "+/")) + "=" * (-len(bare) % 4), validate=True)
        text = raw.decode("utf-8")
    except (binascii.Error, ValueError):
        return None  # most tokens are no base64: that is the answer, not a fault
    return text if text.isprintable() or ("\n" in text and "\0" not in text) else None


def _base64_again(inner: str, run: str) -> str:
    coded = base64.b64encode(inner.encode("utf-8", "replace")).decode()
    if "=" not in run:
        coded = coded.rstrip("=")
    return coded.translate(str.maketrans("+/", "-_")) if "=" not in run or "-" in run or "_" in run else coded


CODINGS: tuple[Coding, ...] = (
    Coding(
        "percent",
        "%",
        re.compile(r"[^\s&=?#\"'<>/;,{}\[\]\\|]+"),
        _percent,
        lambda inner, _: quote(inner, safe="[]:", errors="replace"),
    ),
    Coding("html", "&", re.compile(r"[^\s<>\"']+"), _entities, lambda inner, _: html.escape(inner)),
    Coding("escapes", "\\", re.compile(r"[^\s\"'<>]+"), _escapes, lambda inner, _: inner),
    Coding("base64", "", re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}"), parse_base64, _base64_again),
    # A slash may be part of the token or of the path that it stands in.
    Coding("base64", "/", re.compile(r"[A-Za-z0-9+_-]{12,}={0,2}"), parse_base64, _base64_again),
)


def parse_json(text: str) -> Any:
    """A JSON object, list or string inside a text; None for anything else, or too many brackets."""
    stripped = text.strip()
    if stripped[:1] not in ("{", "[", '"') or stripped.count("[") + stripped.count("{") > MAX_BRACKETS:
        return None
    try:
        parsed = json.loads(stripped)
    except (ValueError, RecursionError):
        return None  # a text that only begins like JSON
    return parsed if isinstance(parsed, dict | list | str) and parsed != text else None


def holds_nothing(text: str) -> bool:
    """Whether nothing at all stands encoded in a text: neither JSON nor a run in any of the encodings."""
    return _holds_nothing(text) if len(text) <= MAX_REMEMBERED else False


@lru_cache(8192)
def _holds_nothing(text: str) -> bool:
    if parse_json(text) is not None:
        return False
    return not any(coding.hint in text and next(coding.inside(text), None) is not None for coding in CODINGS)
