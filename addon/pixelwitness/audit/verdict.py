"""The verdict on one hit under one regime: pure data in, one word and the rules that were broken out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pixelwitness.audit.consent import ConsentAt
from pixelwitness.audit.model import VerdictWord
from pixelwitness.audit.optouts import OptOutsAt
from pixelwitness.observations import TIERS, Hit, OptOutKind, Tier
from pixelwitness.rulebook.law import Regime, in_force

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
    opt_outs: tuple[OptOutKind, ...] = ()
    """The opt-outs that decided."""


def tier_of(hit: Hit) -> Tier:
    """The hit's tier; a contact whose response set an identifier is of tier `identifier`."""
    return "identifier" if hit.tier == "contact" and hit.sets_identifier else hit.tier


def decide(regime: Regime, hit: Hit, consent: ConsentAt, opt_outs: OptOutsAt) -> Decision:
    """The verdict of a hit under a regime (DESIGN 5.5)."""
    day = datetime.fromtimestamp(hit.occurred_at / 1000, UTC).date()
    if in_force(regime.periods, day) is None:
        return Decision("not_applicable", why="not_in_force")
    if regime.model == "opt_in":
        decision = _opt_in(hit, consent)
    else:
        decision = _opt_out(regime, hit, consent, opt_outs)
    rules = list(decision.rules)
    if decision.word == "violation":
        rules += ["matching-without-consent"] if hit.matching else []
        rules += ["collection-without-consent"] if hit.collected else []
    word = decision.word
    if hit.plaintext and "plaintext-identifier" in regime.findings:
        rules.append("plaintext-identifier")
        word = "violation"
    kept = tuple(rule for rule in rules if rule in regime.findings)
    return Decision(word, kept, decision.why, decision.opt_outs)


def _opt_in(hit: Hit, consent: ConsentAt) -> Decision:
    if consent.possible == {"granted"}:
        return Decision("compliant", why="granted")
    if not consent.possible <= {"denied", "unanswered"}:
        return Decision("unverified", why="open")
    if TIERS.index(tier_of(hit)) <= TIERS.index("identifier"):
        return Decision("violation", ("contacted-without-consent",), "not_granted")
    if "unanswered" in consent.possible:
        rule = "fired-before-consent"
    elif consent.withdrawn:
        rule = "fired-after-withdrawal"
    else:
        rule = "fired-after-denial"
    return Decision("violation", (rule,), "not_granted")


def _opt_out(regime: Regime, hit: Hit, consent: ConsentAt, opt_outs: OptOutsAt) -> Decision:
    if TIERS.index(tier_of(hit)) <= TIERS.index("identifier"):
        return Decision("compliant", why="contact_only")
    day = datetime.fromtimestamp(hit.occurred_at / 1000, UTC).date()
    bound = {b.signal: b for b in regime.binds if in_force(b.periods, day) is not None}
    binding = [k for k in opt_outs.in_force if k in bound]
    binding += [k for k in opt_outs.earlier if k in bound and bound[k].once_seen == "persists"]
    open_ones = [k for k in opt_outs.possible if k in bound]
    open_ones += [k for k in opt_outs.earlier if k in bound and bound[k].once_seen == "unclear"]
    refused = consent.possible == {"denied"} and consent.level in ("vendor", "category", "advertising")
    rules = list(dict.fromkeys(OPT_OUT_RULE[k] for k in binding)) + (["fired-after-denial"] if refused else [])
    if rules:
        why = "opted_out" if binding else "refused"
        if hit.limited_data_use is True:
            return Decision("unverified", why="limited_data_use", opt_outs=tuple(binding))
        return Decision("violation", tuple(rules), why, tuple(binding))
    if open_ones:
        return Decision("unverified", why="opt_out_open", opt_outs=tuple(open_ones))
    if "denied" in consent.possible and consent.store:
        return Decision("unverified", why="could_hold_a_no")
    return Decision("compliant", why="no_opt_out")
