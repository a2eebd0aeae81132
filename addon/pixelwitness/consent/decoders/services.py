"""CMPs that ask for each service: one yes or no a service, and sometimes one a category.

Consent to another service is none to TikTok. Granted: TikTok's own key, or a category of advertising. Denied: TikTok's
own key, a category of advertising, or every advertising service that is named, as long as no service was allowed whose
name is the site's own: that one may be TikTok. The names are in rules/consent/services.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pixelwitness.consent.decoders.general import chose, common_fields
from pixelwitness.consent.decoders.names import is_advertising, is_category, is_other, is_tiktok
from pixelwitness.consent.decoders.values import dig, fold, json_of, moment, plain, truth
from pixelwitness.consent.reading import Reading, answered, unanswered, unsure

MAX_SERVICES = 1_000

type Flags = dict[str, bool | None]
"""Service or category to allowed, refused, or (None) not yet answered."""


def services(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """Services as JSON (`{"tiktok": true}`) or as `!tiktok=true!...`.

    Parameters: `under` (dotted paths of the objects that hold them; absent: the whole), `skip` (names that are no
    service; one that ends in `*` is a prefix), `only_own` (say nothing unless TikTok is named), `needs`, and those of
    `general` for choice, time, version and region.
    """
    text = plain(value).strip()
    if text.startswith("!"):
        flags, fields = _marked(text), {}
    else:
        parsed = json_of(value)
        if not isinstance(parsed, dict) or any(dig(parsed, path) is None for path in params.get("needs", ())):
            return None
        flags = _flags(parsed, params)
        chosen = {k for k in ("chosen_key", "at", "version", "region") if k in params}
        fields = {params[k]: dig(parsed, params[k]) for k in chosen}
    common = common_fields(fields, params)
    if flags is None and not (fields and params.get("chosen_key") in params.get("needs", ())):
        return None
    if chose(fields, jar, params) is False:
        return [unanswered(**common)]
    if flags is None:
        return [unsure("vendor_not_named", choice_made=True, **common)]
    said = judge_services(flags, params["lists"], at=moment(fields.get(params.get("at", ""))), common=common)
    if params.get("only_own") and said.level != "vendor":
        return []
    return [said]


def judge_services(
    flags: Flags, lists: Mapping[str, tuple[str, ...]], *, at: int | None = None, common: Mapping[str, Any]
) -> Reading:
    """What a yes or no a service says of TikTok."""
    own = [v for k, v in flags.items() if is_tiktok(k, lists)]
    if own and None in own:
        return unanswered(**common)
    if own:
        return answered(all(own), "vendor", at, **common)
    if flags and all(v is None for v in flags.values()):
        return unanswered(**common)
    category = [v for k, v in flags.items() if is_category(k, lists)]
    advertising = [v for k, v in flags.items() if not is_category(k, lists) and is_advertising(k, lists)]
    if category and all(category):
        return answered(True, at=at, **common)
    perhaps = [v for k, v in flags.items() if any(w in fold(k) for w in lists["perhaps_advertising"])]
    refused = not any((*category, *advertising, *perhaps)) and None not in (*category, *advertising)
    refused = refused and (bool(category) or all(is_other(k, lists) for k, v in flags.items() if v))
    if (category or advertising) and refused:
        return answered(False, at=at, **common)
    return unsure("vendor_not_named", choice_made=True, **common)


def _marked(text: str) -> Flags | None:
    words = {"true": True, "false": False, "wait": None}
    parts = [p.partition("=") for p in text.split("!")[1:MAX_SERVICES]]
    if not all(v in words and re.fullmatch(r"[\w.-]{1,80}", k) for k, _, v in parts):
        return None
    return {k: words[v] for k, _, v in parts} or None


def _flags(parsed: Mapping[str, Any], params: Mapping[str, Any]) -> Flags | None:
    flags: Flags = {}
    for path in params.get("under", ("",)):
        found = dig(parsed, path) if path else parsed
        if found is None:
            continue
        pairs = list(_leaves(found, params.get("skip", ())))[:MAX_SERVICES]
        if any(v is not None and truth(v) is None for _, v in pairs):
            return None
        flags |= {k: truth(v) for k, v in pairs}
    return flags or None


def _leaves(found: Any, skip: tuple[str, ...] | list[str]) -> Iterator[tuple[str, Any]]:
    """Names with their yes or no; of a list everything on it was allowed."""
    if isinstance(found, list):
        yield from ((str(name), True) for name in found if isinstance(name, str))
        return
    for name, value in found.items() if isinstance(found, dict) else ():
        if any(name.startswith(s[:-1]) if s.endswith("*") else name == s for s in skip):
            continue
        if isinstance(value, list):
            yield str(name), bool(value)
            yield from ((str(service), True) for service in value if isinstance(service, str))
        else:
            yield str(name), value
