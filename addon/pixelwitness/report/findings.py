"""What a person reads first: one finding a rule, with all laws that it breaks and all sends that broke it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pixelwitness.report.summary import Group, PropertySummary
from pixelwitness.rulebook.law import ACTORS, SEVERITIES, Actor


@dataclass(frozen=True)
class Weight:
    """What one regime makes of a finding."""

    regime: str
    severity: str
    citation: str
    count: int
    contradicted: bool
    """The traffic suggests that this law does not apply to the visitor."""


@dataclass(frozen=True)
class Send:
    """One hit that broke a rule. `row` is its row of `violations` under the regime that weighs most."""

    hit_id: str
    row: dict[str, Any]
    explanations: dict[str, str]
    """Regime to sentence."""
    ids: dict[str, str]
    """Regime to the violation's id."""

    @property
    def contradicted(self) -> bool:
        """It broke the rule only under laws that seem not to apply to the visitor."""
        return bool(self.row["applicability"] == "contradicted")


@dataclass(frozen=True)
class Finding:
    """One rule that was broken on one property."""

    rule: str
    title: str
    severity: str
    """The worst among the regimes that may apply; `info` where the traffic contradicts all of them."""
    weights: tuple[Weight, ...]
    sends: tuple[Send, ...]
    """In order of time."""
    remedy: str
    act: dict[Actor, str]
    precedent: tuple[str, ...]

    @property
    def contradicted(self) -> bool:
        """The traffic suggests that none of the laws that it breaks applies to the visitor."""
        return all(w.contradicted for w in self.weights)

    @property
    def counted(self) -> tuple[Send, ...]:
        """The sends that count: those under a law that may apply, or all where there is none."""
        return tuple(s for s in self.sends if not s.contradicted) or self.sends


@dataclass(frozen=True)
class Task:
    """One thing to do, and the rules that it answers."""

    text: str
    rules: tuple[str, ...]


def findings(one: PropertySummary) -> list[Finding]:
    """The findings of a property, the gravest first, those of contradicted regimes last."""
    by_rule: dict[str, list[Group]] = {}
    for group in one.groups:
        by_rule.setdefault(group.rule, []).append(group)
    made = [_finding(rule, groups) for rule, groups in by_rule.items()]
    return sorted(made, key=lambda f: (f.contradicted, -SEVERITIES.index(f.severity), -len(f.sends), f.rule))


def _finding(rule: str, groups: list[Group]) -> Finding:
    weights = [_weight(g) for g in groups]
    order = sorted(range(len(groups)), key=lambda i: (weights[i].contradicted, -SEVERITIES.index(weights[i].severity)))
    sends: dict[str, Send] = {}
    for group in (groups[i] for i in order):
        for row in group.violations:
            known = sends.setdefault(row["hit_id"], Send(row["hit_id"], row, {}, {}))
            known.explanations[group.regime] = row["explanation"]
            known.ids[group.regime] = row["id"]
    first = groups[order[0]]
    return Finding(
        rule=rule,
        title=first.title,
        severity=first.severity,
        weights=tuple(weights[i] for i in order),
        sends=tuple(sorted(sends.values(), key=lambda s: (s.row["occurred_at"], s.hit_id))),
        remedy=first.remedy.strip(),
        act=first.act,
        precedent=tuple(first.precedent),
    )


def _weight(group: Group) -> Weight:
    against = all(v["applicability"] == "contradicted" for v in group.violations)
    return Weight(group.regime, group.severity, group.citation, len(group.violations), against)


def tasks(found: list[Finding]) -> dict[str, list[Task]]:
    """Who must do what, the gravest first. A rule that names nobody is anybody's."""
    by_actor: dict[str, dict[str, list[str]]] = {label: {} for label in (*ACTORS.values(), "whom it concerns")}
    for finding in found:
        steps = [(ACTORS[actor], text) for actor, text in finding.act.items()]
        for label, text in steps or [("whom it concerns", finding.remedy)]:
            by_actor[label].setdefault(text.strip(), []).append(finding.rule)
    return {
        label: [Task(text, tuple(dict.fromkeys(rules))) for text, rules in steps.items()]
        for label, steps in by_actor.items()
        if steps
    }


def brief(sent: list[str]) -> list[str]:
    """What was sent, without the details: `email`, `_ttp`, `7 parts of the page's content`."""
    content = [w for w in sent if w.startswith("page content: ")]
    other = [w.partition(" (")[0] for w in sent if not w.startswith("page content: ")]
    said = list(dict.fromkeys(other))
    if content:
        said.append(f"{len(content)} part{'s' if len(content) > 1 else ''} of the page's content")
    return said
