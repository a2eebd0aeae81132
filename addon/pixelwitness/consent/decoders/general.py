"""Decoders that rule files steer by parameters alone: pairs, JSON, lists of what was allowed, one word.

Parameters that several share: `key` (where the answer stands; the first of a list that does), `granted` and `denied`
(its words; absent: any usual yes or no), `chosen_key` with `chosen` (where and how it stands that somebody chose),
`chosen_beside` (cookies without which nobody chose), `refused_beside` (cookies that say no to everything), `at` (a
time that is trusted), `region`, `version`, `gpc` (where the CMP records Global Privacy Control), `sale` (where it
says whether data may be sold or shared).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pixelwitness.consent.decoders.names import allows_advertising, is_tiktok
from pixelwitness.consent.decoders.values import dig, json_of, moment, place, plain, truth, word
from pixelwitness.consent.reading import Reading, answered, opted_out, unanswered, unsure

MAX_FIELDS = 500
MAX_NAME = 200


def pairs(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """A list of `key:value` pairs. Parameters: `separator` (a regular expression), `equals`, and the shared ones."""
    parts = re.split(params.get("separator", ","), plain(value))[:MAX_FIELDS]
    fields = {k.strip(): v.strip() for k, _, v in (p.partition(params.get("equals", ":")) for p in parts)}
    return read_fields(fields, jar, params)


def json_fields(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """A JSON object, plain or in base64, whose places are named by dotted paths. `needs`: paths that it must have."""
    parsed = json_of(value)
    if not isinstance(parsed, dict) or any(dig(parsed, path) is None for path in params.get("needs", ())):
        return None
    return read_fields(_Paths(parsed), jar, params)


class _Paths(dict[str, Any]):
    """A JSON object whose values are looked up by dotted path."""

    def get(self, path: str, default: Any = None) -> Any:
        found = dig(dict(self), path)
        return default if found is None else found


def read_fields(fields: Mapping[str, Any], jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """What some fields say. Without a word at `key`: what `absent` says of it, else they are none of this system's."""
    keys = [params["key"]] if isinstance(params["key"], str) else params["key"]
    said = next((fields.get(k) for k in keys if word(fields.get(k)) or k in fields), None)
    allowed = _answer(said, params)
    common = common_fields(fields, params)
    chosen = chose(fields, jar, params)
    found = _opt_outs(fields, params, chosen)
    if _refused(jar, params):
        return [answered(False, at=moment(fields.get(params.get("at", ""))), **common), *found]
    if allowed is not None:
        if chosen is False:
            return [unanswered(allowed, **common), *found]
        if chosen is None:
            return [unsure(effective_default=allowed, **common), *found]
        return [answered(allowed, at=moment(fields.get(params.get("at", ""))), **common), *found]
    absent = params.get("absent")
    if absent is None:
        return found or None
    if said is not None:
        return [unsure(**common), *found]
    if absent == "unanswered" or chosen is False:
        return [unanswered(**common), *found]
    return [unsure(absent, choice_made=True, **common), *found]


def _answer(said: Any, params: Mapping[str, Any]) -> bool | None:
    if said is None:
        return None
    if "granted" not in params and "denied" not in params:
        return truth(said)
    if word(said) in [word(v) for v in params.get("granted", ())]:
        return True
    return False if word(said) in [word(v) for v in params.get("denied", ())] else None


def chose(fields: Mapping[str, Any], jar: Mapping[str, str], params: Mapping[str, Any]) -> bool | None:
    """Whether somebody chose; None: it does not say, though the rule names a place where it should."""
    for name, values in params.get("chosen_beside", {}).items():
        beside = [word(plain(v)) for k, v in jar.items() if re.fullmatch(name, k[:MAX_NAME])]
        return any(v in [word(w) for w in values] for v in beside)
    key = params.get("chosen_key")
    if key is None:
        return True
    found = fields.get(key)
    if word(found) in [word(v) for v in params["chosen"]]:
        return True
    if "unchosen" not in params:
        return False
    return False if found is not None and word(found) in [word(v) for v in params["unchosen"]] else None


def common_fields(fields: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Region and details that go with a reading."""
    detail: dict[str, Any] = {}
    if "version" in params and (version := word(fields.get(params["version"]))):
        detail["version"] = version[:80]
    groups = fields.get(params.get("categories", ""))
    if "not_categories" in params:
        groups = {k: v for k, v in fields.items() if k not in params["not_categories"]}
    if isinstance(groups, dict):
        flags = {str(k)[:80]: truth(v) for k, v in list(groups.items())[:MAX_FIELDS]}
        detail["categories"] = {k: v for k, v in flags.items() if v is not None}
    region = place(fields.get(params.get("region", "")), params.get("regions"))
    return {"region": region, "detail": detail}


def _refused(jar: Mapping[str, str], params: Mapping[str, Any]) -> bool:
    """Whether a cookie stands beside this one that says no to everything."""
    return _beside(jar, params.get("refused_beside", {}))


def _beside(jar: Mapping[str, str], wanted: Mapping[str, Any]) -> bool:
    """Whether there is a cookie of one of these names with one of its values."""
    return any(
        re.fullmatch(name, k) and word(plain(v)) in [word(w) for w in values]
        for name, values in wanted.items() for k, v in jar.items()
    )  # fmt: skip


def _opt_outs(fields: Mapping[str, Any], params: Mapping[str, Any], chosen: bool | None) -> list[Reading]:
    found = []
    if "gpc" in params and truth(fields.get(params["gpc"])):
        found += [opted_out("cmp_sale", True, because="gpc"), opted_out("gpc", True, recorded_by_cmp=True)]
    sale = [truth(fields.get(k)) for k in params.get("sale", ())]
    if False in sale or True in sale:
        # A sale that a region's default forbids is nobody's opt-out.
        found.append(opted_out("cmp_sale", None if False in sale and chosen is False else False in sale))
    return found


def listed(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """A list of what was allowed, by category name or id: in JSON at `key`, or the value itself, split at `separator`.

    `advertising`: the names that count (absent: the words of rules/consent/services.yaml). What is not on the list was
    not allowed. `inverted`: the list names what was refused. `services`: where each category's allowed services are
    listed, under every category that there is; where they are others than TikTok, the category says nothing of it.
    `grants_beside`: without one of these cookies, a list that does not forbid advertising grants nothing.
    """
    fields: Mapping[str, Any]
    if "key" in params:
        parsed = json_of(value)
        parsed = {"": parsed} if isinstance(parsed, list) else parsed
        if not isinstance(parsed, dict) or any(dig(parsed, path) is None for path in params.get("needs", ())):
            return None
        fields = _Paths(parsed)
        keys = [params["key"]] if isinstance(params["key"], str) else params["key"]
        found = next((f for f in (parsed.get("") if k == "" else fields.get(k) for k in keys) if f is not None), None)
        found = json_of(found) if isinstance(found, str) else found
        names = _names(found)
    else:
        fields = {}
        names = [n.strip() for n in re.split(params.get("separator", ","), plain(value))[:MAX_FIELDS] if n.strip()]
    if names is None:
        return None
    common = common_fields(fields, params)
    chosen = chose(fields, jar, params)
    if not chosen:
        return [unsure(**common) if chosen is None else unanswered(**common)]
    said = [_counts(n, params) for n in names]
    named = True in said
    if not named and None in said:
        return [unsure("category_guessed", choice_made=True, **common)]
    services = fields.get(params.get("services", ""))
    if named and _others_only(services, params):
        return [unsure("vendor_not_named", choice_made=True, **common)]
    if not named and len(names) > 1 and _never_offered(services, params):
        return [unsure("category_guessed", choice_made=True, **common)]
    allowed = named != bool(params.get("inverted"))
    if allowed and "grants_beside" in params and not _beside(jar, params["grants_beside"]):
        return [unsure(effective_default=True, **common)]
    return [answered(allowed, at=moment(fields.get(params.get("at", ""))), **common)]


def _others_only(services: Any, params: Mapping[str, Any]) -> bool:
    """Whether the services that were allowed in categories of advertising are all others than TikTok."""
    lists = [v for k, v in services.items() if _counts(str(k), params)] if isinstance(services, dict) else []
    names = [n for v in lists if isinstance(v, list) for n in v[:MAX_FIELDS] if isinstance(n, str)]
    return bool(names) and not any(is_tiktok(n, params["lists"]) for n in names)


def _never_offered(services: Any, params: Mapping[str, Any]) -> bool:
    """Whether the categories that there are, allowed or not, are all known to be others than advertising: then nobody
    was asked."""
    offered = [str(k) for k in list(services)[:MAX_FIELDS]] if isinstance(services, dict) else []
    return len(offered) > 1 and all(_counts(name, params) is False for name in offered)


def _names(found: Any) -> list[str] | None:
    if isinstance(found, dict):  # {"marketing": ["a", "b"]}, {"marketing": true}
        return [str(k) for k, v in list(found.items())[:MAX_FIELDS] if v and truth(v) is not False]
    if not isinstance(found, list):
        return None
    return [word(n.get("id", n.get("name")) if isinstance(n, dict) else n) for n in found[:MAX_FIELDS]
            if not isinstance(n, dict) or truth(n.get("value", True))]  # fmt: skip


def _counts(name: str, params: Mapping[str, Any]) -> bool | None:
    """Whether a name on the list is advertising's; None: it does not say."""
    if "advertising" in params:
        return word(name) in [word(a) for a in params["advertising"]]
    return allows_advertising(name, params["lists"])


def unanimous(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """Yes or no by ids whose meaning is the site's own: all refused is a refusal; all allowed a grant where `grants`.

    Parameters: `key` (absent: the value itself is the object), `essential` (ids that are always on), and the shared
    ones.
    """
    parsed = json_of(value)
    if not isinstance(parsed, dict) or any(dig(parsed, path) is None for path in params.get("needs", ())):
        return None
    fields = _Paths(parsed)
    ids = fields.get(params["key"]) if "key" in params else parsed
    ids = json_of(ids) if isinstance(ids, str) else ids
    if not isinstance(ids, dict):
        return None
    flags = {str(k): truth(v) for k, v in list(ids.items())[:MAX_FIELDS]}
    if not flags or None in flags.values():
        return None
    common = common_fields(fields, params)
    found = _opt_outs(fields, params, chose(fields, jar, params))
    optional = [v for k, v in flags.items() if k not in params.get("essential", ())]
    if chose(fields, jar, params) is False:
        default = all(optional) if optional and len(set(optional)) == 1 else None
        return [unanswered(default, **common), *found]
    if optional and not any(optional):
        return [answered(False, at=moment(fields.get(params.get("at", ""))), **common), *found]
    if optional and all(optional) and params.get("grants"):
        return [answered(True, at=moment(fields.get(params.get("at", ""))), **common), *found]
    return [unsure("category_guessed", choice_made=True, **common), *found]


def flag(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """One word for one statement.

    `values` maps it to `granted`, `denied`, `unanswered`, `unanswered_granted`, `unanswered_denied`, `unsure`,
    `opt_out` or `no_opt_out` (of `kind`). Without the cookies of `chosen_beside` a yes or no is the default.
    """
    said = {word(k): v for k, v in params["values"].items()}.get(word(plain(value)))
    if said is None:
        return None
    if said in ("granted", "denied"):
        if _refused(jar, params):
            return [answered(False)]
        always = said in params.get("always_chosen", ())
        chosen = always or chose({}, jar, params)
        return [answered(said == "granted") if chosen else unanswered(said == "granted")]
    if said in ("opt_out", "no_opt_out"):
        if params["kind"] != "gpc":
            return [opted_out(params["kind"], said == "opt_out")]
        sale = [opted_out("cmp_sale", True, because="gpc")] if said == "opt_out" else []
        return [*sale, opted_out("gpc", said == "opt_out", recorded_by_cmp=True)]
    if said == "unsure":
        return [unsure(choice_made=params.get("choice_made"))]
    return [unanswered({"unanswered_granted": True, "unanswered_denied": False}.get(said))]


def opaque(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """A value that cannot be read: that is what it says. `choice_made`: it shows at least that somebody chose."""
    reason = params.get("reason", "opaque_store")
    return [Reading(None, "advertising", reason, params.get("choice_made"))]
