"""What a pasted consent value says, in words: a Cookie header, one cookie, a URL, or a standard string on its own."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pixelwitness.consent.cookies import read_cookies
from pixelwitness.consent.decoders import DECODERS
from pixelwitness.consent.decoders.strings import bare
from pixelwitness.consent.decoders.values import json_of
from pixelwitness.consent.google import google_detail
from pixelwitness.consent.iab.bits import MAX_STRING
from pixelwitness.consent.iab.tcf import OldString, read_tc
from pixelwitness.consent.index import index_of, system
from pixelwitness.consent.reading import Reading
from pixelwitness.consent.wire import in_query
from pixelwitness.exchange import Exchange
from pixelwitness.rulebook import Rulebook

MAX_PASTE = 1_000_000
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
STRINGS = (("tc", "tcf"), ("gpp", "gpp"), ("usp", "usp"), ("ac", "ac"))
WHOLE = frozenset({"onetrust", "cookiebot", "pairs", "json", "services"})
"""Decoders that know their value without its cookie's name, well enough to guess whose it is."""


@dataclass(frozen=True)
class Said:
    """One place (a cookie, a parameter, the string itself) and what it says."""

    place: str
    system: str | None
    """The id of its rule; None: a consent-like cookie that no rule reads."""
    readings: tuple[Reading, ...]
    guessed: bool = False
    """A value without its cookie's name: whose it is was told by its form alone."""


@dataclass(frozen=True)
class Explained:
    """What was pasted, what was found in it, and what of it says nothing of consent."""

    form: str
    said: tuple[Said, ...]
    silent: tuple[str, ...] = field(default=())
    """Names of cookies that say nothing of consent; or, where nothing was recognised, what it looked like."""


def explain(text: str, book: Rulebook) -> Explained:
    """Reads whatever was pasted. Raises ValueError where it is empty or too large."""
    text = re.sub(r"^\s*(?:set-)?cookie:\s*", "", text.strip(), flags=re.I).strip()
    if not text:
        raise ValueError("nothing was given")
    if len(text) > MAX_PASTE:
        raise ValueError(f"more than {MAX_PASTE} characters")
    for decoder, rule in STRINGS:
        if (readings := DECODERS[decoder](text, {}, {})) is not None:
            return Explained(system(book, rule).name, (Said("the string", rule, tuple(readings)),))
    if (google := google_detail({"gcd": text, "gcs": text}, index_of(book).google)) is not None:
        return Explained("Google's consent mode", (Said("the string", "google", (Reading(detail=google),)),))
    if re.match(r"https?://", text):
        return _url(text, book)
    if (names := _cookie_names(text)) is not None:
        explained = _cookies(text, names, book)
        if explained.said or len(names) > 1:
            return explained
    text = text[:MAX_STRING]
    guesses = tuple(_guesses(text, book))
    if guesses:
        return Explained("a value without its cookie's name", guesses)
    return Explained("not recognised", (), (looks_like(text),))


def _url(text: str, book: Rulebook) -> Explained:
    index = index_of(book)
    found: dict[tuple[str, str], list[Reading]] = {}
    for name, rule, reading in in_query(Exchange("", 0, "GET", text), index):
        found.setdefault((name, rule), []).append(reading)
    said = tuple(Said(f"parameter {name}", rule, tuple(readings)) for (name, rule), readings in found.items())
    return Explained("a URL", said, () if said else ("a URL whose parameters say nothing of consent that is known",))


def _cookie_names(text: str) -> list[str] | None:
    names = []
    for pair in text.split(";"):
        name, equals, value = pair.strip().partition("=")
        if equals and value.strip("=") and TOKEN.fullmatch(name):
            names.append(name)
        elif pair.strip() and not names:
            return None
    return list(dict.fromkeys(names)) or None


def _cookies(text: str, names: list[str], book: Rulebook) -> Explained:
    found: dict[tuple[str, str | None], list[Reading]] = {}
    for name, rule, reading in read_cookies(text, book):
        found.setdefault((name, rule), []).append(reading)
    said = tuple(Said(f"cookie {name}", rule, tuple(readings)) for (name, rule), readings in found.items())
    spoke = {name for name, _ in found}
    form = "a cookie" if len(names) == 1 else f"a Cookie header with {len(names)} cookies"
    return Explained(form, said, tuple(n for n in names if n not in spoke))


def _guesses(text: str, book: Rulebook) -> Iterator[Said]:
    """The systems whose cookie this value can be, where its form alone tells."""
    index = index_of(book)
    for rule in book.consent:
        for cookie in rule.cookies:
            if cookie.decoder not in WHOLE or (cookie.shape and not re.search(cookie.shape, bare(text[:4096]))):
                continue
            readings = DECODERS[cookie.decoder](text, {}, {**cookie.params, "lists": index.lists})
            if readings is not None:
                yield Said(f"a value as {cookie.name or cookie.pattern} has it", rule.id, tuple(readings), guessed=True)


def looks_like(text: str) -> str:
    """What an unrecognised text looks like."""
    plain = bare(text)
    if plain[:1] == "C" and re.fullmatch(r"[A-Za-z0-9_.-]{20,}", plain):
        try:
            read_tc(plain)
        except OldString:
            return "a TC string of version 1"
        except ValueError as error:
            return f"base64 that starts as a TC string does, and is none ({error}): cut when it was copied?"
    if plain[:2] == "DB":
        return "text that starts as a GPP string does, and is none: cut when it was copied?"
    if re.fullmatch(r"1[A-Za-z+-]{1,5}", plain):
        return "text that starts as a US Privacy string does, and is none"
    if re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]*", plain) and plain.startswith("ey"):
        return "a JSON web token: of whom, only its own site knows"
    if re.fullmatch(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", plain):
        return "a UUID: an identifier, which says nothing of consent"
    parsed = json_of(plain)
    if isinstance(parsed, dict):
        form = "a JSON object" if plain.lstrip()[:1] in ("{", '"') else "JSON in base64"
        return f"{form} with the keys {_keys(parsed)}, which no rule claims by its form"
    inner = _base64_text(plain)
    if inner is not None and isinstance(parsed := json_of(inner), dict):
        return f"JSON in base64 with the keys {_keys(parsed)}, which no rule claims by its form"
    return (
        f"{len(plain)} characters of no form that is known. Paste it with its name (name=value): many are told by that"
    )


def _keys(parsed: dict[str, Any]) -> str:
    return ", ".join(str(k)[:40] for k in list(parsed)[:8]) or "(none)"


def _base64_text(text: str) -> str | None:
    if not re.fullmatch(r"[A-Za-z0-9+/_-]{8,}={0,2}", text):
        return None
    body = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4)).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
