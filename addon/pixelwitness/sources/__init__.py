"""Captures in: flow files and HAR become the same `Exchange`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

type Wanted = Callable[[str, str | bytes], bool]
"""Whether the body of the response from a URL is read by anybody: the URL, and the body as it stands in the file."""


def all_wanted(url: str, body: str | bytes) -> bool:
    """Every body is read."""
    return True


@dataclass(frozen=True)
class ReadNote:
    """Something about a capture that could not be read, or only in part: becomes a blind spot of that kind."""

    kind: str
    detail: str
    position: str = ""
    at: int | None = None


class CaptureError(Exception):
    """A capture that cannot be used, or not to its end. One line: which file, where, what, and what to do."""

    def __init__(self, name: str, position: str, what: str, remedy: str) -> None:
        super().__init__(name, position, what, remedy)  # as they came, so that it can be sent to another process

    def __str__(self) -> str:
        name, position, what, remedy = self.args
        return f"{name}: {position + ': ' if position else ''}{what}. {remedy}"
