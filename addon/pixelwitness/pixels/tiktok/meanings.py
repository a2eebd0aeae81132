"""What each field of a message means, leaf by leaf; a field that no rule knows says so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from pixelwitness.identity.layers import parse_json
from pixelwitness.pixels.tiktok.paths import leaves
from pixelwitness.pixels.vendor import Vendor
from pixelwitness.rulebook.pixels import MessageField

MAX_LEAVES = 5_000


class Leaf(NamedTuple):
    """One value of a message: where it stands, what it is, and what it means (None: no rule knows the field)."""

    path: str
    value: Any
    means: str | None


def explained(message: Any, vendor: Vendor) -> Iterator[Leaf]:
    """Every leaf of a message, each once, through JSON inside JSON; at most MAX_LEAVES."""
    named = {rule.path: f"{rule.name}, {rule.collected.replace('_', ' ')}" for rule in vendor.identity}
    for path, value in islice(through_json(message, ""), MAX_LEAVES):
        plain = re.sub(r"\[\d+\]", "", path)
        means = named.get(plain) or named.get(re.sub(r"\[\d+\]", "[]", path))
        yield Leaf(path, value, f"identity: {means}" if means else meaning(path, vendor.fields))


def through_json(value: Any, path: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Leaves with their paths, also of JSON that stands in a text."""
    for where, leaf in leaves(value, path):
        inner = parse_json(leaf) if isinstance(leaf, str) and depth < 3 else None
        if isinstance(inner, dict | list) and inner:
            yield from through_json(inner, where, depth + 1)
        else:
            yield where, leaf


def meaning(path: str, rules: tuple[MessageField, ...]) -> str | None:
    """The words of the longest rule that fits a path."""
    fitting = [rule for shape, rule in _compiled(rules) if shape.fullmatch(path)]
    return max(fitting, key=lambda rule: len(rule.path)).means if fitting else None


@lru_cache(8)
def _compiled(rules: tuple[MessageField, ...]) -> tuple[tuple[re.Pattern[str], MessageField], ...]:
    return tuple((_shape(rule.path), rule) for rule in rules)


def _shape(path: str) -> re.Pattern[str]:
    """`*` is one name, `[*]` one place of a list, `.**` at the end whatever is below, itself too where it is a list."""
    below = path.endswith(".**")
    text = re.escape(path.removesuffix(".**")).replace(r"\[\*\]", r"\[\d+\]").replace(r"\*", r"[^.\[\]]+")
    return re.compile(text + (r"(?:[.\[].*)?" if below else ""), re.S)
