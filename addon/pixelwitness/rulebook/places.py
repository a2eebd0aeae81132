"""Models of the rules about places: who runs the hosts that data goes to, and what pages are about."""

from __future__ import annotations

import re
from functools import cached_property
from urllib.parse import unquote, urlsplit

from pydantic import Field

from pixelwitness.rulebook.hosts import HostIndex
from pixelwitness.rulebook.load import Rule, SourcedRule

MAX_PATH = 2000


class Destination(Rule):
    """Who runs some hosts, and what is known of them, in whole sentences."""

    hosts: tuple[str, ...]
    operator: str
    known: str


class DestinationExample(Rule):
    """A host and who runs it."""

    host: str
    operator: str | None


class Destinations(SourcedRule):
    """The hosts that a pixel's data goes to."""

    destinations: tuple[Destination, ...]
    examples: tuple[DestinationExample, ...]

    @cached_property
    def _index(self) -> HostIndex[Destination]:
        index: HostIndex[Destination] = HostIndex()
        for one in self.destinations:
            for host in one.hosts:
                index.add(host, one)
        return index

    def of(self, host: str) -> Destination | None:
        """What is known of a host; None for one that no rule names."""
        return next(iter(self._index.lookup(host)), None)


class Context(Rule):
    """A sensitive matter that a page can be about, and the words in an address that hint at it."""

    name: str
    words: tuple[str, ...] = Field(default=())


class ContextExample(Rule):
    """An address and the matter that it hints at."""

    url: str
    context: str | None


class Contexts(SourcedRule):
    """The matters that make a page sensitive, by id."""

    contexts: dict[str, Context]
    examples: tuple[ContextExample, ...]

    def hinted(self, url: str) -> tuple[str, str] | None:
        """The matter that the path of an address hints at, and by which word; None where none does."""
        try:
            path = unquote(urlsplit(url).path[:MAX_PATH]).lower()
        except ValueError:
            return None
        for step in path.split("/"):
            whole = f"-{re.sub(r'[^0-9a-z]+', '-', step).strip('-')}-"
            for key, context in self.contexts.items():
                for word in context.words:
                    if f"-{word}-" in whole:
                        return key, word
        return None
