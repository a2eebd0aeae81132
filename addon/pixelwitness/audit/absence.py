"""What is proved by what was not there: a cookie jar without the cookie, a site without any consent system."""

from __future__ import annotations

from collections.abc import Sequence

from pixelwitness.audit.evidence import JARS, System, evidence_of, runs
from pixelwitness.audit.session import Session
from pixelwitness.audit.timeline import Evidence
from pixelwitness.observations import FirstParty, Signal
from pixelwitness.property import host_of
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.law import Judging

HIDDEN_STORES = frozenset({"opaque_cookie", "local_storage", "server"})


def jar_sightings(requests: Sequence[FirstParty]) -> list[FirstParty]:
    """First-party requests that show the site's cookie jar: those with a Cookie header, and navigations without one.

    In a HAR a missing header counts only where the recorder keeps cookies for this property, and only before any
    cookie was seen: a browser that has a cookie does not stop sending it.
    """
    sanitised = [f for f in requests if not f.cookies_complete]
    readable = _readable(requests)
    first_cookie = min((f.at for f in sanitised if f.cookie_names is not None), default=None)

    def shows_jar(f: FirstParty) -> bool:
        if f.cookie_names is not None:
            return f.own_page
        before_any = readable and (first_cookie is None or f.at < first_cookie)
        return f.authoritative and (f.cookies_complete or before_any)

    return [f for f in requests if shows_jar(f)]


def _readable(requests: Sequence[FirstParty]) -> bool:
    """Whether the capture shows the cookies of this property at all."""
    if any(f.cookies_complete or f.cookie_names is not None for f in requests):
        return True
    got = {f.host: f.at for f in requests if f.set_cookie_names}
    # A visitor who got a cookie and then navigates without one: the recorder leaves Cookie headers out.
    return bool(got) and not any(f.document and f.at > got.get(f.host, f.at) for f in requests)


def add_absences(
    system: System,
    signals: Sequence[Signal],
    generic: Sequence[Signal],
    sightings: Sequence[FirstParty],
    pages: frozenset[str],
    book: Rulebook,
) -> None:
    """A readable jar without this system's cookie, where the system keeps its answer in one: nobody has answered.

    It counts on the hosts where the cookie was ever seen, else on those of the `pages`: a cookie bound to its host
    never reaches a host of assets. Before the system was there its absence says nothing. Where the cookie was seen on
    other hosts alone, and the system loads on this one too, what was chosen there may not count here: `unheard`.
    """
    if not _keeps_cookie(system.id, book):
        return
    shown = {s.exchange_id for s in signals if s.source in JARS}
    hosts = {s.host for s in signals if s.source in JARS} or pages
    begins = system.begins if system.begins is not None else -(2**62)
    # A renamed cookie of this very system looks home-made: then its absence proves nothing.
    home_made = {s.exchange_id: s.id for s in generic}
    absent = [
        Evidence("unknown", f.at, f.at, None, home_made[f.id], "home_made_consent", host=f.host)
        if f.id in home_made
        else Evidence("unanswered", f.at, f.at, None, "", None, host=f.host, exchange=f.id)
        for f in sightings
        if f.id not in shown and (not hosts or f.host in hosts) and f.at >= begins
    ]
    loading = {host_of(s.page) for s in signals if runs(s)} & pages - hosts
    for f in sightings:
        if f.host in loading and f.id not in shown and f.id not in home_made and f.at >= begins:
            bare = Evidence("unanswered", f.at, f.at, None, "", None, host=f.host, exchange=f.id)
            system.unheard.setdefault(f.host, []).append(bare)
    if all(e.value == "unknown" for e in absent):
        return
    if not system.levels:
        system.levels["advertising"] = []
    for evidence in system.levels.values():
        evidence.extend(absent)


def _keeps_cookie(cmp: str, book: Rulebook) -> bool:
    return any(rule.id == cmp and rule.store == "cookie" for rule in book.consent)


def unread_beside(signals: Sequence[Signal], heard: set[str], book: Rulebook) -> list[System]:
    """Systems that were seen loading and keep their answer where it cannot be read: beside one that can be read they
    may still hold a no."""
    hidden = {r.id for r in book.consent if r.store in HIDDEN_STORES} - heard
    loaded = {s.cmp: s for s in reversed(signals) if s.cmp in hidden and runs(s)}
    return [
        # In force from the start of the stretch: what it holds was answered before it loaded, or never.
        System(s.cmp, {"none": [Evidence("unknown", s.observed_at, -(2**62), None, s.id, "opaque_store")]})
        for s in loaded.values()
        if s.cmp is not None
    ]


def no_mechanism(
    session: Session, requests: Sequence[FirstParty], sightings: Sequence[FirstParty], marks: Sequence[Signal],
    start: int, rules: Judging,
) -> System | None:  # fmt: skip
    """A site that offers no way to choose, shown for a visitor shown to be new."""
    if any(m.state in ("granted", "denied") for m in marks):
        return None  # somebody clicked something, so there is a mechanism
    if session.agent:
        return None  # another browser behind this client may have fetched the consent system for it
    documents = [v for v in session.page_views if v.at >= start]
    if not documents or not sightings or not _readable(requests) or session.app:
        return None
    first = min(requests, key=lambda f: (f.at, f.id))
    fresh_mark = any(m.name == "fresh_profile" for m in marks)
    if not fresh_mark and (first.cookie_names is not None or first not in sightings):
        return None
    found = [Evidence("unanswered", f.at, f.at, None, "", None, host=f.host, exchange=f.id) for f in sightings]
    found += [evidence_of(m, session.clock, rules) for m in marks if m.state is not None]
    return System("", {"none": found})


def why_silent(
    session: Session, signals: Sequence[Signal], requests: Sequence[FirstParty], sightings: Sequence[FirstParty],
    named: bool, book: Rulebook,
) -> tuple[str, ...]:  # fmt: skip
    """Why nothing can be said of consent where no system speaks: kinds of blind spot."""
    if session.app:
        return ("app_consent_unknown",)
    reasons = [s.reason for s in signals if s.state is None and s.reason]
    opaque = [
        rule.id for rule in book.consent if rule.store in HIDDEN_STORES
        and any(s.cmp == rule.id and runs(s) for s in signals)
    ]  # fmt: skip
    if opaque:
        reasons.append("opaque_store")
    if not requests:
        reasons.append("no_first_party_traffic")
    elif not _readable(requests):
        reasons.append("cookies_not_captured")
    elif not named and not reasons:
        reasons.append("visitor_not_fresh" if session.page_views else "no_first_party_traffic")
    elif not sightings and not reasons:
        reasons.append("cookies_not_captured")
    return tuple(dict.fromkeys(reasons)) or ("opaque_store",)
