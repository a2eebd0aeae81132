"""What a page's own text says of what it is made of. Nothing of the text is kept."""

from __future__ import annotations

import re

LOOKED_AT = 2 * 1024 * 1024
"""Bytes of a page that are looked at."""
NAMED = re.compile(
    rb"<(?:script|img|iframe|frame|video|audio|source|embed|input)\b[^>]{0,4000}?\bsrc(?:set)?\s*=\s*[\"']?(?!\s*data:)[^\s\"'>]"
    rb"|<link\b[^>]{0,4000}?\brel\s*=\s*[\"']?[^\"'>]{0,200}?(?:stylesheet|preload|icon|manifest)"
    rb"|<object\b[^>]{0,4000}?\bdata\s*=|@import\b|\burl\(\s*[\"']?(?!data:|#)",
    re.I,
)
"""What a browser fetches by itself to show a page (HTML Standard: `src`, `srcset`, `link`, `object`; CSS: `@import`,
`url()`). What a script asks for cannot be told from the text."""
BEGINS = re.compile(rb"\"?(?:\\[nrt]|\\ufeff|\xef\xbb\xbf|\s){0,200}(?:<!doctype\s+html|<html\b|<!--)", re.I)
IN_BASE64 = (b"PCFkb2N0eXBl", b"PCFET0NUWVBF", b"PCFEb2N0eXBl", b"PGh0bWw", b"PEhUTUw")
"""`<!doctype`, `<!DOCTYPE`, `<!Doctype`, `<html` and `<HTML`, as a capture writes bodies that it takes for binary."""


def names_others(body: bytes) -> bool:
    """Whether a page names scripts, styles, pictures or frames for the browser to fetch."""
    return len(body) > LOOKED_AT or NAMED.search(body) is not None


def may_be_page(body: bytes) -> bool:
    """A cheap look at a body as it stands in a file: whether it begins like a page."""
    return BEGINS.match(body) is not None or body.lstrip(b'"').startswith(IN_BASE64)
