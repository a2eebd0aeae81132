"""Model of the rules that class traffic by host and path."""

from __future__ import annotations

from typing import Literal

from pixelwitness.rulebook.load import Rule, SourcedRule

Category = Literal[
    "pixel_script", "pixel_config", "pixel_event", "pixel_act", "pixel_telemetry", "pixel_cookie_call", "app_sdk",
    "cmp", "tag_manager", "advertising", "analytics", "document", "other",
]  # fmt: skip


class TrafficHost(Rule):
    """A host suffix (`=host` for that host alone), optionally only below some path prefixes."""

    host: str
    paths: tuple[str, ...] = ()
    operator: str | None = None


class TrafficExample(Rule):
    """A URL and whether this rule covers it."""

    url: str
    covered: bool


class TrafficRule(SourcedRule):
    """One class of traffic."""

    id: str
    category: Category
    hosts: tuple[TrafficHost, ...]
    examples: tuple[TrafficExample, ...]
