"""Whether the traffic suggests that a regime applies to this visitor."""

from __future__ import annotations

from collections.abc import Iterable

from pixelwitness.audit.model import Applicability
from pixelwitness.audit.session import Session
from pixelwitness.rulebook.law import Regime


def region_words(session: Session) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    """The regions that the traffic names (`DE`, `US-CA`), and what TCF says of the GDPR."""
    regions = [s.region for s in session.signals if s.region]
    regions += [h.country for h, _ in session.hits if h.country]
    gdpr = [s.detail["gdpr_applies"] for s in session.signals if isinstance(s.detail.get("gdpr_applies"), bool)]
    return tuple(dict.fromkeys(r.upper() for r in regions)), tuple(dict.fromkeys(gdpr))


def applicability(regime: Regime, regions: Iterable[str], gdpr_applies: Iterable[bool]) -> Applicability:
    """`shown` if any sign says so, `contradicted` if signs exist and none fits, else `assumed`."""
    against = False
    for region in regions:
        if _covers(regime, region):
            return "shown"
        country, _, part = region.partition("-")
        same_country = any(r.partition("-")[0] == country for r in regime.regions)
        against = against or not same_country or bool(part)
    if "EU" in regime.regions:
        for applies in gdpr_applies:
            if applies:
                return "shown"
            against = True
    return "contradicted" if against else "assumed"


def _covers(regime: Regime, region: str) -> bool:
    country = region.partition("-")[0]
    return region in regime.regions or country in regime.regions
