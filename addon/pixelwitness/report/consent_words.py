"""A consent value in words, for people: which system, what it says of advertising and TikTok, since when, by whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pixelwitness.consent.explain import Explained, Said
from pixelwitness.consent.reading import Reading
from pixelwitness.exchange import iso
from pixelwitness.rulebook import Rulebook

LEVELS = {
    "vendor": "TikTok, by its own entry",
    "category": "TikTok's category",
    "advertising": "Advertising",
    "tcf": "Advertising (TCF)",
    "none": "Consent",
}
OPT_OUTS = {
    "usp": "of sale (US Privacy)",
    "gpp": "of sale, sharing or targeted advertising (GPP)",
    "cmp_sale": "of sale",
    "gpc": "Global Privacy Control, as the system recorded it",
}
SCALE = {
    "OptOut": ("not applicable", "opted out", "did not opt out"),
    "Notice": ("not applicable", "given", "not given"),
    "Consent": ("not applicable", "no consent", "consent"),
    "Mspa": ("not applicable", "yes", "no"),
}
OPT_OUT_OF_SENSITIVE = frozenset({"usca", "usut", "usia"})
"""Where the law asks for an opt-out of sensitive data, not for consent (specification of these sections, memory)."""


def lines(explained: Explained, book: Rulebook) -> Iterator[str]:
    """The whole explanation, line by line."""
    yield f"Read as: {explained.form}"
    if not explained.said:
        yield "Nothing in it is known to speak of consent."
        if explained.silent:
            yield f"It looks like: {', '.join(explained.silent[:40])}"
        return
    for said in explained.said:
        yield ""
        yield _title(said, book)
        for reading in said.readings:
            for label, words in _reading(reading, book):
                yield f"  {label}: {words}"
    if explained.silent:
        yield ""
        more = f" and {len(explained.silent) - 40} more" if len(explained.silent) > 40 else ""
        yield f"Say nothing of consent: {', '.join(explained.silent[:40])}{more}"


def _title(said: Said, book: Rulebook) -> str:
    name = next((r.name for r in book.consent if r.id == said.system), None)
    if name is None:
        return f"A consent-like cookie that no rule reads ({said.place})"
    return f"{'Perhaps ' if said.guessed else ''}{name} ({said.place})"


def _reading(reading: Reading, book: Rulebook) -> Iterator[tuple[str, str]]:
    if reading.opt_out_kind is not None:
        words = {True: "opted out", False: "not opted out", None: "it does not say"}[reading.opt_out]
        yield f"Opt-out {OPT_OUTS[reading.opt_out_kind]}", words
    elif reading.state is not None or reading.reason is not None:
        yield from _state(reading, book)
    if reading.region:
        yield "Region", reading.region
    yield from _detail(reading.detail, book)


def _state(reading: Reading, book: Rulebook) -> Iterator[tuple[str, str]]:
    words = {"granted": "allowed", "denied": "refused", "unanswered": "nobody has answered"}.get(reading.state or "")
    if words is None:
        spot = book.blind_spots.get(reading.reason or "")
        words = f"not known. {spot.title}" if spot else "not known"
    if reading.state == "unanswered" and reading.effective_default:
        words += f" ({reading.effective_default} until somebody does)"
    yield LEVELS[reading.level] if reading.state != "unanswered" else "Consent", words
    if reading.level != "vendor":
        yield "TikTok by name", "not mentioned"
    yield "Anybody chose", {True: "yes", False: "no", None: "it does not say"}[reading.choice_made]
    if reading.effective_at is not None:
        yield "Since", f"{iso(reading.effective_at)} (by the value's own stamp)"
    elif reading.choice_made and reading.level != "tcf":
        yield "Since", "not said: the value carries no time that can be trusted"


def _detail(detail: Mapping[str, Any], book: Rulebook) -> Iterator[tuple[str, str]]:
    if "purposes" in detail:
        yield from _tc(detail, book)
    if "section_ids" in detail:
        yield from _gpp(detail, book)
    if isinstance(detail.get("categories"), dict):
        shown = list(detail["categories"].items())[:40]
        yield "Categories", ", ".join(f"{k} {'yes' if v else 'no'}" for k, v in shown)
    if "string" in detail:
        yield "String", f"{detail['string']}{'' if detail.get('applies', True) else ' (the law does not apply)'}"
    if "problem" in detail:
        yield "Damaged", str(detail["problem"])
    if "gdpr_applies" in detail:
        yield "GDPR applies", "yes" if detail["gdpr_applies"] else "no"
    if "consented" in detail:
        disclosed = "" if detail["disclosed"] is None else f"; {detail['disclosed']} more were disclosed"
        yield "Google's providers with consent", f"{detail['consented']} (TikTok is not known to be one){disclosed}"
    if "gcs" in detail or "gcd" in detail:
        yield from _google(detail)


def _tc(detail: Mapping[str, Any], book: Rulebook) -> Iterator[tuple[str, str]]:
    tcf = next((r for r in book.consent if r.id == "tcf"), None)
    names = tcf.phrases if tcf else {}
    yield "Purposes with consent", _named(detail["purposes"], names.get("purposes", ()))
    yield "Purposes by legitimate interest", _named(detail["legitimate_interests"], names.get("purposes", ()))
    if detail["special_features"]:
        yield "Special features", _named(detail["special_features"], names.get("special_features", ()))
    if detail["purpose_one_undisclosed"]:
        yield "Purpose 1", "was never asked for, so that it is not set is no refusal"
    listed = [f"{detail['vendors']} with consent", f"{detail['vendor_interests']} by legitimate interest"]
    listed += [f"{detail[k]} {k}" for k in ("disclosed", "allowed") if detail[k] is not None]
    yield "Vendors", ", ".join(listed) + ". TikTok is on no vendor list that is known"
    if detail["pangle"]:
        yield "Vendor 986", "has consent (BYTEDANCE PTE. LTD., Pangle: not the TikTok pixel)"
    for purpose, kind, many in detail["restrictions"][:12]:
        what = ("is forbidden", "needs consent", "needs legitimate interest", "has an unknown restriction")[kind]
        yield "Publisher's restriction", f"purpose {purpose} {what} for {many} vendors"
    if detail["publisher_purposes"] is not None:
        yield "Publisher's own purposes", _named(detail["publisher_purposes"], names.get("purposes", ()))
    day = " (to the day)" if detail["updated_resolution_ms"] > 1000 else ""
    yield "Written", f"{detail['updated']}{day}, first {detail['created']}, by the CMP with number {detail['cmp_id']}"
    scope = "this service" if detail["specific"] else "all services (no longer allowed)"
    yield "Scope", f"{scope}; publisher's country {detail['country'] or 'not said'}; policy {detail['policy']}"


def _named(numbers: list[int], names: tuple[str, ...]) -> str:
    words = [f"{n} {names[n - 1]}" if 0 < n <= len(names) else str(n) for n in numbers]
    return "; ".join(words) or "none"


def _gpp(detail: Mapping[str, Any], book: Rulebook) -> Iterator[tuple[str, str]]:
    from pixelwitness.consent.iab.gpp import NAMES

    ids = detail["section_ids"]
    yield "Sections", ", ".join(f"{i} {NAMES.get(i, '(unknown)')}" for i in ids) or "none"
    if "applicable" in detail:
        yield "Sections that apply (gpp_sid)", ", ".join(map(str, detail["applicable"])) or "none"
    for section, fields in detail["sections"].items():
        for name, value in fields.items():
            if name != "Version":
                opt_out = section in OPT_OUT_OF_SENSITIVE and name == "SensitiveDataProcessing"
                yield f"{section} {name}", _value("OptOut" if opt_out else name, value)
    for section, value in detail["gpc"].items():
        yield f"{section} Gpc", "on" if value else "off"
    for number, why in detail.get("unread", {}).items():
        yield f"Section {number}", f"not read: {why}"
    if "uspv1" in detail:
        yield "uspv1", detail["uspv1"]
    if "tcfcav1" in detail:
        for label, words in _tc(detail["tcfcav1"], book):
            yield f"tcfcav1 {label}", words


def _value(name: str, value: int | list[int]) -> str:
    if isinstance(value, list):
        return ", ".join(f"{i + 1}: {_value(name, v)}" for i, v in enumerate(value) if v) or "not applicable"
    if name.endswith("Notice"):
        scale = SCALE["Notice"]
    elif name.endswith("OptOut"):
        scale = SCALE["OptOut"]
    elif name.startswith("Mspa"):
        scale = SCALE["Mspa"]
    else:
        scale = SCALE["Consent"]
    return scale[value] if value < len(scale) else f"{value} (reserved)"


def _google(detail: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for purpose, word in detail.get("gcs", {}).items():
        yield f"gcs {purpose}", word
    for purpose, both in detail.get("gcd", {}).items():
        yield f"gcd {purpose}", f"default {both['default']}, update {both['update']}"
    if "answered" in detail:
        yield "What Google was told", f"{detail['answered']}. It corroborates and decides nothing here"
