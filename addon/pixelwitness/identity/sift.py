"""The texts of a value in which something is found; one in which nothing was costs a look-up when it comes again.

Most texts of a message stood in the one before: names of fields, the page, the browser, ids of the visit. What is
found in a text, and in what stands encoded in it, depends on the text and its path alone, so that it needs to be
searched once. The order of what is found, and the bounds, are those of `plaintext.strings`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from pixelwitness.identity.plaintext import MAX_NESTING, MAX_STRINGS, Spent, Text, is_number, is_phone_name, strings

MAX_REMEMBERED = 1024
"""Characters of a text and its path of which it is remembered that nothing is in it."""
MAX_NAMES = 8192
"""Characters of the names in an object, each with its path, of which the same is remembered."""

CONTAINERS = (dict, list, tuple)

type Sift = Callable[[Any, str, list[str]], Iterable[Text]]
"""From decoded JSON, its path, and a list for the paths of what was not looked at, to the texts that may tell."""


class _Names(NamedTuple):
    """The names in an object, in which nothing is found: the paths of the values, and what the search cost."""

    paths: tuple[str, ...]
    spoken: bool
    """Whether one of them says telephone, so that a number may be one."""
    strings: int
    characters: int


class _Found(NamedTuple):
    texts: list[Text]
    cut: list[str]
    spent: Spent


def sifter(tells: Callable[[str, str], bool]) -> Sift:
    """A search that leaves out texts in which nothing is. `tells` says, of a path and one text as it stands there,
    whether anything is found in it; it must always say the same."""

    @lru_cache(4096)
    def quiet(path: str, text: str, nesting: int) -> tuple[int, int] | None:
        """What the search of a text costs, in strings and characters; None where anything is found or left out."""
        spent, cut = Spent(), list[str]()
        if any(tells(where, inner) for where, inner, _ in strings(text, path, cut, spent, nesting)) or cut:
            return None
        return spent.strings, spent.characters

    @lru_cache(512)
    def quiet_names(path: str, names: tuple[str, ...], nesting: int) -> _Names | None:
        looked = [(1, 0) if not name else quiet(f"{path}.[key]", name, nesting) for name in names]
        known = [one for one in looked if one is not None]
        if len(known) < len(looked):
            return None
        paths = tuple(f"{path}.{name}" if path else name for name in names)
        spoken = any(map(is_phone_name, paths))
        return _Names(paths, spoken, sum(n for n, _ in known), sum(n for _, n in known))

    def one(path: str, text: str, nesting: int, found: _Found) -> bool:
        found.texts.extend(strings(text, path, found.cut, found.spent, nesting))
        return not found.spent.bounded

    def walk(path: str, value: Any, nesting: int, found: _Found) -> bool:
        """False: too much for a walk, or something in a name."""
        if isinstance(value, dict):
            if nesting >= MAX_NESTING:
                return True
            names = tuple(value)
            small = len(path) * len(names) + sum(map(len, names)) <= MAX_NAMES
            known = (quiet_names if small else quiet_names.__wrapped__)(path, names, nesting + 1)
            if known is None:
                return False
            number, size = known.strings, known.characters
            for where, child in zip(known.paths, value.values(), strict=True):
                if isinstance(child, str):
                    cost = quiet(where, child, nesting + 1) if len(where) + len(child) <= MAX_REMEMBERED else None
                    if cost is not None:
                        number += cost[0]
                        size += cost[1]
                    elif not one(where, child, nesting + 1, found):
                        return False
                elif (known.spoken or isinstance(child, CONTAINERS)) and not walk(where, child, nesting + 1, found):
                    return False
            found.spent.add(number, size)
        elif isinstance(value, str):
            cost = quiet(path, value, nesting) if len(path) + len(value) <= MAX_REMEMBERED else None
            if cost is None:
                return one(path, value, nesting, found)
            found.spent.add(*cost)
        elif isinstance(value, CONTAINERS):
            for place, child in enumerate(value[:MAX_STRINGS] if nesting < MAX_NESTING else ()):
                if not walk(f"{path}[{place}]", child, nesting + 1, found):
                    return False
        elif is_number(value) and is_phone_name(path):
            return one(path, str(value), nesting + 1, found)
        return True

    def sift(value: Any, where: str, unread: list[str]) -> Iterable[Text]:
        found = _Found([], [], Spent())
        if not walk(where, value, 0, found) or found.spent.bounded:
            return strings(value, where, unread)
        unread += found.cut
        return found.texts

    return sift
