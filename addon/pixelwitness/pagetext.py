"""What a page's own text says of what it is made of. Nothing of the text is kept."""

from __future__ import annotations

import re

LOOKED_AT = 2 * 1024 * 1024
"""Bytes of a page that are looked at; a longer one counts as one that names more."""
MAX_TAG = 4000
"""Bytes of a tag that are looked at; a longer one counts as one that names more."""
TAG = re.compile(
    rb"<(?:(link)|script|i?frame|img|image|video|audio|source|track|embed|input|object|body|use)\b([^>]*+)", re.I
)
"""Tags that a browser may fetch something for; each byte is looked at once, whatever is left open."""
FETCHED = re.compile(
    rb"\b(?:src|srcset|poster|background|data|href)\s*+=\s*+(?:\"\s*+|'\s*+|)(?!data:)[^\s\"'>#]"
    rb"|\btype\s*+=\s*+[\"']?module\b",
    re.I,
)
"""What names it (HTML Standard). A module may import others, whatever else it says."""
RELATION = re.compile(rb"\b(?:stylesheet|preload|modulepreload|icon|manifest|prefetch)\b", re.I)
IN_STYLE = re.compile(rb"@import\b|\burl\(\s*+(?:\"\s*+|'\s*+|)(?!data:)[^\s\"')#]", re.I)
BEGINS = re.compile(rb"\"?(?:\\[nrt]|\\ufeff|\xef\xbb\xbf|\s){0,200}(?:<!doctype\s+html|<html\b|<!--)", re.I)
IN_BASE64 = (b"PCFkb2N0eXBl", b"PCFET0NUWVBF", b"PCFEb2N0eXBl", b"PGh0bWw", b"PEhUTUw")
"""`<!doctype`, `<!DOCTYPE`, `<!Doctype`, `<html` and `<HTML`, as a capture writes bodies that it takes for binary."""


def names_others(body: bytes) -> bool:
    """Whether a page names scripts, styles, pictures or frames for the browser to fetch. What a script asks for cannot
    be told from the text.
    """
    if len(body) > LOOKED_AT or IN_STYLE.search(body):
        return True
    for tag in TAG.finditer(body):
        link, inside = tag.groups()
        if len(inside) > MAX_TAG or (RELATION if link else FETCHED).search(inside):
            return True
    return False


def may_be_page(body: bytes) -> bool:
    """A cheap look at a body as it stands in a file: whether it begins like a page."""
    return BEGINS.match(body) is not None or body.lstrip(b'"').startswith(IN_BASE64)
