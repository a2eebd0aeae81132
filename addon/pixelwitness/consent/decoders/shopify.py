"""Shopify's customer privacy cookies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pixelwitness.consent.decoders.values import dig, json_of, place, plain, truth
from pixelwitness.consent.reading import Reading, answered, opted_out, unanswered, unsure

TOKEN = re.compile(r"3\.([AaMmPpSs]{2,8})_([A-Za-z]{2}[A-Za-z0-9]{0,3}|)_([tf])_([tf])_.+")


def shopify(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """`_tracking_consent`, `_cmp_a` or the `_cmp` of Server-Timing.

    Version 2 (JSON): the visitor's own answers stand in `con.CMP` (`""`: none), what is allowed meanwhile in
    `purposes`. Version 3 (`3.AMPS_USCA_t_f_ID`, upper case: allowed) does not tell a default from a choice.
    """
    if token := TOKEN.fullmatch(plain(value).strip()):
        letters = {c.lower(): c.isupper() for c in token[1]}
        if "m" not in letters:
            return None
        detail = {"version": "3", "sale_of_data_region": token[4] == "t"}
        return [unsure(effective_default=letters["m"], region=place(token[2]), detail=detail)]
    parsed = json_of(value)
    if not isinstance(parsed, dict):
        return None
    default = truth(dig(parsed, "purposes.m"))
    region = place(parsed.get("region"))
    detail = {"version": str(parsed["v"])[:20]} if "v" in parsed else {}
    own = dig(parsed, "con.CMP")
    if not isinstance(own, dict):
        known = "purposes" in parsed or "con" in parsed
        return [unsure(effective_default=default, region=region, detail=detail)] if known else None
    found: list[Reading] = []
    marketing, sale = truth(own.get("m")), truth(own.get("s"))
    if marketing is not None:
        found.append(answered(marketing, region=region, detail=detail))
    elif own.get("m") == "":
        # An answer to another question leaves this one open; none to any shows that nobody answered.
        silent = all(v == "" for v in own.values())
        found.append(
            unanswered(default, region=region, detail=detail) if silent
            else unsure(effective_default=default, region=region, detail=detail)
        )  # fmt: skip
    if sale is not None:
        found.append(opted_out("cmp_sale", not sale))
    return found or None
