"""Facts about a site that break no rule by themselves, each once: what its owner should know, and no more."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from pixelwitness.audit.model import Notice
from pixelwitness.audit.sites import Site, disclosed
from pixelwitness.audit.verdict import Decision, tier_of
from pixelwitness.audit.violations import Case
from pixelwitness.audit.words import OPT_OUT_WORDS, clock_time, listing
from pixelwitness.observations import Hit
from pixelwitness.property import host_of
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.law import Regime

TRANSFER = "transfer-without-safeguard"


class SiteNotices:
    """Collects the notices of a recording, hit by hit, in the order of time."""

    def __init__(self, book: Rulebook) -> None:
        self._book = book
        self._made: dict[str, Notice] = {}
        self._abroad: dict[str, tuple[Case, list[str]]] = {}

    def see(
        self, case: Case, site: Site, judged: Sequence[tuple[Regime, Decision, bool]], names: dict[str, str]
    ) -> None:  # fmt: skip
        """Looks at one hit. `judged` are its decisions, each with whether the regime is muted for this visitor."""
        hit, consent = case.hit, case.consent
        prop = case.place.property
        if prop is None:
            return
        if consent.conflict:
            system = names.get(consent.cmp or "", consent.cmp or "")
            conflict = "consent signals were in force that cannot all be true" + (f" ({system})" if system else "")
            self._note("signal-conflict", case, "", conflict=conflict)
        for kind in case.opt_outs.disputed:
            conflict = f"by one signal {OPT_OUT_WORDS[kind]}, and by another of the same kind not"
            self._note("signal-conflict", case, kind, conflict=conflict)
        if consent.no_mechanism:
            self._note("no-consent-mechanism", case, "")
        if hit.first_party_host:
            self._note("first-party-proxying", case, hit.host, host=hit.host)
        self._sensitive(case, judged)
        asked = any(
            TRANSFER in r.findings and d.word != "not_applicable" and not muted for r, d, muted in judged
        )  # fmt: skip
        if asked and site.transfer is None and tier_of(hit) != "contact" and self._book.destinations.of(hit.host):
            _, hosts = self._abroad.setdefault(prop, (case, []))
            if hit.host not in hosts:
                hosts.append(hit.host)

    def _sensitive(self, case: Case, judged: Sequence[tuple[Regime, Decision, bool]]) -> None:
        if any("sensitive-context" in d.rules for _, d, _ in judged):
            return
        page = disclosed(case.hit)
        marked = case.site.contexts
        if marked:
            by = f"the property file of {case.site.as_of}"
            self._note("sensitive-page", case, marked[0], context=listing(marked), marked=by, page=page or "its pages")
            return
        hint = self._book.contexts.hinted(page) if page and tier_of(case.hit) != "contact" else None
        if hint is not None:
            context = self._book.contexts.contexts[hint[0]].name
            by = f"a word in its address ('{hint[1]}'), which is a hint and no proof"
            self._note("sensitive-page", case, hint[0], context=context, marked=by, page=page or "")

    def _note(self, rule: str, case: Case, key: str, **fields: str) -> None:
        finding = self._book.findings.get(rule)
        prop = case.place.property
        if finding is None or f"{rule}|{prop}|{key}" in self._made:
            return
        self._made[f"{rule}|{prop}|{key}"] = _notice(
            rule, case.hit, prop, key,
            finding.explanation.format(property=prop, when=clock_time(case.hit.occurred_at), **fields), finding.remedy,
        )  # fmt: skip

    def all(self) -> tuple[Notice, ...]:
        """The notices, those about transfers last."""
        for case, hosts in self._abroad.values():
            known = self._book.destinations.of(host_of(f"https://{hosts[0]}/") or hosts[0])
            if known is not None:
                self._note(
                    "transfer-not-documented", case, "", hosts=listing(tuple(hosts)), operator=known.operator,
                    known=known.known.strip(),
                )  # fmt: skip
        return tuple(self._made.values())


def _notice(rule: str, hit: Hit, prop: str | None, key: str, text: str, remedy: str) -> Notice:
    digest = hashlib.sha256(f"{rule}|{prop}|{key}|{hit.id}".encode("utf-8", "replace")).hexdigest()
    return Notice(
        id=digest[:24],
        rule=rule,
        property=prop,
        vendor=hit.vendor,
        pixel_code=hit.pixel_codes[0] if hit.pixel_codes else "",
        noticed_at=hit.occurred_at,
        explanation=text,
        remedy=remedy,
        hit_id=hit.id,
    )
