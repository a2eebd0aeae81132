"""Models of the rules about a pixel vendor: endpoints, event names, identity fields, cookies."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pixelwitness.observations import HitKind, Tier
from pixelwitness.rulebook.load import Rule, SourcedRule
from pixelwitness.rulebook.regex import BODY, NAME, bounded
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
    `query` (script and configuration URLs), `app`, `relay` (a message for a server that may pass it on: no hit)."""
    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    """Exact paths; one that ends in `*` is a prefix. None: every path of the host."""
    markers: tuple[str, ...] = ()
    """For endpoints on any host: strings that all stand in the body or the query, plain or encoded."""
    likely_paths: tuple[str, ...] = ()
    """For endpoints on any host: paths on which a request whose body was not captured is probably one."""
    told_by: tuple[str, ...] = ()
    """Names at the top of a message by which a bare body, without its URL, goes here; the first rule counts."""
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
    """Dotted path in the message; `[]` after a name stands for every item of a list."""
    name: str
    collected: str
    created: tuple[str, ...] = ()
    """Formats of the value that embed the time of its making: `ulid`, `ksuid`, `leading_ms`."""
    hashed: bool = False
    """The vendor means it to carry a hash: anything else in it is clear text or malformed."""
    diagnostics: tuple[str, ...] = ()
    """Paths where the vendor's own client says what it thought of the value."""
    source: str


class PixelCookie(Rule):
    """A cookie of the vendor that identifies a browser."""

    name: str
    """Of a cookie; one that ends in `*` is a prefix."""
    collected: str
    created: tuple[str, ...] = ()
    on: Literal["vendor", "site"] = "vendor"
    """Where it travels: to the vendor's own hosts, or to the site's (and so to first-party copies)."""
    source: str


class UrlIdentifier(Rule):
    """A parameter of a page's URL that identifies the visitor."""

    parameter: str
    name: str
    collected: str
    source: str


class Documented(Rule):
    """How the vendor documents that an attribute is to be written before SHA-256."""

    spellings: tuple[str, ...]
    rule: str
    """In words, for sentences."""


class Redactions(Rule):
    """Marks that the vendor's client puts where it took something out."""

    pattern: Annotated[str, bounded(BODY, anywhere=True)]
    meanings: dict[str, str]
    """By the mark's inner word; others are reported by that word."""


class ContentField(Rule):
    """Something that the client reads off the page."""

    path: str
    what: str
    """In words."""
    objects_only: bool = False
    """It is content only where it holds an object or a list."""


class MessageField(Rule):
    """What a field of a message means. `*` in the path stands for any one name, `**` at its end for all below."""

    path: str
    means: str


class LoaderKeys(Rule):
    """Under which names the loader's body says how a pixel is set up."""

    code: str
    name: str
    partner: str
    setup_mode: str
    status: str
    first_party_cookies: str
    manual_matching: str
    automatic_matching: str
    plugins: str
    country: str


class LoaderCalls(Rule):
    """How older configurations say the same, by calls on the page's client."""

    instance: str
    """Takes the pixel's code."""
    info: str
    """Takes an object with name, partner, set-up and status."""
    matching: str
    """Takes an object of flags, by field."""
    automatic_prefix: str
    """Of fields that the client looks for by itself."""
    first_party_cookies: str


class ScriptMarks(Rule):
    """What stands in a script of the vendor's, by which it is known wherever it comes from."""

    role: str
    """What it is, in words."""
    marks: tuple[str, ...] = Field(min_length=3)
    """Texts that all stand in it. Together they must stand in no other script."""
    discloses: bool = False
    """It sets pixels up: what has the marks and sets none up only talks of such a script."""


class Repeats(Rule):
    """How the vendor's client marks an event that it sends once more to another of the vendor's hosts."""

    mark: str = Field(min_length=1)
    """What follows the id of the repeated message in the id of the repetition."""
    event: str
    """Path of the field that names the repeated event."""


class PixelRule(SourcedRule):
    """One file of rules about a vendor's pixel; a file may hold any of the sections."""

    vendor: str
    name: str = ""
    domains: tuple[str, ...] = ()
    """Host suffixes of the vendor, to tell its own hosts from first-party copies."""
    senders: tuple[str, ...] = ()
    """Hosts that pages and apps send the pixel's traffic to, with `*` for anything: for what passed unread."""
    endpoints: tuple[Endpoint, ...] = ()
    renames: dict[str, str] = Field(default_factory=dict)
    """Event names as sent, to one common name each."""
    identity: tuple[IdentityField, ...] = ()
    cookies: tuple[PixelCookie, ...] = ()
    placeholders: dict[str, str] = Field(default_factory=dict)
    """Hashes that stand for nothing, with the text that they are of: the vendor's client's own list."""
    placeholder_texts: tuple[str, ...] = ()
    """Further texts that stand for nothing, in clear (whatever their case) and hashed."""
    names_too: tuple[str, ...] = ()
    """Those of them that people are called: in a field for a name they are taken for one."""
    placeholder_pattern: Annotated[str, bounded(NAME)] | None = None
    """Shapes of such texts."""
    template_marks: tuple[tuple[str, str], ...] = ()
    """What stands before and after the name of a variable in a template."""
    template_words: tuple[str, ...] = ()
    """Words, in lower case, of which such variables are named: anything else between the marks may be a value."""
    person_objects: tuple[str, ...] = ()
    """Paths of the objects that describe the person: a field in one that no rule knows is an unknown identity field."""
    not_identity: tuple[str, ...] = ()
    """Names in those objects that identify nobody."""
    url_identifiers: tuple[UrlIdentifier, ...] = ()
    documented: dict[str, Documented] = Field(default_factory=dict)
    """By attribute of a persona."""
    diagnostics: dict[str, str] = Field(default_factory=dict)
    """What the words of the client's own diagnostics mean."""
    collected: tuple[ContentField, ...] = ()
    redactions: Redactions | None = None
    fields: tuple[MessageField, ...] = ()
    loader: LoaderKeys | None = None
    loader_calls: LoaderCalls | None = None
    scripts: tuple[ScriptMarks, ...] = ()
    relay_sources: tuple[str, ...] = ()
    """Values of `event_source` in messages between servers."""
    repeats: Repeats | None = None
    frame_runtimes: tuple[str, ...] = ()
    """Values of `context.pixel.runtime` that mean a frame of another site."""
    pixel_code: Annotated[str, bounded(NAME)] | None = None
    """The shape of a pixel code, as a regular expression."""
    pixel_code_created: tuple[str, ...] = ()
    """Formats of a pixel code that embed the time of its making."""
    examples: tuple[dict[str, str], ...] = ()
    """Beside those of endpoints: `event`/`expect`, `code`/`valid`, `hash`/`text`, `path`/`means`,
    `message_id`/`repeats`, `host`/`sends`, `script`/`role`, `token`/`nothing`,
    `body` (a loader's) with what is read of it."""
