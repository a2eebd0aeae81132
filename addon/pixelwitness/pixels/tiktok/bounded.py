"""Messages with very many values: what of them is looked at, so that none takes minutes."""

from __future__ import annotations

import heapq
from itertools import count
from typing import Any, NamedTuple

CONTAINERS = (dict, list)
MOST = 20_000
"""Names and values of one message together. Real ones have some hundreds."""


class Bounded(NamedTuple):
    """A message within the bound, and where how many values of it were left out."""

    message: dict[str, Any]
    left_out: dict[str, int]


def bounded(message: dict[str, Any]) -> Bounded:
    """The message itself, or a copy with as many values as are looked at.

    Small objects come first, so that a list of a million things hides nothing of the page, the pixel and the person.
    """
    if not _is_larger(message):
        return Bounded(message, {})
    made: dict[str, Any] = {}
    left_out: dict[str, int] = {}
    room = MOST
    numbers = count(1)
    todo: list[tuple[int, int, str, Any, Any]] = [(len(message), 0, "", message, made)]
    while todo:
        size, _, path, source, target = heapq.heappop(todo)
        cost = 2 if isinstance(source, dict) else 1
        taken = min(size, room // cost)
        room -= taken * cost
        if taken < size:
            left_out[path] = size - taken
        entries = source.items() if isinstance(source, dict) else enumerate(source)
        for (key, value), _ in zip(entries, range(taken), strict=False):
            kept: Any = {} if isinstance(value, dict) else [] if isinstance(value, list) else value
            if isinstance(target, dict):
                target[key] = kept
            else:
                target.append(kept)
            if isinstance(value, CONTAINERS):
                name = f"{path}[{key}]" if isinstance(source, list) else f"{path}.{key}" if path else str(key)
                heapq.heappush(todo, (len(value), next(numbers), name[:200], value, kept))
    return Bounded(made, left_out)


def _is_larger(message: dict[str, Any]) -> bool:
    found = 0
    todo: list[Any] = [message]
    while todo:
        one = todo.pop()
        found += 2 * len(one) if isinstance(one, dict) else len(one)
        if found > MOST:
            return True
        todo += [v for v in (one.values() if isinstance(one, dict) else one) if isinstance(v, CONTAINERS)]
    return False
