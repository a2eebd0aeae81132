"""One client on one property as a drawing: page views, consent, and sends by tier along time. Pure geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from pixelwitness.observations import TIERS

WIDTH, LEFT, RIGHT = 960, 140, 40
LANE = 26
TOP = 34
MOST_POINTS = 400
LONGEST_GAP_MS = 30_000
TICKS = 6


@dataclass(frozen=True)
class Point:
    """One thing on the timeline. `lane`: `page`, `consent`, or a tier; `verdict`: how a send is drawn."""

    at: str
    lane: str
    text: str
    state: str = ""
    verdict: str = ""
    hit_id: str = ""


@dataclass(frozen=True)
class Mark:
    """A point with its place."""

    x: float
    y: float
    point: Point


@dataclass(frozen=True)
class Band:
    """A stretch of time in one consent state."""

    x: float
    width: float
    state: str


@dataclass(frozen=True)
class Drawing:
    """Everything that a template needs to draw one session."""

    height: int
    lanes: tuple[tuple[str, float], ...]
    marks: tuple[Mark, ...]
    bands: tuple[Band, ...]
    ticks: tuple[tuple[float, str], ...]
    breaks: tuple[tuple[float, str], ...]
    """Where an idle stretch was cut short, and how long it was."""
    points: tuple[Point, ...]
    left_out: int


def milliseconds(at: str) -> int:
    """A time of the ledger as milliseconds since the epoch."""
    return round(datetime.fromisoformat(at).timestamp() * 1000)


def draw(points: Sequence[Point]) -> Drawing:
    """Lays out a session. Idle stretches beyond 30 s are cut short and marked, so that clicks stay apart."""
    ordered = sorted(points, key=lambda p: (p.at, p.lane, p.hit_id))
    shown = ordered[:MOST_POINTS]
    lanes = ["page", "consent", *(t for t in reversed(TIERS) if any(p.lane == t for p in shown))]
    height_of = {lane: TOP + LANE * i + LANE / 2 for i, lane in enumerate(lanes)}
    times = [milliseconds(p.at) for p in shown]
    places, cuts = _places(times)
    marks = tuple(Mark(x, height_of[p.lane], p) for p, x in zip(shown, places, strict=True) if p.lane in height_of)
    return Drawing(
        height=TOP + LANE * len(lanes) + 26,
        lanes=tuple((lane, height_of[lane]) for lane in lanes),
        marks=marks,
        bands=_bands(shown, places),
        ticks=_ticks(shown, places),
        breaks=cuts,
        points=tuple(shown),
        left_out=len(ordered) - len(shown),
    )


def _places(times: list[int]) -> tuple[list[float], tuple[tuple[float, str], ...]]:
    """The x of each time, and the cuts."""
    gaps = [b - a for a, b in pairwise(times)]
    kept = [min(g, LONGEST_GAP_MS) for g in gaps]
    whole = max(sum(kept), 1)
    width = WIDTH - LEFT - RIGHT
    places, now = [], 0
    cuts = []
    for gap, short in zip([0, *gaps], [0, *kept], strict=True):
        if short < gap:
            cuts.append((round(LEFT + width * (now + short / 2) / whole, 1), _duration(gap)))
        now += short
        places.append(round(LEFT + width * now / whole, 1))
    return places[: len(times)], tuple(cuts)


def _duration(gap: int) -> str:
    minutes = gap // 60_000
    if minutes >= 120:
        return f"{minutes // 60} h"
    return f"{minutes} min" if minutes else f"{gap // 1000} s"


def _bands(points: Sequence[Point], places: list[float]) -> tuple[Band, ...]:
    """The state as judged at each page view and send, held until the next one that says otherwise."""
    made: list[Band] = []
    known = [(x, p.state) for p, x in zip(points, places, strict=True) if p.state]
    for i, (x, state) in enumerate(known):
        end = known[i + 1][0] if i + 1 < len(known) else max(places[-1], x + 6)
        if made and made[-1].state == state:
            made[-1] = Band(made[-1].x, round(end - made[-1].x, 1), state)
        elif end > x:
            made.append(Band(x, round(end - x, 1), state))
    return tuple(made)


def _ticks(points: Sequence[Point], places: list[float]) -> tuple[tuple[float, str], ...]:
    """Clock times below, far enough apart to be read."""
    made: list[tuple[float, str]] = []
    apart = (WIDTH - LEFT - RIGHT) / TICKS
    for point, x in zip(points, places, strict=True):
        if not made or x - made[-1][0] >= apart:
            made.append((x, point.at[11:19]))
    return tuple(made)


def points_of(
    hits: Sequence[dict[str, Any]], views: Sequence[dict[str, Any]], signals: Sequence[dict[str, Any]],
    broken: dict[str, bool],
) -> list[Point]:  # fmt: skip
    """A session's rows as points. `broken`: hits that broke a rule, and whether under a law that may apply."""
    made = [Point(v["viewed_at"], "page", v["url"] or "", v["consent_state"] or "") for v in views]
    before: dict[tuple[str, str], str] = {}
    for signal in sorted(signals, key=lambda s: (s["observed_at"], s["id"])):
        said = _said(signal)
        key = (signal["cmp"] or signal["source"], signal["name"])
        if said and before.get(key) != said:
            before[key] = said
            at = signal["effective_at"] if signal["choice_made"] and signal["effective_at"] else signal["observed_at"]
            made.append(Point(at, "consent", f"{signal['cmp'] or signal['source']}, {signal['name']}: {said}"))
    for hit in hits:
        words = set((hit["verdicts"] or {}).values())
        if hit["id"] in broken:
            verdict = "violation" if broken[hit["id"]] else "elsewhere"
        else:
            verdict = "unverified" if "unverified" in words else "compliant"
        text = hit["event"] or hit["action"] or hit["kind"]
        made.append(Point(hit["occurred_at"], hit["tier"], text, hit["consent_state"] or "", verdict, hit["id"]))
    earliest = min((p.at for p in made if p.lane != "consent"), default="")
    return [p for p in made if p.at >= earliest or p.lane != "consent"]


def _said(signal: dict[str, Any]) -> str:
    if signal["opt_out"] == 1:
        return f"opt-out in force ({signal['opt_out_kind']})"
    return str(signal["state"]) if signal["state"] else ""
