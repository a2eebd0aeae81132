"""Why silence about a property proves nothing: sends that may have been its own and were not seen, or not placed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from pixelwitness.audit.session import Placed
from pixelwitness.observations import BlindSpot, Hit
from pixelwitness.pixels.decode import RELAY
from pixelwitness.pixels.vendor import vendor_of
from pixelwitness.property import property_of, registrable_domain
from pixelwitness.rulebook import Rulebook

UNSEEN = frozenset({"tls_refused", "quic_seen", "passed_through"})
NAMELESS = "an unknown host"
LOST = frozenset({"capture_damaged", "addon_fault", "not_recorded", "out_of_scope_send"})


def doubts_of(
    spots: Sequence[BlindSpot], blocked: Sequence[BlindSpot], hits: Sequence[Hit], placed: Placed, book: Rulebook
) -> dict[str, tuple[str, ...]]:  # fmt: skip
    """By property, what may have been sent unseen, in words. `blocked` are the sends that did not leave."""
    clients: dict[str, set[str]] = defaultdict(set)
    for client, prop, _ in placed.sessions:
        clients[client].add(prop)
    everywhere = {prop for own in clients.values() for prop in own}
    apps = {session.property for session in placed.sessions.values() if session.app}
    vendors = [vendor_of(book, name) for name in dict.fromkeys(p.vendor for p in book.pixels)]
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
            concerned = of_client(spot.client)
            if not _nameless(host) and not any(v.sends_to(host) for v in vendors):
                # An app's SDK may be told of another host of the vendor's; a page's own host may hold copies.
                of_vendor = apps if any(v.owns(host) for v in vendors) else frozenset[str]()
                concerned &= of_vendor | {registrable_domain(host)}
            doubt(concerned, f"traffic to {host or NAMELESS} passed unread ({spot.kind.replace('_', ' ')})")
        elif spot.kind in LOST or (spot.kind == "odd_entry" and spot.at is None):
            doubt(of_client(spot.client) if spot.client in clients else everywhere, LOST_WORDS[spot.kind])
        elif spot.kind == "first_party_unseen":
            at = property_of(spot.page) or (registrable_domain(host) if host else None)
            doubt(
                {at} if at else everywhere,
                "a request that may have been a copy of a pixel message was kept without its body",
            )
        elif spot.kind == "tag_manager_blocked":
            at = property_of(spot.page)
            doubt({at} if at else of_client(spot.client), "a tag manager was blocked, which may load the pixel")
        elif spot.kind == "redirect_unseen":
            at = property_of(spot.page) or (registrable_domain(host) if host else None)
            doubt({at} if at else everywhere, "a redirect to TikTok was seen, and not the request that follows it")
        elif spot.kind == RELAY:
            at = property_of(spot.page) or (registrable_domain(host) if host else None)
            doubt({at} if at else everywhere, "a message for TikTok was handed to a server that may have passed it on")
    for spot in blocked:
        if (spot.property or property_of(spot.page)) is None:
            doubt(of_client(spot.client), "a send of an unknown page was tried and blocked")
    return {prop: tuple(words) for prop, words in found.items()}


LOST_WORDS = {
    "capture_damaged": "the capture ends in the middle",
    "odd_entry": "an entry of the capture could not be read",
    "addon_fault": "the program failed on an exchange",
    "not_recorded": "requests passed that were not recorded",
    "out_of_scope_send": "a send to TikTok named no page, and what is out of scope was not kept",
}


def _nameless(host: str) -> bool:
    """Whether a connection named no host: its address, if any, may be anybody's out there."""
    try:
        return ip_address(host).is_global
    except ValueError:
        return host in ("", NAMELESS)
