"""TrustArc's cookies: levels of consent, a permission string, a block list, and what the notice does by default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pixelwitness.consent.decoders.values import place, plain
from pixelwitness.consent.reading import Reading, answered, opted_out, unanswered, unsure

LEVELS = re.compile(r"\d(?:[,|_]\d)*")
BEHAVIOR = re.compile(r"(expressed|implied|none)(?:[,|](\w{2,3}))?")
MIDDLE = 2
"""The second category: all that there is in a notice of two, and not yet advertising in one of three."""
BLOCKED = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def trustarc(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """One cookie of TrustArc. `form`: `levels` (0 required, 1 functional, 2 advertising; after a colon the digest of
    the notice, and the behaviour), `permit` (the same from 1), `blocklist` (tags that are held back),
    `behavior` (what holds before a choice), `gpc`.

    A level or permission that stands without a choice is the notice's default: `::implied` says so, and so does a
    notice whose behaviour is implied where no level is stored.
    """
    text = plain(value).strip().strip('"')
    form = params["form"]
    if form == "gpc":
        return _gpc(text, jar)
    behavior = BEHAVIOR.fullmatch(plain(jar.get("notice_behavior", "")).strip().strip('"'))
    if form == "behavior":
        said = BEHAVIOR.fullmatch(text)
        if said is None:
            return None
        return [unanswered({"implied": True, "expressed": False}.get(said[1]), region=place(said[2]))]
    region = place(behavior[2]) if behavior else None
    if form == "levels":
        levels, _, rest = text.partition(":")
        note = re.fullmatch(r"(?:[0-9a-f]{32})?:?(?:(implied|expressed)(?:[,|](\w{2,3}))?)?", rest)
        if not LEVELS.fullmatch(levels) or note is None:
            return None
        level = max(map(int, re.findall(r"\d", levels)))
        if note[1] == "implied":
            return [unanswered(level >= 2, region=place(note[2]) or region)]
        if level == MIDDLE - 1 and _unblocked(plain(jar.get("cmapi_gtm_bl", "")).strip()) is None:
            return [unsure("category_guessed", choice_made=True, region=region)]
        return [answered(level >= 2, region=region)]
    permitted = _permitted(text) if form == "permit" else None
    if permitted == MIDDLE:
        return [unsure("category_guessed", choice_made=True, region=region)]
    read = permitted > MIDDLE if permitted is not None else _unblocked(text)
    if read is None:
        return None
    if behavior is not None and not any(re.fullmatch(params["choice"], k[:200]) for k in jar):
        return [unanswered(read, region=region)]
    return [answered(read, region=region)]


def _permitted(text: str) -> int | None:
    """The highest category that is permitted, from 1; None: no permission string."""
    found = re.fullmatch(r"permit[ _]?(\d(?:[,|_ ]\d)*)?(?:[ _]?required)?", text)
    return max(map(int, re.findall(r"\d", found[1]))) if found and found[1] else None


def _unblocked(text: str) -> bool | None:
    """A block list that names advertising tags is a refusal. None: it does not say."""
    return False if BLOCKED.fullmatch(text) and {"awct", "flc", "fls"} <= set(text.split("-")) else None


def _gpc(text: str, jar: Mapping[str, str]) -> list[Reading] | None:
    if text not in ("true", "false"):
        return None
    if text == "false":
        return [unsure()] if len(jar) == 1 else []
    found = [opted_out("cmp_sale", True, because="gpc"), opted_out("gpc", True, recorded_by_cmp=True)]
    others = any(re.fullmatch(r"notice_(gdpr_prefs|preferences)|cmapi_cookie_privacy", k) for k in jar)
    return found if others else [unanswered(False), *found]
