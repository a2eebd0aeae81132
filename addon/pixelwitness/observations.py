"""What ingest says of an exchange: hits, signals, page views, first-party requests, blind spots, marks.

These are the only things that judging reads, live or from the ledger. All are immutable and hold plain data, so that
`model_dump_json` and `model_validate_json` carry them through the ledger unchanged. Times are milliseconds since the
Unix epoch, UTC.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Tier = Literal["contact", "identifier", "event", "auto_collected", "advanced_matching", "plaintext"]
TIERS: tuple[Tier, ...] = ("contact", "identifier", "event", "auto_collected", "advanced_matching", "plaintext")

HitKind = Literal["event", "act", "telemetry", "script", "config", "cookie_call", "app", "unreadable"]
State = Literal["granted", "denied", "unanswered"]
OptOutKind = Literal["gpc", "usp", "gpp", "cmp_sale"]

Source = Literal[
    "cookie", "set_cookie", "query", "body", "cmp_call", "cmp_config", "cmp_loaded", "header", "google", "app", "mark",
    "probe", "statement",
]  # fmt: skip

Level = Literal["vendor", "category", "advertising", "tcf", "none"]
"""How specific a consent signal is: TikTok's own flag; the category that the site's own CMP configuration gives to
TikTok; advertising; purposes of the TCF, which names no TikTok; nothing that decides."""


NEVER_SENT = "never_sent"
"""In a signal's details: its request did not leave the browser."""


class Observation(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Identifier(Observation):
    """One identity field of a hit, by name.

    `field` is the path in the payload (`context.user.email`), `name` the attribute (`email`, `phone_number`,
    `external_id`, `anonymous_id`, ...), `form` how it was written (`sha256_hex`, `sha256_base64url`, `md5`, `sha1`,
    `sha512`, `placeholder_hash`, `placeholder` (`null`, `undefined` and the like in clear), `plaintext`, `malformed`,
    `other`), `collected` how it was obtained (`manual`, `automatic`,
    `event_builder`, `first_party_cookie`, `third_party_cookie`, `click_id`, `suggested`, `device`, `elsewhere`: a test
    persona's hash, or a hash under a name that says e-mail or telephone, where no identity field is known; `unknown`: a
    field of the person's object that no rule knows).
    """

    field: str
    name: str
    form: str
    collected: str
    value: str | None = None
    """The value as it may be stored: a hash as it is, clear text masked."""
    diagnostics: tuple[str, ...] = ()
    """What TikTok's own client says of it, e.g. `plain_email`, `valid`, `invalid`."""
    created_at: int | None = None
    """When the value was made, where its own format embeds that."""
    persona: str | None = None
    """The test persona whose value this is, in clear or hashed."""
    attribute: str | None = None
    """What of the persona: `email`, `phone`, `first_name`, ..."""
    variant: str | None = None
    """In which spelling, and hashed how: `digits as typed, SHA-256`."""
    follows_rule: bool | None = None
    """Whether that spelling is the one that the vendor documents for this attribute."""


class Plaintext(Observation):
    """Clear text of a person found in a hit: what kind, where it stood, and behind which encodings."""

    kind: str
    """`email`, `phone`; of a test persona also `name`, `address` and the like."""
    where: str
    layers: tuple[str, ...] = ()
    masked: str
    persona: str | None = None
    """The test persona whose value this is."""


class Content(Observation):
    """One thing that was read off the page without the site asking."""

    field: str
    """Path in the payload, through JSON inside JSON."""
    what: str
    """In words: `page title`, `text of the clicked element`, `structured data (JSON-LD)`."""
    size: int
    """Characters."""
    sample: str
    """Its beginning, masked."""


class Redaction(Observation):
    """A mark by which the vendor's client says that it took something out."""

    where: str
    token: str
    meaning: str


class Hit(Observation):
    """One request to a pixel vendor, or one message of several in it, decoded."""

    id: str
    exchange_id: str
    ordinal: int = 0
    client: str
    agent: str | None = None
    """The program that sent it (`Exchange.agent`); None: it does not say."""
    vendor: str = "tiktok"
    occurred_at: int
    event_time: int | None = None
    """When the client says the event happened (the payload's own time)."""
    kind: HitKind
    tier: Tier
    event: str | None = None
    event_raw: str | None = None
    action: str | None = None
    pixel_codes: tuple[str, ...] = ()
    message_id: str | None = None
    event_id: str | None = None
    method: str
    transport: str
    """`script`, `beacon`, `image`, `fetch`, `app`, `server` (a server's own call), `navigation`, `preflight`."""
    request_url: str
    host: str
    first_party_host: bool = False
    """The vendor's payload, sent to a host that is not the vendor's."""
    page_url: str | None = None
    """The page that the payload names."""
    page_referrer: str | None = None
    in_frame: bool = False
    """The payload says that it was sent from a cross-site frame: `page_referrer` is then the top page."""
    referer: str | None = None
    origin: str | None = None
    app_id: str | None = None
    gpc: bool = False
    """`Sec-GPC: 1` on the request itself."""
    gpc_added_by_proxy: bool = False
    limited_data_use: bool | None = None
    partner: str | None = None
    library_version: str | None = None
    country: str | None = None
    """The country that the vendor derived from the address, where a response discloses it."""
    identifiers: tuple[Identifier, ...] = ()
    plaintext: tuple[Plaintext, ...] = ()
    collected: tuple[str, ...] = ()
    """What was read off the page without the site asking, as dotted paths into the payload."""
    content: tuple[Content, ...] = ()
    """The same, leaf by leaf."""
    redactions: tuple[Redaction, ...] = ()
    sets_identifier: bool = False
    """The response set an identifier cookie (`_ttp`)."""
    app_consent: dict[str, Any] = Field(default_factory=dict)
    body_sha256: str | None = None
    payload: Any = None
    """The decoded body, masked."""

    @property
    def matching(self) -> tuple[Identifier, ...]:
        """The advanced-matching fields: what the site or the pixel handed over about the person."""
        return tuple(i for i in self.identifiers if is_matching(i))


MATCHING = frozenset({"manual", "automatic", "event_builder", "suggested", "elsewhere"})
NOTHING = frozenset({"placeholder", "placeholder_hash"})
"""Forms of a field that is filled and says nothing about anybody."""


def is_matching(one: Identifier) -> bool:
    """Whether an identity field hands something over about the person: a hash of the empty text does not."""
    return one.collected in MATCHING and one.form not in NOTHING


class Signal(Observation):
    """One observation that bears on consent.

    `host` is the first-party host whose visitor it speaks of; where it was seen on another host (a CMP's own, an
    advertiser's) `host` is None and `page` is the page it belongs to, by Referer or Origin.
    """

    id: str
    exchange_id: str | None
    client: str | None
    """None: of every client (an auditor's mark that names none)."""
    agent: str | None = None
    """The program that sent it (`Exchange.agent`); None: it does not say."""
    host: str | None = None
    page: str | None = None
    property: str | None = None
    """Set where the signal itself names it (a mark)."""
    observed_at: int
    effective_at: int | None = None
    """The time that the value itself carries, where its rule file trusts it."""
    source: Source
    cmp: str | None = None
    name: str
    level: Level = "none"
    state: State | None = None
    """None: it does not say, or cannot be read; `reason` then tells why."""
    reason: str | None = None
    """For `state` None, a kind of blind spot: `opaque_store`, `home_made_consent`, `vendor_not_named`,
    `category_guessed`, ..."""
    choice_made: bool | None = None
    effective_default: Literal["granted", "denied"] | None = None
    opt_out_kind: OptOutKind | None = None
    opt_out: bool | None = None
    """Of an opt-out signal: in force, not in force, or (None) it does not say."""
    region: str | None = None
    expires_at: int | None = None
    detail: dict[str, Any] = Field(default_factory=dict)


class PageView(Observation):
    """A top-level document that was asked for."""

    id: str
    """The exchange's."""
    client: str
    agent: str | None = None
    """The program that sent it (`Exchange.agent`); None: it does not say."""
    at: int
    url: str
    host: str
    referer: str | None = None
    gpc: bool = False
    gpc_added_by_proxy: bool = False
    prerender: bool = False
    status: int | None = None
    is_page: bool = True
    """False: the answer was something else than a page (a PDF, data, a download), where no pixel can run."""
    names_others: bool | None = None
    """Its text names scripts, styles, pictures or frames for the browser to fetch. None: its text was not seen."""


class FirstParty(Observation):
    """A request to a site's own host, and what it shows of that site's cookie jar.

    `cookie_names` is None where the request had no Cookie header; `authoritative` says that such an absence would
    mean an empty jar (a navigation, seen by a recorder that keeps cookies), not a fetch that left cookies out.
    """

    id: str
    client: str
    agent: str | None = None
    """The program that sent it (`Exchange.agent`); None: it does not say."""
    at: int
    host: str
    page_host: str | None = None
    document: bool = False
    cookie_names: tuple[str, ...] | None = None
    authoritative: bool = False
    own_page: bool = True
    """It is known to come from the site's own page. Another site's page may leave cookies out, so that what is
    missing then shows nothing; what is there shows that cookies can be read."""
    cookies_complete: bool = True
    set_cookie_names: tuple[str, ...] = ()
    gpc: bool = False


class Frame(Observation):
    """A document that was loaded into a frame, and the page that embeds it."""

    id: str
    client: str
    at: int
    url: str
    parent: str | None


class BlindSpot(Observation):
    """Why part of the traffic could not be judged. The remedy stands in the rules, by `kind`."""

    client: str | None
    agent: str | None = None
    """The program that sent it (`Exchange.agent`); None: it does not say."""
    property: str | None = None
    host: str | None = None
    kind: str
    detail: str = ""
    at: int | None = None
    exchange_id: str | None = None
    url: str | None = None
    """Of a send that was tried: where to."""
    page: str | None = None
    """The page it came from, by Referer or Origin."""


class PixelSettings(Observation):
    """How a pixel is set up, as the vendor's loader discloses it in its body. None: it does not say."""

    id: str
    """The exchange's."""
    client: str
    at: int
    vendor: str
    code: str
    hit_id: str = ""
    """The request that disclosed it; '' where that is none to the vendor: its loader, served by somebody else."""
    host: str | None = None
    """Of such a loader: who served it."""
    page: str | None = None
    """And the page that asked for it."""
    name: str | None = None
    partner: str | None = None
    setup_mode: str | None = None
    status: str | None = None
    first_party_cookies: bool | None = None
    manual_matching: tuple[str, ...] | None = None
    """Fields that the settings allow the site's own code to hand over."""
    automatic_matching: tuple[str, ...] | None = None
    """Fields that the vendor's client looks for by itself; empty: switched off."""
    plugins: tuple[str, ...] = ()
    """Parts of the client that are switched on."""
    country: str | None = None


class HostedScript(Observation):
    """A script of the vendor's, known by what stands in it, that came from a host which is not the vendor's.

    It is no hit: nothing went to the vendor. What the script then sends is a hit like any other.
    """

    id: str
    """The exchange's."""
    client: str
    at: int
    vendor: str
    role: str
    """What the script is, in the words of its rule."""
    host: str
    url: str
    page: str | None = None
    """The page that asked for it, by Referer or Origin."""


class Observed(Observation):
    """All that one exchange (or its response, seen later) says."""

    category: str = "other"
    page_view: PageView | None = None
    first_party: FirstParty | None = None
    frame: Frame | None = None
    hits: tuple[Hit, ...] = ()
    signals: tuple[Signal, ...] = ()
    blind_spots: tuple[BlindSpot, ...] = ()
    settings: tuple[PixelSettings, ...] = ()
    hosted: tuple[HostedScript, ...] = ()
