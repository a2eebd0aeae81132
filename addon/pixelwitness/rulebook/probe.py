"""Models of the rules about what the probe reads in a page: keys of localStorage, and JavaScript interfaces."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from pixelwitness.rulebook.decoders import PROBED, check_decoder
from pixelwitness.rulebook.load import Rule, SourcedRule
from pixelwitness.rulebook.regex import NAME, bounded, check_parameters


class StoreRule(Rule):
    """One key of localStorage, and how to read its value."""

    name: str | None = None
    pattern: Annotated[str, bounded(NAME)] | None = None
    """Instead of `name`: a regular expression for the whole key, in the syntax that Python and JavaScript share."""
    decoder: str
    params: Annotated[dict[str, Any], AfterValidator(check_parameters)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _named(self) -> StoreRule:
        if (self.name is None) == (self.pattern is None):
            raise ValueError("a store needs either `name` or `pattern`")
        check_decoder(self.decoder, self.params, PROBED)
        return self

    def covers(self, key: str) -> bool:
        """Whether a key is this store's."""
        return key == self.name if self.name is not None else bool(re.fullmatch(self.pattern or "", key))


class ApiRule(Rule):
    """What one JavaScript interface says, as the probe's script passes it on, and how to read that."""

    api: Literal["tcf", "gpp", "onetrust", "cookiebot", "didomi", "usercentrics", "termly"]
    decoder: str
    params: Annotated[dict[str, Any], AfterValidator(check_parameters)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _decoded(self) -> ApiRule:
        check_decoder(self.decoder, self.params, PROBED)
        return self


class ProbeExample(Rule):
    """A raw value, and what is right for a visitor of whom this is all that is known."""

    storage: str | None = None
    api: str | None = None
    value: str
    state: Literal["granted", "denied", "unanswered"] | None = None
    reason: str | None = None
    level: str | None = None
    opt_out: bool | None = None
    ignored: bool = False
    """It says nothing at all."""


class ProbeRule(SourcedRule):
    """One consent system as it looks from inside a page."""

    cmp: str
    """The system's id under `rules/consent/`."""
    storage: tuple[StoreRule, ...] = ()
    apis: tuple[ApiRule, ...] = ()
    examples: tuple[ProbeExample, ...]
