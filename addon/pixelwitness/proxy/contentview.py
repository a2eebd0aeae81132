"""The content view "TikTok Pixel": a request decoded and explained, in mitmweb, the console and mitmdump."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from mitmproxy import contentviews, http

from pixelwitness.identity.people import NOBODY
from pixelwitness.ingest import observe_request
from pixelwitness.observations import Hit
from pixelwitness.proxy.marking import META
from pixelwitness.proxy.words import explain
from pixelwitness.rulebook import load_rulebook
from pixelwitness.run import Lens
from pixelwitness.sources.mitm import exchange_from_flow

NAME = "TikTok Pixel"
OURS = 2.0
"""mitmproxy's own views ask for 1 at most."""


class PixelView(contentviews.Contentview):
    """Reads with the lens of the running audit, or with the shipped rules where none runs."""

    name = NAME
    syntax_highlight = "yaml"

    def __init__(self) -> None:
        self.lens: Lens | None = None
        self.on_fault: Callable[[Exception], object] = lambda error: None

    def prettify(self, data: bytes, metadata: contentviews.Metadata) -> str:
        """The explanation and the decoded payload. Raises ValueError for what is no request to a pixel vendor."""
        flow = metadata.flow
        if not isinstance(flow, http.HTTPFlow):
            raise ValueError("not an HTTP request")
        try:
            text = self._text(flow)
        except Exception as error:
            self.on_fault(error)
            sent = data.decode("utf-8", "backslashreplace")
            return f"pixelwitness could not explain this request: a fault ({type(error).__name__}). As sent:\n\n{sent}"
        if not text:
            raise ValueError("no request to a pixel vendor")
        return text

    def _text(self, flow: http.HTTPFlow) -> str:
        lens = self.lens or _shipped()
        hits = hits_of(flow, lens)
        meta = flow.metadata.get(META)
        said = explain(hits, meta if isinstance(meta, dict) else None, lens.book) if hits else []
        return "\n".join(said) + "\n" if said else ""

    def render_priority(self, data: bytes, metadata: contentviews.Metadata) -> float:
        """First choice for requests to the vendor, and for first-party copies of its messages."""
        flow = metadata.flow
        if not isinstance(flow, http.HTTPFlow) or metadata.http_message is not flow.request:
            return -1
        marked = isinstance(flow.metadata.get(META), dict)
        return OURS if marked or _vendors_host(flow.request.pretty_host, self.lens or _shipped()) else -1


def hits_of(flow: http.HTTPFlow, lens: Lens) -> tuple[Hit, ...]:
    """The hits in a flow's request."""
    return observe_request(exchange_from_flow(flow, with_response=False), lens.book, lens.people or NOBODY).hits


def _vendors_host(host: str, lens: Lens) -> bool:
    domains = (d for pixel in lens.book.pixels for d in pixel.domains)
    return any(host == d or host.endswith("." + d) for d in domains)


@lru_cache(1)
def _shipped() -> Lens:
    return Lens(load_rulebook(()))


VIEW = PixelView()
