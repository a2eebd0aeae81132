"""Registrable domains, by the public suffix list that the package `publicsuffixlist` ships: nothing is fetched."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from publicsuffixlist import PSLFILE, PublicSuffixList

from pixelwitness.hostname import ascii_host

MAX_REMEMBERED = 2048
"""Characters of a URL whose host is remembered: a page's own is named by most of its requests."""


@lru_cache(1)
def _suffixes() -> PublicSuffixList:
    """The rules of the list in ASCII: all that can cover a host without `xn--`. The ASCII spelling of the others, which
    few hosts need, takes much longer to work out than the list to read."""
    words = (line.split(" ", 1)[0] for line in Path(PSLFILE).read_text("utf-8").splitlines())
    rules = [word for word in words if word and word.isascii() and not word.startswith("//")]
    return PublicSuffixList(rules, accept_encoded_idn=False)


@lru_cache(1)
def _all_suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def is_top_level(label: str) -> bool:
    """Whether a label, in small ASCII letters, is a top-level domain of the list."""
    return _suffixes().publicsuffix(label, accept_unknown=False) is not None


@lru_cache(65536)
def registrable_domain(host: str) -> str:
    """`www.shop.co.uk` -> `shop.co.uk`. An address, a single label or a public suffix stands for itself."""
    host = ascii_host(host.lower().rstrip("."))
    bare = host.strip("[]")
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        suffixes = _all_suffixes() if "xn--" in host or not host.isascii() else _suffixes()
        return suffixes.privatesuffix(host) or host
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
