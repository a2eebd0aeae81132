"""Why silence about a property proves nothing: sends that may have been its own and were not seen, or not placed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from pixelwitness.audit.session import Placed
from pixelwitness.observations import BlindSpot, Hit
from pixelwitness.property import property_of, registrable_domain
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.hosts import HostIndex

UNSEEN = frozenset({"tls_refused", "quic_seen"})
LOST = frozenset({"capture_damaged", "addon_fault", "out_of_scope_send"})


def doubts_of(
    spots: Sequence[BlindSpot], blocked: Sequence[BlindSpot], hits: Sequence[Hit], placed: Placed, book: Rulebook
) -> dict[str, tuple[str, ...]]:  # fmt: skip
    """By property, what may have been sent unseen, in words. `blocked` are the sends that did not leave."""
    clients: dict[str, set[str]] = defaultdict(set)
    for client, prop in placed.sessions:
        clients[client].add(prop)
    everywhere = {prop for own in clients.values() for prop in own}
    vendors = _vendor_hosts(book)
    readable = {(h.client, h.host) for h in hits}
    found: dict[str, list[str]] = defaultdict(list)

    def doubt(properties: Iterable[str], words: str) -> None:
        for prop in properties:
            if words not in found[prop]:
                found[prop].append(words)

    def of_client(client: str | None) -> set[str]:
        # A client that made no page view under this name may be one that did under another.
        return clients.get(client, everywhere) if client is not None else everywhere

    for spot in spots:
        host = (spot.host or "").lower().rstrip(".")
        if spot.kind in UNSEEN and (spot.client, host) not in readable:
            if vendors.lookup(host):
                doubt(of_client(spot.client), f"traffic to {host} passed unread ({spot.kind.replace('_', ' ')})")
            elif host:
                own = of_client(spot.client) & {registrable_domain(host)}
                doubt(own, f"traffic to {host} passed unread ({spot.kind.replace('_', ' ')})")
        elif spot.kind in LOST or (spot.kind == "odd_entry" and spot.at is None):
            doubt(of_client(spot.client) if spot.client in clients else everywhere, LOST_WORDS[spot.kind])
        elif spot.kind == "first_party_unseen":
            at = property_of(spot.page) or (registrable_domain(host) if host else None)
            doubt(
                {at} if at else everywhere,
                "a request that may have been a copy of a pixel message was kept without its body",
            )
    for spot in blocked:
        if (spot.property or property_of(spot.page)) is None:
            doubt(of_client(spot.client), "a send of an unknown page was tried and blocked")
    return {prop: tuple(words) for prop, words in found.items()}


LOST_WORDS = {
    "capture_damaged": "the capture ends in the middle",
    "odd_entry": "an entry of the capture could not be read",
    "addon_fault": "the program failed on an exchange",
    "out_of_scope_send": "a send to TikTok named no page, and what is out of scope was not kept",
}


def _vendor_hosts(book: Rulebook) -> HostIndex[str]:
    index: HostIndex[str] = HostIndex()
    for pixel in book.pixels:
        for endpoint in pixel.endpoints:
            for host in endpoint.hosts:
                index.add(host, pixel.vendor)
    return index
