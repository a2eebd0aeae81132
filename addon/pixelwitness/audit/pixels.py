"""The pixels of a recording: when they were made, how they are set up, and what that will do. No verdicts."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence

from pixelwitness.audit.model import Notice, PixelRecord
from pixelwitness.audit.words import clock_time, listing
from pixelwitness.observations import Hit, HostedScript, PixelSettings
from pixelwitness.pixels.vendor import vendor_of
from pixelwitness.property import property_of, registrable_domain
from pixelwitness.rulebook import Rulebook

MATCHING_CONFIGURED = "matching-configured"
CLIENT_HOSTED = "client-hosted-elsewhere"
USED = frozenset({"automatic", "manual", "event_builder"})


def pixel_records(
    hits: Sequence[Hit], settings: Sequence[PixelSettings], properties: Mapping[str, str | None], book: Rulebook
) -> tuple[PixelRecord, ...]:
    """One record per property and pixel code, in that order. `properties` are those of the hits, by hit id."""
    seen: dict[tuple[str, str, str], dict[str, Hit]] = defaultdict(dict)
    said: dict[tuple[str, str, str], list[PixelSettings]] = defaultdict(list)
    for hit in hits:
        for code in hit.pixel_codes:
            # A hit whose response added something stands in the rows twice: the later one holds all of it.
            seen[properties.get(hit.id) or "", hit.vendor, code][hit.id] = hit
    for one in sorted(settings, key=lambda s: (s.at, s.id)):
        prop = properties.get(one.hit_id) if one.hit_id else site_of(one.page, one.host)
        said[prop or "", one.vendor, one.code].append(one)
    records = []
    for prop, vendor, code in sorted({*seen, *said}):
        own = list(seen[prop, vendor, code].values())
        times = [h.occurred_at for h in own] + [s.at for s in said[prop, vendor, code]]
        records.append(
            PixelRecord(
                property=prop or None,
                vendor=vendor,
                code=code,
                created_at=vendor_of(book, vendor).code_created_at(code),
                first_seen=min(times),
                last_seen=max(times),
                hits=len(own),
                matched=any(i.collected in USED for h in own for i in h.matching),
                history=tuple(_changes(said[prop, vendor, code])),
            )
        )
    return tuple(records)


def _changes(said: Sequence[PixelSettings]) -> list[PixelSettings]:
    """The settings at their first sighting and wherever they differ from those before."""
    kept: list[PixelSettings] = []
    for one in said:
        if not kept or _content(one) != _content(kept[-1]):
            kept.append(one)
    return kept


def _content(settings: PixelSettings) -> dict[str, object]:
    return settings.model_dump(exclude={"id", "client", "at", "hit_id", "page"})


def notices(records: Sequence[PixelRecord], book: Rulebook) -> tuple[Notice, ...]:
    """Matching that is switched on and was not seen at work: what a review before activation should catch."""
    rule = book.findings.get(MATCHING_CONFIGURED)
    if rule is None:
        return ()
    made = []
    for record in records:
        latest = record.history[-1] if record.history else None
        if latest is None or record.matched:
            continue
        fields = list(latest.automatic_matching or ())
        # Without a partner the flags of manual matching limit nothing and say nothing (recorded).
        fields += [f for f in latest.manual_matching or () if latest.partner]
        if not fields:
            continue
        text = rule.explanation.format(
            code=record.code,
            property=record.property or "an unknown page",
            when=clock_time(latest.at),
            fields=listing(tuple(dict.fromkeys(f.removeprefix("auto_") for f in fields)), 8),
            partner=f" It was set up by a partner ({latest.partner})." if latest.partner else "",
        )
        made.append(
            Notice(
                id=_digest(MATCHING_CONFIGURED, record.property, record.code, latest.hit_id or latest.id),
                rule=MATCHING_CONFIGURED,
                property=record.property,
                vendor=record.vendor,
                pixel_code=record.code,
                noticed_at=latest.at,
                explanation=text,
                remedy=rule.remedy,
                hit_id=latest.hit_id or None,
            )
        )
    return tuple(made)


def hosted_notices(scripts: Sequence[HostedScript], book: Rulebook) -> tuple[Notice, ...]:
    """The vendor's scripts that came from hosts which are not its own: one notice a site and host."""
    rule = book.findings.get(CLIENT_HOSTED)
    if rule is None:
        return ()
    found: dict[tuple[str, str, str], list[HostedScript]] = defaultdict(list)
    for script in sorted(scripts, key=lambda s: (s.at, s.id)):
        found[site_of(script.page, script.host) or "", script.vendor, script.host].append(script)
    return tuple(
        Notice(
            id=_digest(CLIENT_HOSTED, prop, host, seen[0].id),
            rule=CLIENT_HOSTED,
            property=prop or None,
            vendor=vendor,
            pixel_code="",
            noticed_at=seen[0].at,
            explanation=rule.explanation.format(
                vendor=vendor_of(book, vendor).name,
                roles=listing(tuple(dict.fromkeys(s.role for s in seen))),
                host=host,
                when=clock_time(seen[0].at),
                property=prop or "an unknown page",
            ),
            remedy=rule.remedy,
            hit_id=None,
        )
        for (prop, vendor, host), seen in found.items()
    )


def site_of(page: str | None, host: str | None) -> str | None:
    """The property of a script without a hit: that of the page that asked for it, else that of its own host."""
    return property_of(page) or (registrable_domain(host) if host else None)


def _digest(*key: str | None) -> str:
    return hashlib.sha256("|".join(str(part) for part in key).encode("utf-8", "replace")).hexdigest()[:24]
