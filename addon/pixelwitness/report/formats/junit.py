"""Coverage and violations as JUnit XML, which every build server shows.

A suite per property and regime. Its cases are the five consent states, and each rule that was broken. What was not
tested or stayed open is `skipped` with the reason: it is no pass.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from pixelwitness.report.harmless import shortened, visible
from pixelwitness.report.summary import CoverageRow, Group, PropertySummary, Summary
from pixelwitness.report.words import RESULTS, name_of

MOST_LINES = 100
ROOT_COUNTS = (("tests", "testcase"), ("failures", "failure"))
"""The root of the format counts no skipped cases: its suites do."""
SUITE_COUNTS = (*ROOT_COUNTS, ("skipped", "skipped"))


def as_junit(summary: Summary) -> str:
    """The whole summary as one `testsuites` element."""
    root = Element("testsuites", name="pixelwitness")
    for one in summary.properties:
        for regime in summary.regimes:
            _suite(root, summary, one, regime)
    for name, pages in summary.quiet_pages.items():
        suite = SubElement(root, "testsuite", name=_text(f"{name} (no TikTok traffic)"))
        case = SubElement(suite, "testcase", classname=_text(name), name="TikTok traffic")
        seen = ", ".join(f"{n} {state}" for state, n in pages.items()) or "none in a known state"
        SubElement(case, "skipped", message=_text(f"no request to TikTok was seen; pages: {seen}; no control"))
    for suite in root:
        _count(suite)
    _count(root, ROOT_COUNTS)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _suite(root: Element, summary: Summary, one: PropertySummary, regime: str) -> None:
    suite = SubElement(root, "testsuite", name=_text(f"{name_of(one)} under {regime}"))
    suite.set("timestamp", summary.started_at[:19])  # whole seconds, without a zone, as the format has it
    for row in one.coverage.get(regime, []):
        _state(suite, _text(f"{name_of(one)}.{regime}"), row)
    for group in one.groups:
        if group.regime == regime:
            _rule(suite, _text(f"{name_of(one)}.{regime}"), group, named=regime in summary.named)


def _state(suite: Element, classname: str, row: CoverageRow) -> None:
    case = SubElement(suite, "testcase", classname=classname, name=f"state {row.state}")
    if row.result == "fail":
        sent = ", ".join(f"{n} {tier}" for tier, n in row.hits.items())
        SubElement(case, "failure", type="coverage", message=_text(f"TikTok got {sent} in the state {row.state}"))
    elif row.result != "pass":
        SubElement(case, "skipped", message=_text(f"{RESULTS[row.result]}: {row.note}"))


def _rule(suite: Element, classname: str, group: Group, *, named: bool) -> None:
    case = SubElement(suite, "testcase", classname=classname, name=f"rule {group.rule}")
    if group.applicability == "contradicted" and not named:
        SubElement(case, "skipped", message="broken, but the traffic suggests that this law does not apply")
        return
    message = f"{group.severity}: {group.title} ({len(group.violations)})"
    failure = SubElement(case, "failure", type=group.severity, message=_text(message))
    lines = [f"{v['fingerprint']} {v['explanation']}" for v in group.violations[:MOST_LINES]]
    left = len(group.violations) - len(lines)
    lines += [f"and {left} more"] if left else []
    failure.text = "\n".join(_text(line) for line in [*lines, f"What to do: {group.remedy.strip()}"])


def _count(suite: Element, counts: tuple[tuple[str, str], ...] = SUITE_COUNTS) -> None:
    for name, tag in counts:
        suite.set(name, str(sum(1 for _ in suite.iter(tag))))
    suite.set("errors", "0")


def _text(text: str) -> str:
    """Text without what XML cannot hold."""
    return shortened(visible(text), 2000).replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
