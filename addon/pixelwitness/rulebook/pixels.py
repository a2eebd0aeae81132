"""Models of the rules about a pixel vendor: endpoints, event names, identity fields, cookies."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from pixelwitness.observations import HitKind, Tier
from pixelwitness.rulebook.load import Rule, SourcedRule
from pixelwitness.rulebook.traffic import Category


class EndpointExample(Rule):
    """A request and whether the endpoint covers it."""

    method: str = "GET"
    url: str
    body: str = ""
    covered: bool


class Endpoint(Rule):
    """Where a vendor's client sends to. Without `hosts` it is found on any host by the shape of its payload."""

    id: str
    category: Category
    kind: HitKind
    decoder: str
    """`body` (the JSON message, wherever it travels), `maybe` (one if it carries one: nothing is known of the path),
    `query` (script and configuration URLs), `app`."""
    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    """Exact paths; one that ends in `*` is a prefix. None: every path of the host."""
    markers: tuple[str, ...] = ()
    """For endpoints on any host: strings that all stand in the body or the query."""
    tier: Tier = "contact"
    """The least that a request to it discloses."""
    examples: tuple[EndpointExample, ...]

    def covers_path(self, path: str) -> bool:
        """Whether a path belongs to the endpoint."""
        if not self.paths:
            return True
        return any(path.startswith(p[:-1]) if p.endswith("*") else path.rstrip("/") == p for p in self.paths)


class IdentityField(Rule):
    """One field of a message that says who the person is."""

    path: str
    """Dotted path in the message."""
    name: str
    collected: str
    hashed: bool = False
    """The vendor means it to carry a hash: anything else in it is clear text or malformed."""
    diagnostics: tuple[str, ...] = ()
    """Paths where the vendor's own client says what it thought of the value."""
    source: str


class PixelCookie(Rule):
    """A cookie of the vendor that identifies a browser."""

    name: str
    collected: str
    pattern: str | None = None
    source: str


class PixelRule(SourcedRule):
    """One file of rules about a vendor's pixel; a file may hold any of the sections."""

    vendor: str
    name: str = ""
    domains: tuple[str, ...] = ()
    """Host suffixes of the vendor, to tell its own hosts from first-party copies."""
    endpoints: tuple[Endpoint, ...] = ()
    renames: dict[str, str] = Field(default_factory=dict)
    """Event names as sent, to one common name each."""
    identity: tuple[IdentityField, ...] = ()
    cookies: tuple[PixelCookie, ...] = ()
    placeholders: dict[str, str] = Field(default_factory=dict)
    """Hashes that stand for nothing, with the text that they are of."""
    collected: tuple[str, ...] = ()
    """Dotted paths of what the client reads off the page by itself."""
    collected_objects: tuple[str, ...] = ()
    """Paths that are content only where they hold an object or a list."""
    frame_runtimes: tuple[str, ...] = ()
    """Values of `context.pixel.runtime` that mean a frame of another site."""
    pixel_code: str | None = None
    """The shape of a pixel code, as a regular expression."""
    examples: tuple[dict[str, str], ...] = ()
    """For files without endpoints: `event`/`expect`, `code`/`valid`, `hash`/`text`."""

    @field_validator("pixel_code")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            re.compile(value)
        return value
