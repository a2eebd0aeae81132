"""Every rule file's own examples."""

from __future__ import annotations

import hashlib
import re

import pytest

from pixelwitness.classify import classify
from pixelwitness.consent.read import mark_signal, read_cookies, request_signals
from pixelwitness.exchange import Exchange, from_iso
from pixelwitness.pixels.decode import hits
from pixelwitness.rulebook import RuleError, load_rulebook
from pixelwitness.rulebook.law import in_force, severity_of
from support import BOOK, ROOT, START

ENDPOINTS = [(e, x) for p in BOOK.pixels for e in p.endpoints for x in e.examples]
CONSENT = [(r, x) for r in BOOK.consent for x in r.examples]
TRAFFIC = [(r, x) for r in BOOK.traffic for x in r.examples]


@pytest.mark.parametrize(("endpoint", "example"), ENDPOINTS, ids=lambda v: getattr(v, "id", None) or v.url[:60])
def test_endpoint(endpoint, example) -> None:
    exchange = Exchange("c", START, example.method, example.url, (), example.body.encode())
    found = classify(exchange, BOOK)
    covered = found.endpoint is not None and found.endpoint.id == endpoint.id
    if not endpoint.hosts:
        covered = covered and bool(hits(exchange, found, BOOK)[0])
    assert covered == example.covered


@pytest.mark.parametrize(("rule", "example"), TRAFFIC, ids=lambda v: getattr(v, "id", None) or v.url)
def test_traffic(rule, example) -> None:
    assert (classify(Exchange("c", START, "GET", example.url), BOOK).category == rule.category) == example.covered


@pytest.mark.parametrize(
    ("rule", "example"), CONSENT, ids=lambda v: getattr(v, "id", None) or (v.cookie or v.url or v.mark or "")
)
def test_consent(rule, example) -> None:
    if example.mark is not None:
        assert mark_signal(START, example.mark, client=None, property=None, book=BOOK).state == example.state
        return
    if example.url is not None:
        exchange = Exchange("c", START, example.method, example.url, (("Referer", "https://shop.example/"),))
        said = [s for s in request_signals(exchange, BOOK, category="cmp", document=False) if s.cmp == rule.id]
        assert [(s.state, s.region) for s in said] == [(example.state, example.region)]
        return
    header = "; ".join(f"{k}={v}" for k, v in {example.cookie: example.value, **example.companions}.items())
    own = None if rule.id == "generic" else rule.id
    said = [r for name, cmp, r in read_cookies(header, BOOK) if name == example.cookie and cmp == own]
    if example.ignored:
        assert not said
        return
    states = [r for r in said if r.opt_out_kind is None]
    if example.opt_out is None and (example.state or example.reason):
        assert len(states) == 1
    for reading in states:
        assert (reading.state, reading.reason) == (example.state, example.reason)
        for field in ("choice_made", "effective_default", "region", "level"):
            if getattr(example, field) is not None:
                assert getattr(reading, field) == getattr(example, field)
        if example.effective_at is not None:
            assert reading.effective_at == from_iso(example.effective_at)
    if example.opt_out is not None:
        assert example.opt_out in [r.opt_out for r in said if r.opt_out_kind]


@pytest.mark.parametrize("regime", BOOK.regimes.values(), ids=lambda r: r.id)
def test_regime(regime) -> None:
    for example in regime.examples:
        assert (in_force(regime.periods, example.date) is not None) == example.in_force


@pytest.mark.parametrize("finding", BOOK.findings.values(), ids=lambda f: f.id)
def test_finding(finding) -> None:
    for example in finding.examples:
        assert severity_of(finding.severities, example.tier, example.state) == example.severity


def test_blind_spots_and_errors() -> None:
    assert {"cookies_not_captured", "opaque_store", "blocked_send"} <= set(BOOK.blind_spots)
    for example in BOOK.judging.examples:
        assert BOOK.judging.was_sent(example.error) == example.sent


def test_pixel_examples() -> None:
    for rules in BOOK.pixels:
        for example in rules.examples:
            if "event" in example:
                assert rules.renames.get(example["event"], example["event"]) == example["expect"]
            if "code" in example:
                assert bool(re.fullmatch(rules.pixel_code, example["code"])) == (example["valid"] == "yes")
        for digest, text in rules.placeholders.items():
            assert hashlib.sha256(text.encode()).hexdigest() == digest


def test_every_file_has_sources_and_examples() -> None:
    for path in (ROOT / "rules").rglob("*.yaml"):
        text = path.read_text()
        assert "source:" in text, path
        assert "examples:" in text, path


@pytest.mark.parametrize(
    ("name", "text", "expect"),
    [
        ("consent/x.yaml", "id: x\nnme: y\n", "x.yaml:2: nme"),
        ("consent/x.yaml", "id: [\n", "x.yaml:2"),
        ("consent/x.yaml", "a: &a [1]\nb: *a\n", "aliases"),
        ("consent/x.yaml", "a: !!python/object:os.system x\n", "x.yaml"),
        ("nowhere/x.yaml", "id: x\n", "no rules belong here"),
        ("consent/x.yaml", "id: " + "[" * 60 + "\n", "nested deeper"),
    ],
)
def test_a_bad_rule_names_its_file_and_line(tmp_path, name, text, expect) -> None:
    path = tmp_path / name
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(RuleError, match=re.escape(expect)):
        load_rulebook((tmp_path,))


def test_a_folder_of_rules_replaces_and_adds(tmp_path) -> None:
    folder = tmp_path / "consent"
    folder.mkdir()
    (folder / "mine.yaml").write_text(
        "id: mine\nname: Mine\nstore: cookie\nsource: [me]\n"
        "cookies:\n  - {name: mine, decoder: flag, params: {values: {y: granted}}}\n"
        "examples:\n  - {cookie: mine, value: y, state: granted}\n"
    )
    book = load_rulebook((tmp_path,))
    assert [r.state for _, _, r in read_cookies("mine=y", book)] == ["granted"]
    assert not read_cookies("mine=y", BOOK)
    assert book.digest != BOOK.digest


@pytest.mark.parametrize("finding", BOOK.findings.values(), ids=lambda f: f.id)
def test_a_finding_says_who_must_act(finding) -> None:
    assert finding.act
    assert all(task.endswith(".") for task in finding.act.values())
