"""Sends that were tried and did not leave the browser, or of which it was not seen whether they did."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

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
    """Preflights that no request of their own followed. A request answers one preflight, the latest before it.

    Those that need one come first: what browsers send without asking (a beacon of text) answers only what is left. A
    request that was itself blocked is counted already, so it answers its preflight too.
    """
    type Target = tuple[str | None, str | None, str]
    preflights, hits, spots = list(preflights), list(hits), list(spots)
    agents: dict[str | None, set[str]] = defaultdict(set)
    rows: tuple[BlindSpot | Hit, ...] = (*preflights, *hits)
    for one in rows:
        if one.agent is not None:
            agents[one.client].add(one.agent)

    def target(one: BlindSpot | Hit, url: str | None) -> Target:
        # One browser's request answers no preflight of another one behind the same client.
        return one.client, one.agent if len(agents[one.client]) > 1 else None, url or ""

    posts: dict[Target, dict[tuple[int, str], None]] = defaultdict(dict)
    simple: dict[Target, dict[tuple[int, str], None]] = defaultdict(dict)
    for hit in hits:
        if hit.method == "POST":
            kind = simple if hit.transport == "beacon" else posts
            kind[target(hit, hit.request_url)][hit.occurred_at, hit.exchange_id] = None
    for spot in spots:
        if spot.kind == "blocked_send" and spot.at is not None:
            posts[target(spot, spot.url)][spot.at, spot.exchange_id or ""] = None
    waiting: dict[Target, list[BlindSpot]] = defaultdict(list)
    for spot in sorted(preflights, key=lambda s: (s.at or 0, s.exchange_id or "")):
        waiting[target(spot, spot.url)].append(spot)
    for where, asked in waiting.items():
        left = _unmatched(asked, sorted(at for at, _ in posts.get(where, ())), window)
        yield from _unmatched(left, sorted(at for at, _ in simple.get(where, ())), window)


def unfollowed(rows: Rows, rules: Judging) -> list[BlindSpot]:
    """Redirects to the vendor whose next hop is not in the recording: it was followed unseen, or not at all. A request
    to that address, sent or blocked, is the next hop of one redirect, at most as long before it as a preflight."""

    def target(one: BlindSpot | Hit, url: str | None) -> tuple[str | None, str]:
        return one.client, _as_sent(url or "")

    spots = _once(rows.blind_spots)
    times: dict[tuple[str | None, str], dict[str, int]] = defaultdict(dict)
    for hit in rows.hits:
        times[target(hit, hit.request_url)][hit.exchange_id] = hit.occurred_at
    for spot in spots:
        if spot.kind in ("blocked_send", "preflight") and spot.at is not None:
            times[target(spot, spot.url)][spot.exchange_id or ""] = spot.at
    waiting: dict[tuple[str | None, str], list[BlindSpot]] = defaultdict(list)
    for spot in sorted(spots, key=lambda s: (s.at or 0, s.exchange_id or "")):
        if spot.kind == "redirect":
            waiting[target(spot, spot.url)].append(spot)
    return [
        spot.model_copy(update={"kind": "redirect_unseen"})
        for where, asked in waiting.items()
        for spot in _unmatched(asked, sorted(times.get(where, {}).values()), rules.preflight_window_ms)
    ]


def _as_sent(url: str) -> str:
    """An address in one spelling: browsers write what a Location says in their own."""
    host, _, rest = url.partition("://")[2].partition("?")
    name, slash, path = host.partition("/")
    return unquote(f"{name.lower()}{slash or '/'}{path}?{rest}")


def _unmatched(asked: list[BlindSpot], times: Iterable[int], window: int) -> list[BlindSpot]:
    """Of some preflights, by time, those without a request of their own among some times, in order."""
    waiting: list[BlindSpot] = []
    index = 0
    for time in times:
        while index < len(asked) and (asked[index].at or 0) <= time:
            waiting.append(asked[index])
            index += 1
        if waiting and (waiting[-1].at or 0) >= time - window:
            waiting.pop()
    return [*waiting, *asked[index:]]


def _once(spots: Iterable[BlindSpot]) -> list[BlindSpot]:
    return list(dict.fromkeys(spots))
