"""Models of the rules about consent: a file a system, the standard strings, the generic names, marks."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from pixelwitness.observations import Level
from pixelwitness.rulebook.decoders import check_decoder
from pixelwitness.rulebook.load import Rule, SourcedRule
from pixelwitness.rulebook.regex import LINE, NAME, PATH, SHAPE, bounded, check_parameters

NAME_LISTS = (
    "tiktok", "not_the_pixel", "category", "category_beside", "filler", "advertising", "perhaps_advertising",
    "other_services", "advertising_words", "perhaps_words", "other_words", "tiktok_cookies", "tiktok_hosts",
)  # fmt: skip
"""What the rule `services` must hold, since decoders ask for it."""

NamePattern = Annotated[str, bounded(NAME)]
"""A regular expression for the whole name of a cookie."""
Parameters = Annotated[dict[str, Any], AfterValidator(check_parameters)]


class CookieRule(Rule):
    """One cookie of a consent system, and how to read it."""

    name: str | None = None
    pattern: NamePattern | None = None
    """Instead of `name`: an anchored regular expression for the whole name."""
    shape: Annotated[str, bounded(SHAPE, anywhere=True)] | None = None
    """What the decoded value must look like; otherwise it is somebody else's cookie of that name."""
    decoder: str
    params: Parameters = Field(default_factory=dict)
    yields_to: tuple[NamePattern, ...] = ()
    """Names (anchored regular expressions) of cookies that say more: beside one of them this one says nothing."""
    renamed: bool = False
    """Sites rename it: a value of this shape counts under any consent-like name that no other rule reads."""
    unmistakable: bool = False
    """The shape of a renamed cookie is nobody else's: it counts under any name whatever."""

    @model_validator(mode="after")
    def _named(self) -> CookieRule:
        if (self.name is None) == (self.pattern is None):
            raise ValueError("a cookie needs either `name` or `pattern`")
        check_decoder(self.decoder, self.params)
        if self.renamed and self.shape is None:
            raise ValueError("a cookie that is known under any name needs a `shape`")
        if self.unmistakable and not self.renamed:
            raise ValueError("`unmistakable` goes with `renamed`")
        return self


class CallAnswer(Rule):
    """What a call says where its query, or its body, has these values."""

    query: dict[str, str] = Field(default_factory=dict)
    body: dict[str, str] = Field(default_factory=dict)
    """Dotted paths into a JSON body; `[]` stands for every member of a list (all must have the value)."""
    state: Literal["granted", "denied"]


class ListedFlags(Rule):
    """A list in a JSON body with one object a category or service: `{"id": "x", "allowed": true}`."""

    path: str
    """Dotted path of the list."""
    id: str
    flag: str
    """The members with the id, and with the yes or no."""


class CallRule(Rule):
    """A request that a consent system makes when somebody chooses.

    The first of `answers` that fits says what was chosen. Where none fits the call still shows that somebody chose, or
    only that the system is there (`shows: presence`: it is also made when a page loads).
    """

    host: str
    """Host suffix (`=host` for that host alone; `*` for any, since some systems are served from the site's own)."""
    path: str
    """Exact path; one that ends in `*` is a prefix."""
    method: str | None = None
    query: dict[str, str] = Field(default_factory=dict)
    """Query parameters that must have these values."""
    body: dict[str, str] = Field(default_factory=dict)
    """Places of a JSON body that must have these values."""
    state_from: str | None = None
    """A query parameter that says whether advertising was allowed, in the words of `states`."""
    states: dict[str, Literal["granted", "denied"]] = Field(default_factory=dict)
    answers: tuple[CallAnswer, ...] = ()
    categories: dict[str, str] = Field(default_factory=dict)
    """The site's categories, with the query parameters that say whether each was allowed (`true`, `false`)."""
    listed: ListedFlags | None = None
    """Where the body lists the site's categories or services, with whether each was allowed."""
    shows: Literal["choice", "presence"] = "choice"
    region_from: str | None = None
    """A query parameter with the visitor's region."""
    level: Level = "advertising"


class LoadRule(Rule):
    """A script whose loading shows that the consent system runs on the page."""

    host: str
    paths: tuple[str, ...] = ()


class ConfigRule(Rule):
    """A configuration in which the site says which category TikTok's cookies and hosts belong to."""

    host: str
    """As in a call."""
    path: Annotated[str, bounded(PATH)]
    """Regular expression for the whole path."""
    reader: Literal["onetrust", "cookiebot", "named_cookies", "slugs", "templates"]
    essential: tuple[str, ...] = ()
    """Categories that are always on: being in one is no consent."""


class HeaderRule(Rule):
    """A response header of the site that carries the consent system's state."""

    name: str
    pattern: Annotated[str, bounded(LINE, anywhere=True)]
    """Regular expression whose first group is the value."""
    decoder: str
    params: Parameters = Field(default_factory=dict)

    @model_validator(mode="after")
    def _decoded(self) -> HeaderRule:
        if re.compile(self.pattern).groups < 1:
            raise ValueError("`pattern` needs a group in parentheses: the value")
        check_decoder(self.decoder, self.params)
        return self


class ConsentExample(Rule):
    """A raw value and what is right for a visitor of whom this is all that is known."""

    cookie: str | None = None
    value: str = ""
    companions: dict[str, str] = Field(default_factory=dict)
    url: str | None = None
    method: str = "GET"
    body: str = ""
    answers: str | None = None
    """What came back from `url`: a configuration, which puts TikTok into the categories of `places`."""
    places: tuple[str, ...] = ()
    mark: str | None = None
    message: dict[str, Any] | None = None
    """A message of an app's SDK; `says` is what its permission means."""
    says: str | None = None
    state: Literal["granted", "denied", "unanswered"] | None = None
    """None: it decides nothing, or cannot be read."""
    reason: str | None = None
    choice_made: bool | None = None
    effective_default: Literal["granted", "denied"] | None = None
    effective_at: str | None = None
    opt_out: bool | None = None
    region: str | None = None
    level: Level | None = None
    ignored: bool = False
    """The value is not this system's at all."""


class ConsentRule(SourcedRule):
    """One consent system, one standard string, or one list of names."""

    id: str
    name: str
    hosts: tuple[str, ...] = ()
    """Host suffixes that belong to it."""
    loads: tuple[LoadRule, ...] = ()
    store: Literal["cookie", "opaque_cookie", "local_storage", "server", "signal"]
    """Where it keeps the visitor's answer; `cookie` means one that can be read."""
    cookies: tuple[CookieRule, ...] = ()
    companions: tuple[NamePattern, ...] = ()
    """Names (anchored regular expressions) of further cookies of this system, which decoders read along."""
    calls: tuple[CallRule, ...] = ()
    query: tuple[str, ...] = ()
    """For a standard string: names of URL parameters that carry it, on any request."""
    configs: tuple[ConfigRule, ...] = ()
    headers: tuple[HeaderRule, ...] = ()
    holds_days: int | None = None
    """How long an answer holds; None: as long as judging says."""
    phrases: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """For marks: the texts that stand for each meaning."""
    examples: tuple[ConsentExample, ...]

    @model_validator(mode="after")
    def _lists(self) -> ConsentRule:
        if self.id == "services" and (missing := [n for n in NAME_LISTS if n not in self.phrases]):
            raise ValueError(f"phrases: these lists of names are missing: {', '.join(missing)}")
        return self
