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
    """First-party copies by hit id, with the hit at the vendor that each repeats: same client, pixel and event id."""
    originals: dict[tuple[str, str], list[Hit]] = defaultdict(list)
    for hit in hits:
        if hit.event_id and not hit.first_party_host:
            originals[hit.client, hit.event_id].append(hit)
    window = book.judging.copy_window_ms
    copies: dict[str, str] = {}
    for hit in hits:
        if not (hit.event_id and hit.first_party_host):
            continue
        for original in originals.get((hit.client, hit.event_id), ()):
            near = abs(original.occurred_at - hit.occurred_at) <= window
            if near and original.event == hit.event and set(original.pixel_codes) & set(hit.pixel_codes):
                copies[hit.id] = original.id
                break
    return copies


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
