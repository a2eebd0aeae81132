"""OneTrust's cookie."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from pixelwitness.consent.decoders.values import moment, plain
from pixelwitness.consent.reading import Reading, answered, opted_out, unanswered


def onetrust(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """OptanonConsent: form-encoded, `groups` a list of `id:0|1`; the answer's time stands in OptanonAlertBoxClosed."""
    fields = {k: v[-1] for k, v in parse_qs(value, keep_blank_values=True, max_num_fields=200).items()}
    if "groups" not in fields:
        return None
    groups = {}
    for pair in fields["groups"].split(",")[:500]:
        name, _, flag = pair.rpartition(":")
        if name and flag in ("0", "1"):
            groups[name.strip()] = flag == "1"
    region = re.sub(r";(?=.)", "-", fields.get("geolocation", "")).strip(";") or None
    closed = jar.get("OptanonAlertBoxClosed")
    gpc = fields.get("isGpcEnabled") == "1"
    landing = fields.get("landingPath")
    chosen = closed is not None or (landing in (None, "NotLandingPage") and not gpc)
    chosen = chosen and fields.get("AwaitingReconsent") != "true"
    detail = {"categories": groups, "gpc_recorded": gpc}
    group = next((g for g in params["advertising"] if g in groups), None)
    said: list[Reading] = []
    if not chosen:
        said.append(unanswered(groups[group] if group else None, region=region, detail=detail))
    elif group is None:
        said.append(Reading(None, "advertising", "category_guessed", True, region=region, detail=detail))
    else:
        at = moment(plain(closed)) if closed else None
        said.append(answered(groups[group], at=at, region=region, detail=detail))
    sale = next((g for g in params["sale"] if g in groups), None)
    if sale and (chosen or gpc):
        said.append(opted_out("cmp_sale", not groups[sale], group=sale))
    if gpc:
        said.append(opted_out("gpc", True, recorded_by_cmp=True))
    return said
