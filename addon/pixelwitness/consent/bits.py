"""The IAB's bit strings: TC strings (TCF 2.0 to 2.3), GPP and US Privacy. Own readers, from the specifications."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

MAX_STRING = 20_000
TC_SHAPE = re.compile(r"[BC][A-Za-z0-9_-]{30,}(?:\.[A-Za-z0-9_-]+){0,5}")
GPP_SHAPE = re.compile(r"D[A-Za-z0-9_-]{2,}(?:~[A-Za-z0-9_.-]+)*")
USP_SHAPE = re.compile(r"1[YNyn-][YNyn-][YNyn-]")


class Bits:
    """A reader of base64url bits, most significant first. Reading past the end raises ValueError."""

    def __init__(self, text: str) -> None:
        try:
            raw = base64.b64decode(text.translate(str.maketrans("-_", "+/")) + "A" * (-len(text) % 4), validate=True)
        except binascii.Error as error:
            raise ValueError("not base64url") from error
        self._value = int.from_bytes(raw)
        self._length = len(raw) * 8
        self.at = 0
        self.end = len(text) * 6

    def number(self, width: int) -> int:
        """The next `width` bits as an unsigned number."""
        if self.at + width > min(self.end, self._length):
            raise ValueError("cut short")
        self.at += width
        return (self._value >> (self._length - self.at)) & ((1 << width) - 1)

    def flags(self, width: int) -> frozenset[int]:
        """The next `width` bits as the set of positions (from 1) that are set."""
        value = self.number(width)
        return frozenset(i + 1 for i in range(width) if value >> (width - 1 - i) & 1)

    def fibonacci(self) -> int:
        """The next Fibonacci-coded number (from 1)."""
        total, a, b, last = 0, 1, 2, 0
        for _ in range(40):
            bit = self.number(1)
            if bit and last:
                return total
            total += a if bit else 0
            a, b, last = b, a + b, bit
        raise ValueError("no end of a Fibonacci number")


@dataclass(frozen=True)
class TC:
    """What a TC string says. Purposes and vendors are numbers of the TCF; times are milliseconds."""

    version: int
    created: int
    updated: int
    cmp_id: int
    policy: int
    purposes: frozenset[int]
    legitimate_interests: frozenset[int]
    vendors: frozenset[int]
    vendor_interests: frozenset[int]
    disclosed: frozenset[int] | None
    specific: bool


def read_tc(text: str) -> TC:
    """A TC string of version 2. Raises ValueError for anything else."""
    if len(text) > MAX_STRING or not TC_SHAPE.fullmatch(text):
        raise ValueError("not the shape of a TC string")
    core, *segments = text.split(".")
    bits = Bits(core)
    version = bits.number(6)
    if version != 2:
        raise ValueError(f"TC string of version {version}")
    created, updated = bits.number(36) * 100, bits.number(36) * 100
    cmp_id = bits.number(12)
    bits.number(12 + 6 + 12 + 12)  # CMP version, screen, language, vendor list version
    policy = bits.number(6)
    specific = bool(bits.number(1))
    bits.number(1 + 12)  # non-standard stacks, special features
    purposes, interests = bits.flags(24), bits.flags(24)
    bits.number(1 + 12)  # purpose one treatment, publisher country
    vendors, vendor_interests = _vendors(bits), _vendors(bits)
    disclosed = None
    for segment in segments:
        if segment:
            part = Bits(segment)
            if part.number(3) == 1:
                disclosed = _vendors(part)
    return TC(
        version, created, updated, cmp_id, policy, purposes, interests, vendors, vendor_interests, disclosed, specific
    )  # fmt: skip


def _vendors(bits: Bits) -> frozenset[int]:
    highest = bits.number(16)
    if not bits.number(1):
        return bits.flags(highest)
    found: set[int] = set()
    for _ in range(bits.number(12)):
        many = bits.number(1)
        first = bits.number(16)
        last = bits.number(16) if many else first
        found.update(range(first, last + 1))
    return frozenset(found)


# Bit offsets of sale, sharing and targeted-advertising opt-outs in the core segment of each US section: the IAB's GPP
# section specifications (checked against iabgpp-es). None: the section has no such field.
_COMMON = (12, None, 14)
US_SECTIONS: dict[int, tuple[str, tuple[int | None, int | None, int | None]]] = {
    7: ("usnat", (18, 20, 22)),
    8: ("usca", (12, 14, None)),
    9: ("usva", _COMMON),
    10: ("usco", _COMMON),
    11: ("usut", (14, None, 16)),
    12: ("usct", _COMMON),
    13: ("usfl", _COMMON),
    14: ("usmt", _COMMON),
    15: ("usor", _COMMON),
    16: ("ustx", _COMMON),
    17: ("usde", _COMMON),
    18: ("usia", (14, None, 16)),
    19: ("usne", _COMMON),
    20: ("usnh", _COMMON),
    21: ("usnj", _COMMON),
    22: ("ustn", _COMMON),
    23: ("usmn", _COMMON),
    24: ("usmd", (16, None, 18)),
    25: ("usin", (16, None, 18)),
    26: ("usky", (16, None, 18)),
    27: ("usri", (16, None, 18)),
}


@dataclass(frozen=True)
class GPP:
    """What a GPP string says. `sections` names each with its opt-outs; `gpc` is any section's own record of GPC."""

    ids: tuple[int, ...]
    opt_outs: dict[str, dict[str, int]]
    """Section name to `sale`, `sharing`, `targeted`: 0 not applicable, 1 opted out, 2 did not opt out."""
    gpc: bool | None
    usp: str | None
    tc: str | None

    @property
    def opted_out(self) -> bool | None:
        """True if any section says so, False if one says no, None if none says."""
        values = [v for fields in self.opt_outs.values() for v in fields.values()]
        usp = usp_opt_out(self.usp) if self.usp else None
        if 1 in values or usp:
            return True
        says_nothing = not values and usp is None and bool(self.ids)
        return None if says_nothing else False


def read_gpp(text: str) -> GPP:
    """A GPP string. Raises ValueError for anything else."""
    if len(text) > MAX_STRING or not GPP_SHAPE.fullmatch(text):
        raise ValueError("not the shape of a GPP string")
    header, *parts = text.split("~")
    bits = Bits(header)
    if bits.number(6) != 3 or bits.number(6) != 1:
        raise ValueError("not a GPP header")
    ids: list[int] = []
    last = 0
    for _ in range(bits.number(12)):
        many = bits.number(1)
        last += bits.fibonacci()
        ids.append(last)
        if many:
            step = bits.fibonacci()
            if step > 100:
                raise ValueError("a range of sections that cannot be")
            ids += range(last + 1, last + step + 1)
            last += step
    if len(ids) != len(parts):
        raise ValueError("header and sections differ in number")
    opt_outs: dict[str, dict[str, int]] = {}
    gpc: bool | None = None
    usp = tc = None
    for number, part in zip(ids, parts, strict=True):
        if number == 6:
            usp = part
        elif number == 2:
            tc = part
        elif number in US_SECTIONS:
            name, offsets = US_SECTIONS[number]
            opt_outs[name] = _opt_outs(part, offsets)
            own = _gpc(part)
            gpc = own if own is not None and not gpc else gpc
    return GPP(tuple(ids), opt_outs, gpc, usp, tc)


def _opt_outs(part: str, offsets: tuple[int | None, int | None, int | None]) -> dict[str, int]:
    found = {}
    for name, offset in zip(("sale", "sharing", "targeted"), offsets, strict=True):
        if offset is not None:
            bits = Bits(part.split(".")[0])
            bits.at = offset
            found[name] = bits.number(2)
    return found


def _gpc(part: str) -> bool | None:
    for segment in part.split(".")[1:]:
        bits = Bits(segment)
        if bits.number(2) == 1:
            return bool(bits.number(1))
    return None


def usp_opt_out(text: str) -> bool | None:
    """Whether a US Privacy string says opted out of sale; None for no US Privacy string or a dash that is illegal."""
    if not USP_SHAPE.fullmatch(text):
        return None
    third = text[2].upper()
    if third == "-":
        return False if text[1] == "-" else None
    return third == "Y"
