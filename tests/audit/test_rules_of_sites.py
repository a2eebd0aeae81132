"""Rules and notices about a site: each with a visit that breaks it and its nearest neighbour that does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pixelwitness.audit.judge import judge
from pixelwitness.audit.model import Judgement
from pixelwitness.exchange import Exchange, Response
from pixelwitness.observations import Signal
from pixelwitness.rulebook import RuleError
from pixelwitness.statements import read_statements
from support import BOOK, SHOP, START, cmp_script, hit, observe, onetrust, page, rules, script

GPC = [("Sec-GPC", "1")]
YES, NO = onetrust(True, at=-5000), onetrust(False, at=-5000)
HASH = "86e0b9e56c17cc4d12387e1949b85053fbe73bc3ce5a1188713a9d300cc6133d"


def judged(visit: list[Exchange], said: tuple[Signal, ...] | list[Signal] = (), *regimes: str) -> Judgement:
    rows = observe(visit)
    rows = rows.model_copy(update={"signals": (*rows.signals, *said)})
    return judge(rows, [BOOK.regimes[r] for r in regimes or ("eu", "us-ca")], BOOK)


def noticed(judgement: Judgement) -> set[str]:
    return {n.rule for n in judgement.notices}


def claim(value: bool, at: int = 0, host: str = "www.shop.example") -> Signal:
    return Signal(
        id=f"g{at}", exchange_id="x", client="c", host=host, observed_at=START + at, source="body", name="gpc.json",
        detail={"gpc": value, "last_update": "2025-04-15"},
    )  # fmt: skip


def stated(tmp_path: Path, text: str) -> list[Signal]:
    path = tmp_path / "properties.yaml"
    path.write_text(f"as_of: 2026-11-01\nproperties:\n  shop.example:\n{text}")
    return read_statements(path, BOOK)


# --- identifier-cookie-without-consent ---------------------------------------------------------------------------------


def test_ttp_set_or_sent_without_consent_is_a_violation_of_its_own() -> None:
    sent = judged([page(0, cookie=NO), hit(1000, headers=[("Cookie", "_ttp=abc")])])
    assert rules(sent, "eu") == {"fired-after-denial", "identifier-cookie-without-consent"}
    assert "sent TikTok's cookie _ttp" in next(v for v in sent.violations if "cookie" in v.rule).explanation
    answer = Response(START + 1100, 200, (("Set-Cookie", "_ttp=x; Domain=tiktok.com; Max-Age=33696000"),))
    assert "identifier-cookie-without-consent" in rules(
        judged([page(0, cookie=NO), replace(script(1000), response=answer)]), "eu"
    )


def test_ttp_is_no_violation_with_consent_nor_where_it_is_deleted_nor_under_opt_out() -> None:
    cookie = [("Cookie", "_ttp=abc")]
    assert not judged([page(0, cookie=YES), hit(1000, headers=cookie)]).violations
    gone = Response(START + 1100, 200, (("Set-Cookie", "_ttp=; Domain=tiktok.com; Max-Age=0"),))
    deleted = judged([page(0, cookie=NO), replace(script(1000), response=gone)])
    assert rules(deleted, "eu") == {"contacted-without-consent"}
    assert "identifier-cookie-without-consent" not in rules(
        judged([page(0, cookie=NO), hit(1000, headers=cookie)]), "us-ca"
    )


def test_the_sites_own_ttp_in_a_message_is_no_proof_of_when_it_was_read() -> None:
    assert rules(judged([page(0, cookie=NO), hit(1000)]), "eu") == {"fired-after-denial"}


# --- signal-conflict, no-consent-mechanism, first-party-proxying -------------------------------------------------------------


def test_two_loading_systems_that_differ_are_noticed() -> None:
    cookiebot = "CookieConsent={stamp:%27x%27%2Cnecessary:true%2Cmarketing:false%2Cutc:1794990000000}"
    loads = [cmp_script(10), cmp_script(20, "https://consent.cookiebot.com/uc.js")]
    both = judged([page(0, cookie=f"{YES}; {cookiebot}"), *loads, hit(1000)])
    assert "signal-conflict" in noticed(both)
    agreeing = cookiebot.replace("marketing:false", "marketing:true")
    assert "signal-conflict" not in noticed(judged([page(0, cookie=f"{YES}; {agreeing}"), *loads, hit(1000)]))


def test_gpc_beside_an_accepted_banner_is_no_conflict() -> None:
    j = judged([page(0, cookie=YES, headers=GPC), hit(1000, headers=GPC)])
    assert "signal-conflict" not in noticed(j)


def test_a_site_without_any_way_to_choose_is_noticed_once() -> None:
    j = judged([page(0), hit(1000), hit(2000)])
    assert [n.rule for n in j.notices].count("no-consent-mechanism") == 1
    assert "no-consent-mechanism" not in noticed(judged([page(0), cmp_script(10), hit(1000)]))
    returning = judged([page(0, cookie="sid=1"), hit(1000)])
    assert "no-consent-mechanism" not in noticed(returning)


def test_messages_through_the_sites_own_host_are_noticed() -> None:
    j = judged([page(0, cookie=YES), hit(1000, host="metrics.shop.example")])
    assert "metrics.shop.example" in next(n for n in j.notices if n.rule == "first-party-proxying").explanation
    assert not j.violations
    assert "first-party-proxying" not in noticed(judged([page(0, cookie=YES), hit(1000)]))


# --- opt-out-claimed-not-honoured ---------------------------------------------------------------------------------------


def test_a_site_that_claims_to_honour_gpc_and_fires_is_worse_off() -> None:
    visit = [page(0, cookie=YES, headers=GPC), hit(1000, headers=GPC)]
    broken = judged(visit, [claim(True)])
    assert rules(broken, "us-ca") == {"gpc-ignored", "opt-out-claimed-not-honoured"}
    assert "2025-04-15" in next(v for v in broken.violations if v.rule.startswith("opt-out-claimed")).explanation
    for said in ([claim(False)], [claim(True, host="www.other.example")], []):
        assert rules(judged(visit, said), "us-ca") == {"gpc-ignored"}
    assert rules(judged(visit, [claim(True)]), "eu") == set()


def test_a_claim_makes_no_violation_by_itself() -> None:
    assert not judged([page(0, cookie=YES), hit(1000)], [claim(True)]).violations
    limited = [page(0, cookie=YES, headers=GPC), hit(1000, headers=GPC, limited_data_use=True)]
    assert not rules(judged(limited, [claim(True)]), "us-ca")
    withdrawn = [page(0, cookie=YES, headers=GPC), hit(9000, headers=GPC)]
    assert rules(judged(withdrawn, [claim(True), claim(False, at=5000)]), "us-ca") == {"gpc-ignored"}


# --- transfer-without-safeguard -------------------------------------------------------------------------------------------


def test_a_missing_safeguard_is_a_violation_only_by_the_auditors_own_word(tmp_path) -> None:
    visit = [page(0, cookie=YES), hit(1000)]
    j = judged(visit, stated(tmp_path, "    transfer: {sccs: true, assessment: false}\n"))
    assert [(v.rule, v.regime, v.severity) for v in j.violations] == [("transfer-without-safeguard", "eu", "medium")]
    assert "there is no transfer assessment" in j.violations[0].explanation
    assert "2026-11-01" in j.violations[0].explanation
    assert j.verdicts[-1].verdicts == {"eu": "violation", "us-ca": "compliant"}
    assert "transfer-not-documented" not in noticed(j)


def test_without_a_word_of_it_nothing_is_claimed(tmp_path) -> None:
    visit = [page(0, cookie=YES), hit(1000)]
    silent = judged(visit)
    assert not silent.violations
    assert "transfer-not-documented" in noticed(silent)
    safe = judged(visit, stated(tmp_path, "    transfer: {sccs: true, assessment: true}\n"))
    assert not safe.violations
    assert "transfer-not-documented" not in noticed(safe)
    assert "transfer-not-documented" not in noticed(judged(visit, (), "us-ca"))


# --- sensitive-context ------------------------------------------------------------------------------------------------------


def test_a_marked_page_makes_a_violation_graver_and_a_word_in_an_address_only_a_note(tmp_path) -> None:
    clinic = SHOP + "clinic/appointment"
    said = stated(tmp_path, '    contexts: [{context: health, paths: ["/clinic/*"]}]\n')
    visit = [page(0, clinic, cookie=NO), hit(1000, url=clinic)]
    assert "sensitive-context" in rules(judged(visit, said), "eu")
    assert "sensitive-context" in rules(judged(visit, said), "us-ca")
    elsewhere = [page(0, cookie=NO), hit(1000)]
    assert "sensitive-context" not in rules(judged(elsewhere, said), "eu")
    agreed = judged([page(0, clinic, cookie=YES), hit(1000, url=clinic)], said)
    assert not agreed.violations
    assert "sensitive-page" in noticed(agreed)
    hinted = SHOP + "services/abortion"
    guessed = judged([page(0, hinted, cookie=NO), hit(1000, url=hinted)])
    assert "sensitive-context" not in rules(guessed, "eu")
    assert "hint and no proof" in next(n for n in guessed.notices if n.rule == "sensitive-page").explanation
    assert "sensitive-page" not in noticed(judged(elsewhere))


def test_what_the_request_did_not_tell_is_not_held_against_it(tmp_path) -> None:
    clinic = SHOP + "clinic/appointment"
    said = stated(tmp_path, '    contexts: [{context: health, paths: ["/clinic/*"]}]\n')
    by_time = replace(script(1000), headers=())
    assert rules(judged([page(0, clinic, cookie=NO), by_time], said), "eu") == {"contacted-without-consent"}
    origin_only = script(1000)
    assert rules(judged([page(0, clinic, cookie=NO), origin_only], said), "eu") == {"contacted-without-consent"}
    whole = replace(script(1000), headers=(("Referer", clinic),))
    told = judged([page(0, clinic, cookie=NO), whole], said)
    assert [v.severity for v in told.violations if v.rule == "sensitive-context"] == ["medium"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("    contexts: [{context: astrology}]\n", "no context astrology"),
        ("    contexts: [{context: health, paths: [clinic]}]\n", "paths"),
        ("    transfers: {sccs: true}\n", "transfers"),
        ("    {}\n  www.other.example: {}\n", "as reports name it"),
    ],
)
def test_a_bad_property_file_says_where_and_what(tmp_path, text: str, words: str) -> None:
    with pytest.raises(RuleError, match=words):
        stated(tmp_path, text)
