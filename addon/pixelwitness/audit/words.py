"""The sentences of a judgement. Facts only; the weight comes from the regime."""

from __future__ import annotations

from pixelwitness.audit.moment import ConsentAt
from pixelwitness.audit.optouts import OptOutsAt
from pixelwitness.audit.verdict import Decision, cookies_in
from pixelwitness.exchange import iso
from pixelwitness.observations import Hit, Identifier, OptOutKind

OPT_OUT_WORDS: dict[OptOutKind, str] = {
    "gpc": "the browser sent Global Privacy Control (Sec-GPC: 1)",
    "usp": "the US Privacy string says that the visitor opted out of sale",
    "gpp": "the GPP string says that the visitor opted out of sale, sharing or targeted advertising",
    "cmp_sale": "the consent system recorded an opt-out of sale or sharing",
}

KINDS = {
    "script": "a request for TikTok's script",
    "config": "a request for TikTok's configuration",
    "cookie_call": "a call that sets or clears TikTok's cookie",
    "telemetry": "telemetry of the pixel",
    "unreadable": "a message that could not be decoded",
}


def clock_time(at: int) -> str:
    """A moment as `12:34:56.789Z`, for sentences inside one capture."""
    return iso(at)[11:]


def what(hit: Hit) -> str:
    """What was sent, as the subject of a sentence."""
    if hit.kind in KINDS:
        named = hit.event or hit.action
        return f"{KINDS[hit.kind]} ({named})" if named and hit.kind != "script" else KINDS[hit.kind]
    name = hit.event or hit.action or "a message"
    return f"an automatic {name} message" if hit.kind == "act" else f"the event {name}"


def sent(hit: Hit) -> tuple[str, ...]:
    """What the hit carried about the person, field by field."""
    words = [_identifier(i) for i in hit.identifiers]
    words += [f"{p.kind} in clear text in {p.where}{_of(p.persona)}" for p in hit.plaintext]
    words += [f"page content: {path}" for path in collected(hit)]
    words += [f"taken out of {r.where} by TikTok's client: {r.meaning} ({r.token})" for r in hit.redactions]
    return tuple(dict.fromkeys(words))


def _identifier(one: Identifier) -> str:
    how = f"{one.form.replace('_', ' ')}, {one.collected.replace('_', ' ')}"
    if one.collected == "elsewhere":
        how = f"{one.form.replace('_', ' ')}, in {one.field}"
    whose = f": {one.attribute} of {one.persona}, {one.variant}" if one.persona else ""
    careless = "; does not follow TikTok's own rule" if one.follows_rule is False else ""
    return f"{one.name} ({how}){whose}{careless}"


def _of(persona: str | None) -> str:
    return f", of {persona}" if persona else ""


def collected(hit: Hit) -> tuple[str, ...]:
    """What was read off the page, by paths that leave out the container that all of them share."""
    return tuple(dict.fromkeys(path.partition(".")[2] or path for path in hit.collected))


def listing(words: tuple[str, ...], most: int = 4) -> str:
    """`a, b and 3 more`."""
    if len(words) > most:
        return f"{', '.join(words[:most])} and {len(words) - most} more"
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + words[-1] if words else "nothing"


def state_words(consent: ConsentAt, names: dict[str, str]) -> str:
    """What the visitor had chosen, as a clause after `although`."""
    system = f" ({names.get(consent.cmp, consent.cmp)})" if consent.cmp else ""
    since = f" at {clock_time(consent.since)}" if consent.since is not None and consent.state == "denied" else ""
    if consent.possible == {"denied"}:
        verb = "withdrawn consent" if consent.withdrawn else "refused"
        return f"the visitor had {verb}{system}{since}"
    if consent.possible == {"unanswered"}:
        if consent.no_mechanism:
            return "the site had offered no way to choose: no consent system and no consent cookie were seen"
        default = f"; the default was {consent.effective_default}" if consent.effective_default else ""
        return f"nobody had chosen yet{system}{default}"
    if consent.possible == {"unanswered", "denied"}:
        return f"the visitor had either refused or not chosen yet{system}"
    return "it is not known what the visitor had chosen"


def opt_out_words(kinds: tuple[OptOutKind, ...], opt_outs: OptOutsAt) -> str:
    """The opt-outs in force, as a clause after `although`."""
    words = [OPT_OUT_WORDS[k] for k in kinds]
    text = " and ".join(words)
    gone = [k for k in kinds if k in opt_outs.earlier]
    text += " earlier in this visit" if gone else ""
    return text + (" (added by the proxy on the auditor's request)" if opt_outs.by_proxy and "gpc" in kinds else "")


REASONS = {
    "not_in_force": "This body of law was not in force on that day.",
    "granted": "The visitor had agreed.",
    "open": "Not verified: {state}{because}.",
    "not_granted": "Sent although {state}.",
    "contact_only": "A contact without an event breaks no rule here.",
    "opted_out": "Sent although {opt_out}.",
    "refused": "Sent although {state}.",
    "limited_data_use": "Sent although {against}, with limited data use: not verified, since whether TikTok then acts "
    "as a service provider is a contract that no proxy sees.",
    "opt_out_open": "Not verified: {opt_out}, but whether that was in force at this moment is open.",
    "refused_in_tcf": "Not verified: {state}, in a TCF string, which is no opt-out by itself.",
    "could_hold_a_no": "Not verified: a refusal may have been recorded where it could not be read{because}.",
    "unreadable": "Not verified: {against}, and what was sent could not be decoded.",
    "no_opt_out": "No opt-out was seen.",
    "no_rule": "No rule of this body of law speaks of it.",
}  # fmt: skip
"""Why a verdict came about, as far as consent and opt-outs go; by `Decision.why`."""

WHATEVER_THE_CONSENT = {
    "plaintext-identifier": "A person's data stood in it in clear text, which no consent covers.",
    "transfer-without-safeguard": "By the property file the transfer abroad has no documented safeguard.",
}


def reason(decision: Decision, hit: Hit, consent: ConsentAt, opt_outs: OptOutsAt, names: dict[str, str]) -> str:
    """One sentence, and one more for each rule that holds whatever the consent: why this verdict."""
    state = state_words(consent, names)
    opt_out = opt_out_words(decision.opt_outs, opt_outs)
    said = REASONS[decision.why].format(
        state=state, opt_out=opt_out, against=opt_out or state, because=_because(consent)
    )  # fmt: skip
    if opt_outs.earlier and decision.why == "no_opt_out":
        gone = opt_out_words(opt_outs.earlier, opt_outs)
        said += f" {gone[:1].upper()}{gone[1:]}, and no longer now."
    return " ".join([said, *(WHATEVER_THE_CONSENT[r] for r in decision.rules if r in WHATEVER_THE_CONSENT)])


def cookie_words(hit: Hit) -> str:
    """How a hit shows that the vendor's cookie was set or read, as a predicate."""
    words = []
    vendors = tuple(dict.fromkeys(i.name for i in cookies_in(hit) if i.collected == "third_party_cookie"))
    own = tuple(dict.fromkeys(i.name for i in cookies_in(hit) if i.collected != "third_party_cookie"))
    if vendors:
        words.append(f"sent TikTok's cookie {listing(vendors)}")
    if own:
        words.append(f"sent the cookie that TikTok's script had left on the site ({listing(own)})")
    if hit.sets_identifier:
        words.append("had TikTok's cookie _ttp set by the answer")
    return listing(tuple(words))


def _because(consent: ConsentAt) -> str:
    return f" ({', '.join(r.replace('_', ' ') for r in consent.reasons)})" if consent.reasons else ""
