"""Decoders that rule files steer by parameters alone: pairs, JSON, one word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pixelwitness.consent.decoders.values import base64_json, dig, json_of, moment, plain, word
from pixelwitness.consent.reading import Reading, answered, opted_out, unanswered


def pairs(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """A list of `key:value` pairs. Parameters: `separator`, `key`, `granted`, `denied`, `chosen_key`, `chosen`."""
    parts = [p.partition(params.get("equals", ":")) for p in plain(value).split(params.get("separator", ","))[:500]]
    fields = {k.strip(): v.strip() for k, _, v in parts}
    return _by_fields(fields, params)


def json_fields(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """A JSON object, plain or in base64. `key`, `chosen_key`, `at` are dotted paths; see `_by_fields`."""
    parsed = base64_json(value) if params.get("base64") else json_of(value)
    if not isinstance(parsed, dict):
        return None
    paths = [params.get(k) for k in ("key", "chosen_key", "at", "region")]
    fields = {path: dig(parsed, path) for path in paths if isinstance(path, str)}
    return _by_fields({k: v for k, v in fields.items() if v is not None}, params)


def _by_fields(fields: Mapping[str, Any], params: Mapping[str, Any]) -> list[Reading] | None:
    """The answer at `key`; whether anybody chose at `chosen_key` (in `chosen`), which may be absent from the rule."""
    key = params["key"]
    if key not in fields:
        return None
    said = word(fields[key])
    if said in [word(v) for v in params["granted"]]:
        allowed = True
    elif said in [word(v) for v in params["denied"]]:
        allowed = False
    else:
        return None
    region = fields.get(params.get("region", ""))
    place = region.upper() if isinstance(region, str) and region else None
    chosen_key = params.get("chosen_key")
    if chosen_key and word(fields.get(chosen_key)) not in [word(v) for v in params["chosen"]]:
        return [unanswered(allowed, region=place)]
    return [answered(allowed, at=moment(fields.get(params.get("at", ""))), region=place)]


def flag(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """One word for one statement: `values` maps it to `granted`, `denied`, `unanswered` or `opt_out`."""
    said = params["values"].get(plain(value).strip().lower())
    if said is None:
        return None
    needs = params.get("chosen_by")
    if needs and said == "granted" and plain(jar.get(needs["cookie"], "")) != needs["value"]:
        return [unanswered(True)]
    if said in ("granted", "denied"):
        return [answered(said == "granted")]
    if said == "opt_out":
        return [opted_out(params["kind"], True)]
    return [unanswered()]


def opaque(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """A value that cannot be read: that is what it says."""
    return [Reading(None, "advertising", params.get("reason", "opaque_store"), None)]
