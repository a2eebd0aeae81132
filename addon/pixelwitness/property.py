"""Registrable domains, by the public suffix list that the package `publicsuffixlist` ships: nothing is fetched."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

from publicsuffixlist import PublicSuffixList

from pixelwitness.hostname import ascii_host

MAX_REMEMBERED = 2048
"""Characters of a URL whose host is remembered: a page's own is named by most of its requests."""


@lru_cache(1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


@lru_cache(65536)
def registrable_domain(host: str) -> str:
    """`www.shop.co.uk` -> `shop.co.uk`. An address, a single label or a public suffix stands for itself."""
    host = ascii_host(host.lower().rstrip("."))
    bare = host.strip("[]")
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        return _suffixes().privatesuffix(host) or host
    return bare


def host_of(url: str | None) -> str | None:
    """The host of an http(s) URL in lower-case ASCII; None for anything else (`null`, `about:blank`, rubbish)."""
    if not url:
        return None
    return _host_in(url) if len(url) <= MAX_REMEMBERED else _host_in.__wrapped__(url)


@lru_cache(2048)
def _host_in(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https") or not host:
        return None
    return ascii_host(host.rstrip("."))


def property_of(url: str | None) -> str | None:
    """The registrable domain of a page's URL; None where the text is no http(s) URL."""
    host = host_of(url)
    return registrable_domain(host) if host else None
