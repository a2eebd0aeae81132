"""The whole story of one violation or hit: what was sent, what was known of consent, which law, what would change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict

from pixelwitness.audit.change import describe
from pixelwitness.audit.consent import ConsentTimeline
from pixelwitness.audit.evidence import kept_out
from pixelwitness.audit.known import NO_SITE, Known
from pixelwitness.audit.model import Rows
from pixelwitness.audit.moment import ConsentAt
from pixelwitness.audit.optouts import OptOutsAt
from pixelwitness.audit.placing import Place
from pixelwitness.audit.session import Session
from pixelwitness.audit.sessions import sessions_of
from pixelwitness.audit.sites import Site, SiteAt, sites_of
from pixelwitness.audit.verdict import decide
from pixelwitness.exchange import iso
from pixelwitness.ledger.store import Ledger, LedgerError
from pixelwitness.observations import Hit, Signal
from pixelwitness.property import host_of
from pixelwitness.report.words import late
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.law import Regime

AROUND = 12
"""How many signals that did not decide are shown, the nearest first."""
STATES = ("granted", "denied", "unanswered")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class SignalLine(_Model):
    """One signal of the session. `role`: `decided`, `set aside`, or `seen` (neither)."""

    id: str
    at: str
    dated: str | None
    says: str
    role: str
    why: str


class RuleText(_Model):
    """A rule that was broken under a regime, with the texts behind it."""

    violation_id: str
    rule: str
    title: str
    severity: str
    severity_why: str
    explanation: str
    remedy: str
    citation: str
    applicability: str
    source: tuple[str, ...]
    precedent: tuple[str, ...]


class RegimeText(_Model):
    """A regime's verdict on the hit, with its texts."""

    regime: str
    name: str
    model: str
    verdict: str
    reason: str
    in_force: str
    notes: str
    arguable: tuple[str, ...]
    """What of it is open to argument, and how it is taken here."""
    source: tuple[str, ...]
    rules: tuple[RuleText, ...]


class Explanation(_Model):
    """Everything that a reader needs to agree or to disagree. Times are ISO 8601, UTC."""

    asked: str
    hit: dict[str, Any]
    """The row of the table `hits`, decoded."""
    sent: tuple[str, ...]
    times: tuple[str, ...]
    """The request's start, the payload's own time, and which of them counts."""
    consent: str
    system: str | None
    confidence: str
    unknown_because: tuple[str, ...]
    """Titles and remedies of what kept the state open."""
    signals: tuple[SignalLine, ...]
    shown_by: tuple[str, ...]
    """First-party requests whose cookies decided by what they lacked: time, method and URL."""
    regimes: tuple[RegimeText, ...]
    what_if: tuple[str, ...]
    """What would have changed the verdict, computed by judging again."""
    reproduce: tuple[str, ...]
    evidence: tuple[str, ...]
    """Where the bytes are: run, observation, hash."""
    notes: tuple[str, ...]


def explain(ledger: Ledger, book: Rulebook, asked: str) -> Explanation:
    """Explains a violation or hit by its id or a unique beginning of it. Raises LedgerError."""
    row, violation_ids = _find(ledger, asked)
    run = next(iter(ledger.db.query("select * from runs where id = ?", [row["run_id"]])))
    rows = ledger.rows(run["recording"])
    hit = {h.id: h for h in rows.hits}[row["id"]]
    regimes = [book.regimes[r] for r in json.loads(row["verdicts"] or "{}") if r in book.regimes]
    found = _session_of(hit, rows, book)
    signals = {s.id: s for s in rows.signals}
    violations = list(
        ledger.db.query("select * from violations where hit_id = ? order by regime, rule", [row["id"]])
    )  # fmt: skip
    consent = ConsentAt(frozenset(STATES), ("no_page",), store=True)
    what_if: list[str] = []
    lines: list[SignalLine] = []
    if found is not None:
        session, place, site = found
        what_if = _what_if(session, hit, place, book, regimes, site, signals)
        consent, _, _ = Known(session, book, site).at_hit(hit, place)
        lines = _signal_lines(session, row, consent, hit, book)
    stated = set(json.loads(row["possible_states"] or "[]"))
    notes = []
    if stated != set(consent.possible):
        notes.append(
            "By the rules of now the possible states are others than in the ledger: run `pixelwitness rejudge`."
        )
    if row["copy_of"]:
        notes.append(f"A first-party copy of hit {row['copy_of']}: the two count as one send.")
    notes += _repeated(ledger, row)
    return Explanation(
        asked=asked,
        hit=_decoded(row),
        sent=tuple(json.loads(violations[0]["sent"])) if violations else (),
        times=_times(hit, book.judging.held_ms),
        consent=" or ".join(s for s in STATES if s in stated) or "unknown",
        system=next((r.name for r in book.consent if r.id == row["cmp"]), row["cmp"]),
        confidence=row["confidence"] or "",
        unknown_because=tuple(_because(k, book) for k in consent.reasons) if len(stated) > 1 else (),
        signals=tuple(lines),
        shown_by=tuple(_exchange(ledger, e) for e in consent.shown_by),
        regimes=tuple(_regime(r, row, violations, book) for r in regimes),
        what_if=tuple(what_if),
        reproduce=_reproduce(run, row, withdrawn=consent.withdrawn),
        evidence=tuple(_evidence(ledger, row["exchange_id"])),
        notes=tuple(notes if violation_ids or violations else [*notes, "No violation was established by this hit."]),
    )


def _repeated(ledger: Ledger, row: Mapping[str, Any]) -> list[str]:
    """What is said of an event that was sent once more, from either side."""
    made = []
    if row["repeats"]:
        made.append(
            f"It sends the event of hit {row['repeats']} once more, to {host_of(row['request_url'])}: a send of its "
            "own, since TikTok learns another address of the visitor by it."
        )
    again = ledger.db.query("select id, request_url from hits where repeats = ? order by id limit 10", [row["id"]])
    made += [f"Sent once more to {host_of(a['request_url'])}, as hit {a['id']}." for a in again]
    return made


def _find(ledger: Ledger, asked: str) -> tuple[dict[str, Any], list[str]]:
    if not asked or not all(c.isalnum() or c in "._-" for c in asked):
        raise LedgerError(
            f"{ledger.path}: {asked[:40]!r} is no id. Give the id of a violation or hit, or its beginning"
        )
    size = len(asked)
    hits = {
        r["hit_id"]: r["id"]
        for r in ledger.db.query("select id, hit_id from violations where substr(id, 1, ?) = ?", [size, asked])
    }
    named = {r["id"] for r in ledger.db.query("select id from hits where substr(id, 1, ?) = ?", [size, asked])}
    every = sorted({*hits, *named})
    if not every:
        raise LedgerError(f"{ledger.path}: has no violation or hit {asked}. `pixelwitness report --json` lists them")
    if len(every) > 1 and asked not in every:
        some = ", ".join(e[:16] for e in every[:5])
        raise LedgerError(f"{ledger.path}: {asked} fits {len(every)} hits ({some}). Give more of the id")
    chosen = asked if asked in every else every[0]
    row = next(iter(ledger.db.query("select * from hits where id = ?", [chosen])))
    return row, [v for h, v in hits.items() if h == chosen]


def _session_of(hit: Hit, rows: Rows, book: Rulebook) -> tuple[Session, Place, Site] | None:
    placed = sessions_of(rows, book.judging)
    for session in placed.sessions.values():
        for other, place in session.hits:
            if other.id == hit.id:
                sites = sites_of(rows.signals, placed.signal_properties, book.contexts)
                return session, place, sites.get(session.property, NO_SITE)
    return None


def _what_if(
    session: Session, hit: Hit, place: Place, book: Rulebook, regimes: list[Regime], site: Site,
    signals: Mapping[str, Signal],
) -> list[str]:  # fmt: skip
    """Judges the hit again with one thing changed, and tells of what then has another verdict."""
    consent, opt_outs, said = Known(session, book, site).at_hit(hit, place)
    actual = _words(regimes, hit, consent, opt_outs, said)
    made: list[str] = []

    def tell(text: str, words: dict[str, str]) -> None:
        other = [f"{r}: {w} instead of {actual[r]}" for r, w in words.items() if w != actual[r]]
        if other:
            made.append(f"{text}: {'; '.join(other)}")

    for state in STATES:
        if consent.possible != {state}:
            level = consent.level if consent.level in ("vendor", "category", "advertising") else "advertising"
            certain = replace(consent, possible=frozenset({state}), withdrawn=False, level=level, reasons=())
            tell(f"If the visitor's state were known to be {state}", _words(regimes, hit, certain, opt_outs, said))
    if opt_outs.in_force or opt_outs.possible or opt_outs.earlier:
        tell("Without the opt-out", _words(regimes, hit, consent, OptOutsAt(), said))
    else:
        tell("With Global Privacy Control on", _words(regimes, hit, consent, OptOutsAt(("gpc",)), said))
    if hit.limited_data_use is not True:
        limited = hit.model_copy(update={"limited_data_use": True})
        tell("With limited data use set on the event", _words(regimes, limited, consent, opt_outs, said))
    for one in dict.fromkeys((*consent.signals, *opt_outs.signals)):
        without = replace(
            session,
            signals=[s for s in session.signals if s.id != one],
            marks=[m for m in session.marks if m.id != one],
        )
        known = Known(without, book, site).at_hit(hit, place)
        named = describe(signals[one]) if one in signals else one
        tell(f"Without the evidence '{named}'", _words(regimes, hit, *known))
    return made


def _words(
    regimes: list[Regime], hit: Hit, consent: ConsentAt, opt_outs: OptOutsAt, said: SiteAt
) -> dict[str, str]:  # fmt: skip
    return {r.id: decide(r, hit, consent, opt_outs, said).word for r in regimes}


def _signal_lines(
    session: Session, row: Mapping[str, Any], consent: ConsentAt, hit: Hit, book: Rulebook
) -> list[SignalLine]:
    decided = set(json.loads(row["signals"] or "[]"))
    aside = set(json.loads(row["set_aside"] or "[]"))
    stale = set(ConsentTimeline(session, book).stale)
    every = sorted([*session.signals, *session.marks], key=lambda s: (s.observed_at, s.id))
    others = [s for s in every if s.id not in decided | aside]
    others = sorted(others, key=lambda s: abs(s.observed_at - hit.occurred_at))[:AROUND]
    shown = [s for s in every if s.id in decided | aside or s in others]
    made = []
    for s in shown:
        role = "decided" if s.id in decided else "set aside" if s.id in aside else "seen"
        made.append(
            SignalLine(
                id=s.id, at=iso(s.observed_at), dated=iso(s.effective_at) if s.effective_at is not None else None,
                says=describe(s), role=role, why=_why(s, role, stale, consent, hit),
            )
        )  # fmt: skip
    return made


def _why(signal: Signal, role: str, stale: set[str], consent: ConsentAt, hit: Hit) -> str:
    if role == "decided":
        return (
            "in force at the moment of sending" if signal.observed_at <= hit.occurred_at else "seen later, bears on it"
        )
    if signal.source == "google":
        return "Google's consent mode decides nothing about TikTok"
    if kept_out(signal):
        return "its script was blocked, so that it asked nobody"
    if signal.source in ("cmp_loaded", "cmp_config"):
        return "shows that the consent system is there, and no choice"
    if signal.cmp in stale:
        return "its consent system was not seen loading while another one was"
    if signal.level == "tcf" and consent.level != "tcf":
        return "a TCF string does not name TikTok; another system speaks for this site"
    if role == "set aside" and signal.cmp != consent.cmp:
        return "another consent system on the page gives the more restrictive answer"
    if role == "set aside":
        return "the same system says something more specific"
    if signal.state is None and signal.opt_out is None:
        return "says nothing that can be read"
    return "nearer evidence decides" if signal.observed_at <= hit.occurred_at else "after the moment of sending"


def _times(hit: Hit, held_ms: int) -> tuple[str, ...]:
    made = [f"sent (start of the request): {iso(hit.occurred_at)}"]
    if hit.event_time is not None:
        delay = hit.occurred_at - hit.event_time
        made.append(f"made, by the page's own clock: {iso(hit.event_time)}")
        if delay >= held_ms:
            made.append(f"sent {late(delay)}; the moment of sending counts")
    return tuple(made)


def _because(kind: str, book: Rulebook) -> str:
    rule = book.blind_spots.get(kind)
    return f"{rule.title}. What to do: {rule.remedy}" if rule else kind.replace("_", " ")


def _regime(regime: Regime, row: Mapping[str, Any], violations: list[dict[str, Any]], book: Rulebook) -> RegimeText:
    periods = "; ".join(
        f"since {p.since}" + (f" until {p.until}" if p.until else "") + f" ({p.citation})" for p in regime.periods
    )
    return RegimeText(
        regime=regime.id,
        name=regime.name,
        model=regime.model.replace("_", "-"),
        verdict=json.loads(row["verdicts"])[regime.id],
        reason=json.loads(row["reasons"] or "{}").get(regime.id, ""),
        in_force=periods,
        notes=regime.notes.strip(),
        arguable=regime.arguable,
        source=regime.source,
        rules=tuple(_rule(v, book) for v in violations if v["regime"] == regime.id),
    )


def _rule(violation: Mapping[str, Any], book: Rulebook) -> RuleText:
    finding = book.findings.get(violation["rule"])
    return RuleText(
        violation_id=violation["id"], rule=violation["rule"],
        title=finding.title if finding else violation["rule"], severity=violation["severity"],
        severity_why=violation["severity_why"] or "",
        explanation=violation["explanation"], remedy=violation["remedy"].strip(), citation=violation["citation"],
        applicability=violation["applicability"], source=finding.source if finding else (),
        precedent=finding.precedent if finding else (),
    )  # fmt: skip


def _exchange(ledger: Ledger, exchange_id: str) -> str:
    rows = list(ledger.db.query("select started_at, method, url from exchanges where id = ?", [exchange_id]))
    return f"{rows[0]['started_at']} {rows[0]['method']} {rows[0]['url']}" if rows else exchange_id


def _evidence(ledger: Ledger, exchange_id: str) -> list[str]:
    query = "select run_id, seq, kind, hash from observations where exchange_id = ? order by run_id, seq"
    return [
        f"run {r['run_id']}, observation {r['seq']} ({r['kind']}), hash {r['hash']}"
        for r in ledger.db.query(query, [exchange_id])
    ]


def _reproduce(run: Mapping[str, Any], row: Mapping[str, Any], *, withdrawn: bool) -> tuple[str, ...]:
    possible = [s for s in STATES if s in json.loads(row["possible_states"] or "[]")]
    if withdrawn:
        bring = "Bring consent to granted, and then withdraw it"
    elif possible == ["unanswered"]:
        bring = "Answer nothing"
    elif len(possible) == 1:
        bring = f"Bring consent to {possible[0]}"
    else:
        bring = "Bring consent to a state that is known: which one it was here could not be told"
    opt_outs = json.loads(row["opt_outs"] or "[]")
    steps = [
        f"Open {row['page_url'] or 'the page'} in a fresh browser profile behind `pixelwitness proxy`.",
        bring + (f"; opt-outs on: {', '.join(opt_outs)}" if opt_outs else "") + ". Note each step with "
        "`pixelwitness mark`.",
        f"Repeat what sends {row['event'] or row['action'] or row['kind']} ({row['method']} to {row['request_url']}).",
    ]
    inputs = [i["name"] for i in json.loads(run["inputs"] or "[]")]
    if inputs:
        steps.append(f"Or from the same capture: `pixelwitness replay {' '.join(inputs[:5])}`: the same ids come out.")
    return tuple(steps)


def _decoded(row: Mapping[str, Any]) -> dict[str, Any]:
    lists = ("pixel_codes", "possible_states", "opt_outs", "verdicts", "reasons", "mitigations", "signals", "set_aside",
             "collected", "plaintext", "redactions", "payload")  # fmt: skip
    return {k: json.loads(v) if k in lists and v is not None else v for k, v in row.items()}
