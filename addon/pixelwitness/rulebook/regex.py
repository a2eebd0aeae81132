"""Regular expressions in rules: refused where a text that a stranger wrote could keep them busy.

Python's matcher goes back and tries again, so that `(a+)+$` takes years on forty letters. Whether it can is a property
of the expression: that of its automaton in which one text can be read in very many ways. Weber and Seidl ("On the
degree of ambiguity of finite automata", 1991) say how to tell: exponentially many where some state comes back to itself
in two ways by one text; of degree d where d loops in a row can share one. The automaton is Glushkov's: a state for each
character of the expression.

Rules of this program are tested against this once (`tests/test_regex.py`); those of others are at every start.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from re import _parser  # type: ignore[attr-defined]  # no public parser; the tests would notice its absence
from typing import Any

from pydantic import AfterValidator, ValidationInfo

from pixelwitness.rulebook.ambiguity import Automaton, TooComplicatedError, is_exponential, longest_chain
from pixelwitness.rulebook.characters import ALL, OTHERS, mask_of

MAX_LENGTH = 1_000
MAX_POSITIONS = 400
MAX_CHOICES = 20
"""Bits: so many times two ways to go on, outside of loops."""
MAX_COPIES = 8
"""A repetition of more is looked at as one without end."""
MAX_STEPS = 1e7
"""Of the matcher on one text: about a second."""
NAME, PATH, SHAPE, LINE, VALUE, BODY = 200, 2_000, 4_096, 4_096, 65_536, 10_000_000
"""How long the texts are that an expression may be applied to: names of cookies, paths, values of cookies as far as
their shape is looked at, header lines, whole values of cookies, all of a message."""
OURS = "ours"
"""The key of a validation's context that says that the rules are this program's own."""
REMEDY = "Make what is repeated unambiguous, or possessive (`a++`, `(?>...)`), or bound it"


class _Fragment:
    """A part of the expression: the ways to begin, to end, and to be empty."""

    def __init__(self, first: Counter[int], last: Counter[tuple[int, int]], empty: int) -> None:
        self.first = first
        """Where it can begin, and in how many ways."""
        self.last = last
        """Where it can end, what the next character may then be, and in how many ways."""
        self.empty = empty
        """In how many ways it can be nothing; two stand for more."""


def _times[T](counts: Counter[T], factor: int) -> Counter[T]:
    return Counter({key: n * factor for key, n in counts.items() if factor})


class _Builder:
    """Makes the automaton of an expression. `apart` are the parts that are matched on their own (looking ahead)."""

    def __init__(self) -> None:
        self.automaton = Automaton()
        self.apart: list[tuple[Any, int]] = []

    def sequence(self, items: Iterable[tuple[Any, Any]], flags: int) -> _Fragment:
        made = _nothing()
        for operation, argument in items:
            made = self._joined(made, self._one(operation, argument, flags))
        return made

    def _joined(self, a: _Fragment, b: _Fragment) -> _Fragment:
        self._link(a.last, b.first)
        first, last = a.first + _times(b.first, a.empty), b.last + _times(a.last, b.empty)
        return _Fragment(first, last, min(a.empty * b.empty, 2))

    def _link(self, last: Counter[tuple[int, int]], first: Counter[int]) -> None:
        for (p, allowed), ways_out in last.items():
            for q, ways_in in first.items():
                self.automaton.link(p, q, allowed, ways_out * ways_in)

    def _one(self, operation: Any, argument: Any, flags: int) -> _Fragment:
        name = str(operation)
        if name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            position = self.automaton.add(mask_of(name, argument, flags))
            if len(self.automaton.masks) > MAX_POSITIONS:
                raise TooComplicatedError(f"it is longer than {MAX_POSITIONS} characters when written out")
            return _Fragment(Counter([position]), Counter([(position, ALL)]), 0)
        if name == "SUBPATTERN":
            _, added, removed, inner = argument
            return self.sequence(inner, (flags | added) & ~removed)
        if name == "BRANCH":
            return _either([self.sequence(one, flags) for one in argument[1]])
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            least, most, inner = argument
            return self._repeat(least, most, inner, flags, possessive=name.startswith("POSS"))
        if name == "ATOMIC_GROUP":
            self.apart.append((argument, flags))
            return self.sequence(argument, flags)
        if name in ("ASSERT", "ASSERT_NOT"):
            self.apart.append((argument[1], flags))
            return _nothing()
        if name in ("AT", "FAILURE"):
            return _nothing()
        raise TooComplicatedError("it refers back to a group, which cannot be bounded")

    def _repeat(self, least: int, most: Any, inner: Any, flags: int, *, possessive: bool) -> _Fragment:
        unending = most is _parser.MAXREPEAT or most > MAX_COPIES
        single = len(inner) == 1 and str(inner[0][0]) in ("LITERAL", "NOT_LITERAL", "ANY", "IN")
        if single and least == most and most <= MAX_POSITIONS:
            unending = False  # exactly so many of one character: there is one way
        if not unending:
            made = _nothing()
            for number in range(int(most)):
                copy = self.sequence(inner, flags)
                if number >= least:
                    copy = _Fragment(copy.first, copy.last, min(copy.empty + 1, 2))
                elif copy.empty:
                    raise TooComplicatedError("it repeats something that may be empty")
                made = self._joined(made, copy)
            return made
        body = self.sequence(inner, flags)
        if body.empty:
            raise TooComplicatedError("it repeats something that may be empty")
        self._link(body.last, body.first)
        if possessive and single:
            # It takes all that it can: what follows begins with another character.
            body.last = Counter([(p, ALL & ~self.automaton.masks[p] | OTHERS) for p, _ in body.last])
        elif possessive:
            self.apart.append((inner, flags))
        return _Fragment(body.first, body.last, 0 if least else 1)


def _nothing() -> _Fragment:
    return _Fragment(Counter(), Counter(), 1)


def _either(ways: list[_Fragment]) -> _Fragment:
    first: Counter[int] = Counter()
    last: Counter[tuple[int, int]] = Counter()
    for way in ways:
        first.update(way.first)
        last.update(way.last)
    return _Fragment(first, last, min(sum(way.empty for way in ways), 2))


def check(pattern: str, longest: int, *, anywhere: bool = False) -> None:
    """Whether an expression is sound and bounded on texts of `longest` characters. Raises ValueError that says why not.

    `anywhere`: it is searched for, not matched with the whole text.
    """
    if len(pattern) > MAX_LENGTH:
        raise ValueError(f"a regular expression of more than {MAX_LENGTH} characters")
    try:
        re.compile(pattern)
        parsed = _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{_shown(pattern)} is no regular expression: {error}") from error
    try:
        if _choices(parsed) > MAX_CHOICES:
            raise TooComplicatedError("it has too many parts that may be there or not")
        degree = _degree(parsed, parsed.state.flags, anywhere=anywhere)
    except TooComplicatedError as error:
        raise ValueError(f"the regular expression {_shown(pattern)} cannot be bounded: {error}. {REMEDY}") from error
    if longest**degree / math.factorial(degree) > MAX_STEPS:
        raise ValueError(
            f"the regular expression {_shown(pattern)} can take far too long: {degree} of its repetitions can "
            f"stand for the same characters of a text of {longest}. {REMEDY}"
        )


def _degree(parsed: Any, flags: int, *, anywhere: bool) -> int:
    """The power of the text's length with which the work grows at most."""
    builder = _Builder()
    start = builder.automaton.add(ALL) if anywhere and not _is_anchored(parsed, flags) else None
    whole = builder.sequence(parsed, flags)
    if start is not None:
        builder.automaton.link(start, start, ALL, 1)
        for p, ways in whole.first.items():
            builder.automaton.link(start, p, ALL, ways)
    if is_exponential(builder.automaton):
        raise TooComplicatedError("a repetition in it can read the same text in more than one way")
    apart = [_degree(inner, inner_flags, anywhere=False) for inner, inner_flags in builder.apart]
    return longest_chain(builder.automaton) + max(apart, default=0)


def _is_anchored(parsed: Any, flags: int) -> bool:
    """Whether it begins with the start of the text, so that it is tried there only."""
    if not len(parsed):
        return False
    operation, argument = parsed[0]
    if str(operation) == "SUBPATTERN":
        return _is_anchored(argument[3], flags)
    return str(operation) == "AT" and not flags & re.M and str(argument).startswith("AT_BEGINNING")


def _choices(parsed: Any) -> float:
    """How many bits of choice the expression has outside of loops."""
    total = 0.0
    for operation, argument in parsed:
        name = str(operation)
        if name == "BRANCH":
            total += math.log2(len(argument[1])) + max(_choices(one) for one in argument[1])
        elif name == "SUBPATTERN":
            total += _choices(argument[3])
        elif name.endswith("REPEAT"):
            least, most, inner = argument
            bounded = most is not _parser.MAXREPEAT and most <= MAX_COPIES
            total += (math.log2(most - least + 1) + most * _choices(inner)) if bounded else _choices(inner)
        elif name == "ATOMIC_GROUP":
            total += _choices(argument)
        elif name.startswith("ASSERT"):
            total += _choices(argument[1])
    return total


def _shown(pattern: str) -> str:
    return repr(pattern if len(pattern) <= 80 else pattern[:77] + "...")


def bounded(longest: int, *, anywhere: bool = False) -> AfterValidator:
    """For a field of a rule that is a regular expression; those of this program are only compiled."""

    def checked(value: str, info: ValidationInfo) -> str:
        _check_for(info)(value, longest, anywhere=anywhere)
        return value

    return AfterValidator(checked)


PARAMETERS: dict[str, tuple[int, bool]] = {"separator": (VALUE, True), "choice": (NAME, False)}
"""Parameters of decoders that are regular expressions."""


BESIDE = ("chosen_beside", "refused_beside", "grants_beside")
"""Parameters of decoders that name other cookies, by expressions for the whole name."""


def check_parameters(params: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    """The same for a decoder's parameters."""
    check_one = _check_for(info)
    found = [(name, params[name], *how) for name, how in PARAMETERS.items() if isinstance(params.get(name), str)]
    beside = {key: params[key] for key in BESIDE if isinstance(params.get(key), dict)}
    found += [(key, str(name), NAME, False) for key, names in beside.items() for name in names]
    for name, pattern, longest, anywhere in found:
        try:
            check_one(pattern, longest, anywhere=anywhere)
        except ValueError as error:
            raise ValueError(f"params.{name}: {error}") from error
    return params


def _check_for(info: ValidationInfo) -> Callable[..., None]:
    return _compiles if info.context and info.context.get(OURS) else check


def _compiles(pattern: str, longest: int, *, anywhere: bool = False) -> None:
    re.compile(pattern)
