"""The named decoders that rules may refer to, and the parameters of each: a mistake shows when rules load.

The algorithms are in `consent/decoders` and `consent/reports`, under the same names (tests/consent/test_parameters.py).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from pixelwitness.observations import OptOutKind
from pixelwitness.rulebook.load import Pattern, Rule, words_of

type Word = bool | int | str
"""A word as it stands in a value: `true`, `1`, `allow`."""
type Statement = Literal[
    "granted", "denied", "unanswered", "unanswered_granted", "unanswered_denied", "unsure", "opt_out", "no_opt_out"
]
type Words = tuple[Word, ...]
type Paths = str | tuple[str, ...]


class Nothing(Rule):
    """No parameters."""


class Common(Rule):
    """What the decoders of `consent/decoders/general.py` share."""

    needs: tuple[str, ...] = ()
    chosen_key: str | None = None
    chosen: Words | None = None
    unchosen: Words = ()
    chosen_beside: dict[Pattern, Words] = Field(default_factory=dict)
    refused_beside: dict[Pattern, Words] = Field(default_factory=dict)
    at: str | None = None
    region: str | None = None
    regions: dict[str, str] = Field(default_factory=dict)
    version: str | None = None
    categories: str | None = None
    not_categories: tuple[str, ...] = ()
    gpc: str | None = None
    sale: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _chosen(self) -> Common:
        if (self.chosen_key is None) != (self.chosen is None):
            raise ValueError("`chosen_key` and `chosen` go together: where a choice stands, and in which words")
        return self


class Fields(Common):
    """`json`."""

    key: Paths
    granted: Words = ()
    denied: Words = ()
    absent: str | None = None


class Pairs(Fields):
    """`pairs`."""

    separator: Pattern = ","
    equals: str = ":"


class Listed(Common):
    """`listed`."""

    key: Paths | None = None
    separator: Pattern = ","
    advertising: Words = ()
    inverted: bool = False
    services: str | None = None
    grants_beside: dict[Pattern, Words] = Field(default_factory=dict)


class Services(Common):
    """`services`."""

    under: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    only_own: bool = False


class Unanimous(Common):
    """`unanimous`."""

    key: str | None = None
    essential: tuple[str, ...] = ()
    grants: bool = False


class Flag(Rule):
    """`flag`."""

    values: dict[str, Statement] = Field(min_length=1)
    kind: OptOutKind | None = None
    chosen_beside: dict[Pattern, Words] = Field(default_factory=dict)
    refused_beside: dict[Pattern, Words] = Field(default_factory=dict)
    always_chosen: tuple[Literal["granted", "denied"], ...] = ()
    choice_made: bool | None = None

    @model_validator(mode="after")
    def _kind(self) -> Flag:
        if self.kind is None and {"opt_out", "no_opt_out"} & set(self.values.values()):
            raise ValueError("an opt-out needs its `kind`: gpc, usp, gpp or cmp_sale")
        return self


class Opaque(Rule):
    """`opaque`."""

    reason: str = "opaque_store"
    choice_made: bool | None = None


class Groups(Rule):
    """`onetrust`."""

    advertising: tuple[str, ...]
    essential: tuple[str, ...] = ()
    sale: tuple[str, ...]


class Names(Rule):
    """Names of purposes that are advertising."""

    advertising: tuple[str, ...]


class Number(Rule):
    """The number of the category of advertising."""

    advertising: int


class Category(Rule):
    """The key of the category of advertising."""

    advertising: str


class Notices(Rule):
    """`fides`."""

    advertising: tuple[str, ...]
    sale: tuple[str, ...]
    answered: tuple[str, ...]


class Trustarc(Rule):
    """`trustarc`."""

    form: Literal["levels", "permit", "blocklist", "behavior", "gpc"]
    choice: Pattern | None = None

    @model_validator(mode="after")
    def _choice(self) -> Trustarc:
        if self.choice is None and self.form in ("permit", "blocklist"):
            raise ValueError(f"`form: {self.form}` needs `choice`: the names of the cookies that a choice writes")
        return self


class Regions(Rule):
    """`cookiebot`."""

    regions: dict[str, str] = Field(default_factory=dict)


class Separated(Rule):
    """`commanders_act`."""

    separator: Pattern = "@"


class ServicesApi(Rule):
    """`services_api`, of the probe."""

    services: str
    answered: str
    answered_values: tuple[Word, ...]


class Actions(Rule):
    """`usercentrics_settings`, of the probe."""

    untouched: tuple[str, ...]
    granted: tuple[str, ...]
    denied: tuple[str, ...]


PARAMETERS: dict[str, type[Rule]] = {
    "flag": Flag,
    "json": Fields,
    "listed": Listed,
    "opaque": Opaque,
    "pairs": Pairs,
    "services": Services,
    "unanimous": Unanimous,
    "ac": Nothing,
    "gpp": Nothing,
    "tc": Nothing,
    "tc_inside": Nothing,
    "usp": Nothing,
    "axeptio_vendors": Nothing,
    "civic": Nothing,
    "commanders_act": Separated,
    "cookiebot": Regions,
    "cookiehub": Number,
    "didomi": Names,
    "evidon": Nothing,
    "fides": Notices,
    "funding_choices": Nothing,
    "ketch": Names,
    "onetrust": Groups,
    "pandectes": Number,
    "shopify": Nothing,
    "tealium": Category,
    "trustarc": Trustarc,
}
"""What reads cookies and headers, with its parameters."""

PROBED: dict[str, type[Rule]] = PARAMETERS | {
    "tcf_api": Nothing,
    "gpp_api": Nothing,
    "onetrust_api": Groups,
    "services_api": ServicesApi,
    "sourcepoint": Nothing,
    "usercentrics_settings": Actions,
}
"""What reads the probe's reports: all of those too."""


def check_decoder(name: str, params: dict[str, Any], known: dict[str, type[Rule]] = PARAMETERS) -> None:
    """Raises ValueError for a decoder that does not exist, or parameters that are not its own."""
    model = known.get(name)
    if model is None:
        raise ValueError(f"there is no decoder {name!r}. There are: {', '.join(sorted(known))}")
    try:
        model.model_validate(params)
    except ValidationError as error:
        fields = ", ".join(model.model_fields) or "none"
        problems = error.errors(include_url=False)[:5]
        wrong = "; ".join(f"{'.'.join(['params', *map(str, p['loc'])])}: {words_of(p)}" for p in problems)
        raise ValueError(f"{wrong}. The parameters of {name} are: {fields} (docs/adding-a-cmp.md)") from error
