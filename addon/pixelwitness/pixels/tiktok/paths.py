"""Dotted paths into a message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

MAX_ITEMS = 50
type Tree = dict[str, tuple[list[int], Tree]]
"""Paths by their steps: for each name the numbers of the paths that end there, and what goes on below."""


def at_path(value: Any, path: str) -> Any:
    """The value at a dotted path of objects, or None."""
    for step in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


def all_at(value: Any, path: str) -> Iterator[Any]:
    """Every value at a path in which `name[]` stands for the items of a list."""
    first, listed, rest = path.partition("[]")
    found = at_path(value, first)
    if not listed:
        yield from found[:MAX_ITEMS] if isinstance(found, list) else (found,)
        return
    for item in found[:MAX_ITEMS] if isinstance(found, list) else ():
        yield from all_at(item, rest.lstrip(".")) if rest else (item,)


def tree(paths: Iterable[str]) -> Tree:
    """Paths, numbered in their order, for `leading`. Of one through the items of a list only the way to the list."""
    made: Tree = {}
    for number, path in enumerate(paths):
        *steps, last = path.partition("[]")[0].split(".")
        place = made
        for step in steps:
            place = place.setdefault(step, ([], {}))[1]
        place.setdefault(last, ([], {}))[0].append(number)
    return made


def leading(value: Any, paths: Tree) -> list[int]:
    """The numbers of the paths whose last name is in a value, in their order: `all_at` finds nothing on the others."""
    found: list[int] = []
    _lead(value, paths, found)
    return sorted(found)


def _lead(value: Any, paths: Tree, found: list[int]) -> None:
    if isinstance(value, dict):
        for name in paths.keys() & value.keys():
            numbers, below = paths[name]
            found += numbers
            if below:
                _lead(value[name], below, found)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no object and no list, with its path; empty ones too. Lists are `name[0]`."""
    todo: list[tuple[str, Any]] = [(path, value)]
    while todo:
        where, item = todo.pop()
        if isinstance(item, dict) and item:
            todo += [(f"{where}.{k}" if where else str(k), v) for k, v in reversed(item.items())]
        elif isinstance(item, list) and item:
            todo += [(f"{where}[{i}]", v) for i, v in reversed(list(enumerate(item)))]
        else:
            yield where, item
