"""Whether an exchange can say anything, told by a look: most of what a page loads is pictures, scripts and fonts, of
which nothing is kept but that they were asked for.

Never a shorter look: an exchange is called silent only where all that the rules read anything out of is absent. What is
not certain, or unusual, goes to `ingest`, whose answer this module only foretells (`tests/speed/test_glance.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from pixelwitness.classify import class_of, classify, is_document, may_carry
from pixelwitness.consent import probe
from pixelwitness.consent.configs import GPC_FILE, covers
from pixelwitness.consent.cookies import read_cookies
from pixelwitness.consent.index import Index, index_of
from pixelwitness.consent.wire import may_tell
from pixelwitness.exchange import Exchange
from pixelwitness.hostname import MAX_NAME
from pixelwitness.ingest import FRAMES, REDIRECTS, is_own, looks_like_a_page
from pixelwitness.pixels.hosted import hosted
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.consent import ConfigRule
from pixelwitness.rulebook.traffic import Category

PAGES = FRAMES | {"document"}


@dataclass(frozen=True)
class _Host:
    """What the rules know of a host whatever is sent there."""

    category: Category
    paths: tuple[str, ...]
    """How the paths begin that are read."""
    configs: tuple[ConfigRule, ...]


def silent_request(exchange: Exchange, book: Rulebook) -> Category | None:
    """The class of a request that says nothing and is only counted; None: it has to be read."""
    host = _known(exchange, book)
    if host is None or _may_be_page(exchange):
        return None
    header = exchange.fields.get("cookie")
    if header and read_cookies(header, book):
        return None
    if is_own(exchange, host.category, top=False) or may_tell(exchange.parts.query, index_of(book)):
        return None
    return None if _is_message(exchange, book) else host.category


def silent_response(exchange: Exchange, book: Rulebook) -> bool:
    """Whether the response of an exchange adds nothing to its request."""
    host = _known(exchange, book)
    if host is None or _may_be_page(exchange):
        return False
    response = exchange.response
    if response is None:
        return True
    if response.status in REDIRECTS:
        return False
    index = index_of(book)
    for name, value in response.headers:
        if len(name) in index.header_sizes and _is_read(name.lower(), value, index):
            return False
    if any(covers(config, exchange.path) for config in host.configs) or _is_message(exchange, book):
        return False
    return not response.body or not any(hosted(exchange, book))


def _known(exchange: Exchange, book: Rulebook) -> _Host | None:
    """What is known of its host; None: the request failed, or what goes there is read."""
    if exchange.error is not None or not 0 < len(exchange.host) <= MAX_NAME:
        return None
    host = _host(exchange.host, book)
    return host if host is not None and not exchange.path.startswith(host.paths) else None


@lru_cache(4096)
def _host(host: str, book: Rulebook) -> _Host | None:
    """None: whatever goes to this host is read, or the path tells its class."""
    category = class_of(host, book)
    if category is None:
        return None
    index = index_of(book)
    likely = (path for pixel in book.pixels for endpoint in pixel.endpoints for path in endpoint.likely_paths)
    configs = tuple(config for _, config in index.configs.lookup(host))
    return _Host(category, (*index.paths(host), *likely, GPC_FILE, probe.PATH), configs)


def _may_be_page(exchange: Exchange) -> bool:
    """Whether it may have been asked for as a page or a frame."""
    fields = exchange.fields
    destination = fields.get("sec-fetch-dest")
    if destination is not None:
        return destination in PAGES
    return is_document(exchange) or ("accept" not in fields and looks_like_a_page(exchange))


def _is_message(exchange: Exchange, book: Rulebook) -> bool:
    return may_carry(exchange) and classify(exchange, book).endpoint is not None


def _is_read(name: str, value: str, index: Index) -> bool:
    """Whether a header field of a response sets a cookie, or is one in which a consent system writes its state."""
    if name == "set-cookie":
        return True
    return any(re.search(header.pattern, value[:4096]) for _, header in index.headers.get(name, ()))
