"""The one spelling of a host's name: small ASCII letters, as it stands on the wire.

A name in another script (`bücher.example`) and its A-labels (`xn--bcher-kva.example`) are one host: recorders write
either. Names that only look like another one (Cyrillic `а` for Latin `a`) are told apart by reading them so.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit, urlunsplit

import idna

MAX_NAME = 253
"""RFC 1035: a longer one is no name of a host."""


def ascii_host(host: str) -> str:
    """A host by its A-labels (UTS 46, as browsers do); what is no name of a host stays as it is."""
    return host if host.isascii() or len(host) > MAX_NAME else _ascii(host)


@lru_cache(4096)
def _ascii(host: str) -> str:
    try:
        return idna.encode(host, uts46=True, transitional=False).decode().lower()
    except (idna.IDNAError, UnicodeError):
        return ".".join(_label(label) for label in host.lower().split("."))


def _label(label: str) -> str:
    """A label that the standard forbids: browsers take some all the same (an emoji), and others stand in no name."""
    label = "".join(c if c.isprintable() else "\ufffd" for c in label)
    if label.isascii():
        return label
    return "xn--" + label.encode("utf-8", "replace").decode().encode("punycode").decode().lower()


def ascii_url(url: str) -> str:
    """A URL with its host by A-labels; all else as it was."""
    if url.isascii():
        return url
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return url
    if host.isascii():
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.lower().replace(host, ascii_host(host))))
