"""GPP strings: a header that lists sections, and the sections, each a string of its own kind."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pixelwitness.consent.iab.bits import MAX_STRING, Bits
from pixelwitness.consent.iab.tcf import TC, read_tc, read_tc_canada
from pixelwitness.consent.iab.us_sections import NATIONAL_1, OPT_OUTS, US_SECTIONS, Layout
from pixelwitness.consent.iab.usp import USP, read_usp

GPP_SHAPE = re.compile(r"DB[A-Za-z0-9_-]{2,}(?:~[A-Za-z0-9_.-]*)*")
MAX_SECTIONS = 100
TCFEU, TCFCA, USP_SECTION, USNAT = 2, 5, 6, 7
NAMES = {TCFEU: "tcfeuv2", TCFCA: "tcfcav1", USP_SECTION: "uspv1", **{k: s.name for k, s in US_SECTIONS.items()}}
SENSITIVE_ITEMS = 8
type Value = int | tuple[int, ...]


@dataclass(frozen=True)
class GPP:
    """What a GPP string says."""

    ids: tuple[int, ...]
    us: dict[int, dict[str, Value]] = field(default_factory=dict)
    """Section id to fields by the specification's names (`us_sections.py`); a list is a tuple."""
    gpc: dict[int, bool] = field(default_factory=dict)
    """Section id to its own record of Global Privacy Control, where it has one."""
    tc: TC | None = None
    canada: TC | None = None
    usp: USP | None = None
    unread: dict[int, str] = field(default_factory=dict)
    """Sections that are unknown or damaged, each with why: what they say is not known."""

    def opted_out(self, applicable: frozenset[int] | None = None) -> bool | None:
        """Whether sale, sharing or targeted advertising was opted out of.

        `applicable` (from `gpp_sid`) names the sections that apply. True: one that applies says so. False: what could
        say so was read and does not. None: it does not say, or what applies and what was opted out of differ.
        """
        said = {section: self._section_opted_out(section) for section in self.ids}
        counted = {k: v for k, v in said.items() if applicable is None or k in applicable}
        if True in counted.values():
            return True
        if True in said.values() or None in counted.values():
            return None
        return False if counted or not self.ids else None

    def _section_opted_out(self, section: int) -> bool | None:
        if section == USP_SECTION:
            return self.usp.opted_out if self.usp else None
        if section not in self.us:
            return None
        values = [v for k, v in self.us[section].items() if k in OPT_OUTS]
        if 1 in values:
            return True
        return None if 3 in values else False  # 3 is reserved


def read_gpp(text: str) -> GPP:
    """A GPP string. Raises ValueError for what is none; a section that cannot be read is in `unread`, not an error."""
    if len(text) > MAX_STRING or not GPP_SHAPE.fullmatch(text):
        raise ValueError("not the shape of a GPP string")
    header, *parts = text.split("~")
    bits = Bits(header)
    if (bits.number(6), bits.number(6)) != (3, 1):
        raise ValueError("not a GPP header")
    ranges = bits.fibonacci_ranges()
    if sum(last - first + 1 for first, last in ranges) > MAX_SECTIONS or not bits.only_padding:
        raise ValueError("a header that cannot be")
    ids = tuple(number for first, last in ranges for number in range(first, last + 1))
    if len(parts) > len(ids):
        raise ValueError("more sections than the header lists")
    tc = canada = usp = None
    us: dict[int, dict[str, Value]] = {}
    gpc: dict[int, bool] = {}
    unread: dict[int, str] = {}
    for number, part in zip(ids, [*parts, *[""] * (len(ids) - len(parts))], strict=True):
        try:
            if number == TCFEU:
                tc = read_tc(part)
            elif number == TCFCA:
                canada = read_tc_canada(part)
            elif number == USP_SECTION:
                usp = read_usp(part)
            else:
                us[number], own = _us(number, part)
                gpc |= {} if own is None else {number: own}
        except ValueError as error:
            unread[number] = str(error)
    return GPP(ids, us, gpc, tc, canada, usp, unread)


def _us(number: int, part: str) -> tuple[dict[str, Value], bool | None]:
    section = US_SECTIONS.get(number)
    if section is None:
        raise ValueError("a section that this program does not know")
    core, *rest = part.split(".")
    bits = Bits(core)
    version = bits.number(6)
    if version not in section.versions:
        raise ValueError(f"{section.name} of version {version}, which this program does not know")
    # The national section grew in its second version; a library in between wrote the new size under the old number.
    layout = NATIONAL_1 if number == USNAT and bits.left <= 60 else section.layout
    fields = {"Version": version, **_fields(bits, layout)}
    gpc: bool | None = None
    for segment in rest:
        more = Bits(segment)
        if section.second == "sensitive":
            fields["SensitiveDataProcessing"] = tuple(more.number(2) for _ in range(SENSITIVE_ITEMS))
        elif section.second == "gpc" and more.number(2) == 1:
            gpc = more.flag()
        else:
            raise ValueError(f"a segment of {section.name} that this program does not know")
    return fields, gpc


def _fields(bits: Bits, layout: Layout) -> dict[str, Value]:
    return {
        name: bits.number(2) if times == 1 else tuple(bits.number(2) for _ in range(times)) for name, times in layout
    }
