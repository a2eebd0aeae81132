"""Violations as SARIF 2.1.0, which code hosts and editors show as alerts.

One result per fingerprint (what went wrong, without the time), so that an alert stays the same alert from one
recording to the next; `occurrenceCount` says how often, `properties` hold the ids of the sends.
Source: OASIS, Static Analysis Results Interchange Format (SARIF) 2.1.0.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from pixelwitness.report.harmless import shortened, visible
from pixelwitness.report.summary import Group, Summary
from pixelwitness.report.words import name_of
from pixelwitness.rulebook.law import SEVERITIES

LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note", "info": "note"}
MOST_RESULTS = 5_000
MOST_IDS = 50


def as_sarif(summary: Summary) -> str:
    """One SARIF log with one run."""
    groups = [(name_of(one), g) for one in summary.properties for g in one.groups]
    rules: dict[str, dict[str, Any]] = {}
    for _, group in groups:
        rules.setdefault(group.rule, _rule(group))
    order = list(rules)
    results = [r for name, group in groups for r in _results(summary, name, group, order)]
    results.sort(key=lambda r: (-SEVERITIES.index(r["properties"]["severity"]), r["partialFingerprints"][KEY]))
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "pixelwitness",
                "semanticVersion": summary.program.split(",")[0].removeprefix("pixelwitness "),
                "rules": list(rules.values()),
            }
        },
        "automationDetails": {"id": f"pixelwitness/{summary.run}"},
        "invocations": [{"executionSuccessful": summary.complete, "toolExecutionNotifications": _notes(summary)}],
        "results": results[:MOST_RESULTS],
        "properties": {
            "chainHead": summary.chain_head,
            "rulesDigest": summary.rules_digest,
            "resultsLeftOut": max(len(results) - MOST_RESULTS, 0),
        },
    }
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


KEY = "pixelwitness/v1"


def _rule(group: Group) -> dict[str, Any]:
    steps = [f"- {text}" for text in group.act.values()]
    help_text = "\n".join([group.remedy.strip(), *steps])
    return {
        "id": group.rule,
        "name": group.rule.title().replace("-", ""),
        "shortDescription": {"text": group.title},
        "fullDescription": {
            "text": group.title + (f". Compare: {'; '.join(group.precedent)}" if group.precedent else "")
        },
        "help": {"text": help_text, "markdown": help_text},
        "defaultConfiguration": {"level": LEVELS[group.severity]},
        "properties": {"tags": ["privacy", "consent"]},
    }


def _results(summary: Summary, name: str, group: Group, order: list[str]) -> list[dict[str, Any]]:
    same: dict[str, list[dict[str, Any]]] = {}
    for violation in group.violations:
        same.setdefault(violation["fingerprint"], []).append(violation)
    return [_result(summary, name, group, rows, order.index(group.rule)) for rows in same.values()]


def _result(summary: Summary, name: str, group: Group, rows: list[dict[str, Any]], index: int) -> dict[str, Any]:
    first = rows[0]
    worst = max((r["severity"] for r in rows), key=SEVERITIES.index)
    where = f"{name}/{first['event'] or first['tier']}"
    return {
        "ruleId": group.rule,
        "ruleIndex": index,
        "level": LEVELS[worst],
        "message": {"text": _text(f"{first['explanation']} ({group.regime}, {worst})")},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(first["capture"] or "live")},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [{"fullyQualifiedName": _text(where), "kind": "resource"}],
            }
        ],
        "partialFingerprints": {KEY: first["fingerprint"]},
        "occurrenceCount": len(rows),
        "webRequest": {"target": _text(first["request_url"] or "")},
        "properties": {
            "severity": worst,
            "regime": group.regime,
            "citation": group.citation,
            "applicability": first["applicability"],
            "consentState": first["consent_state"],
            "confidence": first["confidence"],
            "sent": [_text(s) for s in first["sent"][:MOST_IDS]],
            "violations": [r["id"] for r in rows[:MOST_IDS]],
            "hits": [r["hit_id"] for r in rows[:MOST_IDS]],
            "firstAt": first["occurred_at"],
        },
    }


def _notes(summary: Summary) -> list[dict[str, Any]]:
    """Blind spots: what could not be judged."""
    return [
        {
            "level": "note",
            "descriptor": {"id": spot["kind"]},
            "message": {
                "text": _text(
                    f"{spot['title']}: {spot['property'] or spot['client'] or 'the recording'}. {spot['remedy']}"
                )
            },
        }
        for spot in summary.blind_spots[:500]
    ]


def _text(text: str) -> str:
    return shortened(visible(text), 1000)


def _uri(capture: str) -> str:
    """A capture's name as a relative reference; never one with a scheme or a host."""
    return quote(_text(capture).replace("\\", "/").lstrip("/").replace("../", ""), safe="/-._~") or "capture"
