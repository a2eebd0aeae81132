"""Decoders of the IAB's strings in cookies: TCF, GPP, US Privacy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pixelwitness.consent import bits
from pixelwitness.consent.decoders.values import json_of, plain
from pixelwitness.consent.reading import Reading, answered, opted_out


def tc(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """A TC string. A refusal of purpose 1 is a no; a grant names no TikTok, which is on no vendor list known."""
    try:
        said = bits.read_tc(plain(value))
    except ValueError:
        return None
    detail = {"purposes": sorted(said.purposes), "cmp_id": said.cmp_id, "policy": said.policy}
    if 1 not in said.purposes:
        return [answered(False, "tcf", detail=detail)]
    return [Reading(None, "tcf", "vendor_not_named", True, detail=detail)]


def gpp(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """A GPP string: opt-outs of its US sections, and the TC string that it may carry."""
    try:
        said = bits.read_gpp(plain(value))
    except ValueError:
        return None
    found = [opted_out("gpp", said.opted_out, sections=said.opt_outs)]
    if said.gpc:
        found.append(opted_out("gpc", True, recorded_by_cmp=True))
    return found + (tc(said.tc, jar, params) or [] if said.tc else [])


def usp(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """A US Privacy string, or the JSON in which one system keeps it."""
    text = plain(value).strip()
    parsed = json_of(text) if text.startswith("{") else None
    if isinstance(parsed, dict):
        text = str(parsed.get("uspString", ""))
    if not bits.USP_SHAPE.fullmatch(text):
        return None
    return [opted_out("usp", bits.usp_opt_out(text), string=text.upper())]
