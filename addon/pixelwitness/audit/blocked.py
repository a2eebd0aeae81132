"""Sends that were tried and did not leave the browser."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from pixelwitness.audit.model import Rows
from pixelwitness.observations import BlindSpot, Hit
from pixelwitness.rulebook.law import Judging


def blocked_sends(rows: Rows, rules: Judging) -> list[BlindSpot]:
    """Sends that were tried and did not leave: preflights without their POST, requests that the browser blocked."""
    spots = _once(rows.blind_spots)
    asked = [s for s in spots if s.kind == "preflight" and s.client is not None and s.at is not None]
    unanswered = set(_without_post(asked, rows.hits, spots, rules.preflight_window_ms))
    return [
        spot.model_copy(update={"kind": "blocked_send"}) if spot.kind == "preflight" else spot
        for spot in spots
        if spot.kind == "blocked_send" or spot in unanswered
    ]


def _without_post(
    preflights: Iterable[BlindSpot], hits: Iterable[Hit], spots: Iterable[BlindSpot], window: int
) -> Iterator[BlindSpot]:  # fmt: skip
    """Preflights that no request of their own followed. A request answers one preflight, the earliest that waits.

    Those that need one come first: what browsers send without asking (a beacon of text) answers only what is left. A
    request that was itself blocked is counted already, so it answers its preflight too.
    """
    type Target = tuple[str | None, str]
    posts: dict[Target, dict[tuple[int, str], None]] = defaultdict(dict)
    simple: dict[Target, dict[tuple[int, str], None]] = defaultdict(dict)
    for hit in hits:
        if hit.method == "POST":
            kind = simple if hit.transport == "beacon" else posts
            kind[hit.client, hit.request_url][hit.occurred_at, hit.exchange_id] = None
    for spot in spots:
        if spot.kind == "blocked_send" and spot.at is not None:
            posts[spot.client, spot.url or ""][spot.at, spot.exchange_id or ""] = None
    waiting: dict[Target, list[BlindSpot]] = defaultdict(list)
    for spot in sorted(preflights, key=lambda s: (s.at or 0, s.exchange_id or "")):
        waiting[spot.client, spot.url or ""].append(spot)
    for target, asked in waiting.items():
        left = _unmatched(asked, sorted(at for at, _ in posts.get(target, ())), window)
        yield from _unmatched(left, sorted(at for at, _ in simple.get(target, ())), window)


def _unmatched(asked: list[BlindSpot], times: Iterable[int], window: int) -> list[BlindSpot]:
    """Of some preflights, by time, those without a request of their own among some times, in order."""
    left: list[BlindSpot] = []
    index = 0
    for time in times:
        while index < len(asked) and (asked[index].at or 0) < time - window:
            left.append(asked[index])
            index += 1
        if index < len(asked) and (asked[index].at or 0) <= time:
            index += 1
    return [*left, *asked[index:]]


def _once(spots: Iterable[BlindSpot]) -> list[BlindSpot]:
    return list(dict.fromkeys(spots))
