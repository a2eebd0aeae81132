"""One request explained: its hits, and what each field of each message means."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from pixelwitness.classify import classify
from pixelwitness.exchange import Exchange
from pixelwitness.identity.people import People
from pixelwitness.observations import BlindSpot, Hit
from pixelwitness.pixels.decode import hits
from pixelwitness.pixels.tiktok.meanings import explained
from pixelwitness.pixels.tiktok.transport import message
from pixelwitness.pixels.vendor import vendor_of
from pixelwitness.rulebook import Rulebook

MAX_VALUE = 2_000


class Field(BaseModel):
    """One leaf of a message. `means` is None where no rule knows the field: it is the site's own, or new."""

    model_config = ConfigDict(frozen=True)

    path: str
    value: Any
    means: str | None


class Explained(BaseModel):
    """A hit, field by field."""

    model_config = ConfigDict(frozen=True)

    hit: Hit
    fields: tuple[Field, ...]
    pixels: dict[str, int | None]
    """When each of its pixels was made, in milliseconds, where the code says so."""
    delay: int | None
    """Milliseconds from the message's own time to its sending; None where either is not known."""
    held: bool
    """The delay is long: held back until consent, queued, or by another clock."""
    repeats: str | None
    """The id of the message that this one sends once more, to another of the vendor's hosts."""
    repeated_event: str | None


class Explanation(BaseModel):
    """What a request is and carries. No hits: it is no request to a pixel that we know."""

    model_config = ConfigDict(frozen=True)

    method: str
    url: str
    category: str
    endpoint: str | None
    hits: tuple[Explained, ...]
    blind_spots: tuple[BlindSpot, ...]


def explain(exchange: Exchange, book: Rulebook, people: People, *, timed: bool = False) -> Explanation:
    """The request explained. Clear text of persons is masked, as in the ledger.

    `timed`: the exchange carries the time at which it was sent, as one of a capture does and a pasted one does not.
    """
    classified = classify(exchange, book)
    found, spots = hits(exchange, classified, book, people)
    return Explanation(
        method=exchange.method,
        url=found[0].request_url if found else "",
        category=classified.category,
        endpoint=classified.endpoint.id if classified.endpoint is not None else None,
        hits=tuple(_explained(hit, book, timed=timed) for hit in found),
        blind_spots=spots,
    )


def _explained(hit: Hit, book: Rulebook, *, timed: bool) -> Explained:
    vendor = vendor_of(book, hit.vendor)
    leaves = explained(hit.payload, vendor) if hit.payload is not None else ()
    fields = tuple(Field(path=leaf.path[:500], value=_short(leaf.value), means=leaf.means) for leaf in leaves)
    delay = hit.occurred_at - hit.event_time if timed and hit.event_time is not None else None
    return Explained(
        hit=hit,
        fields=fields,
        pixels={code: vendor.code_created_at(code) for code in hit.pixel_codes},
        delay=delay,
        held=delay is not None and delay >= book.judging.held_ms,
        repeats=vendor.repeated_message(hit.message_id),
        repeated_event=vendor.repeated_event(hit.payload),
    )


def _short(value: Any) -> Any:
    return value[:MAX_VALUE] if isinstance(value, str) else value


def likely_url(exchange: Exchange, book: Rulebook) -> str:
    """Where a message whose URL is not known is sent, by the names at its top; where most go, if they do not tell."""
    parsed = message(exchange)
    first = parsed.value[0] if parsed and isinstance(parsed.value, list) and parsed.value else parsed and parsed.value
    names = set(first) if isinstance(first, dict) else set()
    told = [e for p in book.pixels for e in p.endpoints if e.told_by]
    fitting = [e for e in told if names.intersection(e.told_by)] or told
    return next((x.url for e in fitting for x in e.examples if x.covered and x.method == "POST"), "")
