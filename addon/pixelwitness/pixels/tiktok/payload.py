"""What is read of a message of TikTok's pixel by name. What has a wrong type is taken for missing."""

from __future__ import annotations

from typing import Any, NamedTuple

PIXEL_CODE = ("pixel_code", "sdkid", "pixelCode")
"""Names under which a message says whose it is, beside its context; the first that is there counts."""


class Message(NamedTuple):
    """One message: an event, an automatic action, or telemetry."""

    event: str | None
    event_id: str | None
    message_id: str | None
    timestamp: Any
    event_time: Any
    action: str | None
    metric_name: str | None
    partner: str | None
    limited_data_use: Any
    library_version: str | None
    runtime: str | None
    page_url: str | None
    """What the context says of the page."""
    page_referrer: str | None
    top_page_url: str | None
    """The page at the top of the message."""
    codes: tuple[str, ...]
    """Every pixel code, each once, in the order in which the message names them."""


def read(message: Any) -> Message:
    """What a decoded message says. Never raises."""
    top = _object(message)
    context = _object(top.get("context"))
    pixel, page, library = _object(context.get("pixel")), _object(context.get("page")), _object(context.get("library"))
    return Message(
        event=_text(top.get("event")),
        event_id=_text(top.get("event_id")),
        message_id=_text(top.get("message_id")),
        timestamp=top.get("timestamp"),
        event_time=top.get("event_time"),
        action=_text(top.get("action")),
        metric_name=_text(top.get("metric_name")),
        partner=_text(top.get("partner")),
        limited_data_use=top.get("limited_data_use"),
        library_version=_text(library.get("version")),
        runtime=_text(pixel.get("runtime")),
        page_url=_text(page.get("url")),
        page_referrer=_text(page.get("referrer")),
        top_page_url=_text(top.get("page_url")),
        codes=_codes(top, context, pixel),
    )


def _codes(top: dict[str, Any], context: dict[str, Any], pixel: dict[str, Any]) -> tuple[str, ...]:
    beside = next((top[name] for name in PIXEL_CODE if name in top), None)
    found = [_text(pixel.get("code")), _text(beside), *(_text(pixel.get("codes")) or "").split("|")]
    if _text(top.get("event_source")) == "web":
        # Events API 2.0: the pixel's code where the source is `web`, the app's id where it is `app`.
        found.append(_text(top.get("event_source_id")))
    sessions = context.get("sessions")
    for session in sessions[:50] if isinstance(sessions, list) else ():
        found.append(session.get("pixel_code") if isinstance(session, dict) else None)
    return tuple(dict.fromkeys(c for c in found if isinstance(c, str) and c))[:50]


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    """Texts and numbers, as text."""
    if isinstance(value, str):
        return value[:4096] or None
    if isinstance(value, bool) or value is None or isinstance(value, dict | list):
        return None
    return str(value)[:4096]
