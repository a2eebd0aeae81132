"""Didomi's token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pixelwitness.consent.decoders.names import is_tiktok
from pixelwitness.consent.decoders.values import dig, json_of, moment
from pixelwitness.consent.reading import Reading, answered, unanswered, unsure


def didomi(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """didomi_token: JSON in base64 with the vendors and purposes that were enabled and disabled.

    TikTok has a vendor id of its own (`c:tiktok-XXXXXXXX`). Without it only a refusal of everything, or of the
    `advertising` purposes, says anything about TikTok.
    """
    token = json_of(value)
    if not isinstance(token, dict) or not {"vendors", "purposes", "user_id"} & set(token):
        return None
    lists = {
        (kind, side): [str(i) for i in _list(dig(token, f"{kind}.{side}"))]
        for kind in ("vendors", "purposes") for side in ("enabled", "disabled")
    }  # fmt: skip
    at = moment(token.get("updated"))
    detail = {"version": token["version"]} if isinstance(token.get("version"), int) else {}
    on, off = (any(is_tiktok(i, params["lists"]) for i in lists["vendors", s]) for s in ("enabled", "disabled"))
    if on or off:
        return [answered(on and not off, "vendor", at, detail=detail)]
    if not any(lists.values()):
        # A token is written before a choice with no lists in it; empty ones may be an answer where nothing was offered.
        listed = any(isinstance(token.get(k), dict) for k in ("vendors", "purposes", "vendors_li", "purposes_li"))
        return [unsure("vendor_not_named", detail=detail) if listed else unanswered(detail=detail)]
    refused = set(lists["purposes", "disabled"])
    nothing = not lists["purposes", "enabled"] and not lists["vendors", "enabled"]
    if (refused and nothing) or refused & set(params["advertising"]):
        return [answered(False, at=at, detail=detail)]
    return [unsure("vendor_not_named", choice_made=True, detail=detail)]


def _list(found: Any) -> list[Any]:
    return found[:5_000] if isinstance(found, list) else []
