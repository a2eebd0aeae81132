"""Whether the traffic suggests that a regime applies to this visitor, and which regimes it proposes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pixelwitness.audit.model import Applicability
from pixelwitness.audit.session import Session
from pixelwitness.observations import Hit, Signal
from pixelwitness.rulebook.law import Regime

AUTO = "auto"
"""The name by which an auditor asks for the regimes that the traffic proposes."""
MOST_SIGNS = 3


@dataclass(frozen=True)
class Sign:
    """One thing in the traffic that says where the visitor is, or whether the GDPR applies."""

    where: str
    """A region (`DE`, `US-CA`); empty for a TCF string's gdprApplies."""
    gdpr: bool | None
    source: str
    """Where it was read, for a sentence."""
    property: str


def signs_of(session: Session, names: Mapping[str, str]) -> list[Sign]:
    """What the traffic of a session says of where the visitor is. `names` are those of consent systems."""
    return _signs(session.signals, [h for h, _ in session.hits], session.property, names)


def _signs(signals: Sequence[Signal], hits: Sequence[Hit], prop: str, names: Mapping[str, str]) -> list[Sign]:
    found: dict[tuple[str, bool | None], Sign] = {}
    for signal in signals:
        system = names.get(signal.cmp or "", signal.cmp or "")
        source = f"{system + ': ' if system else ''}{signal.name}"
        if signal.region:
            found.setdefault((signal.region.upper(), None), Sign(signal.region.upper(), None, source, prop))
        applies = signal.detail.get("gdpr_applies")
        if isinstance(applies, bool):
            found.setdefault(("", applies), Sign("", applies, source, prop))
    for hit in hits:
        if hit.country:
            where = hit.country.upper()
            found.setdefault((where, None), Sign(where, None, "the country in TikTok's loader", prop))
    return list(found.values())


def applicability(regime: Regime, signs: Iterable[Sign]) -> Applicability:
    """`shown` if any sign says so, `contradicted` if signs exist and none fits, else `assumed`."""
    against = False
    for sign in signs:
        fits = _fits(regime, sign)
        if fits:
            return "shown"
        against = against or fits is False
    return "contradicted" if against else "assumed"


def _fits(regime: Regime, sign: Sign) -> bool | None:
    """Whether a sign speaks for a regime or against it; None: neither."""
    if sign.gdpr is not None:
        if regime.gdpr_applies == "silent":
            return None
        return (True if regime.gdpr_applies == "shows" else None) if sign.gdpr else False
    country, _, part = sign.where.partition("-")
    if sign.where in regime.regions or country in regime.regions:
        return True
    if sign.where in regime.vague_regions:
        return None
    # The country alone (`US`) says nothing of one of its parts.
    same_country = any(r.partition("-")[0] == country for r in regime.regions)
    return None if same_country and not part else False


# --- proposals ----------------------------------------------------------------------------------------------------


def propose(
    sessions: Iterable[Session], known: Mapping[str, Regime], defaults: Sequence[str], names: Mapping[str, str]
) -> dict[str, str]:  # fmt: skip
    """The regimes that the traffic proposes, each with the reason; the defaults where it says nothing.

    A country without its part (`US`) proposes the default regimes of that country. A region that no regime covers is
    said, beside the defaults.
    """
    signs = [sign for session in sessions for sign in signs_of(session, names)]
    proposed: dict[str, list[str]] = {}
    strange: list[str] = []
    for sign in (s for s in signs if s.where):
        fitting = [r.id for r in known.values() if _fits(r, sign)]
        if not fitting:
            fitting = [d for d in defaults if d in known and _fits(known[d], sign) is None and _near(known[d], sign)]
        for regime in fitting:
            proposed.setdefault(regime, []).append(f"{sign.where} ({sign.source}, on {sign.property})")
        if not fitting:
            strange.append(f"{sign.where} ({sign.source}, on {sign.property})")
    for sign in (s for s in signs if s.gdpr):
        # A yes is explained where a region has proposed a regime that needs one.
        if not any(known[r].gdpr_applies != "silent" for r in proposed):
            for shown in (r.id for r in known.values() if r.gdpr_applies == "shows"):
                proposed.setdefault(shown, []).append(f"gdprApplies: yes ({sign.source}, on {sign.property})")
    if proposed:
        ordered = sorted(proposed, key=lambda r: (r not in defaults, r))
        return {r: _because("the traffic says " + _listed(proposed[r]), strange) for r in ordered}
    said = "nothing in the traffic says where the visitor was"
    if strange:
        said = "no rules cover " + _listed(strange)
    return {d: f"{said}: judged by default" for d in defaults if d in known}


def _near(regime: Regime, sign: Sign) -> bool:
    """Whether a sign names the country of which a regime covers a part."""
    return any(r.partition("-")[0] == sign.where for r in regime.regions)


def _because(reason: str, strange: Sequence[str]) -> str:
    return reason + (f"; no rules cover {_listed(strange)}" if strange else "")


def _listed(words: Sequence[str]) -> str:
    once = list(dict.fromkeys(words))
    more = f" and {len(once) - MOST_SIGNS} more" if len(once) > MOST_SIGNS else ""
    return ", ".join(once[:MOST_SIGNS]) + more
