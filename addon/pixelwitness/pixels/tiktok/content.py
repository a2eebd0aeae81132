"""What was read off the page without the site asking: field by field, with its size."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pixelwitness.mask import mask_text
from pixelwitness.observations import Content
from pixelwitness.pixels.tiktok.meanings import through_json
from pixelwitness.pixels.tiktok.paths import at_path, leading
from pixelwitness.pixels.vendor import Vendor
from pixelwitness.rulebook.pixels import ContentField

MAX_CONTAINERS = 50
MAX_LEAVES = 300
SAMPLE = 160
MAX_REMEMBERED = 1024
"""Characters of a leaf and its path of which it is remembered what they are."""
EMPTY: tuple[Any, ...] = (None, "", "{}", "[]", {}, [])


def collected(message: dict[str, Any] | None, vendor: Vendor) -> tuple[str, ...]:
    """The containers that hold something, as dotted paths."""
    paths: list[str] = []
    for number in leading(message, vendor.outermost_paths):
        rule = vendor.outermost[number]
        value = at_path(message, rule.path)
        if rule.objects_only:
            paths += [rule.path] if isinstance(value, dict | list) and value else []
        elif isinstance(value, dict):
            paths += [f"{rule.path}.{key}" for key, child in value.items() if child not in EMPTY]
        elif value not in EMPTY:
            paths.append(rule.path)
    return tuple(p[:200] for p in paths[:MAX_CONTAINERS])


def content(message: dict[str, Any] | None, vendor: Vendor) -> tuple[Content, ...]:
    """Every leaf of it, through JSON inside JSON."""
    made: list[Content] = []
    for number in leading(message, vendor.outermost_paths):
        rule = vendor.outermost[number]
        value = at_path(message, rule.path)
        if rule.objects_only and not isinstance(value, dict | list):
            continue
        for path, leaf in through_json(value, rule.path):
            if leaf in EMPTY:
                continue
            if len(made) == MAX_LEAVES:
                return tuple(made)
            text = leaf if isinstance(leaf, str) else str(leaf)
            one = _one_again if len(text) + len(path) <= MAX_REMEMBERED else _one
            made.append(one(path, text, vendor))
    return tuple(made)


@lru_cache(2048)
def _one_again(path: str, text: str, vendor: Vendor) -> Content:
    """Pages of a site share much of their metadata, their forms and buttons."""
    return _one(path, text, vendor)


def _one(path: str, text: str, vendor: Vendor) -> Content:
    sample = mask_text(" ".join(text[: SAMPLE * 2].split()))[:SAMPLE]
    return Content(field=path[:300], what=_what(path, vendor.collected), size=len(text), sample=sample)


def _what(path: str, rules: tuple[ContentField, ...]) -> str:
    """The words of the longest rule that the path lies in."""
    fitting = [r for r in rules if path == r.path or path.startswith((r.path + ".", r.path + "["))]
    return max(fitting, key=lambda r: len(r.path)).what
