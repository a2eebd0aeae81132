"""Whose value is it: test personas, every spelling and digest of theirs computed beforehand, found by look-up."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from pixelwitness.identity.personas import Persona, read_personas
from pixelwitness.identity.variants import all_spellings, digests, is_guess
from pixelwitness.rulebook.identity import IdentityRules

SIZES = (16, 20, 32, 64)
"""Bytes of MD5, SHA-1, SHA-256, SHA-512."""
TELLING = frozenset({"email", "phone", "full_name", "username", "external_id", "street"})
"""What may be searched for inside longer texts; a first name or a city stands in many texts by chance."""
LEAST = 5
"""Characters that a value must have to be searched for inside longer texts."""
LEAST_DIGITS = 9
"""The same for telephone numbers: seven digits in a row are many things."""
LEAST_MASKED = 3
"""Characters that a value must have to be masked inside longer texts: a state's two letters tell nobody."""
TOKENS = (
    re.compile(r"[A-Za-z0-9+/_-]{22,128}={0,2}"),
    # A slash, a hyphen or an underscore may be part of the token or stand beside it.
    re.compile(r"[A-Za-z0-9+_-]{22,128}={0,2}"),
    re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{32,128}(?![0-9A-Fa-f])"),
)
HEX_DIGEST = re.compile(rb"[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64}|[0-9a-fA-F]{128}")
LABEL = re.compile(
    r"(?:(?:0x|\\x)(?=(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128})\Z)|sha-?(?:256|512|1)[:=$_-]|md5[:=$_-])",
    re.I,
)
"""What is written before a digest to say what it is."""
PUNCTUATED = re.compile(r"\s*\+?[\d\s().\-/]{7,30}")


class Match(NamedTuple):
    """A persona's attribute, and how it was spelt and hashed (`hashed` is None for clear text)."""

    persona: str
    attribute: str
    spelling: str
    hashed: str | None = None
    control: bool = False

    @property
    def variant(self) -> str:
        """In words: `digits as typed, SHA-256`."""
        return f"{self.spelling}, {self.hashed}" if self.hashed else self.spelling


class Found(NamedTuple):
    """A match in a longer text, from where to where."""

    start: int
    end: int
    match: Match


@dataclass(frozen=True, eq=False)
class People:
    """The index of all personas. Compared by identity."""

    by_digest: dict[bytes, tuple[Match, ...]] = field(default_factory=dict)
    by_text: dict[str, tuple[Match, ...]] = field(default_factory=dict)
    needles: re.Pattern[str] | None = None
    every: re.Pattern[str] | None = None
    """As `needles`, for masking: values of any kind, short ones too."""
    source: str | None = None
    """SHA-256 of the file that they were read from."""

    def __bool__(self) -> bool:
        return bool(self.by_text)

    def whose(self, value: str) -> Match | None:
        """Whose value this is, hashed or in clear; a persona that was used before the control persona."""
        found = self.by_text.get(value) or self.by_text.get(value.strip().lower(), ())
        if not found and (digest := digest_of(value)) is not None:
            found = self.by_digest.get(digest, ())
        if not found and self.by_text and PUNCTUATED.fullmatch(value):
            digits = re.sub(r"\D", "", value)
            found = self.by_text.get(f"+{digits}", ()) if "+" in value else self.by_text.get(digits, ())
        return _one(found)

    def hashes_in(self, text: str) -> Iterator[Found]:
        """Digests of personas inside a longer text."""
        if not self.by_digest:
            return
        done: set[tuple[int, int]] = set()
        for shape in TOKENS:
            for token in shape.finditer(text):
                digest = digest_of(token[0]) if token.span() not in done else None
                match = _one(self.by_digest.get(digest, ())) if digest is not None else None
                if match is not None:
                    done.add(token.span())
                    yield Found(*token.span(), match)

    def clear_in(self, text: str, *, every: bool = False) -> Iterator[Found]:
        """Clear values of personas inside a longer text, as whole words; `every`: also those that tell nobody alone."""
        pattern = self.every if every else self.needles
        if pattern is None:
            return
        for found in pattern.finditer(text):
            said = found[0]
            match = self.whose(said) or self.whose(re.sub(r"[\s+_]+", " ", said)) or self.whose(re.sub(r"\D", "", said))
            if match is not None:
                yield Found(*found.span(), match)


NOBODY = People()


def _one(found: Sequence[Match]) -> Match | None:
    """One match for all: the same value may be that of several personas (a family name).

    A control persona's city or first name is somebody else's as well: only what tells one person counts.
    """
    used = [m for m in found if not m.control] or [m for m in found if m.attribute in TELLING]
    if not used:
        return None
    first = used[0]
    same = {m.persona for m in used if m.attribute == first.attribute}
    return first._replace(persona=" or ".join(sorted(same)))


def digest_of(value: str) -> bytes | None:
    """The bytes of a digest written in hex, base64 or base64url, padded or not, or as base64 of hex; else None."""
    text = without_label(value)
    if len(text) % 2 == 0 and len(text) // 2 in SIZES and re.fullmatch(r"[0-9a-fA-F]+", text):
        return bytes.fromhex(text)
    bare = text.rstrip("=")
    if not re.fullmatch(r"[A-Za-z0-9+/_-]{22,172}", bare):
        return None
    try:
        raw = base64.b64decode(bare.translate(str.maketrans("-_", "+/")) + "=" * (-len(bare) % 4))
    except (binascii.Error, ValueError):
        return None  # letters and digits that are no base64 are no digest either
    if HEX_DIGEST.fullmatch(raw):
        return bytes.fromhex(raw.decode())
    return raw if len(raw) in SIZES else None


def without_label(value: str) -> str:
    """A digest without quotes, and without the name of its algorithm in front."""
    text = value.strip().strip("\"'").strip()
    return LABEL.sub("", text, count=1) if LABEL.match(text) else text


def index(personas: Sequence[Persona], rules: IdentityRules) -> People:
    """All spellings and digests of some personas, ready for look-up."""
    by_digest: dict[bytes, list[Match]] = {}
    by_text: dict[str, list[Match]] = {}
    needles: set[str] = set()
    every: set[str] = set()
    for persona in personas:
        for attribute, text, spelling in all_spellings(persona, rules):
            match = Match(persona.name, attribute, spelling, control=persona.control)
            by_text.setdefault(text, []).append(match)
            if attribute in TELLING and (needle := _needle(attribute, text.lower(), spelling)):
                needles.add(needle)
                every.add(needle)
            if attribute != "phone" and len(text.strip()) >= LEAST_MASKED:
                every.add(_words(text.strip().lower()))
            if (lower := text.strip().lower()) != text:
                by_text.setdefault(lower, []).append(match)
            for digest, how in digests(text, spelling):
                hashed = Match(persona.name, attribute, spelling, how, persona.control)
                by_digest.setdefault(digest, []).append(hashed)
    return People(
        {k: tuple(v) for k, v in by_digest.items()}, {k: tuple(v) for k, v in by_text.items()}, _any_of(needles),
        _any_of(every),
    )  # fmt: skip


def _any_of(needles: set[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(sorted(needles, key=len, reverse=True)), re.I) if needles else None


def load_people(path: Path | None, rules: IdentityRules) -> People:
    """The index of a file of personas; nobody where there is none. Raises RuleError with file and line."""
    if path is None:
        return NOBODY
    people = index(read_personas(path), rules)
    return replace(people, source=hashlib.sha256(path.read_bytes()).hexdigest())


def _needle(attribute: str, text: str, spelling: str) -> str | None:
    """The pattern of a spelling inside a text: telephone digits with anything usual between them, words as they are."""
    if attribute == "phone":
        if not text.isdigit() or len(text) < LEAST_DIGITS or is_guess(spelling):
            return None
        return r"(?<![\w+])\+?" + r"[\s.()/-]{0,3}".join(text) + r"(?!\w)"
    if len(text.strip()) < LEAST or (attribute == "email" and "@" not in text):
        return None
    return _words(text)


def _words(text: str) -> str:
    return r"(?<!\w)" + r"[\s+_]+".join(re.escape(word) for word in text.split()) + r"(?!\w)"
