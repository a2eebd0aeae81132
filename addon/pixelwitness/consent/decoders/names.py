"""Names of services and categories: which are TikTok's pixel, advertising, or neither (rules/consent/services.yaml)."""

from __future__ import annotations

from collections.abc import Mapping

from pixelwitness.consent.decoders.values import fold, tokens

SHORT = 4
"""A word of up to so many letters must be the whole name; a longer one may stand anywhere in it."""


def is_tiktok(name: str, lists: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a service's name is TikTok's pixel: not an embedded video of it."""
    folded = fold(name)
    return any(w in folded for w in lists["tiktok"]) and not any(w in folded for w in lists["not_the_pixel"])


def is_category(name: str, lists: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a name is that of a category of advertising, and no service's."""
    words = [w for w in tokens(name) if w not in lists["filler"]]
    known = (*lists["category"], *lists["category_beside"])
    return any(w in lists["category"] for w in words) and all(w in known for w in words)


def is_advertising(name: str, lists: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a name is that of a known advertising service."""
    folded = fold(name)
    return any(folded == w or (len(w) > SHORT and w in folded) for w in lists["advertising"])


def is_other(name: str, lists: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a service's name says that it is something else than advertising, so that TikTok is not behind it."""
    return _is_other_service(name, lists) or allows_advertising(name, lists) is False


def _is_other_service(name: str, lists: Mapping[str, tuple[str, ...]]) -> bool:
    folded = fold(name)
    return any(folded == w or (len(w) > SHORT and w in folded) for w in lists["other_services"])


def names_service(name: str, lists: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a name is that of a service for which sites ask consent, or of the category of advertising."""
    return any(is_it(name, lists) for is_it in (is_tiktok, is_category, is_advertising, _is_other_service))


def allows_advertising(name: str, lists: Mapping[str, tuple[str, ...]]) -> bool | None:
    """Whether a category that was allowed is one of advertising; None: its name does not say."""
    lower = name.lower()
    if is_category(name, lists) or any(stem in lower for stem in lists["advertising_words"]):
        return True
    if any(stem in lower for stem in lists["perhaps_words"]):
        return None  # `personalised_ads`, but also `downloads`, `order-tracking`, `marketplace`
    return False if any(stem in lower for stem in lists["other_words"]) else None
