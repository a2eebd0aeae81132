"""Regimes and findings as data: what a rule file may say, what rests on memory, and which law the traffic proposes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from pydantic import ValidationError

from pixelwitness.audit.judge import judge
from pixelwitness.audit.model import Judgement
from pixelwitness.rulebook import RuleError, load_rulebook
from pixelwitness.rulebook.law import SEVERITIES, Finding, Period, Regime, in_force
from support import BOOK, ROOT, SHOP, hit, observe, onetrust, page

GPC = [("Sec-GPC", "1")]
UNIVERSAL = ("us-ca", "us-co", "us-ct", "us-de", "us-md", "us-mn", "us-mt", "us-ne", "us-nh", "us-nj", "us-or", "us-tx")
MEDIUM = SEVERITIES.index("medium")


def under(*regimes: str, visit, named: tuple[str, ...] = ()) -> Judgement:
    return judge(observe(visit), [BOOK.regimes[r] for r in regimes], BOOK, named)


def at(visit, day: date):
    """The same visit on another day."""
    from datetime import UTC, datetime

    start = int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp() * 1000)
    moved = start - visit[0].started_at
    return [replace(e, started_at=e.started_at + moved,
                    response=replace(e.response, at=e.response.at + moved) if e.response else None) for e in visit]  # fmt: skip


# --- data ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("regime", BOOK.regimes.values(), ids=lambda r: r.id)
def test_a_regime_cites_every_finding_and_names_its_sources(regime: Regime) -> None:
    assert set(regime.citations) == set(regime.findings)
    assert regime.source
    assert regime.regions
    assert not [f for f in regime.findings if BOOK.findings[f].notice]
    if regime.memory:
        assert SEVERITIES.index(regime.max_severity) <= MEDIUM


@pytest.mark.parametrize("finding", BOOK.findings.values(), ids=lambda f: f.id)
def test_a_severity_says_why(finding: Finding) -> None:
    assert all(case.why for case in finding.severities)
    assert finding.examples


def test_no_state_is_left_out_and_the_default_regimes_stay() -> None:
    assert set(UNIVERSAL) <= set(BOOK.regimes)
    assert {"eu", "uk", "ch", "br", "ca-qc"} <= set(BOOK.regimes)
    assert BOOK.judging.default_regimes == ("eu", "us-ca")
    for regime in UNIVERSAL:
        gpc = next(b for b in BOOK.regimes[regime].binds if b.signal == "gpc")
        assert in_force(gpc.periods, date(2026, 11, 18))
    persistence = {r: next(b.once_seen for b in BOOK.regimes[r].binds if b.signal == "gpc") for r in UNIVERSAL}
    assert persistence.pop("us-co") == "persists"
    assert set(persistence.values()) == {"unclear"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("memory: true\n", "max_severity"),
        ("severities: {gpc-ignored: [{severity: low, why: x}]}\n", "not among its findings"),
        ("binds: [{signal: gpc, periods: []}]\n", "opt-in regime has no binding"),
    ],
)
def test_a_regime_that_contradicts_itself_is_refused(tmp_path, change: str, words: str) -> None:
    folder = tmp_path / "regimes"
    folder.mkdir()
    text = (ROOT / "rules" / "regimes" / "ca-qc.yaml").read_text().replace("max_severity: medium\n", "")
    (folder / "ca-qc.yaml").write_text(text + change)
    with pytest.raises(RuleError, match=words):
        load_rulebook((tmp_path,))


def test_memory_is_marked_and_bounded() -> None:
    with pytest.raises(ValidationError, match="memory: true"):
        Period(since=date(2025, 1, 1), citation="somewhere (memory)")
    with pytest.raises(ValidationError, match="until"):
        Period(since=date(2025, 1, 1), until=date(2025, 1, 1), citation="x")
    finding = BOOK.findings["gpc-ignored"].model_dump()
    with pytest.raises(ValidationError, match="at most"):
        Finding.model_validate({**finding, "memory": True})
    with pytest.raises(ValidationError, match="names what there is not: whom"):
        Finding.model_validate({**finding, "explanation": "{what} was sent to {whom}"})


@pytest.mark.parametrize("regime", BOOK.regimes.values(), ids=lambda r: r.id)
def test_what_was_not_verified_is_no_worse_than_medium(regime: Regime) -> None:
    for rule, citation in regime.citations.items():
        if "not verified" in citation and SEVERITIES.index(regime.max_severity) > MEDIUM:
            assert regime.severities[rule]
            assert all(SEVERITIES.index(c.severity) <= MEDIUM for c in regime.severities[rule])


# --- what a regime makes of a visit --------------------------------------------------------------------------------------


ACCEPTED = [page(0, cookie=onetrust(True, at=-5000), headers=GPC), hit(1000, headers=GPC)]


@pytest.mark.parametrize("regime", UNIVERSAL)
def test_gpc_binds_in_every_state_with_a_universal_opt_out(regime: str) -> None:
    j = under(regime, visit=ACCEPTED)
    assert {v.rule for v in j.violations} == {"gpc-ignored"}
    assert not under(regime, visit=[page(0, cookie=onetrust(True, at=-5000)), hit(1000)]).violations


@pytest.mark.parametrize(
    ("regime", "day", "word", "severity"),
    [
        ("us-or", date(2025, 12, 31), "compliant", None),
        ("us-or", date(2026, 1, 1), "violation", "high"),
        ("us-md", date(2025, 9, 30), "not_applicable", None),
        ("us-ct", date(2024, 12, 31), "compliant", None),
        ("us-ct", date(2025, 3, 1), "violation", "medium"),
        ("us-ct", date(2025, 7, 1), "violation", "high"),
        ("us-tx", date(2026, 11, 18), "violation", "medium"),
        ("us-co", date(2024, 6, 30), "compliant", None),
        ("us-co", date(2024, 7, 1), "violation", "high"),
    ],
)
def test_a_states_dates_and_what_rests_on_memory(regime: str, day: date, word: str, severity: str | None) -> None:
    j = under(regime, visit=at(ACCEPTED, day))
    assert j.verdicts[-1].verdicts[regime] == word
    assert [v.severity for v in j.violations] == ([severity] if severity else [])
    if severity == "medium":
        assert "no source" in j.violations[0].severity_why


def test_gpc_that_is_gone_stays_in_colorado_only() -> None:
    visit = [
        page(0, cookie=onetrust(True, at=-5000), headers=GPC),
        page(60_000, SHOP + "next", cookie=onetrust(True, at=-5000)),
        hit(61_000, url=SHOP + "next"),
    ]
    j = under("us-co", "us-ca", visit=visit)
    assert j.verdicts[-1].verdicts == {"us-co": "violation", "us-ca": "unverified"}
    assert j.verdicts[-1].opt_outs == ()
    assert "earlier in this visit" in j.violations[0].explanation


def test_switzerland_lets_refuse_and_never_says_more_than_medium() -> None:
    refused = under("ch", visit=[page(0, cookie=onetrust(False, at=-5000)), hit(1000)])
    assert [(v.rule, v.severity) for v in refused.violations] == [("fired-after-denial", "medium")]
    assert under("ch", visit=[page(0, cookie=onetrust(None)), hit(1000)]).verdicts[-1].verdicts == {"ch": "compliant"}


@pytest.mark.parametrize(("regime", "severity"), [("uk", "high"), ("br", "medium"), ("ca-qc", "medium")])
def test_opt_in_elsewhere(regime: str, severity: str) -> None:
    j = under(regime, visit=[page(0, cookie=onetrust(None)), hit(1000)])
    assert [(v.rule, v.severity) for v in j.violations] == [("fired-before-consent", severity)]
    assert not under(regime, visit=[page(0, cookie=onetrust(True, at=-5000)), hit(1000)]).violations


# --- where the visitor was -------------------------------------------------------------------------------------------------


def visit_from(region: str) -> list:
    return [page(0, cookie=onetrust(False, at=-5000, extra=f"&geolocation={region.replace('-', '%3B')}")), hit(1000)]


@pytest.mark.parametrize(
    ("region", "shown", "contradicted"),
    [
        ("DE", {"eu"}, {"uk", "ch", "us-ca"}),
        ("GB", {"uk"}, {"eu", "ch"}),
        ("CH", {"ch"}, {"eu", "uk"}),
        ("US-CO", {"us-co"}, {"us-ca", "eu"}),
        ("CA-QC", {"ca-qc"}, {"us-ca", "eu"}),
        ("CA-ON", set(), {"ca-qc", "us-ca"}),
        ("US-DE", {"us-de"}, {"eu"}),
        ("EU", {"eu"}, {"us-ca", "br"}),
    ],
)
def test_regions_show_and_contradict(region: str, shown: set[str], contradicted: set[str]) -> None:
    j = judge(observe(visit_from(region)), list(BOOK.regimes.values()), BOOK)
    said = {v.regime: v.applicability for v in j.violations}
    assert {r for r, word in said.items() if word == "shown"} == shown
    assert contradicted <= {r for r, word in said.items() if word == "contradicted"}
    if region == "EU":
        assert said["uk"] == said["ch"] == "assumed"


@pytest.mark.parametrize(
    ("region", "regimes"),
    [
        ("DE", ("eu",)),
        ("US-CO", ("us-co",)),
        ("US", ("us-ca",)),
        ("BR", ("br",)),
        ("CA-QC", ("ca-qc",)),
        ("JP", ("eu", "us-ca")),
    ],
)
def test_auto_proposes_what_the_traffic_says_and_why(region: str, regimes: tuple[str, ...]) -> None:
    j = under(visit=visit_from(region), named=("auto",))
    assert j.regimes == regimes
    assert set(j.proposed) == set(regimes)
    assert all(region in why for why in j.proposed.values())
    assert all("OptanonConsent" in why and "shop.example" in why for why in j.proposed.values())


def test_auto_without_any_sign_judges_by_default_and_says_so() -> None:
    j = under(visit=[page(0, cookie=onetrust(False, at=-5000)), hit(1000)], named=("auto",))
    assert j.regimes == ("eu", "us-ca")
    assert all("nothing in the traffic" in why for why in j.proposed.values())


def test_auto_with_several_regions_judges_by_several_and_keeps_what_was_named() -> None:
    berlin = visit_from("DE")
    denver = [replace(e, client="d") for e in visit_from("US-CO")]
    assert set(under(visit=[*berlin, *denver], named=("auto",)).regimes) == {"eu", "us-co"}
    assert under("br", visit=berlin, named=("auto", "br")).regimes == ("br", "eu")
