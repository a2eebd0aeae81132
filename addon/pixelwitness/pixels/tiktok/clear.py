"""Clear text of a person, test personas' hashes in unexpected places, and marks of redaction, anywhere in a hit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pixelwitness.exchange import Exchange
from pixelwitness.identity import plaintext
from pixelwitness.identity.people import Match, People
from pixelwitness.observations import Identifier, Plaintext, Redaction
from pixelwitness.pixels.tiktok.fields import attributed, form_of
from pixelwitness.pixels.vendor import Vendor

MAX_FINDINGS = 50
KINDS = {"full_name": "name", "street": "address", "email": "email", "phone": "phone"}
"""What a persona's attribute is called as clear text; ids and user names are identifiers, not clear text."""


@dataclass
class _Scan:
    clear: dict[tuple[str, str, str], Plaintext] = field(default_factory=dict)
    hashed: dict[tuple[str, str], Identifier] = field(default_factory=dict)
    redactions: dict[tuple[str, str], Redaction] = field(default_factory=dict)
    controls: dict[tuple[str, str], Match] = field(default_factory=dict)


@dataclass(frozen=True)
class Clear:
    """What a search found."""

    plaintext: tuple[Plaintext, ...]
    elsewhere: tuple[Identifier, ...]
    """Test personas' values, hashed or ids in clear, where no identity field is known."""
    redactions: tuple[Redaction, ...]
    controls: tuple[tuple[str, str], ...]
    """Where a control persona's value stood, and which attribute: the audit is at fault."""


def search(
    exchange: Exchange, message: dict[str, Any] | None, found: Sequence[Identifier], vendor: Vendor, people: People
) -> Clear:
    """Clear text anywhere in what the vendor was sent.

    What the site itself publishes on the page (metadata, JSON-LD, links) names the site's own people, not the visitor:
    an address there is no finding.
    """
    scan = _Scan()
    _scan(scan, _without_query_message(exchange), "request_url", vendor, people)
    if referer := exchange.fields.get("referer"):
        _scan(scan, referer, "referer", vendor, people)
    if message is not None:
        _scan(scan, _without_page_content(message), "", vendor, people)
    _from_fields(scan, found)
    known = {i.field for i in found}
    return Clear(
        tuple(scan.clear.values())[:MAX_FINDINGS],
        tuple(i for (where, _), i in scan.hashed.items() if _plain_path(where) not in known),
        tuple(scan.redactions.values())[:MAX_FINDINGS],
        tuple((where, m.attribute) for (where, _), m in scan.controls.items()),
    )


def _scan(scan: _Scan, value: Any, where: str, vendor: Vendor, people: People) -> None:
    for path, text, layers in plaintext.strings(value, where):
        for kind, start, end in plaintext.spans(text, path):
            said = text[start:end]
            match = people.whose(said) if people else None
            owner = match.persona if match and not match.control else None
            _note_control(scan, path, match)
            made = Plaintext(
                kind=kind, where=path, layers=layers, masked=plaintext.hint(kind, said), persona=owner
            )  # fmt: skip
            scan.clear.setdefault((kind, path, said.lower()), made)
        if vendor.redaction is not None and "<" in text:
            for mark in vendor.redaction.finditer(text):
                meaning = vendor.redaction_meanings.get(mark[1], mark[1].replace("_", " ").lower())
                made_mark = Redaction(where=path, token=mark[0][:60], meaning=meaning[:60])
                scan.redactions.setdefault((path, mark[0]), made_mark)
        if people:
            _personas(scan, path, text, layers, vendor, people)


def _personas(scan: _Scan, path: str, text: str, layers: tuple[str, ...], vendor: Vendor, people: People) -> None:
    for _, _, match in people.clear_in(text):
        _note_control(scan, path, match)
        if match.control:
            continue
        kind = KINDS.get(match.attribute)
        if kind is None:
            scan.hashed.setdefault((path, match.attribute), _elsewhere(path, match, "plaintext", None, vendor))
            continue
        if not any(k[0] == kind and k[1] == path for k in scan.clear):
            hint = f"[{match.attribute} of {match.persona}]"
            made = Plaintext(kind=kind, where=path, layers=layers, masked=hint, persona=match.persona)
            scan.clear.setdefault((kind, path, match.persona), made)
    for start, end, match in people.hashes_in(text):
        _note_control(scan, path, match)
        if not match.control:
            value = text[start:end]
            form = form_of(value, {}, hashed=True)
            scan.hashed.setdefault((path, match.attribute), _elsewhere(path, match, form, value, vendor))


def _note_control(scan: _Scan, path: str, match: Match | None) -> None:
    if match is not None and match.control:
        scan.controls.setdefault((path, match.attribute), match)


def _elsewhere(path: str, match: Match, form: str, value: str | None, vendor: Vendor) -> Identifier:
    return Identifier(
        field=path, name=match.attribute, form=form, collected="elsewhere", value=value, **attributed(match, vendor)
    )


def _from_fields(scan: _Scan, found: Sequence[Identifier]) -> None:
    """Clear text in a field that is meant for hashes is clear text, in whatever spelling."""
    known = {(kind, where) for kind, where, _ in scan.clear}
    for i in found:
        kind = {"email": "email", "phone_number": "phone"}.get(i.name)
        if i.form == "plaintext" and kind and (kind, i.field) not in known:
            made = Plaintext(kind=kind, where=i.field, masked=i.value or "", persona=i.persona)
            scan.clear.setdefault((kind, i.field, ""), made)


def _plain_path(where: str) -> str:
    return re.sub(r"\[\d+\]", "", where)


def _without_query_message(exchange: Exchange) -> str:
    """The URL without the message that the image transport carries: that one is searched as a body."""
    return re.sub(r"(analytics_message=)[^&#]*", r"\1", exchange.url)


def _without_page_content(message: dict[str, Any]) -> dict[str, Any]:
    collected = message.get("auto_collected_properties")
    if not isinstance(collected, dict):
        return message
    # Metadata, and the structure of forms (labels and placeholders, no typed values), are the site's own words.
    visitor = {k: v for k, v in collected.items() if k not in ("content_data", "form_details")}
    trigger = visitor.get("trigger_element")
    if isinstance(trigger, dict) and isinstance(trigger.get("attributes"), dict):
        links = {k: v for k, v in trigger["attributes"].items() if not _is_contact_link(v)}
        if len(links) < len(trigger["attributes"]):
            trigger = {k: v for k, v in trigger.items() if k != "inner_text"}  # the text of that link
        visitor["trigger_element"] = {**trigger, "attributes": links}
    return {**message, "auto_collected_properties": visitor}


def _is_contact_link(value: Any) -> bool:
    """A link that writes to or calls somebody: the site's own address, not the visitor's."""
    return isinstance(value, str) and value.lower().startswith(("mailto:", "tel:", "sms:"))
