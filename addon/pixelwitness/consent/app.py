"""What an app's SDK messages say of consent: the system's tracking permission, and standard strings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pixelwitness.consent.index import index_of
from pixelwitness.consent.reading import Reading, as_signal
from pixelwitness.consent.wire import in_body
from pixelwitness.exchange import Exchange
from pixelwitness.observations import Hit, Signal
from pixelwitness.rulebook import Rulebook

MAX_DEPTH = 12
MAX_NODES = 5_000


def app_signals(exchange: Exchange, hits: Sequence[Hit], book: Rulebook) -> tuple[Signal, ...]:
    """The consent signals of a batch of app messages; all speak of the app that sent it."""
    app = next((h.app_id for h in hits if h.app_id), None)
    found: list[tuple[str, str, Reading]] = []
    for hit in hits:
        for said in permissions(hit.payload, book):
            if said not in found:
                found.append(said)
    found += in_body(exchange.body)
    return tuple(_signal(exchange, app, i, *one) for i, one in enumerate(found))


def permissions(message: Any, book: Rulebook) -> list[tuple[str, str, Reading]]:
    """The permissions of the operating system that a message tells: field, rule, and what it says.

    They decide nothing (rules/consent/apps.yaml): a permission to track across apps is no consent to a pixel's
    processing, and its refusal is no answer to a question that the app itself has to ask.
    """
    phrases = index_of(book).apps
    names = {name.lower() for name in phrases.get("fields", ())}
    found = []
    for path, value in _leaves(message):
        if path[-1].lower() in names:
            word = str(value).strip().lower()
            meaning = next((m for m, texts in phrases.items() if m != "fields" and word in texts), "not understood")
            found.append((path[-1][:80], "apps", Reading(detail={"value": str(value)[:80], "permission": meaning})))
    return found


def _leaves(message: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    left: list[tuple[tuple[str, ...], Any]] = [((), message)]
    seen = 0
    while left and seen < MAX_NODES:
        path, value = left.pop()
        seen += 1
        if len(path) > MAX_DEPTH:
            continue
        if isinstance(value, dict):
            left += [((*path, str(k)), v) for k, v in value.items()]
        elif isinstance(value, list):
            left += [(path, v) for v in value[:200]]
        elif path:
            yield path, value


def _signal(exchange: Exchange, app: str | None, ordinal: int, name: str, rule: str, reading: Reading) -> Signal:
    key = f"app|{name}|{ordinal}"  # a time inside is the app's own, which no rule trusts
    return as_signal(exchange, "app", name, rule, reading, key, property=app, effective_at=None)
