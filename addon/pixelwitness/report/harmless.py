"""Text from the traffic made harmless before anything shows it. Imports nothing: messages of errors need it at once."""

from __future__ import annotations

import unicodedata
from typing import Any


def visible(text: Any, keep: str = "") -> str:
    """Text without control, escape, direction and unassigned characters; those of `keep` stay."""
    return "".join(c if c in keep or unicodedata.category(c)[0] != "C" else "\ufffd" for c in str(text))


def shortened(text: str, most: int) -> str:
    """Text of at most so many characters."""
    return text if len(text) <= most else text[: most - 3] + "..."


def printable(text: str, most: int = 2_000) -> str:
    """A message of one or several lines, each without anything that a terminal would obey."""
    return "\n".join(shortened(visible(line), most) for line in text.split("\n"))


def safe(text: Any, most: int = 300) -> str:
    """Text from the traffic as it may reach a terminal: no control, escape or direction characters, not too long."""
    return shortened(visible(text), most)
