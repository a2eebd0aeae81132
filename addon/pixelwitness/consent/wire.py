"""Standard strings on their way: in query parameters, and in what consent systems send and get."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, unquote

from pixelwitness.consent.decoders.strings import ac, gpp, tc, usp
from pixelwitness.consent.google import google_detail
from pixelwitness.consent.index import Index
from pixelwitness.consent.reading import Reading
from pixelwitness.exchange import Exchange

type Found = tuple[str, str, Reading]
"""Name of the place, id of the rule, and what it says."""

type Names = Mapping[str, str]
"""Names of parameters that carry a standard string (`query:` in rules/consent), each with the id of its rule."""

DECODERS = {"tcf": tc, "gpp": gpp, "usp": usp, "ac": ac}
MAX_BODY = 512 * 1024
MAX_STRINGS = 20
_TC_OR_GPP = re.compile(
    r"(?<![A-Za-z0-9_.~-])(?:C[A-Za-z0-9_-]{38,}(?:\.[A-Za-z0-9_-]+)*|DB[A-Za-z0-9_-]{2,60}(?:~[A-Za-z0-9_.-]+)+)(?![A-Za-z0-9_.~-])"
)
_USP = re.compile(
    r"us_?p(?:rivacy)?(?:_?string|_?data)?[\\\"'\s]{0,6}[:=][\\\"'\s]{0,6}(1[YN-]{3})(?![A-Za-z0-9_-])", re.I
)


def may_tell(query: str, index: Index) -> bool:
    """Whether a query has a parameter of which consent is read."""
    lower = query.lower()
    return bool(query) and any(parameter in lower for parameter in index.parameters)


def in_query(exchange: Exchange, index: Index) -> list[Found]:
    """Standard strings in a query: what the page told somebody else of the visitor's choice."""
    if not may_tell(exchange.parts.query, index):
        return []
    query = fields_of(exchange.parts.query)
    found = strings_of(query, index.query)
    if (said := google_detail(query, index.google)) is not None:
        found.append(("gcd", "google", Reading(detail=said)))
    return found


def fields_of(text: str) -> dict[str, str]:
    """Query or form fields by lower-case name, the last of each; {} for what is none."""
    try:
        return {k.lower(): v[-1] for k, v in parse_qs(text, max_num_fields=500).items()}
    except ValueError:
        return {}


def strings_of(fields: Mapping[str, str], names: Names) -> list[Found]:
    """The strings among named fields, with what `gdpr` and `gpp_sid` say of them."""
    about: dict[str, Any] = {}
    if fields.get("gdpr") in ("0", "1"):
        about["gdpr_applies"] = fields["gdpr"] == "1"
    applicable = _sections(fields.get("gpp_sid", ""))
    found: list[Found] = []
    for name, rule in names.items():
        value = fields.get(name)
        if not value:
            continue
        params = {"applicable": applicable} if rule == "gpp" else {}
        for reading in DECODERS[rule](value, {}, params) or []:
            found.append((name, rule, _with(reading, about if reading.level == "tcf" else {})))
    if about.get("gdpr_applies") and not any(rule == "tcf" for _, rule, _ in found):
        # That it applies can be said without a string. That it does not is a default too often to count alone.
        found.append(("gdpr", "tcf", Reading(detail=about)))
    return found


def in_body(body: bytes | None) -> list[Found]:
    """Standard strings anywhere in a body of a consent system: JSON, JSON in JSON, or a form."""
    if not body or len(body) > MAX_BODY:
        return []
    text = body.decode("utf-8", "replace")
    if "%" in text:
        text = unquote(text)
    return list(_loose(text))


def _loose(text: str) -> Iterator[Found]:
    seen: set[str] = set()
    candidates = [(m[0], ("tcf", "gpp")[m[0].startswith("DB")]) for m in _limited(_TC_OR_GPP, text)]
    candidates += [(m[1].upper(), "usp") for m in _limited(_USP, text)]
    for value, rule in candidates:
        if value in seen:
            continue
        seen.add(value)
        for reading in DECODERS[rule](value, {}, {"strict": True}) or []:
            yield rule, rule, reading


def _limited(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    found = []
    for match in pattern.finditer(text):
        found.append(match)
        if len(found) == MAX_STRINGS:
            break
    return found


def _sections(text: str) -> frozenset[int] | None:
    """`gpp_sid`: the sections that apply; -1 (none does) is the empty set, anything else that is no list is None."""
    if text == "-1":
        return frozenset()
    parts = re.split(r"[,_]", text)
    if not text or len(parts) > 50 or not all(p.isascii() and p.isdigit() and len(p) < 5 for p in parts):
        return None
    return frozenset(int(p) for p in parts) or None


def _with(reading: Reading, about: Mapping[str, Any]) -> Reading:
    return replace(reading, detail={**reading.detail, **about}) if about else reading
