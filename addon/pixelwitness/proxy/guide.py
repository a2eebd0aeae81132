"""The guided session: which states of which property are still to be seen, from the coverage of the open session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from pixelwitness.audit.model import COVERAGE_STATES, Coverage, CoverageState, Judgement
from pixelwitness.proxy.settings import Settings
from pixelwitness.report.harmless import safe

ENOUGH = 2
"""Page views in a state before its silence means anything to a reader."""
WHEN: dict[CoverageState, str] = {
    "unanswered": "before any choice",
    "granted": "after Accept",
    "denied": "after Reject",
    "withdrawn": "after Withdrawal",
    "gpc": "with Global Privacy Control on",
}
HOW: dict[CoverageState, str] = {
    "unanswered": "Open it in a fresh profile and click nothing.",
    "granted": "Click Accept, wait two seconds, then open two pages.",
    "denied": "In a fresh profile click Reject, wait two seconds, then open two pages.",
    "withdrawn": "After Accept open the consent settings, refuse, wait two seconds, then open two pages.",
    "gpc": "Switch on GPC in the browser (or pixelwitness_gpc), then open two pages.",
}
MOST = 40
RESULTS = {"fail": "VIOLATION", "pass": "passed", "unverified": "unverified", "not_tested": "to do"}
WORST = ("fail", "unverified", "pass", "not_tested")


@dataclass(frozen=True)
class Step:
    """One state of one property: how often it was seen, and what came of it under each regime."""

    site: str
    state: CoverageState
    page_views: int
    results: dict[str, str]

    @property
    def done(self) -> bool:
        """Seen often enough that the result means something."""
        return self.page_views >= ENOUGH

    @property
    def result(self) -> str:
        """The worst result of all regimes."""
        return next((w for w in WORST if w in self.results.values()), "not_tested")

    def words(self) -> str:
        """What is still to do, or what was found, as one sentence."""
        name = safe(self.site, 80)
        if self.done:
            said = ", ".join(f"{r}: {RESULTS[w]}" for r, w in self.results.items())
            return f"{name} {WHEN[self.state]}: {self.page_views} page views; {said}."
        if self.page_views:
            return f"You have seen {name} {WHEN[self.state]} only once. Open one more page."
        return f"You have not yet seen {name} {WHEN[self.state]} with two page views. {HOW[self.state]}"


def steps(judgement: Judgement | None, scope: Sequence[str] = ()) -> list[Step]:
    """The checklist: properties in scope (or all that were seen, those with pixel traffic first), a step a state."""
    rows: dict[str, dict[CoverageState, list[Coverage]]] = {host: {} for host in scope}
    loud: set[str] = set()
    for row in judgement.coverage if judgement is not None else ():
        rows.setdefault(row.property, {}).setdefault(row.state, []).append(row)
        if row.hits or row.control_hits:
            loud.add(row.property)
    order = sorted(rows, key=lambda p: (p not in loud, list(rows).index(p)))[:MOST]
    return [_step(prop, state, rows[prop].get(state, [])) for prop in order for state in COVERAGE_STATES]


def _step(prop: str, state: CoverageState, rows: Sequence[Coverage]) -> Step:
    return Step(prop, state, max((r.page_views for r in rows), default=0), {r.regime: r.result for r in rows})


def lines(all_steps: Iterable[Step]) -> Iterator[str]:
    """The checklist as text."""
    for step in all_steps:
        yield f"[{'x' if step.done else ' '}] {step.words()}"


def page(judgement: Judgement | None, settings: Settings, run: str, latest: Sequence[str], client: str) -> str:
    """The checklist as a page that renews itself and needs no script. Buttons mark what the auditor clicks."""
    found = steps(judgement, settings.lens.scope.hosts)
    body = ["<p>Nothing was seen yet. Open the site that you audit, in this browser.</p>"] if not found else []
    for prop in dict.fromkeys(s.site for s in found):
        own = [s for s in found if s.site == prop]
        rows = "".join(
            f'<tr class="{s.result if s.done else "todo"}"><td>{"&#10003;" if s.done else "&#9675;"}</td>'
            f"<td>{escape(s.words())}</td></tr>"
            for s in own
        )
        body.append(f"<section><h2>{escape(safe(prop, 80))}</h2><table>{rows}</table>{_marks(prop)}</section>")
    news = "".join(f"<li>{escape(row)}</li>" for row in latest) or "<li>None yet.</li>"
    modes = [
        f"GPC added by the proxy for: {', '.join(settings.gpc.clients) or 'nobody'}",
        f"probe: {', '.join(settings.probe.clients) or 'off'}",
        f"you are client {client}",
        f"run {run}",
    ]
    return _PAGE.format(
        body="".join(body), news=news, modes=escape(safe("; ".join(modes), 500)), db=escape(safe(settings.db, 200))
    )


def _marks(prop: str) -> str:
    buttons = "".join(
        f'<button name="text" value="{text}">I {verb}</button>'
        for text, verb in (
            ("fresh profile", "start with a fresh profile"), ("nothing clicked", "clicked nothing so far"),
            ("clicked accept", "clicked Accept"), ("clicked reject", "clicked Reject"),
            ("withdrew consent", "withdrew consent"),
        )
    )  # fmt: skip
    hidden = f'<input type="hidden" name="property" value="{escape(prop)}">'
    return f'<form method="post" action="/mark">{hidden}{buttons}</form>'


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="3">
<meta name="viewport" content="width=device-width"><title>pixelwitness: this session</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 1rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }} td {{ padding: .25rem .5rem; vertical-align: top }}
tr.fail td {{ color: light-dark(#a00018, #ff8a8a); font-weight: 600 }}
tr.pass td {{ color: light-dark(#05603a, #7ee0a5) }}
tr.unverified td {{ color: light-dark(#7a4d00, #f2c063) }}
button {{ margin: .25rem .25rem 0 0 }} small {{ opacity: .8 }}
</style></head><body>
<h1>What is still to be seen</h1>
{body}
<h2>Latest events</h2><ul>{news}</ul>
<p><small>{modes}. The ledger is {db}. Verdicts are provisional until the proxy stops.</small></p>
</body></html>
"""
