"""The decision table of DESIGN 5.5, worked out from the code: every combination is decided, and falls into one row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product

from pixelwitness.audit.moment import ConsentAt
from pixelwitness.audit.optouts import OptOutsAt
from pixelwitness.audit.placing import Place
from pixelwitness.audit.verdict import OPT_OUT_RULE, Decision, decide
from pixelwitness.audit.violations import Case, Weight, grade
from pixelwitness.audit.words import reason
from pixelwitness.observations import TIERS, Content, Hit, Identifier, Level, OptOutKind, Plaintext, Tier
from pixelwitness.rulebook import Rulebook

AT = 1_795_000_000_000
"""A day in November 2026 on which every regime of ours is in force."""
BEFORE_ALL = 1_000_000_000_000
STATES = ("granted", "denied", "unanswered")
SETS = tuple(frozenset(s for i, s in enumerate(STATES) if mask >> i & 1) for mask in range(1, 8))
KINDS: tuple[OptOutKind, ...] = ("gpc", "usp", "gpp", "cmp_sale")
TIMING = frozenset(
    {"contacted-without-consent", "fired-before-consent", "fired-after-denial", "fired-after-withdrawal"}
    | set(OPT_OUT_RULE.values())
)


@dataclass(frozen=True)
class Cell:
    """One combination of everything that a verdict depends on."""

    regime: str
    states: frozenset[str]
    tier: Tier
    withdrawn: bool = False
    level: Level = "advertising"
    store: bool = True
    opt_out: OptOutKind | None = None
    """In force."""
    perhaps: bool = False
    """An opt-out that may have been in force at that moment."""
    gone: bool = False
    """GPC, seen earlier in the visit and not now."""
    limited: bool = False
    unreadable: bool = False
    early: bool = False
    """Before the law was in force."""


@dataclass(frozen=True)
class Row:
    """Cells with one verdict and one reason. `holds` says which, in code, and `states` and `more` say it in words."""

    id: str
    model: str
    states: str
    more: str
    word: str
    outcome: tuple[str, ...]
    """The rules of timing and opt-out that are broken; else `plaintext-identifier`; else the reason's key."""
    holds: Callable[[Cell], bool]


def low(c: Cell) -> bool:
    """A mere contact, or one with an identifier; or a message that may have been no more."""
    return TIERS.index(c.tier) <= TIERS.index("identifier")


def _no(c: Cell) -> bool:
    return c.states == {"denied"} and c.level != "tcf"


def _binding(c: Cell) -> str:
    """The rule that an opt-out in force breaks."""
    if c.opt_out is not None:
        return OPT_OUT_RULE[c.opt_out]
    return "gpc-ignored" if c.gone and c.regime == "us-co" else ""


def _against(c: Cell) -> bool:
    return bool(_binding(c)) or _no(c)


def _open(c: Cell) -> bool:
    return c.perhaps or (c.gone and c.regime != "us-co")


def _heard(c: Cell) -> bool:
    """Opt-out: more than a contact, and the law in force."""
    return not c.early and (not low(c) or c.unreadable)


def _clear(c: Cell) -> bool:
    return c.tier == "plaintext"


OPEN = "granted and another, or all three"
NOT_GRANTED = "denied, unanswered, or either of them"
ROWS: tuple[Row, ...] = (
    Row("in-1", "opt_in", "granted", "", "compliant", ("granted",),
        lambda c: not c.early and c.states == {"granted"} and not _clear(c)),
    Row("in-2", "opt_in", OPEN, "", "unverified", ("open",),
        lambda c: not c.early and "granted" in c.states and len(c.states) > 1 and not _clear(c)),
    Row("in-3", "opt_in", "any with granted", "tier `plaintext`", "violation", ("plaintext-identifier",),
        lambda c: not c.early and "granted" in c.states and _clear(c)),
    Row("in-4", "opt_in", NOT_GRANTED, "tier `contact` or `identifier`", "violation", ("contacted-without-consent",),
        lambda c: not c.early and "granted" not in c.states and low(c)),
    Row("in-5", "opt_in", "unanswered; unanswered or denied", "tier `event` or more", "violation",
        ("fired-before-consent",),
        lambda c: not c.early and "granted" not in c.states and "unanswered" in c.states and not low(c)),
    Row("in-6", "opt_in", "denied", "tier `event` or more", "violation", ("fired-after-denial",),
        lambda c: not c.early and c.states == {"denied"} and not c.withdrawn and not low(c)),
    Row("in-7", "opt_in", "denied, granted before", "tier `event` or more", "violation", ("fired-after-withdrawal",),
        lambda c: not c.early and c.states == {"denied"} and c.withdrawn and not low(c)),
    Row("in-8", "opt_in", "any", "before the law was in force", "not_applicable", ("not_in_force",),
        lambda c: c.early),
    Row("out-1", "opt_out", "any", "tier `contact` or `identifier`", "compliant", ("contact_only",),
        lambda c: not c.early and low(c) and not c.unreadable),
    Row("out-2", "opt_out", "any but a refusal", "GPC in force (or gone, where it persists)", "violation",
        ("gpc-ignored",),
        lambda c: _heard(c) and not c.unreadable and not c.limited and _binding(c) == "gpc-ignored" and not _no(c)),
    Row("out-3", "opt_out", "refused", "GPC in force (or gone, where it persists)", "violation",
        ("gpc-ignored", "fired-after-denial"),
        lambda c: _heard(c) and not c.unreadable and not c.limited and _binding(c) == "gpc-ignored" and _no(c)),
    Row("out-4", "opt_out", "any but a refusal", "US Privacy, GPP or the CMP's own opt-out in force", "violation",
        ("opt-out-ignored",),
        lambda c: _heard(c) and not c.unreadable and not c.limited and _binding(c) == "opt-out-ignored" and not _no(c)),
    Row("out-5", "opt_out", "refused", "US Privacy, GPP or the CMP's own opt-out in force", "violation",
        ("opt-out-ignored", "fired-after-denial"),
        lambda c: _heard(c) and not c.unreadable and not c.limited and _binding(c) == "opt-out-ignored" and _no(c)),
    Row("out-6", "opt_out", "refused", "no opt-out in force", "violation", ("fired-after-denial",),
        lambda c: _heard(c) and not c.unreadable and not c.limited and not _binding(c) and _no(c)),
    Row("out-7", "opt_out", "any with an opt-out in force; refused", "limited data use on the hit", "unverified",
        ("limited_data_use",),
        lambda c: _heard(c) and c.limited and _against(c) and not _clear(c)),
    Row("out-8", "opt_out", "any with an opt-out in force; refused", "a message that could not be decoded",
        "unverified", ("unreadable",),
        lambda c: _heard(c) and c.unreadable and not c.limited and _against(c)),
    Row("out-9", "opt_out", "any but a refusal", "an opt-out that may be in force, or GPC gone, where that is unclear",
        "unverified", ("opt_out_open",),
        lambda c: _heard(c) and not _against(c) and _open(c) and not _clear(c)),
    Row("out-10", "opt_out", "refused in a TCF string", "no opt-out", "unverified", ("refused_in_tcf",),
        lambda c: _heard(c) and not _against(c) and not _open(c) and c.states == {"denied"} and not _clear(c)),
    Row("out-11", "opt_out", "denied and another", "a store that could hold a no; no opt-out", "unverified",
        ("could_hold_a_no",),
        lambda c: _heard(c) and not _open(c) and not _binding(c) and "denied" in c.states and len(c.states) > 1
        and c.store and not _clear(c)),
    Row("out-12", "opt_out", "granted, unanswered, either; or all three where nothing could hold a no", "no opt-out",
        "compliant", ("no_opt_out",),
        lambda c: _heard(c) and not _open(c) and not _binding(c) and not _clear(c)
        and ("denied" not in c.states or (len(c.states) > 1 and not c.store))),
    Row("out-13", "opt_out", "as in out-7 and out-9 to out-12", "tier `plaintext`", "violation",
        ("plaintext-identifier",),
        lambda c: _heard(c) and _clear(c) and (c.limited or not _against(c))),
    Row("out-14", "opt_out", "any", "before the law was in force", "not_applicable", ("not_in_force",),
        lambda c: c.early),
)  # fmt: skip


def cells() -> Iterator[Cell]:
    """Every combination, under `eu`, `us-ca` and `us-co` (where GPC persists)."""
    for states, tier, withdrawn, early in product(SETS, TIERS, (False, True), (False, True)):
        yield Cell("eu", states, tier, withdrawn=withdrawn, early=early)
    signals: list[tuple[OptOutKind | None, bool, bool]] = [(None, False, False), (None, True, False)]
    signals += [(kind, False, False) for kind in KINDS] + [(None, False, True)]
    for regime, states, tier, level, store in product(
        ("us-ca", "us-co"), SETS, TIERS, ("advertising", "tcf"), (True, False)
    ):  # fmt: skip
        for (opt_out, perhaps, gone), limited, early in product(signals, (False, True), (False, True)):
            if regime == "us-co" and (opt_out == "usp" or tier == "plaintext"):
                continue  # the US Privacy string is California's, and so is the rule of clear text
            made = Cell(
                regime, states, tier, level="tcf" if level == "tcf" else "advertising", store=store, opt_out=opt_out,
                perhaps=perhaps, gone=gone, limited=limited, early=early,
            )  # fmt: skip
            yield made
            if tier == "contact":
                yield replace(made, unreadable=True)


def decided(cell: Cell, book: Rulebook) -> tuple[Decision, Case]:
    """The decision of a combination, on a hit that carries what its tier says."""
    hit = _hit(cell)
    consent = ConsentAt(cell.states, level=cell.level, store=cell.store, withdrawn=cell.withdrawn)
    opt_outs = OptOutsAt(
        (cell.opt_out,) if cell.opt_out else (), ("gpp",) if cell.perhaps else (), ("gpc",) if cell.gone else ()
    )  # fmt: skip
    regime = book.regimes[cell.regime]
    decision = decide(regime, hit, consent, opt_outs)
    place = Place("shop.example", "payload", "https://www.shop.example/")
    return decision, Case(hit, place, consent, opt_outs, None, "high")


def _hit(cell: Cell) -> Hit:
    rank = TIERS.index(cell.tier)
    person = Identifier(field="context.user.email", name="email", form="sha256_hex", collected="manual")
    return Hit(
        id="h.0",
        exchange_id="h",
        client="c",
        occurred_at=BEFORE_ALL if cell.early else AT,
        kind="unreadable" if cell.unreadable else "script" if rank < 2 else "event",
        tier=cell.tier,
        event="Pageview" if rank >= 2 else None,
        method="POST",
        transport="beacon",
        request_url="https://analytics.tiktok.com/api/v2/pixel",
        host="analytics.tiktok.com",
        limited_data_use=True if cell.limited else None,
        identifiers=(person,) if cell.tier == "advanced_matching" else (),
        collected=("auto_collected_properties.content_data",) if cell.tier == "auto_collected" else (),
        content=(Content(field="x", what="page title", size=1, sample="x"),) if cell.tier == "auto_collected" else (),
        plaintext=(Plaintext(kind="email", where="page.url", masked="***"),) if cell.tier == "plaintext" else (),
    )


def outcome(decision: Decision) -> tuple[str, tuple[str, ...]]:
    """The verdict, and what makes it a row: the rules of timing, else the rule of clear text, else the reason."""
    timing = tuple(r for r in decision.rules if r in TIMING)
    if timing:
        return decision.word, timing
    return decision.word, ("plaintext-identifier",) if "plaintext-identifier" in decision.rules else (decision.why,)


def row_of(cell: Cell) -> list[Row]:
    """The rows whose words cover a combination: exactly one, or the table is wrong."""
    model = "opt_in" if cell.regime == "eu" else "opt_out"
    return [row for row in ROWS if row.model == model and row.holds(cell)]


def table(book: Rulebook) -> str:
    """The table and what belongs to it as Markdown, from the code and the rules alone."""
    first: dict[str, list[tuple[Cell, Decision, Case]]] = {row.id: [] for row in ROWS}
    for cell in cells():
        for row in row_of(cell):
            first[row.id].append((cell, *decided(cell, book)))
    lines = [
        "| row | possible states | and | verdict | rules | severity | the sentence |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        found = first[row.id]
        rules = [r for r in row.outcome if r in book.findings]
        grades = "; ".join(_grades(rule, found, book, named=len(rules) > 1) for rule in rules) or "-"
        cell, decision, case = found[0]
        sentence = reason(decision, case.hit, case.consent, case.opt_outs, {})
        named = ", ".join(f"`{r}`" for r in rules) or "-"
        lines.append(
            f"| {row.id} | {row.states} | {row.more or '-'} | {row.word} | {named} | {grades} | {sentence} |"
        )  # fmt: skip
    return "\n".join([*lines, "", *_regimes(book), "", *_findings(book), "", *_arguable(book)])


def _grades(rule: str, found: list[tuple[Cell, Decision, Case]], book: Rulebook, *, named: bool) -> str:
    by_grade: dict[str, list[str]] = {}
    for cell, decision, case in found:
        weight = Weight(book.regimes[cell.regime], "assumed", False)
        given, _ = grade(rule, case, decision, weight, book)
        tiers = by_grade.setdefault(given, [])
        if cell.tier not in tiers:
            tiers.append(cell.tier)
    if len(by_grade) == 1:
        said = next(iter(by_grade))
    else:
        said = ", ".join(f"{g} ({', '.join(t.replace('_', ' ') for t in tiers)})" for g, tiers in by_grade.items())
    return f"`{rule}`: {said}" if named else said


def _regimes(book: Rulebook) -> list[str]:
    lines = [
        "| regime | law | model | in force since | GPC binds since | GPC gone | at most |",
        "|---|---|---|---|---|---|---|",
    ]
    for regime in sorted(book.regimes.values(), key=lambda r: r.id):
        gpc = next((b for b in regime.binds if b.signal == "gpc"), None)
        since = ", ".join(f"{p.since}{' (memory)' if p.memory else ''}" for p in gpc.periods) if gpc else "-"
        periods = ", ".join(f"{p.since}{' (memory)' if p.memory else ''}" for p in regime.periods)
        lines.append(
            f"| `{regime.id}` | {regime.name} | {regime.model.replace('_', '-')} | {periods} | {since} "
            f"| {gpc.once_seen if gpc else '-'} | {regime.max_severity} |"
        )  # fmt: skip
    return lines


def _findings(book: Rulebook) -> list[str]:
    lines = ["| rule | a violation or a notice | why so |", "|---|---|---|"]
    for finding in sorted(book.findings.values(), key=lambda f: (f.notice, f.id)):
        why = " ".join(finding.reasoning.split()) or "; ".join(
            dict.fromkeys(f"{c.severity}: {c.why}" for c in finding.severities)
        )  # fmt: skip
        lines.append(f"| `{finding.id}` | {'notice' if finding.notice else 'violation'} | {why} |")
    return lines


def _arguable(book: Rulebook) -> list[str]:
    return [
        f"- `{regime.id}`: {sentence}"
        for regime in sorted(book.regimes.values(), key=lambda r: r.id)
        for sentence in regime.arguable
    ]
