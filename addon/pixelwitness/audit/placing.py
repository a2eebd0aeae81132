"""Whose page: puts each hit and signal on a property, and says by which evidence.

Leave-time beacons arrive after the next document's request, so the latest document is the last resort.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from pixelwitness.audit.model import Attribution
from pixelwitness.observations import Frame, Hit, PageView, Signal
from pixelwitness.property import host_of, property_of, registrable_domain


@dataclass(frozen=True)
class Place:
    """A property, and the evidence that put something there. `page` is the page's URL where it is known."""

    property: str | None
    attribution: Attribution
    page: str | None = None


@dataclass
class Pages:
    """One client's documents: top-level ones by time, and which page embeds which frame."""

    times: list[int] = field(default_factory=list)
    views: list[PageView] = field(default_factory=list)
    properties: set[str] = field(default_factory=set)
    parents: dict[str, str] = field(default_factory=dict)

    def latest(self, at: int) -> PageView | None:
        """The last top-level document asked for at or before a time."""
        index = bisect_right(self.times, at)
        return self.views[index - 1] if index else None

    def embedding(self, url: str) -> str | None:
        """The top page of a document that is only ever seen in a frame; None where it is a page of its own."""
        seen: set[str] = set()
        while (host := host_of(url)) and host not in seen:
            seen.add(host)
            if registrable_domain(host) in self.properties:
                return url if len(seen) > 1 else None
            parent = self.parents.get(host)
            if parent is None:
                return url if len(seen) > 1 else None
            url = parent
        return None


def pages_of(views: list[PageView], frames: list[Frame]) -> Pages:
    """The documents of one client. Frames are known by host: their documents may come from a cache."""
    pages = Pages()
    for view in sorted(views, key=lambda v: v.at):
        if view.prerender:
            continue
        pages.times.append(view.at)
        pages.views.append(view)
        pages.properties.add(registrable_domain(view.host))
    for frame in frames:
        host = host_of(frame.url)
        parent = host_of(frame.parent)
        if host and parent and frame.parent and registrable_domain(host) != registrable_domain(parent):
            pages.parents.setdefault(host, frame.parent)
    return pages


def place_hit(hit: Hit, pages: Pages) -> Place:
    """The property of a hit: app, payload, Referer, Origin, frame graph, own host, and time last."""
    if hit.app_id:
        return Place(hit.app_id, "app")
    if hit.page_url and property_of(hit.page_url):
        if hit.in_frame and hit.page_referrer and property_of(hit.page_referrer):
            return Place(property_of(hit.page_referrer), "payload", hit.page_referrer)
        top = pages.embedding(hit.page_url)
        if top:
            return Place(property_of(top), "frame", top)
        return Place(property_of(hit.page_url), "payload", hit.page_url)
    place = _by_headers(hit.referer, hit.origin, pages)
    if place:
        return place
    if hit.first_party_host:
        return Place(registrable_domain(hit.host), "own_host")
    return _by_time(hit.occurred_at, pages)


def place_signal(signal: Signal, pages: Pages) -> Place:
    """The property that a signal speaks of."""
    if signal.property:
        return Place(signal.property, "payload")
    if signal.host:
        return Place(registrable_domain(signal.host), "own_host")
    return _by_headers(signal.page, None, pages) or _by_time(signal.observed_at, pages)


def _by_headers(referer: str | None, origin: str | None, pages: Pages) -> Place | None:
    for url, how in ((referer, "referer"), (origin, "origin")):
        if not url or not property_of(url):
            continue
        top = pages.embedding(url)
        if top:
            return Place(property_of(top), "frame", top)
        return Place(property_of(url), "referer" if how == "referer" else "origin", url)
    return None


def _by_time(at: int, pages: Pages) -> Place:
    view = pages.latest(at)
    if view is None:
        return Place(None, "none")
    return Place(registrable_domain(view.host), "latest_document", view.url)
