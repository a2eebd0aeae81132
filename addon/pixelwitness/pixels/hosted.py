"""Scripts of a vendor's that come from somebody else's host: known by what stands in them, never by their name."""

from __future__ import annotations

import re
from functools import lru_cache

from pixelwitness.classify import base64_forms
from pixelwitness.exchange import Exchange, header_values
from pixelwitness.mask import mask_text
from pixelwitness.observations import HostedScript, PixelSettings
from pixelwitness.pixels.tiktok.loader import settings
from pixelwitness.pixels.vendor import Vendor, vendor_of
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.pixels import ScriptMarks

MAX_SCRIPT = 4 * 1024 * 1024
"""Bytes of a script that are looked at; TikTok's client has less than half a megabyte."""
SCRIPTS = frozenset({"script", "worker", "sharedworker", "serviceworker"})
BASE64 = re.compile(rb"\"?[A-Za-z0-9+/]{60}")
type Hosted = tuple[tuple[HostedScript, ...], tuple[PixelSettings, ...]]


def hosted(exchange: Exchange, book: Rulebook) -> Hosted:
    """The vendor's script that an answer of somebody else's host is, and the settings that it discloses."""
    response = exchange.response
    if response is None or not response.body or exchange.method != "GET" or not _is_script(exchange):
        return (), ()
    for name in dict.fromkeys(p.vendor for p in book.pixels):
        vendor = vendor_of(book, name)
        script = None if vendor.owns(exchange.host) else _known(response.body, vendor)
        if script is not None:
            page = exchange.fields.get("referer") or exchange.fields.get("origin")
            where = {"host": exchange.host, "page": mask_text(page) if page else None}
            about = {"client": exchange.client, "at": exchange.started_at, "vendor": vendor.id, **where}
            # Of a script that anybody may have written, only pixels whose codes are codes.
            said = tuple(
                PixelSettings(id=f"{exchange.id}.{one['code']}", **about, **one)
                for one in settings(response.body, vendor)
                if vendor.is_code(one["code"])
            )
            if said or not script.discloses:
                return (HostedScript(id=exchange.id, role=script.role, url=mask_text(exchange.url), **about),), said
    return (), ()


def may_be_script(body: str | bytes, book: Rulebook) -> bool:
    """A cheap look at a body as it stands in a file: JSON's escapes change no mark, and base64 is told by its look."""
    text = body.encode("utf-8", "replace") if isinstance(body, str) else body
    plain, coded = _first_marks(book)
    return any(mark in text for mark in (coded if BASE64.match(text) else plain))


@lru_cache(8)
def _first_marks(book: Rulebook) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """The first mark of each script, plain and in base64."""
    plain = tuple(dict.fromkeys(s.marks[0].encode() for p in book.pixels for s in p.scripts))
    return plain, tuple(form for mark in plain for form in base64_forms(mark))


def role_of(body: bytes, vendor: Vendor) -> str | None:
    """What a script of the vendor's does, by the texts that stand in it; None where it is none of the vendor's."""
    script = _known(body, vendor)
    return script.role if script is not None else None


def _known(body: bytes, vendor: Vendor) -> ScriptMarks | None:
    looked_at = body[:MAX_SCRIPT]
    found = (s for s in vendor.scripts if all(mark.encode() in looked_at for mark in s.marks))
    return next(found, None)


def _is_script(exchange: Exchange) -> bool:
    """Whether the answer is one that a browser runs: a page that shows a script to read is none."""
    kinds = " ".join(header_values(exchange.response.headers, "content-type")).lower() if exchange.response else ""
    if any(word in kinds for word in ("html", "json", "css", "image/", "font", "markdown", "svg")):
        return False
    asked = exchange.fields.get("sec-fetch-dest")
    if asked is not None:
        return asked in SCRIPTS
    return "javascript" in kinds or "ecmascript" in kinds or exchange.path.lower().endswith((".js", ".mjs"))
