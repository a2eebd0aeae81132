"""OneTrust's cookie."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

from pixelwitness.consent.decoders.values import moment, place, plain
from pixelwitness.consent.reading import Reading, answered, opted_out, unanswered, unsure

MAX_GROUPS = 500


def onetrust(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """OptanonConsent: form-encoded, `groups` a list of `id:0|1`; the answer's time stands in OptanonAlertBoxClosed.

    Parameters: ids of groups, `advertising` in order of preference, `essential` (always on), `sale` (the US groups of
    sale and sharing).
    """
    fields = _fields(value)
    groups = _groups(fields.get("groups", ""))
    if not groups and "groups" not in fields:
        return None
    closed = jar.get("OptanonAlertBoxClosed")
    gpc = fields.get("isGpcEnabled") == "1"
    optional = {k: v for k, v in groups.items() if k not in params.get("essential", ())}
    detail: dict[str, Any] = {"categories": optional, "gpc_recorded": gpc or fields.get("browserGpcFlag") == "1"}
    if version := fields.get("version"):
        detail["version"] = version[:40]
    said = _state(fields, optional, closed, params, {"region": _region(fields), "detail": detail})
    found = [said]
    sale = next((g for g in params["sale"] if g in groups), None)
    if sale and (said.choice_made or gpc):
        found.append(opted_out("cmp_sale", not groups[sale], group=sale))
    elif gpc:
        found.append(opted_out("cmp_sale", True, because="gpc"))
    if detail["gpc_recorded"]:
        found.append(opted_out("gpc", True, recorded_by_cmp=True))
    return found


def _state(
    fields: Mapping[str, str], optional: Mapping[str, bool], closed: str | None, params: Mapping[str, Any],
    common: Mapping[str, Any],
) -> Reading:  # fmt: skip
    group = next((g for g in params["advertising"] if g in optional), None)
    allowed = optional[group] if group else None
    gpc, landing = fields.get("isGpcEnabled") == "1", fields.get("landingPath")
    if fields.get("AwaitingReconsent") == "true":
        return unsure(**common)
    if closed is None and (landing not in (None, "NotLandingPage") or gpc):
        return unanswered(allowed, **common)
    at = moment(plain(closed)) if closed else None
    if allowed is False or (allowed is None and optional and not any(optional.values())):
        return answered(False, at=at, **common)
    if allowed is None:
        return unsure("category_guessed", choice_made=True, **common)
    # OneTrust itself always writes the landing path: without it a blocker or the site wrote the cookie.
    return answered(True, at=at, **common) if closed or landing else unsure(**common)


def _fields(value: str) -> dict[str, str]:
    """The form's fields, also where the whole form was percent-encoded once more."""
    for _ in range(3):
        fields = {k: v[-1] for k, v in parse_qs(value, keep_blank_values=True, max_num_fields=200).items()}
        if "groups" in fields or "%" not in value:
            return fields
        value = unquote(value)
    return {}


def _groups(text: str) -> dict[str, bool]:
    groups = {}
    for pair in plain(text).split(",")[:MAX_GROUPS]:
        name, _, flag = pair.rpartition(":")
        if name and flag in ("0", "1"):
            groups[name.strip()] = flag == "1"
    return groups


def _region(fields: Mapping[str, str]) -> str | None:
    country, _, part = plain(fields.get("geolocation", "")).partition(";")
    if not re.fullmatch(r"[A-Za-z]{2}", country):
        return None
    return place(f"{country}-{part}") if re.fullmatch(r"[A-Za-z0-9]{1,3}", part) else place(country)
