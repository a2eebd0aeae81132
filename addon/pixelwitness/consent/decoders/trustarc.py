"""TrustArc's cookies: levels of consent, a permission string, a block list, and what the notice does by default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pixelwitness.consent.decoders.values import place, plain
from pixelwitness.consent.reading import Reading, answered, opted_out, unanswered, unsure

LEVELS = re.compile(r"\d(?:[,|_]\d)*")
BEHAVIOR = re.compile(r"(expressed|implied|none)(?:[,|](\w{2,3}))?")
BLOCKED = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def trustarc(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """One cookie of TrustArc. `form`: `levels` (0 required, 1 functional, 2 advertising), `permit` (the same from 1),
    `blocklist` (tags that are held back), `behavior` (what holds before a choice), `gpc`.

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
        note = re.fullmatch(r":?(?:(implied|expressed)(?:[,|](\w{2,3}))?)?", rest)
        if not LEVELS.fullmatch(levels) or note is None:
            return None
        allowed = max(map(int, re.findall(r"\d", levels))) >= 2
        if note[1] == "implied":
            return [unanswered(allowed, region=place(note[2]) or region)]
        return [answered(allowed, region=region)]
    read = _permitted(text) if form == "permit" else _unblocked(text)
    if read is None:
        return None
    if behavior is not None and not any(re.fullmatch(params["choice"], k[:200]) for k in jar):
        return [unanswered(read, region=region)]
    return [answered(read, region=region)]


def _permitted(text: str) -> bool | None:
    found = re.fullmatch(r"permit[ _]?(\d(?:[,|_ ]\d)*)?(?:[ _]?required)?", text)
    if found is None or found[1] is None:
        return None
    return max(map(int, re.findall(r"\d", found[1]))) >= 3


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
