"""One message (or a request without one) as a hit."""

from __future__ import annotations

import hashlib
import re
from typing import Any
from urllib.parse import parse_qs, unquote

from pixelwitness.exchange import Exchange, from_iso
from pixelwitness.identity.people import People
from pixelwitness.mask import mask_json, mask_text
from pixelwitness.observations import NOTHING, Hit, HitKind, Identifier, Plaintext, Tier, is_matching
from pixelwitness.pixels.tiktok import payload
from pixelwitness.pixels.tiktok.clear import Clear, search
from pixelwitness.pixels.tiktok.content import collected, content
from pixelwitness.pixels.tiktok.fields import cookie_identifiers, identifiers, url_identifiers
from pixelwitness.pixels.tiktok.paths import at_path
from pixelwitness.pixels.vendor import Vendor

TELEMETRY_ACTIONS = frozenset({"Pf"})


def make_hit(
    exchange: Exchange, vendor: Vendor, kind: HitKind, least: Tier, message: dict[str, Any] | None, ordinal: int,
    people: People, *, app: str | None = None, around: Any = None,
) -> tuple[Hit, Clear]:  # fmt: skip
    """The hit, and what the search for clear text says besides: control personas, and what was not looked at.

    `least` is the tier of a request of its endpoint that carries nothing; `app` the app of the whole batch; `around`
    what stood beside the message in the form or envelope that carried it.
    """
    said = payload.read(message)
    page_url = _plain_url(said.page_url) or said.top_page_url or _text(message, "page.url")
    named = [
        *identifiers(message, vendor, people),
        *cookie_identifiers(exchange, vendor, people),
        *url_identifiers(page_url, "context.page.url", vendor),
    ]
    if message is not None:
        kind = _kind(kind, said)
    clear = search(exchange, message, named, vendor, people, around)
    found = (*named, *clear.elsewhere)
    containers = collected(message, vendor)
    event = said.event or (said.metric_name if kind == "telemetry" else None)
    query = _query(exchange) if message is None else {}
    gpc = exchange.fields.get("sec-gpc", "").strip() == "1"
    hit = Hit(
        id=f"{exchange.id}.{ordinal}",
        exchange_id=exchange.id,
        ordinal=ordinal,
        client=exchange.client,
        agent=exchange.agent,
        vendor=vendor.id,
        occurred_at=exchange.started_at,
        event_time=_event_time(said),
        kind=kind,
        tier=_tier(kind, "event" if kind == "app" and event else least, found, containers, clear.plaintext),
        event=vendor.renames.get(event, event) if event else None,
        event_raw=event,
        action=said.action,
        pixel_codes=said.codes or tuple(c for c in query.get("sdkid", []) if c)[:5],
        message_id=said.message_id,
        event_id=said.event_id,
        method=exchange.method,
        transport=_transport(exchange, kind),
        request_url=mask_text(exchange.url),
        host=exchange.host,
        first_party_host=not vendor.owns(exchange.host),
        page_url=_masked(page_url),
        page_referrer=_masked(said.page_referrer or _text(message, "page.referrer")),
        in_frame=(said.runtime or "") in vendor.frame_runtimes,
        referer=_masked(exchange.fields.get("referer")),
        origin=exchange.fields.get("origin"),
        app_id=(app or _app_asked_for(query)) if kind == "app" else None,
        gpc=gpc,
        gpc_added_by_proxy=gpc and "sec-gpc" in exchange.added_headers,
        limited_data_use=_flag(said.limited_data_use),
        partner=said.partner,
        library_version=said.library_version,
        identifiers=found,
        plaintext=clear.plaintext,
        collected=containers,
        content=content(message, vendor) if containers else (),
        redactions=clear.redactions,
        body_sha256=_digest(exchange),
        payload=mask_json(message) if message is not None else None,
    )
    return hit, clear


def _query(exchange: Exchange) -> dict[str, list[str]]:
    try:
        return parse_qs(exchange.parts.query, max_num_fields=100)
    except ValueError:
        return {}  # so many parameters are no request for a script


def _app_asked_for(query: dict[str, list[str]]) -> str | None:
    return next((v[0][:200] for k in ("app_id", "tiktok_app_id") if (v := query.get(k))), None)


def app_of(messages: list[dict[str, Any]]) -> str | None:
    """The app of a batch: all messages of a request come from one. Its package where any message names it."""
    paths = (
        "context.app.namespace",
        "app.namespace",
        "context.app.id",
        "tiktok_app_id",
        "context.app.tiktok_app_id",
        "app_id",
        "app.app_id",
    )
    for path in paths:
        for message in messages:
            value = at_path(message, path)
            if isinstance(value, str | int) and not isinstance(value, bool) and str(value):
                return str(value)[:200]
    return None


def _masked(text: str | None) -> str | None:
    return mask_text(text) if text else None


def _plain_url(url: str | None) -> str | None:
    """The client of 2020 percent-encoded the whole URL (recorded)."""
    return unquote(url) if url and re.match(r"https?%3a", url, re.I) else url


def _text(message: dict[str, Any] | None, path: str) -> str | None:
    """A text of the Events API, which has its page at the top."""
    value = at_path(message, path)
    return value[:4096] if isinstance(value, str) and value else None


def _kind(kind: HitKind, said: payload.Message) -> HitKind:
    """What a message is: on a copy's host only its shape tells an event from an action."""
    if kind == "event" and said.event is None and said.action is not None:
        return "telemetry" if said.action in TELEMETRY_ACTIONS else "act"
    return kind


def _tier(
    kind: HitKind, least: Tier, found: tuple[Identifier, ...], content: tuple[str, ...], clear: tuple[Plaintext, ...]
) -> Tier:
    if clear:
        return "plaintext"
    if any(is_matching(i) for i in found):
        return "advanced_matching"
    if content:
        return "auto_collected"
    if kind == "event" or (kind in ("act", "app") and least != "contact"):
        return "event"
    return "identifier" if any(i.form not in NOTHING for i in found) else "contact"


def _transport(exchange: Exchange, kind: HitKind) -> str:
    fields = exchange.fields
    if kind in ("script", "config", "cookie_call"):
        return "script"
    if kind == "app":
        return "app"
    if exchange.method == "GET":
        return "image"
    if "access-token" in fields:
        return "server"
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
    seconds = said.event_time
    if isinstance(seconds, int | float) and 10**8 < seconds < 10**11:
        return int(seconds * 1000)
    return None


def _flag(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return bool(value) if isinstance(value, int) else None


def _digest(exchange: Exchange) -> str | None:
    data = exchange.body or (exchange.parts.query.encode("utf-8", "replace") if exchange.method == "GET" else b"")
    return hashlib.sha256(data).hexdigest() if data else None
