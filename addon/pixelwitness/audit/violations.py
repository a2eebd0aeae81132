"""From a decision to the rows of the violations table: the sentence, the severity and why, the provision."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pixelwitness.audit.model import Applicability, Confidence, Violation
from pixelwitness.audit.moment import ConsentAt
from pixelwitness.audit.optouts import OptOutsAt
from pixelwitness.audit.placing import Place
from pixelwitness.audit.sites import NOTHING_SAID, SiteAt
from pixelwitness.audit.verdict import Decision, tier_of
from pixelwitness.audit.words import (
    clock_time,
    collected,
    cookie_words,
    listing,
    opt_out_words,
    sent,
    state_words,
    what,
)  # fmt: skip
from pixelwitness.observations import Hit
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.law import MEMORY_LIMIT, Regime, Severity, capped, case_of

LEAST: Severity = "info"


@dataclass(frozen=True)
class Case:
    """One hit with everything that its verdicts rest on."""

    hit: Hit
    place: Place
    consent: ConsentAt
    opt_outs: OptOutsAt
    copy_of: str | None
    confidence: Confidence
    site: SiteAt = NOTHING_SAID
    made_before_refusal: bool = False
    """Sent at the very moment of a withdrawal, and made before it by the device's own clock."""


@dataclass(frozen=True)
class Weight:
    """How a regime weighs its violations for one visitor. `muted`: it seems not to apply, and nobody asked for it."""

    regime: Regime
    applicability: Applicability
    muted: bool


def violations_of(
    case: Case, decision: Decision, weight: Weight, book: Rulebook, names: dict[str, str]
) -> list[Violation]:  # fmt: skip
    """One violation for each rule that was broken."""
    fields = _fields(case, decision, book, names)
    return [_violation(case, rule, decision, weight, fields, book) for rule in decision.rules]


def _violation(
    case: Case, rule: str, decision: Decision, weight: Weight, fields: dict[str, str], book: Rulebook
) -> Violation:  # fmt: skip
    hit, consent, regime = case.hit, case.consent, weight.regime
    finding = book.findings[rule]
    text = finding.explanation.format(**fields)
    if weight.applicability == "contradicted":
        text += f" The traffic suggests that the law of {regime.name} does not apply to this visitor."
    severity, why = grade(rule, case, decision, weight, book)
    return Violation(
        id=hashlib.sha256(f"{hit.id}|{rule}|{regime.id}".encode()).hexdigest()[:24],
        rule=rule,
        severity=severity,
        severity_why=why,
        regime=regime.id,
        vendor=hit.vendor,
        property=case.place.property,
        client=hit.client,
        occurred_at=hit.occurred_at,
        tier=tier_of(hit),
        event=hit.event or hit.action,
        pixel_codes=hit.pixel_codes,
        request_url=hit.request_url,
        page_url=case.place.page or hit.page_url,
        consent_state=consent.state,
        effective_default=consent.effective_default,
        opt_outs=case.opt_outs.in_force,
        cmp=consent.cmp,
        sent=sent(hit),
        mitigations=mitigations(hit),
        confidence=case.confidence,
        applicability=weight.applicability,
        explanation=text,
        remedy=finding.remedy,
        citation=regime.citations.get(rule, ""),
        hit_id=hit.id,
        signals=tuple(dict.fromkeys((*consent.signals, *case.opt_outs.signals))),
    )


def _fields(case: Case, decision: Decision, book: Rulebook, names: dict[str, str]) -> dict[str, str]:
    """The words that an explanation may name."""
    hit, site = case.hit, case.site
    state = state_words(case.consent, names)
    deciding = opt_out_words(decision.opt_outs, case.opt_outs) or state
    destination = book.destinations.of(hit.host)
    subject = what(hit)
    return {
        "what": subject[:1].upper() + subject[1:],
        "when": clock_time(hit.occurred_at),
        "property": case.place.property or "an unknown page",
        "state": state,
        "opt_out": deciding,
        "basis": deciding if decision.why == "opted_out" else state,
        "sent": listing(tuple(dict.fromkeys(i.name for i in hit.matching))),
        "collected": listing(collected(hit)),
        "plaintext": listing(tuple(dict.fromkeys(f"{p.kind} ({p.where})" for p in hit.plaintext))),
        "cookie": cookie_words(hit),
        "context": listing(site.contexts),
        "as_of": site.as_of,
        "claimed": f" of {site.claimed}" if site.claimed else "",
        "missing": listing(tuple(f"there is no {m}" for m in site.missing)),
        "host": hit.host,
        "operator": destination.operator if destination else "whom this audit does not know",
    }


def grade(rule: str, case: Case, decision: Decision, weight: Weight, book: Rulebook) -> tuple[Severity, str]:
    """How grave a violation is, and why, as a clause."""
    if weight.muted:
        return LEAST, "the traffic suggests that this law does not apply to the visitor"
    tier = tier_of(case.hit)
    # A set of states that all break the rule is weighed as its mildest.
    state = "unanswered" if "unanswered" in case.consent.possible else case.consent.state
    regime = weight.regime
    fitting = case_of(regime.severities.get(rule, ()), tier, state) or case_of(
        book.findings[rule].severities, tier, state
    )
    given, why = (fitting.severity, fitting.why) if fitting else (LEAST, "no case of the rule fits")
    limit = capped(regime.max_severity, *([MEMORY_LIMIT] if rule in decision.memory else []))
    least = capped(given, limit)
    if least != given:
        resting = "rests on what no source was found for" if rule in decision.memory else "is open to argument"
        why += f"; no more than {limit}, since this law {resting}"
    return least, why


def mitigations(hit: Hit) -> tuple[str, ...]:
    """What the sender did to limit the use of what it sent."""
    return ("limited_data_use",) if hit.limited_data_use is True else ()
