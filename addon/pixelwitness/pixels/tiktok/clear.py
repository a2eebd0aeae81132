"""Clear text of a person, test personas' hashes in unexpected places, and marks of redaction, anywhere in a hit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pixelwitness.exchange import Exchange
from pixelwitness.identity import plaintext
from pixelwitness.identity.people import Match, People, digest_of
from pixelwitness.identity.sift import Sift, sifter
from pixelwitness.observations import MATCHING, Identifier, Plaintext, Redaction
from pixelwitness.pixels.tiktok.fields import attributed, form_of
from pixelwitness.pixels.vendor import Vendor

MAX_FINDINGS = 50
MAX_UNREAD = 1_000_000
"""Bytes of a body that is no message which are searched all the same."""
FIELD_KINDS = {
    "email": "email",
    "phone_number": "phone",
    "first_name": "name",
    "last_name": "name",
    "full_name": "name",
}
"""What clear text in a field that is meant for its hash is called."""
KINDS = {"full_name": "name", "street": "address", "email": "email", "phone": "phone"}
"""What a persona's attribute is called as clear text; ids and user names are identifiers, not clear text."""


MIN_DIGEST, MAX_DIGEST = 22, 176
"""Characters of a digest: those of MD5 in base64 without padding, and those of base64 of SHA-512 in hex, with room."""
QUERY_HASH = re.compile(r"(?<![\w.-])([\w.\[\]-]{2,60})=([0-9A-Za-z+/_-]{32,128}={0,2})(?![\w%])")
PHONE_NAMES = frozenset({"phone", "phone_number", "phonenumber", "mobile", "tel", "ph", "msisdn"})
NAMED_HASH = re.compile(
    r"(?:^|[._?\[-])(?:(?:hashed|sha_?256|md5|sha1|user|customer|billing)_?)*"
    r"(e_?mail(?:_?address)?|hem|em|phone_?(?:number)?|mobile|tel|ph|msisdn)"
    r"(?:_?(?:sha_?256|sha1|md5|hash(?:ed)?|hex|lower))*\]?(?:\[\d+\])?$"
)
"""A name that says that its value is of an e-mail address or a telephone number; the whole last name, not a part."""


@dataclass
class _Scan:
    clear: dict[tuple[str, str, str], Plaintext] = field(default_factory=dict)
    hashed: dict[tuple[str, str], Identifier] = field(default_factory=dict)
    redactions: dict[tuple[str, str], Redaction] = field(default_factory=dict)
    controls: dict[tuple[str, str], Match] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Clear:
    """What a search found."""

    plaintext: tuple[Plaintext, ...]
    elsewhere: tuple[Identifier, ...]
    """Test personas' values, hashed or ids in clear, where no identity field is known."""
    redactions: tuple[Redaction, ...]
    controls: tuple[tuple[str, str], ...]
    """Where a control persona's value stood, and which attribute: the audit is at fault."""
    unread: tuple[str, ...] = ()
    """Fields that hold more than is looked at."""


def search(
    exchange: Exchange, message: dict[str, Any] | None, found: Sequence[Identifier], vendor: Vendor, people: People,
    around: Any = None,
) -> Clear:  # fmt: skip
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
        if around is not None:
            _scan(scan, around, "body", vendor, people)
    elif exchange.body:
        _scan(scan, exchange.body[:MAX_UNREAD].decode("utf-8", "replace"), "body", vendor, people)
    _from_fields(scan, found)
    known = {i.field for i in found}
    return Clear(
        _chosen(list(scan.clear.values())),
        tuple(i for (where, _), i in scan.hashed.items() if _plain_path(where) not in known),
        tuple(scan.redactions.values())[:MAX_FINDINGS],
        tuple((where, m.attribute) for (where, _), m in scan.controls.items()),
        tuple(dict.fromkeys(scan.unread)),
    )


def _chosen(found: list[Plaintext]) -> tuple[Plaintext, ...]:
    """So many as are kept. Of more, those of each field in turn: a list of a thousand hides none that stands alone."""
    if len(found) <= MAX_FINDINGS:
        return tuple(found)
    turns: Counter[str] = Counter()
    ranked = []
    for number, one in enumerate(found):
        field_name = re.sub(r"\[\d+\]", "[]", one.where)
        ranked.append((turns[field_name], number))
        turns[field_name] += 1
    return tuple(found[number] for number in sorted(number for _, number in sorted(ranked)[:MAX_FINDINGS]))


@lru_cache(4)
def _sift(vendor: Vendor, people: People) -> Sift:
    return sifter(lambda path, text: _tells(path, text, vendor, people))


def _tells(path: str, text: str, vendor: Vendor, people: People) -> bool:
    """Whether `_scan` finds anything in one text, as it stands there."""
    if plaintext.spans(text, path, plaintext.MAX_SPANS) or any(_named_digests(path, text, vendor)):
        return True
    if vendor.redaction is not None and "<" in text and vendor.redaction.search(text):
        return True
    return bool(people) and (any(people.clear_in(text)) or any(people.hashes_in(text)))


def _scan(scan: _Scan, value: Any, where: str, vendor: Vendor, people: People) -> None:
    for path, text, layers in _sift(vendor, people)(value, where, scan.unread):
        spans = plaintext.spans(text, path, plaintext.MAX_SPANS)
        if len(spans) >= plaintext.MAX_SPANS:
            scan.unread.append(path)
        for kind, start, end in spans:
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
        _named_hashes(scan, path, text, vendor)


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
            form = form_of(value, vendor.placeholders, hashed=True, name=match.attribute)
            scan.hashed.setdefault((path, match.attribute), _elsewhere(path, match, form, value, vendor))


def _named_digests(path: str, text: str, vendor: Vendor) -> Iterator[tuple[str, str, str]]:
    """Digests under a name that says what they are of (`hashed_email`, `?phone_sha256=`): where, which, and of what."""
    found = [(path, text)] if MIN_DIGEST <= len(text) <= MAX_DIGEST else []
    found += [(f"{path}?{m[1]}", m[2]) for m in QUERY_HASH.finditer(text)] if "=" in text else []
    for where, value in found:
        named = NAMED_HASH.search(where.lower())
        digest = digest_of(value) if named else None
        if named is not None and digest is not None and not vendor.placeholders.is_digest(digest):
            yield where, value, "phone_number" if named[1] in PHONE_NAMES else "email"


def _named_hashes(scan: _Scan, path: str, text: str, vendor: Vendor) -> None:
    for where, value, name in _named_digests(path, text, vendor):
        if not any(where == k[0] or path == k[0] for k in scan.hashed):
            form = form_of(value, vendor.placeholders, hashed=True)
            made = Identifier(field=where[:200], name=name, form=form, collected="elsewhere", value=value)
            scan.hashed[where, name] = made


def _note_control(scan: _Scan, path: str, match: Match | None) -> None:
    if match is not None and match.control:
        scan.controls.setdefault((path, match.attribute), match)


def _elsewhere(path: str, match: Match, form: str, value: str | None, vendor: Vendor) -> Identifier:
    return Identifier(
        field=path,
        name=match.attribute,
        form=form,
        collected="elsewhere",
        value=value,
        **attributed(match, vendor, form),
    )


def _from_fields(scan: _Scan, found: Sequence[Identifier]) -> None:
    """Clear text in a field that is meant for hashes is clear text, in whatever spelling."""
    known = {(kind, where) for kind, where, _ in scan.clear}
    for i in found:
        kind = FIELD_KINDS.get(i.name) if i.collected in MATCHING else None
        if i.form == "plaintext" and kind and (kind, i.field) not in known:
            made = Plaintext(kind=kind, where=i.field, masked=i.value or "", persona=i.persona)
            scan.clear.setdefault((kind, i.field, ""), made)


def _plain_path(where: str) -> str:
    return re.sub(r"\[\d+\]", "", where)


def _without_query_message(exchange: Exchange) -> str:
    """The URL without the message that the image transport carries: that one is searched as a body."""
    url = exchange.url
    return re.sub(r"(analytics_message=)[^&#]*", r"\1", url) if "analytics_message=" in url else url


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
