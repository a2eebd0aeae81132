"""The sentences of a judgement. Facts only; the weight comes from the regime."""

from __future__ import annotations

from pixelwitness.audit.consent import ConsentAt
from pixelwitness.audit.optouts import OptOutsAt
from pixelwitness.audit.verdict import Decision
from pixelwitness.exchange import iso
from pixelwitness.observations import Hit, Identifier, OptOutKind

OPT_OUT_WORDS: dict[OptOutKind, str] = {
    "gpc": "the browser sent Global Privacy Control (Sec-GPC: 1)",
    "usp": "the US Privacy string says that the visitor opted out of sale",
    "gpp": "the GPP string says that the visitor opted out of sale, sharing or targeted advertising",
    "cmp_sale": "the consent system recorded an opt-out of sale or sharing",
}

KINDS = {
    "script": "TikTok's script",
    "config": "TikTok's configuration",
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


def reason(decision: Decision, hit: Hit, consent: ConsentAt, opt_outs: OptOutsAt, names: dict[str, str]) -> str:
    """One sentence: why this verdict."""
    state = state_words(consent, names)
    gone = f"; {opt_out_words(opt_outs.earlier, opt_outs)}, and no longer now" if opt_outs.earlier else ""
    sentences = {
        "not_in_force": "This body of law was not in force on that day.",
        "granted": "The visitor had agreed.",
        "open": f"Not verified: {state}{_because(consent)}.",
        "not_granted": f"Sent although {state}.",
        "contact_only": "A contact without an event breaks no rule here.",
        "opted_out": f"Sent although {opt_out_words(decision.opt_outs, opt_outs)}.",
        "refused": f"Sent although {state}.",
        "limited_data_use": "Sent with limited data use: whether TikTok then acts as a service provider is a contract "
        "that no proxy sees.",
        "opt_out_open": f"Not verified: {opt_out_words(decision.opt_outs, opt_outs)}, but whether that was in force "
        "at this moment is open.",
        "could_hold_a_no": "Not verified: a refusal may have been recorded where it could not be read"
        f"{_because(consent)}.",
        "no_opt_out": "No opt-out was seen.",
    }  # fmt: skip
    return sentences[decision.why] + (f" {gone[2:].capitalize()}." if gone and decision.why == "no_opt_out" else "")


def _because(consent: ConsentAt) -> str:
    return f" ({', '.join(r.replace('_', ' ') for r in consent.reasons)})" if consent.reasons else ""
