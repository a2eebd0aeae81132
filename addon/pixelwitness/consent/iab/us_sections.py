"""The GPP's sections of the United States: which fields, in which order, of which width. From the specifications.

Every field is two bits wide, a list so many times two bits. Opt-outs: 0 not applicable, 1 opted out, 2 did not opt
out. Consents: 0 not applicable, 1 no consent, 2 consent. Notices and MSPA fields: 0 not applicable, 1 yes, 2 no.
"""

from __future__ import annotations

from dataclasses import dataclass

type Layout = tuple[tuple[str, int], ...]
"""Fields after the version, as (name, how many values); 1 is a single value, not a list."""

OPT_OUTS = ("SaleOptOut", "SharingOptOut", "TargetedAdvertisingOptOut")
"""The fields that say no to what an advertising pixel does. Others (sensitive data, known child) are shown only."""


def _layout(text: str) -> Layout:
    fields = (word.partition("*") for word in text.split())
    return tuple((name, int(times or 1)) for name, _, times in fields)


_MSPA = "MspaCoveredTransaction MspaOptOutOptionMode MspaServiceProviderMode"
_SALE_AND_TARGETED = "SaleOptOut TargetedAdvertisingOptOut"
_NOTICES = "SaleOptOutNotice TargetedAdvertisingOptOutNotice"
_SENSITIVE, _CHILD = "SensitiveDataProcessing", "KnownChildSensitiveDataConsents"


def _national(sensitive: int, children: int) -> Layout:
    return _layout(
        "SharingNotice SaleOptOutNotice SharingOptOutNotice TargetedAdvertisingOptOutNotice "
        "SensitiveDataProcessingOptOutNotice SensitiveDataLimitUseNotice "
        f"SaleOptOut SharingOptOut TargetedAdvertisingOptOut {_SENSITIVE}*{sensitive} {_CHILD}*{children} "
        f"PersonalDataConsents {_MSPA}"
    )


def _state(
    sensitive: int, children: int, *, notice: str = "ProcessingNotice", more: str = "", extra: str = ""
) -> Layout:
    """The build that most states share; `more` is a further notice, `extra` a field before the MSPA's."""
    return _layout(
        f"{notice} {_NOTICES} {more} {_SALE_AND_TARGETED} {_SENSITIVE}*{sensitive} {_CHILD}*{children} {extra} {_MSPA}"
    )


def _late_state(child: str = _CHILD) -> Layout:
    """The build of the sections since Maryland's: the MSPA's fields first."""
    return _layout(
        f"MspaCoveredTransaction MspaMode ProcessingNotice {_NOTICES} {_SALE_AND_TARGETED} {child} "
        "AdditionalDataProcessingConsent"
    )


_SHARING, _ADDITIONAL = "SharingNotice", "AdditionalDataProcessingConsent"
NATIONAL_1, NATIONAL_2 = _national(12, 2), _national(16, 3)


@dataclass(frozen=True)
class USSection:
    """One section. `second` says what follows after a dot: `gpc`, `sensitive` (a list of consents), or nothing."""

    name: str
    layout: Layout
    second: str | None = "gpc"
    versions: tuple[int, ...] = (1,)


US_SECTIONS: dict[int, USSection] = {
    7: USSection("usnat", NATIONAL_2, versions=(1, 2)),
    8: USSection(
        "usca",
        _layout(
            "SaleOptOutNotice SharingOptOutNotice SensitiveDataLimitUseNotice SaleOptOut SharingOptOut "
            f"{_SENSITIVE}*9 {_CHILD}*2 PersonalDataConsents {_MSPA}"
        ),
    ),
    9: USSection("usva", _state(8, 1, notice=_SHARING), second=None),
    10: USSection("usco", _state(7, 1, notice=_SHARING)),
    11: USSection("usut", _state(8, 1, notice=_SHARING, more="SensitiveDataProcessingOptOutNotice"), second=None),
    12: USSection("usct", _state(8, 3, notice=_SHARING)),
    13: USSection("usfl", _state(8, 3, extra=_ADDITIONAL), second=None),
    14: USSection("usmt", _state(8, 3, notice=_SHARING, extra=_ADDITIONAL)),
    15: USSection("usor", _state(11, 3, extra=_ADDITIONAL)),
    16: USSection("ustx", _state(8, 1, extra=_ADDITIONAL)),
    17: USSection("usde", _state(9, 5, extra=_ADDITIONAL)),
    18: USSection("usia", _state(8, 1, more="SensitiveDataOptOutNotice")),
    19: USSection("usne", _state(8, 1, extra=_ADDITIONAL)),
    20: USSection("usnh", _state(8, 3, extra=_ADDITIONAL)),
    21: USSection("usnj", _state(10, 5, extra=_ADDITIONAL)),
    22: USSection("ustn", _state(8, 1, extra=_ADDITIONAL)),
    23: USSection("usmn", _state(8, 1, extra=_ADDITIONAL)),
    24: USSection("usmd", _late_state(child="")),
    25: USSection("usin", _late_state(), second="sensitive"),
    26: USSection("usky", _late_state(), second="sensitive"),
    27: USSection("usri", _late_state(), second="sensitive"),
}
