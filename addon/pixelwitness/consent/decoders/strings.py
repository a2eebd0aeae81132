"""The standard strings as statements: what a TC, GPP, US Privacy or additional-consent string says of a visitor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pixelwitness.consent.decoders.values import json_of, plain
from pixelwitness.consent.iab.ac import read_ac
from pixelwitness.consent.iab.bits import holds, size
from pixelwitness.consent.iab.gpp import GPP, NAMES, read_gpp
from pixelwitness.consent.iab.tcf import TC, OldString, read_tc
from pixelwitness.consent.iab.usp import read_usp
from pixelwitness.consent.reading import Reading, answered, opted_out
from pixelwitness.exchange import iso

PANGLE = 986
"""BYTEDANCE PTE. LTD. on the IAB's vendor list: an ad network for apps, not the pixel (rules/consent/tcf.yaml)."""
DAY = 86_400_000


def bare(value: str) -> str:
    """A string without what transport adds: percent-encoding, quotes, blanks."""
    return plain(value).strip().strip('"').strip()


def tc(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """A TC string. A refusal of purpose 1 is a no; a grant names no TikTok, which is on no vendor list known.

    With `params["strict"]` (a cookie of any name) it must be plausible as well, since other base64 starts alike.
    """
    try:
        said = read_tc(bare(value))
    except OldString:
        return None if params.get("strict") else [Reading(None, "tcf", "old_string", detail={"version": 1})]
    except ValueError:
        return None
    return None if params.get("strict") and not said.plausible else [tc_reading(said)]


def tc_reading(said: TC) -> Reading:
    """What a TC string says of TikTok's pixel."""
    detail = tc_detail(said)
    if 1 not in said.purposes and not said.purpose_one_undisclosed:
        return answered(False, "tcf", detail=detail)
    return Reading(None, "tcf", "vendor_not_named", True, detail=detail)


def tc_detail(said: TC) -> dict[str, Any]:
    """A TC string as plain data, vendor sets as their sizes."""
    return {
        "purposes": sorted(said.purposes),
        "legitimate_interests": sorted(said.legitimate_interests),
        "special_features": sorted(said.special_features),
        "purpose_one_undisclosed": said.purpose_one_undisclosed,
        "vendors": size(said.vendors),
        "vendor_interests": size(said.vendor_interests),
        "disclosed": None if said.disclosed is None else size(said.disclosed),
        "allowed": None if said.allowed is None else size(said.allowed),
        "pangle": holds(said.vendors, PANGLE),
        "restrictions": [[r.purpose, r.kind, size(r.vendors)] for r in said.restrictions[:100]],
        "publisher_purposes": sorted(said.publisher.consents) if said.publisher else None,
        "specific": said.specific,
        "cmp_id": said.cmp_id,
        "vendor_list": said.vendor_list,
        "policy": said.policy,
        "country": said.country,
        "created": iso(said.created),
        "updated": iso(said.updated),
        # Since TCF 2.2 the times are rounded to the day.
        "updated_resolution_ms": DAY if said.updated % DAY == 0 else 100,
    }


def gpp(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """A GPP string: opt-outs of its US sections, its own records of GPC, and the TC string that it may carry.

    `params["applicable"]` names the sections that apply (`gpp_sid`). With `params["strict"]` a section must be there
    that could be read: a cookie of any name may start alike.
    """
    try:
        said = read_gpp(bare(value))
    except ValueError:
        return None
    if params.get("strict") and set(said.ids) <= set(said.unread):
        return None
    applicable = params.get("applicable")
    found = [opted_out("gpp", said.opted_out(applicable), **gpp_detail(said, applicable))]
    if any(said.gpc.values()):
        found.append(opted_out("gpc", True, recorded_by_cmp=True))
    return [*found, tc_reading(said.tc)] if said.tc is not None else found


def gpp_detail(said: GPP, applicable: frozenset[int] | None) -> dict[str, Any]:
    """A GPP string as plain data, sections and fields by their names in the specification."""
    detail: dict[str, Any] = {
        "section_ids": list(said.ids),
        "sections": {
            NAMES[k]: {n: list(v) if isinstance(v, tuple) else v for n, v in f.items()} for k, f in said.us.items()
        },
        "gpc": {NAMES[k]: v for k, v in said.gpc.items()},
    }
    if said.unread:
        detail["unread"] = {str(k): why for k, why in said.unread.items()}
    if applicable is not None:
        detail["applicable"] = sorted(applicable)
    if said.usp is not None:
        detail["uspv1"] = said.usp.text
    if said.canada is not None:
        detail["tcfcav1"] = tc_detail(said.canada)
    return detail


def usp(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """A US Privacy string, or the JSON in which one system keeps it."""
    text = bare(value)
    parsed = json_of(text) if text.startswith("{") and len(text) < 4096 else None
    if isinstance(parsed, dict):
        text = bare(str(parsed.get("uspString", "")))
    try:
        said = read_usp(text)
    except ValueError:
        return None
    detail: dict[str, Any] = {"string": said.text, "applies": said.applies}
    if said.problem:
        detail["problem"] = said.problem
    return [opted_out("usp", said.opted_out, **detail)]


def ac(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """Google's additional consent. It names providers by Google's numbers, of which TikTok is known to have none.

    With `params["strict"]` only the second version counts: `1~2` is too little to be told from anything else.
    """
    try:
        said = read_ac(bare(value))
    except ValueError:
        return None
    if params.get("strict") and said.disclosed is None:
        return None
    disclosed = None if said.disclosed is None else len(said.disclosed)
    detail = {"version": said.version, "consented": len(said.consented), "disclosed": disclosed}
    # It shows that a consent system is at work, whose answer about TikTok it does not hold.
    return [Reading(None, "tcf", "vendor_not_named", detail=detail)]
