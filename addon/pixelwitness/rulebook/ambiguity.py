"""In how many ways an automaton can read one text: exponentially many, or with which power of its length."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

MAX_WORK = 300_000
"""Steps after which an expression counts as too complicated to be told."""


class TooComplicatedError(ValueError):
    """Why an expression cannot be bounded."""


class Automaton:
    """States are numbered characters of an expression, each with the set (a mask) that it stands for."""

    def __init__(self) -> None:
        self.masks: list[int] = []
        self.edges: dict[int, dict[int, list[tuple[int, int]]]] = defaultdict(dict)
        """From, to: each way's mask of what the next character may be, and how many ways there are of it."""

    def add(self, mask: int) -> int:
        """A new state."""
        self.masks.append(mask)
        return len(self.masks) - 1

    def link(self, p: int, q: int, allowed: int, ways: int) -> None:
        """From p to q, by those of q's characters that are allowed."""
        mask = allowed & self.masks[q]
        if mask:
            self.edges[p].setdefault(q, []).append((mask, ways))

    def steps(self, p: int) -> Iterator[tuple[int, int]]:
        """Where one can go from a state, and by which characters."""
        for q, ways in self.edges.get(p, {}).items():
            for mask, _ in ways:
                yield q, mask


def is_exponential(automaton: Automaton) -> bool:
    """Whether some state comes back to itself in two ways by one text."""
    budget = _Budget()
    home = _homes(range(len(automaton.masks)), lambda p: (q for q, _ in automaton.steps(p)))
    for p, targets in automaton.edges.items():
        for q, ways in targets.items():
            if home[p] == home[q] and _overlap(ways):
                return True

    def pairs(pair: tuple[int, int]) -> Iterator[tuple[int, int]]:
        a, b = pair
        for x, by in automaton.steps(a):
            for y, also in automaton.steps(b):
                budget.spend()
                if by & also and home[x] == home[a] and home[y] == home[b]:
                    yield x, y

    starts = [(p, p) for p in range(len(automaton.masks))]
    homes = _homes(starts, pairs)
    diagonal = {homes[pair] for pair in starts}
    return any(a != b and at in diagonal for (a, b), at in homes.items())


def _overlap(ways: list[tuple[int, int]]) -> bool:
    """Whether one character can be taken in two ways."""
    seen = 0
    for mask, count in ways:
        if count > 1 or seen & mask:
            return True
        seen |= mask
    return False


def longest_chain(automaton: Automaton) -> int:
    """How many loops in a row can share one text, so that where one ends and the next begins is open; 1 for a loop
    alone, 0 where nothing is repeated."""
    budget = _Budget()
    home = _homes(range(len(automaton.masks)), lambda p: (q for q, _ in automaton.steps(p)))
    members: dict[int, list[int]] = defaultdict(list)
    for p, at in home.items():
        members[at].append(p)
    loops = [at for at, inside in members.items() if any(home[q] == at for p in inside for q, _ in automaton.steps(p))]
    after: dict[int, set[int]] = {
        a: {b for b in loops if b != a and any(
            _share(automaton, home, p, q, budget) for p in members[a] for q in members[b]
        )} for a in loops
    }  # fmt: skip
    lengths: dict[int, int] = {}

    def length(a: int) -> int:
        if a not in lengths:
            lengths[a] = 1 + max((length(b) for b in after[a]), default=0)
        return lengths[a]

    return max(map(length, loops), default=0)


def _share(automaton: Automaton, home: Mapping[int, int], p: int, q: int, budget: _Budget) -> bool:
    """Whether one text leads from p to p, from p to q, and from q to q."""
    todo, seen = [(p, p, q)], {(p, p, q)}
    while todo:
        a, b, c = todo.pop()
        for x, by_a in automaton.steps(a):
            if home[x] != home[p]:
                continue
            for z, by_c in automaton.steps(c):
                if home[z] != home[q] or not by_a & by_c:
                    continue
                for y, by_b in automaton.steps(b):
                    budget.spend()
                    state = (x, y, z)
                    if by_a & by_b & by_c and state not in seen:
                        if state == (p, q, q):
                            return True
                        seen.add(state)
                        todo.append(state)
    return False


class _Budget:
    def __init__(self) -> None:
        self.left = MAX_WORK

    def spend(self) -> None:
        """One step less."""
        self.left -= 1
        if self.left < 0:
            raise TooComplicatedError("it is too complicated to be told")


def _homes[T](starts: Iterable[T], steps: Callable[[T], Iterator[T]]) -> dict[T, int]:
    """The strongly connected component of each state that can be reached (Tarjan, without recursion)."""
    number: dict[T, int] = {}
    low: dict[T, int] = {}
    home: dict[T, int] = {}
    open_: list[T] = []
    for start in starts:
        if start in number:
            continue
        number[start] = low[start] = len(number)
        open_.append(start)
        path = [(start, steps(start))]
        while path:
            at, rest = path[-1]
            for after in rest:
                if after not in number:
                    number[after] = low[after] = len(number)
                    open_.append(after)
                    path.append((after, steps(after)))
                    break
                if after not in home:
                    low[at] = min(low[at], number[after])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[at])
                if low[at] == number[at]:
                    while True:
                        inside = open_.pop()
                        home[inside] = number[at]
                        if inside == at:
                            break
    return home
