"""Requests that a consent system makes when somebody chooses, and the answer that they carry."""

from __future__ import annotations

from urllib.parse import parse_qs

from pixelwitness.consent.reading import Reading
from pixelwitness.exchange import Exchange
from pixelwitness.rulebook.consent import CallRule


def read_call(exchange: Exchange, call: CallRule) -> Reading | None:
    fits = exchange.path.startswith(call.path[:-1]) if call.path.endswith("*") else exchange.path == call.path
    if not fits or (call.method and call.method != exchange.method):
        return None
    query = {k: v[-1] for k, v in parse_qs(exchange.parts.query, max_num_fields=200).items()}
    if any(query.get(k) != v for k, v in call.query.items()):
        return None
    state = call.states.get(query.get(call.state_from, "")) if call.state_from else call.state
    region = query.get(call.region_from or "", "").upper() or None
    reason = None if state else "category_guessed"
    return Reading(state, call.level, reason, choice_made=True, region=region)
