"""TC strings: TCF 2.0 to 2.3 with every segment, and Canada's section of the GPP, which has the same build."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pixelwitness.consent.iab.bits import MAX_STRING, Bits, Ranges

TC_SHAPE = re.compile(r"[BC][A-Za-z0-9_-]{30,}(?:\.[A-Za-z0-9_-]*){0,5}")
DISCLOSED, ALLOWED, PUBLISHER = 1, 2, 3
"""Segment types; the core has none."""
FIRST_TCF = 1_524_600_000_000  # 2018-04-24: nobody wrote such a string before


class OldString(ValueError):
    """A TC string of version 1, which has been invalid since 2020."""


@dataclass(frozen=True)
class Publisher:
    """What the visitor allowed the publisher itself: purposes by number, and purposes of its own."""

    consents: frozenset[int]
    legitimate_interests: frozenset[int]
    custom: int
    custom_consents: frozenset[int]
    custom_legitimate_interests: frozenset[int]


@dataclass(frozen=True)
class Restriction:
    """What the publisher imposes on vendors: 0 purpose forbidden, 1 consent, 2 legitimate interest required."""

    purpose: int
    kind: int
    vendors: Ranges


@dataclass(frozen=True)
class TC:
    """What a TC string says. Purposes, features and vendors are numbers of the TCF; times are milliseconds.

    Of Canada's section `purposes` and `vendors` are express consents, the two `legitimate_interests` implied ones.
    """

    version: int
    created: int
    updated: int
    cmp_id: int
    cmp_version: int
    screen: int
    language: str
    vendor_list: int
    policy: int
    specific: bool
    """For this service alone; a string of global scope is no longer allowed."""
    own_stacks: bool
    special_features: frozenset[int]
    purposes: frozenset[int]
    legitimate_interests: frozenset[int]
    purpose_one_undisclosed: bool
    """Purpose 1 was not asked for at all (`PurposeOneTreatment`): that it is not set is then no refusal."""
    country: str
    vendors: Ranges
    vendor_interests: Ranges
    restrictions: tuple[Restriction, ...]
    disclosed: Ranges | None
    allowed: Ranges | None
    publisher: Publisher | None
    unknown_segments: tuple[int, ...]

    @property
    def plausible(self) -> bool:
        """Whether it can be one under any name: other base64 that starts alike has times and sizes that cannot be."""
        return self.created >= FIRST_TCF and abs(self.updated - self.created) < 10**11 and 2 <= self.policy <= 20


def read_tc(text: str) -> TC:
    """A TC string of version 2. Raises OldString for version 1, ValueError for anything else."""
    core, segments = _split(text)
    bits = Bits(core)
    version = bits.number(6)
    if version == 1:
        raise OldString("TC string of version 1")
    if version != 2:
        raise ValueError(f"TC string of version {version}")
    return _read(bits, segments, version, canada=False, fibonacci=False)


def read_tc_canada(text: str) -> TC:
    """The GPP's section 5 (tcfcav1). Raises ValueError.

    Vendor sets are Fibonacci-coded; the IAB's own library wrote fixed ranges until 2025. Which it is is not said: the
    reading that ends where the string ends is right.
    """
    core, segments = _split(text)
    read = []
    for fibonacci in (True, False):
        bits = Bits(core)
        version = bits.number(6)
        if version != 1:
            raise ValueError(f"Canada's section of version {version}")
        try:
            read.append(_read(bits, segments, version, canada=True, fibonacci=fibonacci))
        except ValueError:
            continue
        if bits.only_padding:
            return read[-1]
    if not read:
        raise ValueError("neither way of writing vendor sets fits")
    return read[0]


def _split(text: str) -> tuple[str, list[str]]:
    if len(text) > MAX_STRING or not TC_SHAPE.fullmatch(text):
        raise ValueError("not the shape of a TC string")
    core, *segments = text.split(".")
    return core, [s for s in segments if s]


def _read(bits: Bits, segments: list[str], version: int, *, canada: bool, fibonacci: bool) -> TC:
    created, updated = bits.number(36) * 100, bits.number(36) * 100
    cmp_id, cmp_version, screen = bits.number(12), bits.number(12), bits.number(6)
    language, vendor_list, policy = bits.letters(), bits.number(12), bits.number(6)
    specific = True if canada else bits.flag()
    own_stacks = bits.flag()
    special, purposes, interests = bits.flags(12), bits.flags(24), bits.flags(24)
    undisclosed = False if canada else bits.flag()
    country = "" if canada else bits.letters()
    vendors, vendor_interests = bits.optimised(fibonacci=fibonacci), bits.optimised(fibonacci=fibonacci)
    restrictions = _restrictions(bits, fibonacci=fibonacci)
    disclosed = allowed = publisher = None
    unknown = []
    for segment in segments:
        part = Bits(segment)
        kind = part.number(3)
        if kind == DISCLOSED:
            disclosed = _disclosed(segment, part, fibonacci=canada)
        elif kind == ALLOWED and not canada:
            allowed = part.optimised()
        elif kind == PUBLISHER:
            publisher = _publisher(part)
        else:
            unknown.append(kind)
    return TC(
        version, created, updated, cmp_id, cmp_version, screen, language, vendor_list, policy, specific, own_stacks,
        special, purposes, interests, undisclosed, country, vendors, vendor_interests, restrictions, disclosed, allowed,
        publisher, tuple(unknown),
    )  # fmt: skip


def _restrictions(bits: Bits, *, fibonacci: bool) -> tuple[Restriction, ...]:
    if bits.left < 12:
        return ()  # some writers end with the vendor sets
    return tuple(
        Restriction(
            bits.number(6), bits.number(2), bits.optimised(fibonacci=True) if fibonacci else bits.fixed_ranges()
        )
        for _ in range(bits.number(12))
    )


def _disclosed(segment: str, part: Bits, *, fibonacci: bool) -> Ranges:
    if not fibonacci:
        return part.optimised()
    try:
        found = part.optimised(fibonacci=True)
        if part.only_padding:
            return found
    except ValueError:
        pass
    again = Bits(segment)
    again.number(3)
    return again.optimised()


def _publisher(part: Bits) -> Publisher:
    consents, interests = part.flags(24), part.flags(24)
    custom = part.number(6)
    return Publisher(consents, interests, custom, part.flags(custom), part.flags(custom))
