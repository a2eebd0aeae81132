"""The message of TikTok's pixel as a model that keeps every field it does not know, and forgives every wrong type."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field


def _text(value: Any) -> str | None:
    if isinstance(value, bool) or value is None or isinstance(value, dict | list):
        return None
    return str(value)[:4096] or None


def _object(value: Any) -> Any:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> Any:
    return value if isinstance(value, list) else []


Text = Annotated[str | None, BeforeValidator(_text)]


class _Open(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class Pixel(_Open):
    code: Text = None
    codes: Text = None
    runtime: Text = None
    mode: Text = None


class Page(_Open):
    url: Text = None
    referrer: Text = None


class Library(_Open):
    name: Text = None
    version: Text = None


class App(_Open):
    id: Text = None
    name: Text = None
    namespace: Text = None


class Context(_Open):
    pixel: Annotated[Pixel, BeforeValidator(_object)] = Pixel()
    page: Annotated[Page, BeforeValidator(_object)] = Page()
    library: Annotated[Library, BeforeValidator(_object)] = Library()
    app: Annotated[App, BeforeValidator(_object)] = App()
    user: Annotated[dict[str, Any], BeforeValidator(_object)] = {}
    device: Annotated[dict[str, Any], BeforeValidator(_object)] = {}
    ad: Annotated[dict[str, Any], BeforeValidator(_object)] = {}
    sessions: Annotated[list[Any], BeforeValidator(_list)] = []
    session_id: Text = None
    pageview_id: Text = None


class Message(_Open):
    """One message: an event, an automatic action, or telemetry."""

    event: Text = None
    event_id: Text = None
    message_id: Text = None
    timestamp: Any = None
    action: Text = None
    metric_name: Text = None
    pixel_code: Annotated[Text, Field(validation_alias=AliasChoices("pixel_code", "sdkid", "pixelCode"))] = None
    event_source: Text = None
    event_source_id: Text = None
    """Events API 2.0: the pixel's code where the source is `web`, the app's id where it is `app`."""
    page_url: Text = None
    partner: Text = None
    limited_data_use: Any = None
    context: Annotated[Context, BeforeValidator(_object)] = Context()
    properties: Annotated[dict[str, Any], BeforeValidator(_object)] = {}


def read(value: Any) -> Message:
    """A decoded message as a model. Never raises: what does not fit is left out of the named fields."""
    return Message.model_validate(value if isinstance(value, dict) else {})


def codes(message: Message) -> tuple[str, ...]:
    """Every pixel code of a message, each once, in the order in which it names them."""
    found = [message.context.pixel.code, message.pixel_code]
    found += (message.context.pixel.codes or "").split("|")
    found += [message.event_source_id] if message.event_source == "web" else []
    found += [s.get("pixel_code") for s in message.context.sessions[:50] if isinstance(s, dict)]
    return tuple(dict.fromkeys(c for c in found if isinstance(c, str) and c))[:50]
