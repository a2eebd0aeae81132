"""All rules about one vendor, put together from its files and made ready for use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache

from pixelwitness.identity.stamps import created_at
from pixelwitness.identity.variants import ALGORITHMS
from pixelwitness.pixels.templates import is_token
from pixelwitness.pixels.tiktok.paths import Tree, at_path, tree
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.pixels import (
    ContentField,
    Documented,
    IdentityField,
    LoaderCalls,
    LoaderKeys,
    MessageField,
    PixelCookie,
    PixelRule,
    Repeats,
    ScriptMarks,
    UrlIdentifier,
)

MAX_TEMPLATE = 200
"""Characters of a template that was not filled in; what is longer is looked at as a value."""


@dataclass(frozen=True)
class Placeholders:
    """What stands for nothing: texts in lower case, digests as bytes, and shapes."""

    texts: frozenset[str]
    digests: frozenset[bytes]
    names: frozenset[str]
    """Those of the texts that are people's names as well: in a field for a name they stand for somebody."""
    name_digests: frozenset[bytes]
    shape: re.Pattern[str] | None
    marks: tuple[tuple[str, str], ...]
    """Opening and closing marks of templates, the longer ones first."""
    words: frozenset[str]
    """Words of which the variables in templates are named."""

    def is_text(self, value: str, *, is_name: bool = False) -> bool:
        """Whether a clear text says nothing about anybody."""
        if value.lower() in self.texts:
            return not (is_name and value.lower() in self.names)
        if len(value) > MAX_TEMPLATE:
            return False
        shaped = self.shape is not None and self.shape.fullmatch(value) is not None
        return shaped or is_token(value, self.marks, self.words)

    def is_digest(self, digest: bytes, *, is_name: bool = False) -> bool:
        """Whether a digest is that of a text that says nothing about anybody."""
        return digest in self.digests and not (is_name and digest in self.name_digests)


def _placeholders(files: list[PixelRule]) -> Placeholders:
    texts = {t for p in files for t in (*p.placeholders.values(), *p.placeholder_texts)}
    hashed = _digests(texts)
    shape = next((p.placeholder_pattern for p in files if p.placeholder_pattern), None)
    listed = {bytes.fromhex(digest) for p in files for digest in p.placeholders}
    lower = frozenset(text.lower() for text in texts)
    names = {n.lower() for p in files for n in p.names_too}
    return Placeholders(
        lower,
        frozenset(hashed | listed),
        frozenset(names),
        frozenset(_digests(names)),
        re.compile(shape) if shape else None,
        tuple(sorted({m for p in files for m in p.template_marks}, key=lambda m: (-len(m[0]), m))),
        frozenset(w for p in files for w in p.template_words),
    )


def _digests(texts: set[str]) -> set[bytes]:
    spelt = {s for t in texts for s in (t, t.lower(), t.upper(), t.capitalize())}
    return {algorithm(s.encode()) for s in spelt for algorithm in ALGORITHMS.values()}


@dataclass(frozen=True, eq=False)
class Vendor:
    """What is known of one vendor. Compared by identity, so that it can key caches."""

    id: str
    name: str
    domains: frozenset[str]
    senders: tuple[str, ...]
    renames: dict[str, str]
    identity: tuple[IdentityField, ...]
    cookies: tuple[PixelCookie, ...]
    url_identifiers: tuple[UrlIdentifier, ...]
    placeholders: Placeholders
    person_objects: tuple[str, ...]
    not_identity: frozenset[str]
    documented: dict[str, Documented]
    diagnostics: dict[str, str]
    collected: tuple[ContentField, ...]
    redaction: re.Pattern[str] | None
    redaction_meanings: dict[str, str]
    fields: tuple[MessageField, ...]
    loader: LoaderKeys | None
    loader_calls: LoaderCalls | None
    scripts: tuple[ScriptMarks, ...]
    relay_sources: frozenset[str]
    code_shape: re.Pattern[str] | None
    repeats: Repeats | None
    frame_runtimes: frozenset[str]
    code_formats: tuple[str, ...]

    @cached_property
    def identity_paths(self) -> Tree:
        """The paths of `identity`, to tell in one walk which of its rules find something."""
        return tree(rule.path for rule in self.identity)

    @cached_property
    def known_paths(self) -> frozenset[str]:
        """The same paths, as they stand in the rules."""
        return frozenset(rule.path for rule in self.identity)

    @cached_property
    def outermost(self) -> tuple[ContentField, ...]:
        """Of `collected` the rules that stand in no other rule's field: the others only say more of a part."""
        names = {rule.path for rule in self.collected}
        parents = {p: {p.rsplit(".", n)[0] for n in range(1, p.count(".") + 1)} for p in names}
        return tuple(rule for rule in self.collected if not names & parents[rule.path])

    @cached_property
    def outermost_paths(self) -> Tree:
        """The paths of those."""
        return tree(rule.path for rule in self.outermost)

    def owns(self, host: str) -> bool:
        """Whether a host is the vendor's, not that of a first-party copy."""
        return any(host == d or host.endswith("." + d) for d in self.domains)

    def sends_to(self, host: str) -> bool:
        """Whether the pixel's traffic may go to a host, as far as its name tells."""
        return any(fnmatchcase(host, pattern) for pattern in self.senders)

    def is_code(self, text: object) -> bool:
        """Whether a text has the shape of a pixel code."""
        return isinstance(text, str) and self.code_shape is not None and self.code_shape.fullmatch(text) is not None

    def code_created_at(self, code: str) -> int | None:
        """When a pixel was made, by its code; None where the code does not say."""
        return created_at(code, self.code_formats)

    def repeated_message(self, message_id: str | None) -> str | None:
        """The id of the message that a message repeats, by its own id; None where it repeats none."""
        if self.repeats is None or not message_id:
            return None
        repeated, mark, _ = message_id.partition(self.repeats.mark)
        return repeated if mark and repeated else None

    def repeated_event(self, message: object) -> str | None:
        """The event that a message says it repeats."""
        value = at_path(message, self.repeats.event) if self.repeats is not None else None
        return value if isinstance(value, str) and value else None


@lru_cache(32)
def vendor_of(book: Rulebook, vendor: str) -> Vendor:
    """The rules of a vendor, from all its files."""
    files = [p for p in book.pixels if p.vendor == vendor]
    redactions = next((p.redactions for p in files if p.redactions), None)
    return Vendor(
        id=vendor,
        name=next((p.name for p in files if p.name), vendor),
        domains=frozenset(d for p in files for d in p.domains),
        senders=tuple(s for p in files for s in p.senders),
        renames={k: v for p in files for k, v in p.renames.items()},
        identity=tuple(f for p in files for f in p.identity),
        cookies=tuple(c for p in files for c in p.cookies),
        url_identifiers=tuple(u for p in files for u in p.url_identifiers),
        placeholders=_placeholders(files),
        person_objects=tuple(o for p in files for o in p.person_objects),
        not_identity=frozenset(n for p in files for n in p.not_identity),
        documented={k: v for p in files for k, v in p.documented.items()},
        diagnostics={k: v for p in files for k, v in p.diagnostics.items()},
        collected=tuple(c for p in files for c in p.collected),
        redaction=re.compile(redactions.pattern) if redactions else None,
        redaction_meanings=redactions.meanings if redactions else {},
        fields=tuple(f for p in files for f in p.fields),
        loader=next((p.loader for p in files if p.loader), None),
        loader_calls=next((p.loader_calls for p in files if p.loader_calls), None),
        scripts=tuple(s for p in files for s in p.scripts),
        relay_sources=frozenset(s for p in files for s in p.relay_sources),
        code_shape=next((re.compile(p.pixel_code) for p in files if p.pixel_code), None),
        repeats=next((p.repeats for p in files if p.repeats), None),
        frame_runtimes=frozenset(r for p in files for r in p.frame_runtimes),
        code_formats=tuple(f for p in files for f in p.pixel_code_created),
    )
