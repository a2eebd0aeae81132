"""What is known of a property apart from its visitors: what it says of itself, and what the auditor says of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote, urlsplit

from pixelwitness.observations import Hit, Signal
from pixelwitness.property import registrable_domain
from pixelwitness.rulebook.places import Contexts

GPC_CLAIM = "gpc.json"
STATEMENT = "statement"


@dataclass(frozen=True)
class SiteAt:
    """What counts for one hit of a property."""

    contexts: tuple[str, ...] = ()
    """What the property file says that the page is about, in words."""
    as_of: str = ""
    """The date of the property file."""
    claims_gpc: bool = False
    """Its gpc.json says that it abides by Global Privacy Control."""
    claimed: str = ""
    """The date that gpc.json gives itself."""
    missing: tuple[str, ...] = ()
    """What the property file says does not exist: of the safeguards of a transfer abroad."""


NOTHING_SAID = SiteAt()


@dataclass(frozen=True)
class Site:
    """All that was said of one property. `claims` are (time, what gpc.json says, its own date), by time."""

    claims: tuple[tuple[int, bool, str], ...] = ()
    as_of: str = ""
    pages: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Sensitive matters, in words, with the paths (`/clinic/*`) that are about them; no paths: the whole property."""
    transfer: tuple[tuple[str, bool], ...] | None = None
    """What the property file says of a transfer: (safeguard, whether it exists). None: it does not speak of it."""

    def at(self, moment: int, disclosed: str | None) -> SiteAt:
        """What counts for a hit at a moment. `disclosed` is the page (or app) that the hit itself told the vendor."""
        before = [c for c in self.claims if c[0] <= moment]
        claim = before[-1] if before else self.claims[0] if self.claims else None
        return SiteAt(
            contexts=tuple(
                name for name, paths in self.pages if disclosed is not None and (not paths or _on(disclosed, paths))
            ),
            as_of=self.as_of,
            claims_gpc=claim is not None and claim[1],
            claimed=claim[2] if claim is not None else "",
            missing=tuple(name for name, exists in self.transfer or () if not exists),
        )


def disclosed(hit: Hit) -> str | None:
    """The page that a hit told the vendor: in its message, else by Referer or Origin; an app by its id.

    Where only time put it on a page, the vendor learned nothing of that page.
    """
    if hit.in_frame and hit.page_referrer:
        return hit.page_referrer
    origin = hit.origin if hit.origin != "null" else None
    return hit.page_url or hit.referer or origin or hit.app_id or (hit.host if hit.first_party_host else None)


def _on(page: str, patterns: Sequence[str]) -> bool:
    try:
        path = unquote(urlsplit(page).path) or "/"
    except ValueError:
        return False
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def sites_of(
    signals: Sequence[Signal], properties: Mapping[str, str | None], contexts: Contexts
) -> dict[str, Site]:  # fmt: skip
    """What was said of each property. `properties` are those of the signals, by id."""
    claims: dict[str, list[tuple[int, bool, str]]] = defaultdict(list)
    statements: dict[str, Signal] = {}
    for signal in sorted(signals, key=lambda s: (s.observed_at, s.id)):
        prop = signal.property or properties.get(signal.id)
        if prop is None:
            continue
        said = signal.detail.get("gpc")
        if signal.name == GPC_CLAIM and isinstance(said, bool) and signal.host is not None:
            if registrable_domain(signal.host) == prop:
                dated = signal.detail.get("last_update")
                claims[prop].append((signal.observed_at, said, dated[:40] if isinstance(dated, str) else ""))
        elif signal.source == STATEMENT:
            # Of two, the later one. Sites are known in lower case, apps as they write themselves.
            statements[prop] = statements[prop.lower()] = signal
    return {p: _site(claims.get(p, ()), statements.get(p), contexts) for p in {*claims, *statements}}


def _site(claims: Sequence[tuple[int, bool, str]], statement: Signal | None, contexts: Contexts) -> Site:
    said: dict[str, Any] = statement.detail if statement else {}
    pages = [
        (contexts.contexts[row["context"]].name, tuple(row.get("paths", ())))
        for row in said.get("contexts", ())
        if row.get("context") in contexts.contexts
    ]
    transfer = said.get("transfer")
    return Site(
        claims=tuple(claims),
        as_of=str(said.get("as_of", "")),
        pages=tuple(pages),
        transfer=tuple((str(k), bool(v)) for k, v in transfer.items()) if isinstance(transfer, dict) else None,
    )
