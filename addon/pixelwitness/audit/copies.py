"""Sends of one and the same event: the copy to the site's own host, and the repetition to another host of the vendor.

The two are judged differently. A first-party copy counts as one send with the original. A repetition tells the vendor
something that the original did not (the visitor's other address): it is a send of its own, and only linked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from pixelwitness.observations import Hit
from pixelwitness.pixels.vendor import Vendor, vendor_of
from pixelwitness.rulebook import Rulebook


def first_party_copies(hits: Sequence[Hit], book: Rulebook) -> dict[str, str]:
    """First-party copies by hit id, with the hit at the vendor that each repeats: same client, pixel and event id.

    A message that a redirect of the site's own host hands on to the vendor keeps its own id as well, and may have no
    event id: then that tells.
    """
    originals: dict[tuple[str, str, str], list[Hit]] = defaultdict(list)
    for hit in hits:
        if not hit.first_party_host:
            for key in _keys(hit):
                originals[key].append(hit)
    window = book.judging.copy_window_ms
    copies: dict[str, str] = {}
    for hit in (h for h in hits if h.first_party_host):
        for original in (o for key in _keys(hit) for o in originals.get(key, ())):
            near = abs(original.occurred_at - hit.occurred_at) <= window
            same = (original.event, original.action) == (hit.event, hit.action)
            if near and same and set(original.pixel_codes) & set(hit.pixel_codes):
                copies[hit.id] = original.id
                break
    return copies


def _keys(hit: Hit) -> list[tuple[str, str, str]]:
    named = (("event", hit.event_id), ("message", hit.message_id))
    return [(hit.client, kind, value) for kind, value in named if value]


def repetitions(hits: Sequence[Hit], book: Rulebook) -> dict[str, str]:
    """Events sent once more, by hit id, with the hit that each repeats: same client and pixel, by the message's id.

    The event that the repetition names must be that of the original. Of several the nearest in time counts.
    """
    originals: dict[tuple[str, str, str], list[Hit]] = defaultdict(list)
    for hit in hits:
        if hit.message_id and _repeated(hit, vendor_of(book, hit.vendor)) is None:
            originals[hit.client, hit.vendor, hit.message_id].append(hit)
    found: dict[str, str] = {}
    for hit in hits:
        vendor = vendor_of(book, hit.vendor)
        message_id = _repeated(hit, vendor)
        if message_id is None:
            continue
        trigger = vendor.repeated_event(hit.payload)
        fitting = [
            o
            for o in originals.get((hit.client, hit.vendor, message_id), ())
            if set(o.pixel_codes) & set(hit.pixel_codes)
            and trigger in (None, o.event, o.event_raw)
            and o.first_party_host == hit.first_party_host
        ]
        if fitting:
            nearest = min(fitting, key=lambda o: (abs(o.occurred_at - hit.occurred_at), o.id))
            found[hit.id] = nearest.id
    return found


def _repeated(hit: Hit, vendor: Vendor) -> str | None:
    return vendor.repeated_message(hit.message_id)
