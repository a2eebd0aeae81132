"""Requests to a pixel vendor as hits, from the request alone; and what a response adds to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

from pixelwitness.classify import Classified
from pixelwitness.exchange import Exchange, header_values
from pixelwitness.identity.people import NOBODY, People
from pixelwitness.mask import mask_text
from pixelwitness.observations import BlindSpot, Hit, HitKind, PixelSettings, Tier
from pixelwitness.pixels.hosted import role_of
from pixelwitness.pixels.tiktok.bounded import bounded
from pixelwitness.pixels.tiktok.hit import app_of, make_hit
from pixelwitness.pixels.tiktok.jsontext import MAX_JSON
from pixelwitness.pixels.tiktok.loader import country, settings
from pixelwitness.pixels.tiktok.paths import at_path
from pixelwitness.pixels.tiktok.transport import flat
from pixelwitness.pixels.tiktok.transport import message as decoded_message
from pixelwitness.pixels.vendor import Vendor, vendor_of
from pixelwitness.rulebook import Rulebook

MAX_MESSAGES = 200
MAX_REMEMBERED = 128 * 1024
"""Bytes of a request's body up to which its hits are remembered until its response comes."""
FLAWS = {
    "cut": "a body whose end is missing, read up to its last whole field: ",
    "rest": "a body with text behind its message that could not be read: ",
}
RELAY = "server_relay"
"""The blind spot of a message that was handed to a server which may pass it on to the vendor."""
type Made = tuple[tuple[Hit, ...], tuple[BlindSpot, ...]]


def hits(exchange: Exchange, classified: Classified, book: Rulebook, people: People = NOBODY) -> Made:
    """The hits of a request to a pixel endpoint, and what of it could not be read.

    The response is not looked at: when it comes, the same request gives the same hits, and costs a look-up.
    """
    if classified.endpoint is None or classified.pixel is None:
        return (), ()
    request = exchange.without_response()
    size = len(exchange.body or b"")
    if size > MAX_JSON:
        return _hits(request, classified, book, people)
    if size > MAX_REMEMBERED:
        return _remembered_last(request, classified, book, people)
    return _remembered(request, classified, book, people)


@lru_cache(128)
def _remembered(request: Exchange, classified: Classified, book: Rulebook, people: People) -> Made:
    return _hits(request, classified, book, people)


@lru_cache(1)
def _remembered_last(request: Exchange, classified: Classified, book: Rulebook, people: People) -> Made:
    return _hits(request, classified, book, people)


def _hits(exchange: Exchange, classified: Classified, book: Rulebook, people: People) -> Made:
    endpoint, pixel = classified.endpoint, classified.pixel
    if endpoint is None or pixel is None:
        return (), ()
    if exchange.method == "OPTIONS":
        return (), (_spot(exchange, "preflight", exchange.host),)
    vendor = vendor_of(book, pixel.vendor)
    anywhere = not endpoint.hosts
    if endpoint.decoder == "query":
        return _made(exchange, vendor, endpoint.kind, endpoint.tier, [None], people)
    parsed = decoded_message(exchange)
    messages: list[Any] = list(islice(_messages(parsed.value), MAX_MESSAGES + 1)) if parsed is not None else []
    if endpoint.decoder == "maybe" and not any(_is_pixel(m) for m in messages):
        return _made(exchange, vendor, endpoint.kind, endpoint.tier, messages[:MAX_MESSAGES] or [None], people)
    if endpoint.decoder == "relay":
        return (), tuple(_relayed(exchange, vendor, messages))
    if anywhere and not any(_is_pixel(m) for m in messages):
        likely = exchange.body is None and exchange.path.rstrip("/") in endpoint.likely_paths
        return (), (_spot(exchange, "first_party_unseen", exchange.host + exchange.path),) if likely else ()
    if not messages and endpoint.decoder == "body" and (fields := flat(exchange)) is not None:
        messages = [fields]
    if not messages:
        return _undecoded(exchange, vendor, endpoint.kind, people)
    spots: list[BlindSpot] = []
    if len(messages) > MAX_MESSAGES:
        messages = messages[:MAX_MESSAGES]
        spots.append(_spot(exchange, "body_cut", f"more than {MAX_MESSAGES} messages in one request"))
    if parsed is not None and parsed.flaw is not None:
        spots.append(_spot(exchange, "body_cut", FLAWS[parsed.flaw] + exchange.host + exchange.path))
    # A message where none is known to be expected is an event until its own fields say otherwise.
    kind = "event" if endpoint.decoder == "maybe" else endpoint.kind
    around = parsed.around if parsed is not None else None
    made, more = _made(exchange, vendor, kind, endpoint.tier, messages, people, around)
    return made, (*spots, *more)


def _made(
    exchange: Exchange, vendor: Vendor, kind: HitKind, least: Tier, messages: list[Any], people: People,
    around: Any = None,
) -> Made:  # fmt: skip
    app = app_of([m for m in messages if m is not None]) if kind == "app" else None
    within = [bounded(m) if m is not None else None for m in messages]
    made = [
        make_hit(
            exchange,
            vendor,
            kind,
            least,
            b.message if b else None,
            i,
            people,
            app=app,
            around=around if i == 0 else None,
        )
        for i, b in enumerate(within)
    ]
    controls = dict.fromkeys(c for _, found in made for c in found.controls)
    spots = [_spot(exchange, "control_persona", f"{attribute} in {where}") for where, attribute in controls]
    unread = [f"{n} values in {path or 'the message'}" for b in within if b for path, n in b.left_out.items()]
    unread += [f"the rest of {path or 'the message'}" for _, found in made for path in found.unread]
    if unread:
        more = f", and {len(unread) - 3} more" if len(unread) > 3 else ""
        spots.append(_spot(exchange, "message_too_rich", f"not looked at: {'; '.join(unread[:3])}{more}"))
    return tuple(hit for hit, _ in made), tuple(spots)


def _messages(value: Any) -> Iterator[dict[str, Any]]:
    """The messages in a decoded body: itself, or those of a batch with what the batch says of all of them."""
    if isinstance(value, list):
        for item in value:
            yield from _messages(item) if isinstance(item, dict) else ()
        return
    batch = value.get("batch") if isinstance(value.get("batch"), list) else value.get("data")
    if isinstance(batch, list) and any(isinstance(m, dict) for m in batch):
        common = {k: v for k, v in value.items() if k not in ("batch", "data")}
        for one in batch:
            if isinstance(one, dict):
                yield {**common, **one}
        return
    yield value


def _is_pixel(message: dict[str, Any]) -> bool:
    """The shape that makes a message TikTok's on any host: a pixel code, and the name of the pixel's library."""
    code = at_path(message, "context.pixel.code")
    return isinstance(code, str) and bool(code) and at_path(message, "context.library.name") == "pixel.js"


def _relayed(exchange: Exchange, vendor: Vendor, messages: list[Any]) -> Iterator[BlindSpot]:
    """Messages in the form of the vendor's interface for servers, posted to somebody else's: once a request.

    They are no hits. The vendor's client sends no such thing, the site's own code does, and what its server then does
    with it (pass it on, drop it, ask for consent first) nobody sees from here.
    """
    found = [m for m in messages if isinstance(m, dict) and _is_relayed(m, vendor)]
    if found:
        codes = dict.fromkeys(str(m.get("event_source_id") or m.get("pixel_code")) for m in found)
        events = dict.fromkeys(str(m["event"])[:60] for m in found)
        said = f"{', '.join(list(events)[:5])} for {', '.join(list(codes)[:3])}: {exchange.host}{exchange.path}"
        yield _spot(exchange, RELAY, mask_text(said))


def _is_relayed(message: dict[str, Any], vendor: Vendor) -> bool:
    """Whether a message is TikTok's for certain: the names are common ones, so that the pixel's code must be one."""
    if not isinstance(message.get("event"), str) or not message["event"]:
        return False
    code = message.get("pixel_code")
    if "event_source" in message:
        code = message.get("event_source_id") if message["event_source"] in vendor.relay_sources else None
    return vendor.is_code(code)


def _undecoded(exchange: Exchange, vendor: Vendor, kind: HitKind, people: People) -> Made:
    if kind == "app" and exchange.method == "GET":
        return _made(exchange, vendor, "app", "contact", [None], people)
    where = exchange.host + exchange.path
    if exchange.body_state == "too_large":
        spot = _spot(exchange, "body_too_large", where)
    elif exchange.body is None:
        spot = _spot(exchange, "body_not_captured", where)
    else:
        empty = not exchange.body and not exchange.parts.query
        spot = _spot(exchange, "unreadable_body", where + (" (empty)" if empty else ""))
    made, more = _made(exchange, vendor, "unreadable", "contact", [None], people)
    return made, (spot, *more)


def _spot(exchange: Exchange, kind: str, detail: str) -> BlindSpot:
    return BlindSpot(
        client=exchange.client,
        agent=exchange.agent,
        host=exchange.host,
        kind=kind,
        detail=detail[:200],
        at=exchange.started_at,
        exchange_id=exchange.id,
        url=mask_text(exchange.url),
        page=page_of(exchange),
    )


def page_of(exchange: Exchange) -> str | None:
    """The page that a request names: Referer, else Origin; None where it names none."""
    for name in ("referer", "origin"):
        value = exchange.fields.get(name)
        if value and value != "null":
            return value
    return None


# --- what the response adds ----------------------------------------------------------------------------------------


def completed(exchange: Exchange, made: tuple[Hit, ...], book: Rulebook) -> tuple[Hit, ...]:
    """The hits of a request with what its response discloses; none where it adds nothing."""
    response = exchange.response
    if response is None or not made:
        return ()
    vendor = vendor_of(book, made[0].vendor)
    names = {c.name for c in vendor.cookies if c.on == "vendor"}
    sets = any(_sets(line, names) for line in header_values(response.headers, "set-cookie"))
    known = country(response.body, vendor) if made[0].kind == "script" else None
    if not sets and known is None:
        return ()
    return tuple(hit.model_copy(update={"sets_identifier": sets, "country": known}) for hit in made)


def disclosed(exchange: Exchange, made: tuple[Hit, ...], book: Rulebook) -> tuple[PixelSettings, ...]:
    """How a pixel is set up, where the response is a loader that says so."""
    response = exchange.response
    if response is None or not response.body or not made or exchange.method != "GET":
        return ()
    hit, vendor = made[0], vendor_of(book, made[0].vendor)
    if hit.kind not in ("script", "config") and role_of(response.body, vendor) is None:
        return ()
    return tuple(
        PixelSettings(
            id=f"{hit.exchange_id}.{said['code']}", client=hit.client, at=hit.occurred_at, vendor=vendor.id,
            hit_id=hit.id, **said,
        )
        for said in settings(response.body, vendor, hit.pixel_codes)
    )  # fmt: skip


def _sets(line: str, names: set[str]) -> bool:
    """Whether a Set-Cookie sets one of the names, and does not delete it."""
    name, _, value = line.partition(";")[0].partition("=")
    gone = re.search(r";\s*max-age\s*=\s*(?:0|-)|;\s*expires=[^;]*19[67]0", line, re.I)
    return name.strip() in names and bool(value.strip()) and gone is None
