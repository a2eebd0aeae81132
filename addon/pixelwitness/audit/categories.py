"""Where the site's own consent configuration puts TikTok, and what an answer by category then says of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pixelwitness.observations import Signal

type Placement = frozenset[str]
"""The categories in which one configuration has TikTok's cookies or host."""


def placements(signals: Iterable[Signal]) -> frozenset[Placement]:
    """Where the configurations that were seen put TikTok: more than one placement where they disagree."""
    return frozenset(
        frozenset(str(c) for c in s.detail.get("tiktok_categories", (s.detail["tiktok_category"],)))
        for s in signals
        if s.source == "cmp_config" and "tiktok_category" in s.detail
    )


def read_by_category(signal: Signal, placed: Collection[Placement]) -> Signal | None:
    """An answer by category, read as one about TikTok; None where it does not speak of TikTok's categories.

    In several categories at once: each of them must have been allowed, so that one of which nothing is said leaves it
    open. Where configurations disagree any of them may be the one that counts.
    """
    said = {_said(signal.detail["categories"], placement) for placement in placed}
    if said <= {None}:
        return None
    if said in ({"granted"}, {"denied"}):
        return signal.model_copy(update={"state": said.pop(), "reason": None})
    chosen = signal.choice_made if signal.state is None else signal.state != "unanswered"
    return signal.model_copy(update={"state": None, "reason": "category_guessed", "choice_made": chosen})


def _said(flags: Mapping[str, Any], placement: Placement) -> str | None:
    own = [bool(flags[c]) for c in placement if c in flags]
    if not own:
        return None
    if not all(own):
        return "denied"
    return "granted" if len(own) == len(placement) else "open"
