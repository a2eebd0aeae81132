"""Requests to a pixel vendor as hits, from the request alone; and what a response adds to them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any
from urllib.parse import parse_qs, unquote

from pixelwitness.classify import Classified
from pixelwitness.exchange import Exchange, from_iso, header_values
from pixelwitness.identity import plaintext
from pixelwitness.mask import mask_json, mask_text
from pixelwitness.observations import BlindSpot, Hit, HitKind, Identifier, Plaintext, Tier
from pixelwitness.pixels.tiktok import payload
from pixelwitness.pixels.tiktok.fields import at_path, identifiers
from pixelwitness.pixels.tiktok.transport import message as decoded_message
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.pixels import IdentityField, PixelCookie

MAX_MESSAGES = 200
MAX_COLLECTED = 50
TELEMETRY_ACTIONS = frozenset({"Pf"})


@dataclass(frozen=True)
class Vendor:
    """All rules about one vendor, put together from its files."""

    id: str
    domains: frozenset[str]
    renames: dict[str, str]
    identity: tuple[IdentityField, ...]
    cookies: tuple[PixelCookie, ...]
    placeholders: dict[str, str]
    collected: tuple[str, ...]
    collected_objects: tuple[str, ...]
    frame_runtimes: frozenset[str]


@lru_cache(32)
def vendor_of(book: Rulebook, name: str) -> Vendor:
    """The rules of a vendor, from all its files."""
    files = [p for p in book.pixels if p.vendor == name]
    return Vendor(
        name,
        frozenset(d for p in files for d in p.domains),
        {k: v for p in files for k, v in p.renames.items()},
        tuple(f for p in files for f in p.identity),
        tuple(c for p in files for c in p.cookies),
        {k: v for p in files for k, v in p.placeholders.items()},
        tuple(c for p in files for c in p.collected),
        tuple(c for p in files for c in p.collected_objects),
        frozenset(r for p in files for r in p.frame_runtimes),
    )


def hits(exchange: Exchange, classified: Classified, book: Rulebook) -> tuple[tuple[Hit, ...], tuple[BlindSpot, ...]]:
    """The hits of a request to a pixel endpoint, and what of it could not be read."""
    endpoint, pixel = classified.endpoint, classified.pixel
    if endpoint is None or pixel is None:
        return (), ()
    if exchange.method == "OPTIONS":
        return (), (_spot(exchange, "preflight", exchange.host),)
    vendor = vendor_of(book, pixel.vendor)
    if endpoint.decoder == "query":
        return (_hit(exchange, vendor, endpoint.kind, endpoint.tier, None, 0),), ()
    value = decoded_message(exchange)
    messages = list(islice(_messages(value), MAX_MESSAGES + 1)) if value is not None else []
    if endpoint.decoder == "maybe" and not any(_is_pixel(m) for m in messages):
        return (_hit(exchange, vendor, endpoint.kind, endpoint.tier, None, 0),), ()
    if not messages:
        return _undecoded(exchange, vendor, endpoint.hosts == (), endpoint.kind)
    spots: tuple[BlindSpot, ...] = ()
    if len(messages) > MAX_MESSAGES:
        messages = messages[:MAX_MESSAGES]
        spots = (_spot(exchange, "body_cut", f"more than {MAX_MESSAGES} messages in one request"),)
    if not endpoint.hosts and not any(_is_pixel(m) for m in messages):
        return (), ()
    # A message where none is known to be expected is an event until its own fields say otherwise.
    kind = "event" if endpoint.decoder == "maybe" else endpoint.kind
    made = [_hit(exchange, vendor, kind, endpoint.tier, m, i) for i, m in enumerate(messages)]
    return tuple(made), spots


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


def _undecoded(
    exchange: Exchange, vendor: Vendor, anywhere: bool, kind: HitKind
) -> tuple[tuple[Hit, ...], tuple[BlindSpot, ...]]:
    if anywhere:
        return (), ()
    if kind == "app" and exchange.method == "GET":
        return (_hit(exchange, vendor, "app", "contact", None, 0),), ()
    spots: tuple[BlindSpot, ...] = ()
    if exchange.body_state == "too_large":
        spots = (_spot(exchange, "body_too_large", exchange.host + exchange.path),)
    elif exchange.body is None:
        spots = (_spot(exchange, "body_not_captured", exchange.host + exchange.path),)
    elif exchange.body or exchange.parts.query:
        spots = (_spot(exchange, "unreadable_body", exchange.host + exchange.path),)
    else:
        spots = (_spot(exchange, "unreadable_body", f"{exchange.host}{exchange.path} (empty)"),)
    return (_hit(exchange, vendor, "unreadable", "contact", None, 0),), spots


def _spot(exchange: Exchange, kind: str, detail: str) -> BlindSpot:
    return BlindSpot(
        client=exchange.client,
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


def _hit(
    exchange: Exchange, vendor: Vendor, kind: HitKind, least: Tier, message: dict[str, Any] | None, ordinal: int
) -> Hit:
    said = payload.read(message)
    context = said.context
    found = (*identifiers(message, vendor.identity, vendor.placeholders), *_cookies(exchange, vendor))
    if message is not None:
        kind = _kind(kind, said)
    collected = _collected(message, vendor)
    clear = _plaintext(exchange, message, found)
    event = said.event or (said.metric_name if kind == "telemetry" else None)
    query = parse_qs(exchange.parts.query, max_num_fields=100) if message is None and exchange.parts.query else {}
    own = any(exchange.host == d or exchange.host.endswith("." + d) for d in vendor.domains)
    gpc = exchange.fields.get("sec-gpc", "").strip() == "1"
    return Hit(
        id=f"{exchange.id}.{ordinal}",
        exchange_id=exchange.id,
        ordinal=ordinal,
        client=exchange.client,
        vendor=vendor.id,
        occurred_at=exchange.started_at,
        event_time=_event_time(said),
        kind=kind,
        tier=_tier(kind, "event" if kind == "app" and event else least, found, collected, clear),
        event=vendor.renames.get(event, event) if event else None,
        event_raw=event,
        action=said.action,
        pixel_codes=payload.codes(said) or tuple(c for c in query.get("sdkid", []) if c)[:5],
        message_id=said.message_id,
        event_id=said.event_id,
        method=exchange.method,
        transport=_transport(exchange, kind),
        request_url=mask_text(exchange.url),
        host=exchange.host,
        first_party_host=not own,
        page_url=_masked(_plain_url(context.page.url) or said.page_url or _events_api(message, "page.url")),
        page_referrer=_masked(context.page.referrer),
        in_frame=(context.pixel.runtime or "") in vendor.frame_runtimes,
        referer=_masked(exchange.fields.get("referer")),
        origin=exchange.fields.get("origin"),
        app_id=_app(said, message) if kind == "app" else None,
        gpc=gpc,
        gpc_added_by_proxy=gpc and "sec-gpc" in exchange.added_headers,
        limited_data_use=_flag(said.limited_data_use),
        partner=said.partner,
        library_version=context.library.version,
        identifiers=found,
        plaintext=clear,
        collected=collected,
        body_sha256=_digest(exchange),
        payload=mask_json(message) if message is not None else None,
    )


def _masked(text: str | None) -> str | None:
    return mask_text(text) if text else None


def _plain_url(url: str | None) -> str | None:
    """The client of 2020 percent-encoded the whole URL (recorded)."""
    return unquote(url) if url and re.match(r"https?%3a", url, re.I) else url


def _events_api(message: dict[str, Any] | None, path: str) -> str | None:
    value = at_path(message, path)
    return value[:4096] if isinstance(value, str) else None


def _kind(kind: HitKind, said: payload.Message) -> HitKind:
    """What a message is: on a copy's host only its shape tells an event from an action."""
    if kind == "event" and said.event is None and said.action is not None:
        return "telemetry" if said.action in TELEMETRY_ACTIONS else "act"
    return kind


def _tier(
    kind: HitKind, least: Tier, found: tuple[Identifier, ...], collected: tuple[str, ...], clear: tuple[Plaintext, ...]
) -> Tier:
    if clear:
        return "plaintext"
    if any(i.collected in ("manual", "automatic", "event_builder", "suggested") for i in found):
        return "advanced_matching"
    if collected:
        return "auto_collected"
    if kind == "event" or (kind in ("act", "app") and least != "contact"):
        return "event"
    return "identifier" if found else "contact"


def _cookies(exchange: Exchange, vendor: Vendor) -> Iterator[Identifier]:
    header = exchange.fields.get("cookie", "")
    for rule in vendor.cookies:
        for pair in header.split(";")[:300]:
            name, _, value = pair.strip().partition("=")
            if name == rule.name and value:
                yield Identifier(field=f"cookie.{name}", name=name, form="other", collected=rule.collected)


def _collected(message: dict[str, Any] | None, vendor: Vendor) -> tuple[str, ...]:
    """What was read off the page without the site asking: paths that hold something."""
    paths: list[str] = []
    for path in vendor.collected:
        value = at_path(message, path)
        if isinstance(value, dict):
            paths += [f"{path}.{key}" for key, child in value.items() if child not in (None, "", "{}", "[]", {}, [])]
        elif value not in (None, "", "{}", "[]", []):
            paths.append(path)
    paths += [p for p in vendor.collected_objects if isinstance(v := at_path(message, p), dict | list) and v]
    return tuple(p[:200] for p in paths[:MAX_COLLECTED])


def _plaintext(
    exchange: Exchange, message: dict[str, Any] | None, found: tuple[Identifier, ...]
) -> tuple[Plaintext, ...]:
    """Clear text of a person anywhere in what TikTok was sent.

    What the site itself publishes on the page (metadata, JSON-LD, links) names the site's own people, not the visitor:
    an address there is no finding.
    """
    spots = plaintext.find(_without_query_message(exchange), "request_url")
    if referer := exchange.fields.get("referer"):
        spots += plaintext.find(referer, "referer")
    if message is not None:
        spots += plaintext.find(_without_page_content(message), "")
    known = {(p.kind, p.where) for p in spots}
    for i in found:
        if i.form == "plaintext" and i.name in ("email", "phone_number") and (i.name[:5], i.field) not in known:
            kind = "email" if i.name == "email" else "phone"
            if (kind, i.field) not in known:
                spots.append(Plaintext(kind=kind, where=i.field, masked=i.value or ""))
    return tuple(spots)


def _without_query_message(exchange: Exchange) -> str:
    """The URL without the message that the image transport carries: that one is searched as a body."""
    return re.sub(r"(analytics_message=)[^&#]*", r"\1", exchange.url)


def _without_page_content(message: dict[str, Any]) -> dict[str, Any]:
    collected = message.get("auto_collected_properties")
    if not isinstance(collected, dict):
        return message
    # Metadata, and the structure of forms (labels and placeholders, no typed values), are the site's own words.
    visitor = {k: v for k, v in collected.items() if k not in ("content_data", "form_details")}
    trigger = visitor.get("trigger_element")
    if isinstance(trigger, dict) and isinstance(trigger.get("attributes"), dict):
        links = {k: v for k, v in trigger["attributes"].items() if not _is_contact_link(v)}
        if len(links) < len(trigger["attributes"]):
            trigger = {k: v for k, v in trigger.items() if k != "inner_text"}  # the text of that link
        visitor["trigger_element"] = {**trigger, "attributes": links}
    return {**message, "auto_collected_properties": visitor}


def _is_contact_link(value: Any) -> bool:
    """A link that writes to or calls somebody: the site's own address, not the visitor's."""
    return isinstance(value, str) and value.lower().startswith(("mailto:", "tel:", "sms:"))


def _transport(exchange: Exchange, kind: HitKind) -> str:
    fields = exchange.fields
    if kind in ("script", "config", "cookie_call"):
        return "script"
    if kind == "app":
        return "app"
    if exchange.method == "GET":
        return "image"
    if fields.get("sec-fetch-mode") == "cors" or "x-requested-with" in fields:
        return "fetch"
    return "beacon"


def _event_time(said: payload.Message) -> int | None:
    value = said.timestamp
    if isinstance(value, str):
        try:
            return from_iso(value[:40])
        except ValueError:
            return None
    seconds = said.model_extra.get("event_time") if said.model_extra else None
    if isinstance(seconds, int | float) and 10**8 < seconds < 10**11:
        return int(seconds * 1000)
    return None


def _flag(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return bool(value) if isinstance(value, int) else None


def _app(said: payload.Message, message: dict[str, Any] | None) -> str | None:
    app = said.context.app
    for value in (app.namespace, app.id, at_path(message, "tiktok_app_id"), at_path(message, "app_id")):
        if isinstance(value, str) and value:
            return value[:200]
    return None


def _digest(exchange: Exchange) -> str | None:
    data = exchange.body or (exchange.parts.query.encode("utf-8", "replace") if exchange.method == "GET" else b"")
    return hashlib.sha256(data).hexdigest() if data else None


# --- what the response adds ----------------------------------------------------------------------------------------

COUNTRY = re.compile(rb"[._]cc\s*=\s*[\"']([A-Za-z]{2})[\"']|\"_cc\"\s*:\s*\"([A-Za-z]{2})\"")


def completed(exchange: Exchange, made: tuple[Hit, ...], book: Rulebook) -> tuple[Hit, ...]:
    """The hits of a request with what its response discloses; none where it adds nothing."""
    response = exchange.response
    if response is None or not made:
        return ()
    names = {c.name for c in vendor_of(book, made[0].vendor).cookies}
    sets = any(_sets(line, names) for line in header_values(response.headers, "set-cookie"))
    country = _country(response.body) if made[0].kind == "script" else None
    if not sets and country is None:
        return ()
    return tuple(hit.model_copy(update={"sets_identifier": sets, "country": country}) for hit in made)


def _sets(line: str, names: set[str]) -> bool:
    """Whether a Set-Cookie sets one of the names, and does not delete it."""
    name, _, value = line.partition(";")[0].partition("=")
    gone = re.search(r";\s*max-age\s*=\s*(?:0|-)|;\s*expires=[^;]*19[67]0", line, re.I)
    return name.strip() in names and bool(value.strip()) and gone is None


def _country(body: bytes | None) -> str | None:
    found = COUNTRY.search(body[:2_000_000]) if body else None
    return (found[1] or found[2]).decode().upper() if found else None
