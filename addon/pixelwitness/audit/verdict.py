"""The verdict on one hit under one regime: pure data in, one word and the rules that were broken out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from pixelwitness.audit.model import VerdictWord
from pixelwitness.audit.moment import ConsentAt
from pixelwitness.audit.optouts import OptOutsAt
from pixelwitness.audit.sites import NOTHING_SAID, SiteAt
from pixelwitness.observations import TIERS, Hit, Identifier, OptOutKind, Tier
from pixelwitness.rulebook.law import Binding, Period, Regime, in_force

OPT_OUT_RULE: dict[OptOutKind, str] = {
    "gpc": "gpc-ignored",
    "usp": "opt-out-ignored",
    "gpp": "opt-out-ignored",
    "cmp_sale": "opt-out-ignored",
}


@dataclass(frozen=True)
class Decision:
    """A verdict, the rules that were broken, and why, as a key of `words.REASONS`."""

    word: VerdictWord
    rules: tuple[str, ...] = ()
    why: str = ""
    """Of consent and opt-outs alone: a rule of content may make a violation of what these allow."""
    opt_outs: tuple[OptOutKind, ...] = ()
    """The opt-outs that decided."""
    memory: tuple[str, ...] = ()
    """Those of the rules that rest on dates or duties for which no source was found."""


def tier_of(hit: Hit) -> Tier:
    """The hit's tier; a contact whose response set an identifier is of tier `identifier`."""
    return "identifier" if hit.tier == "contact" and hit.sets_identifier else hit.tier


def cookies_in(hit: Hit) -> tuple[Identifier, ...]:
    """The vendor's cookies in the hit's Cookie header: read off the device with this very request.

    A cookie's value in the message (`context.user.anonymous_id`) is none: when a script read it cannot be seen.
    """
    return tuple(i for i in hit.identifiers if i.field.startswith("cookie."))


def applies_on(regime: Regime, at: int) -> Period | None:
    """The period of a regime that was in force at a moment (milliseconds)."""
    return in_force(regime.periods, _day(at))


def _day(at: int) -> date:
    return datetime.fromtimestamp(at / 1000, UTC).date()


def decide(
    regime: Regime, hit: Hit, consent: ConsentAt, opt_outs: OptOutsAt, site: SiteAt = NOTHING_SAID
) -> Decision:  # fmt: skip
    """The verdict of a hit under a regime (DESIGN 5.5)."""
    day = _day(hit.occurred_at)
    period = applies_on(regime, hit.occurred_at)
    if period is None:
        return Decision("not_applicable", why="not_in_force")
    if regime.model == "opt_in":
        decision = _opt_in(hit, consent)
    else:
        decision = _opt_out(regime, hit, consent, opt_outs, day)
    rules = list(decision.rules)
    if decision.word == "violation":
        rules += _of_content(hit, decision, opt_outs, site)
    whatever = _whatever_the_consent(hit, site)
    kept = tuple(rule for rule in (*rules, *whatever) if rule in regime.findings)
    word, why = decision.word, decision.why
    if word == "violation" and not kept:
        word, why = "compliant", "no_rule"
    elif any(rule in kept for rule in whatever):
        word = "violation"
    doubtful = set(decision.memory)
    if "gpc-ignored" in doubtful:
        doubtful.add("opt-out-claimed-not-honoured")
    if doubtful.issuperset(decision.rules):
        doubtful.update(rules if decision.rules else ())
    if regime.memory or period.memory:
        doubtful.update(kept)
    return replace(decision, word=word, rules=kept, why=why, memory=tuple(r for r in kept if r in doubtful))


def _of_content(hit: Hit, decision: Decision, opt_outs: OptOutsAt, site: SiteAt) -> list[str]:
    """What is added to a violation of consent or opt-out for what the hit carries, and for the site's own word."""
    rules = ["matching-without-consent"] if hit.matching else []
    rules += ["collection-without-consent"] if hit.collected else []
    rules += ["sensitive-context"] if site.contexts else []
    honoured = "gpc" in decision.opt_outs and "gpc" in opt_outs.in_force
    return rules + (["opt-out-claimed-not-honoured"] if honoured and site.claims_gpc else [])


def _whatever_the_consent(hit: Hit, site: SiteAt) -> list[str]:
    """What no consent covers."""
    rules = ["plaintext-identifier"] if hit.plaintext else []
    return rules + (["transfer-without-safeguard"] if site.missing and not _contact(hit) else [])


def _contact(hit: Hit) -> bool:
    return tier_of(hit) == "contact"


def _low(hit: Hit) -> bool:
    """A mere contact, or one with an identifier and no more."""
    return TIERS.index(tier_of(hit)) <= TIERS.index("identifier")


def _opt_in(hit: Hit, consent: ConsentAt) -> Decision:
    if consent.possible == {"granted"}:
        return Decision("compliant", why="granted")
    if not consent.possible <= {"denied", "unanswered"}:
        return Decision("unverified", why="open")
    cookie = ("identifier-cookie-without-consent",) if hit.sets_identifier or cookies_in(hit) else ()
    if _low(hit):
        rule = "contacted-without-consent"
    elif "unanswered" in consent.possible:
        rule = "fired-before-consent"
    elif consent.withdrawn:
        rule = "fired-after-withdrawal"
    else:
        rule = "fired-after-denial"
    return Decision("violation", (rule, *cookie), "not_granted")


def _opt_out(regime: Regime, hit: Hit, consent: ConsentAt, opt_outs: OptOutsAt, day: date) -> Decision:
    if _low(hit) and hit.kind != "unreadable":
        return Decision("compliant", why="contact_only")
    decision = _by_opt_outs(regime, hit, consent, opt_outs, day)
    if _low(hit) and decision.word == "violation":
        # What could not be decoded may have been an event or a mere contact.
        return replace(decision, word="unverified", rules=(), why="unreadable")
    return decision


def _by_opt_outs(regime: Regime, hit: Hit, consent: ConsentAt, opt_outs: OptOutsAt, day: date) -> Decision:
    bound: dict[OptOutKind, tuple[Binding, Period]] = {}
    for b in regime.binds:
        period = in_force(b.periods, day)
        if period is not None:
            bound[b.signal] = (b, period)
    binding = [k for k in opt_outs.in_force if k in bound]
    binding += [k for k in opt_outs.earlier if k in bound and bound[k][0].once_seen == "persists"]
    open_ones = [k for k in opt_outs.possible if k in bound]
    open_ones += [k for k in opt_outs.earlier if k in bound and bound[k][0].once_seen == "unclear"]
    no = consent.possible == {"denied"}
    refused = no and consent.level != "tcf"
    rules = list(dict.fromkeys(OPT_OUT_RULE[k] for k in binding)) + (["fired-after-denial"] if refused else [])
    if rules:
        lacking = {OPT_OUT_RULE[k] for k in binding} - {OPT_OUT_RULE[k] for k in binding if not bound[k][1].memory}
        memory = tuple(rule for rule in rules if rule in lacking)
        why = "opted_out" if binding else "refused"
        if hit.limited_data_use is True:
            return Decision("unverified", why="limited_data_use", opt_outs=tuple(binding), memory=memory)
        return Decision("violation", tuple(rules), why, tuple(binding), memory)
    if open_ones:
        return Decision("unverified", why="opt_out_open", opt_outs=tuple(open_ones))
    if no:
        return Decision("unverified", why="refused_in_tcf")
    if "denied" in consent.possible and consent.store:
        return Decision("unverified", why="could_hold_a_no")
    return Decision("compliant", why="no_opt_out")
