"""Named decoders of consent cookies, which rule files refer to. A decoder gives None for a value that is not its own.

Each takes the value as it stands in the header, all cookies of the request, and the rule's parameters.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

from pixelwitness.consent import bits
from pixelwitness.consent.reading import Reading, answered, opted_out, unanswered
from pixelwitness.exchange import from_iso

type Decoder = Callable[[str, Mapping[str, str], Mapping[str, Any]], list[Reading] | None]
MAX_VALUE = 65_536


def plain(value: str, rounds: int = 3) -> str:
    """Percent-decoding, repeated while it changes something: `+` is data."""
    for _ in range(rounds):
        if "%" not in value or (decoded := unquote(value)) == value:
            break
        value = decoded
    return value


def _json_of(value: str) -> Any:
    text = plain(value).strip()
    if text[:1] not in '{["' or text.count("{") + text.count("[") > 2_000:
        return None
    try:
        parsed = json.loads(text)
        return json.loads(parsed) if isinstance(parsed, str) else parsed
    except (ValueError, RecursionError):
        return None


def _base64_json(value: str) -> Any:
    bare = plain(value).strip().rstrip("=")
    try:
        raw = base64.b64decode(bare.translate(str.maketrans("-_", "+/")) + "=" * (-len(bare) % 4), validate=True)
        return json.loads(raw)
    except (binascii.Error, ValueError, RecursionError):
        return None


def moment(value: Any) -> int | None:
    """A time as CMPs write it: ISO 8601, or Unix seconds, or milliseconds."""
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value if value > 10**11 else value * 1000) if 10**9 < value < 10**14 else None
    if isinstance(value, str):
        try:
            return from_iso(value[:40])
        except ValueError:
            return None
    return None


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


def cookiebot(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """CookieConsent: a JavaScript object literal with unquoted keys; `utc` is the answer's time."""
    text = plain(value).strip()
    if text == "-1":
        return [unanswered(True)]
    if text == "0":
        return [answered(False)]
    marketing = re.search(r"[{,]\s*\"?marketing\"?\s*:\s*(true|false)", text)
    if marketing is None or not re.search(r"[{,]\s*\"?necessary\"?\s*:", text):
        return None
    allowed = marketing[1] == "true"
    found = re.search(r"region:'([A-Za-z]{2}(?:-[A-Za-z0-9]{1,3})?)'", text)
    region = found[1].upper() if found else None
    if re.search(r"stamp:'-1'", text) or "method:'implied'" in text:
        return [unanswered(allowed, region=region)]
    stamp = re.search(r"utc:(\d{10,13})", text)
    detail = {
        "categories": {
            m[0]: m[1] == "true" for m in re.findall(r"(preferences|statistics|marketing):(true|false)", text)
        }
    }
    said = [answered(allowed, at=moment(stamp[1]) if stamp else None, region=region, detail=detail)]
    string = re.search(r"iab2:'([^']+)'", text)
    return said + (tc(string[1], jar, params) or []) if string else said


def pairs(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """A list of `key:value` pairs. Parameters: `separator`, `key`, `granted`, `denied`, `chosen_key`, `chosen`."""
    parts = [p.partition(params.get("equals", ":")) for p in plain(value).split(params.get("separator", ","))[:500]]
    fields = {k.strip(): v.strip() for k, _, v in parts}
    return _by_fields(fields, params)


def json_fields(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """A JSON object, plain or in base64. `key`, `chosen_key`, `at` are dotted paths; see `_by_fields`."""
    parsed = _base64_json(value) if params.get("base64") else _json_of(value)
    if not isinstance(parsed, dict):
        return None
    paths = [params.get(k) for k in ("key", "chosen_key", "at", "region")]
    fields = {path: _dig(parsed, path) for path in paths if isinstance(path, str)}
    return _by_fields({k: v for k, v in fields.items() if v is not None}, params)


def _dig(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _by_fields(fields: Mapping[str, Any], params: Mapping[str, Any]) -> list[Reading] | None:
    """The answer at `key`; whether anybody chose at `chosen_key` (in `chosen`), which may be absent from the rule."""
    key = params["key"]
    if key not in fields:
        return None
    word = _word(fields[key])
    if word in [_word(v) for v in params["granted"]]:
        allowed = True
    elif word in [_word(v) for v in params["denied"]]:
        allowed = False
    else:
        return None
    region = fields.get(params.get("region", ""))
    place = region.upper() if isinstance(region, str) and region else None
    chosen_key = params.get("chosen_key")
    if chosen_key and _word(fields.get(chosen_key)) not in [_word(v) for v in params["chosen"]]:
        return [unanswered(allowed, region=place)]
    return [answered(allowed, at=moment(fields.get(params.get("at", ""))), region=place)]


def _word(value: Any) -> str:
    return (
        {True: "true", False: "false", None: ""}.get(value, str(value)).lower() if not isinstance(value, dict) else ""
    )


def services(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """One yes or no a service: JSON (`{"tiktok": true}`) or `!tiktok=true!...`. Consent to others is none to TikTok."""
    fields = _service_flags(value)
    if fields is None:
        return None
    lists = params["lists"]
    own = [v for k, v in fields.items() if any(word in k for word in lists["tiktok"])]
    if None in own or (None in fields.values() and not own):
        return [unanswered()]
    if own:
        return [answered(all(own), "vendor")]
    category = [v for k, v in fields.items() if k in lists["category"]]
    advertising = [v for k, v in fields.items() if any(word in k for word in lists["advertising"])]
    if category and all(category):
        return [answered(True)]
    if (category or advertising) and not any((*category, *advertising)):
        return [answered(False)]
    return [Reading(None, "advertising", "vendor_not_named", True)]


def _service_flags(value: str) -> dict[str, bool | None] | None:
    text = plain(value)
    if text.startswith("!"):
        words = {"true": True, "false": False, "wait": None}
        parts = [p.partition("=") for p in text.split("!")[1:500]]
        return {k.lower(): words[v] for k, _, v in parts if v in words} or None
    parsed = _json_of(value)
    if not isinstance(parsed, dict) or not parsed:
        return None
    flags: dict[str, bool | None] = {
        str(k).lower(): bool(v) for k, v in parsed.items() if isinstance(v, bool) or v in (0, 1)
    }
    return flags if flags and len(flags) == len(parsed) else None


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
    parsed = _json_of(text) if text.startswith("{") else None
    if isinstance(parsed, dict):
        text = str(parsed.get("uspString", ""))
    if not bits.USP_SHAPE.fullmatch(text):
        return None
    return [opted_out("usp", bits.usp_opt_out(text), string=text.upper())]


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


DECODERS: dict[str, Decoder] = {
    "onetrust": onetrust,
    "cookiebot": cookiebot,
    "pairs": pairs,
    "json": json_fields,
    "services": services,
    "tc": tc,
    "gpp": gpp,
    "usp": usp,
    "flag": flag,
    "opaque": opaque,
}
