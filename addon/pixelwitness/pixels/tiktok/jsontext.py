"""JSON out of bytes that strangers wrote: bounded, and forgiving where the message is still certain."""

from __future__ import annotations

import codecs
import json
import math
import re
from typing import Any, NamedTuple

MAX_JSON = 16 * 1024 * 1024
MAX_CUT = 1024 * 1024
"""Of a cut text so much is looked at."""
MAX_DEPTH = 200
MAX_VALUES = 1_000
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],]', re.S)
SPACE = re.compile(r"[\s\x1e]*")
"""Between values; RFC 7464 puts a record separator there."""


class Parsed(NamedTuple):
    """A value, what had to be forgiven (`cut`: its end is missing, `rest`: text follows), and what stood around it."""

    value: Any
    flaw: str | None = None
    around: Any = None
    """The other fields of the form or envelope that carried the value; None where there were none."""


def parse(raw: bytes) -> Any:
    """JSON as an object or list; None for anything else, too deep, or too large."""
    text = _text(raw)
    return None if text is None else _whole(text)


def parse_forgiving(raw: bytes) -> Parsed | None:
    """The same, of several values in a row (as a list), of a value with other text behind it, and of a cut one."""
    text = _text(raw)
    if text is None:
        return None
    whole = _whole(text)
    if whole is not None:
        return Parsed(whole)
    return _several(text) or _cut(text)


def _text(raw: bytes) -> str | None:
    """The text of bytes that begin like a JSON object or list."""
    if len(raw) > MAX_JSON:
        return None
    if raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        text = raw.decode("utf-16", "replace").strip()
    else:
        text = raw.removeprefix(codecs.BOM_UTF8).strip().removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
    return text if text[:1] in ("{", "[") and not _deep(text) else None


def _whole(text: str) -> Any:
    try:
        value = DECODER.decode(text)
    except (ValueError, RecursionError):
        return None  # not JSON, or not to its end: the callers know what then
    return _clean(text, value)


def _several(text: str) -> Parsed | None:
    values: list[Any] = []
    at = 0
    while at < len(text) and len(values) < MAX_VALUES:
        try:
            value, at = DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        if isinstance(value, dict | list):
            values += value if isinstance(value, list) else [value]
        at = SPACE.match(text, at).end()  # type: ignore[union-attr]  # an empty match is a match
    if not values:
        return None
    flaw = "rest" if at < len(text) else None
    return Parsed(_clean(text, values if len(values) > 1 else values[0]), flaw)


def _cut(text: str) -> Parsed | None:
    """What stands before the place where a text was cut, up to the last whole value."""
    opened: list[str] = []
    best: tuple[int, str] | None = None
    for token in TOKEN.finditer(text[:MAX_CUT]):
        mark = token[0]
        if mark in "{[":
            opened.append("}" if mark == "{" else "]")
            best = token.end(), "".join(reversed(opened))
        elif mark in "}]":
            if not opened or opened.pop() != mark:
                return None
            best = token.end(), "".join(reversed(opened))
        elif mark == ",":
            best = token.start(), "".join(reversed(opened))
    if best is None or not best[1]:
        return None
    value = _whole(text[: best[0]] + best[1])
    return Parsed(value, "cut") if value else None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of a name that stands twice the last value counts, as in browsers; the others are kept beside it."""
    made = dict(pairs)
    if len(made) < len(pairs):
        last = {name: i for i, (name, _) in enumerate(pairs)}
        for i, (name, value) in enumerate(pairs):
            if i != last[name]:
                other = name + "'"
                while other in made:
                    other += "'"
                made[other] = value
    return made


def _integer(digits: str) -> Any:
    return int(digits) if len(digits) <= 40 else digits


def _fraction(digits: str) -> Any:
    """Beyond the range of a double the text itself is kept."""
    value = float(digits)
    return value if math.isfinite(value) else digits[:400]


DECODER = json.JSONDecoder(
    parse_int=_integer, parse_float=_fraction, parse_constant=str, object_pairs_hook=_pairs
)  # fmt: skip


def _clean(text: str, value: Any) -> Any:
    """JSON may escape half a character, which no database and no terminal can take."""
    return _without_surrogates(value) if "\\ud" in text.lower() else value


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_without_surrogates(v) for v in value]
    if isinstance(value, dict):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    return value


def _deep(text: str) -> bool:
    """A cheap upper bound on nesting, before the parser is let near it."""
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return False
    depth = 0
    for token in TOKEN.finditer(text):
        first = token[0][:1]
        if first in ("{", "["):
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif first in ("}", "]"):
            depth -= 1
    return False
