"""Requests that a consent system makes when somebody chooses, and the answer that they carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from pixelwitness.consent.decoders.values import json_of, place, truth, word
from pixelwitness.consent.reading import Reading
from pixelwitness.exchange import Exchange
from pixelwitness.rulebook.consent import CallRule, ListedFlags

MAX_BODY = 262_144


def read_call(exchange: Exchange, call: CallRule) -> Reading | None:
    """What a request says, or None if it is not this call. A call that only shows the system says nothing."""
    fits = exchange.path.startswith(call.path[:-1]) if call.path.endswith("*") else exchange.path == call.path
    if not fits or (call.method and call.method != exchange.method):
        return None
    try:
        query = {k: v[-1] for k, v in parse_qs(exchange.parts.query, max_num_fields=200).items()}
    except ValueError:
        return None
    body = _body(exchange) if call.body or call.listed or any(a.body for a in call.answers) else None
    if not _has(query, body, call.query, call.body):
        return None
    state = call.states.get(query.get(call.state_from, "")) if call.state_from else None
    state = state or next((a.state for a in call.answers if _has(query, body, a.query, a.body)), None)
    region = place(query.get(call.region_from or ""))
    if state is None and call.shows == "presence":
        return Reading(region=region)
    detail: dict[str, Any] = {"dnt": query["dnt"][:20]} if "dnt" in query else {}
    flags = {category: truth(query.get(parameter)) for category, parameter in call.categories.items()}
    if call.listed is not None:
        flags |= _listed(body, call.listed)
    if any(flag is not None for flag in flags.values()):
        detail["categories"] = {category: flag for category, flag in flags.items() if flag is not None}
    reason = None if state else "category_guessed"
    return Reading(state, call.level, reason, choice_made=True, region=region, detail=detail)


def _listed(body: Any, how: ListedFlags) -> dict[str, bool | None]:
    rows = [r for r in _reach(body, [*how.path.split("."), "[]"]) if isinstance(r, dict)]
    return {r[how.id][:80]: truth(r.get(how.flag)) for r in rows if isinstance(r.get(how.id), str)}


def _body(exchange: Exchange) -> Any:
    if not exchange.body or len(exchange.body) > MAX_BODY:
        return None
    return json_of(exchange.body.decode("utf-8", "replace"))


def _has(query: Mapping[str, str], body: Any, wanted: Mapping[str, str], inside: Mapping[str, str]) -> bool:
    if any(query.get(k) != v for k, v in wanted.items()):
        return False
    return all(_all_are(_reach(body, path.split(".")), v) for path, v in inside.items())


def _reach(value: Any, steps: list[str]) -> list[Any]:
    """Everything that stands at a path; `[]` walks all members of a list."""
    if not steps:
        return [value]
    if steps[0] == "[]":
        members = value[:1_000] if isinstance(value, list) else []
        return [found for member in members for found in _reach(member, steps[1:])]
    return _reach(value.get(steps[0]), steps[1:]) if isinstance(value, dict) else []


def _all_are(found: list[Any], wanted: str) -> bool:
    """Whether there is something, and all of it is one of the wanted words (`a|b`)."""
    return bool(found) and all(word(v) in wanted.lower().split("|") for v in found)
