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
    sure: bool = True
    """False where other evidence of the same kind would have put it elsewhere."""


@dataclass
class Pages:
    """One client's documents: top-level ones by time, and which page embeds which frame."""

    times: list[int] = field(default_factory=list)
    views: list[PageView] = field(default_factory=list)
    properties: set[str] = field(default_factory=set)
    parents: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    """By a frame's host, when it was loaded and the page that embeds it, in the order of time."""

    def latest(self, at: int) -> PageView | None:
        """The last top-level document asked for at or before a time."""
        index = bisect_right(self.times, at)
        return self.views[index - 1] if index else None

    def embedding(self, url: str, at: int) -> tuple[str, bool] | None:
        """The top page of a document that is only ever seen in a frame, and whether no other page embeds that frame;
        None where it is a page of its own."""
        seen: set[str] = set()
        sure = True
        while (host := host_of(url)) and host not in seen:
            seen.add(host)
            known = self.parents.get(host)
            if registrable_domain(host) in self.properties or not known:
                break
            sure = sure and len({registrable_domain(host_of(parent) or "") for _, parent in known}) == 1
            index = bisect_right(known, at, key=lambda pair: pair[0])
            url = known[max(index - 1, 0)][1]
        else:
            return None
        return (url, sure) if host and len(seen) > 1 else None


def pages_of(views: list[PageView], frames: list[Frame]) -> Pages:
    """The documents of one client. Frames are known by host: their documents may come from a cache."""
    pages = Pages()
    for view in sorted(views, key=lambda v: v.at):
        if view.prerender:
            continue
        pages.times.append(view.at)
        pages.views.append(view)
        pages.properties.add(registrable_domain(view.host))
    for frame in sorted(frames, key=lambda f: (f.at, f.id)):
        host = host_of(frame.url)
        parent = host_of(frame.parent)
        if host and parent and frame.parent and registrable_domain(host) != registrable_domain(parent):
            pages.parents.setdefault(host, []).append((frame.at, frame.parent))
    return pages


def place_hit(hit: Hit, pages: Pages) -> Place:
    """The property of a hit: app, payload, Referer, Origin, frame graph, own host, and time last."""
    if hit.app_id:
        return Place(hit.app_id, "app")
    if hit.page_url and property_of(hit.page_url):
        if hit.in_frame and hit.page_referrer and property_of(hit.page_referrer):
            return Place(property_of(hit.page_referrer), "payload", hit.page_referrer)
        top = pages.embedding(hit.page_url, hit.occurred_at)
        if top:
            return Place(property_of(top[0]), "frame", *top)
        # A page can write any address into its message; its Origin is the browser's word.
        sender = property_of(hit.origin) or property_of(hit.referer)
        return Place(property_of(hit.page_url), "payload", hit.page_url, sender in (None, property_of(hit.page_url)))
    place = _by_headers(hit.referer, hit.origin, hit.occurred_at, pages)
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
    return _by_headers(signal.page, None, signal.observed_at, pages) or _by_time(signal.observed_at, pages)


def _by_headers(referer: str | None, origin: str | None, at: int, pages: Pages) -> Place | None:
    for url, how in ((referer, "referer"), (origin, "origin")):
        if not url or not property_of(url):
            continue
        top = pages.embedding(url, at)
        if top:
            return Place(property_of(top[0]), "frame", *top)
        return Place(property_of(url), "referer" if how == "referer" else "origin", url)
    return None


def _by_time(at: int, pages: Pages) -> Place:
    view = pages.latest(at)
    if view is None:
        return Place(None, "none")
    return Place(registrable_domain(view.host), "latest_document", view.url)
