"""Every rule under rules/findings: one visit that breaks it, and the nearest one that does not.

The two differ in one thing only, which is what the rule is about.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pixelwitness.audit.judge import judge
from pixelwitness.exchange import Exchange, Response
from pixelwitness.observations import Signal
from pixelwitness.statements import read_statements
from support import BOOK, PIXEL, SHOP, START, cmp_script, hit, observe, onetrust, page, script

YES, NO, NONE = onetrust(True, at=-5000), onetrust(False, at=-5000), onetrust(None)
GPC = [("Sec-GPC", "1")]
HASH = "86e0b9e56c17cc4d12387e1949b85053fbe73bc3ce5a1188713a9d300cc6133d"
TTP = [("Cookie", "_ttp=abc")]
CLINIC = SHOP + "clinic/visit"


@dataclass(frozen=True)
class Pair:
    breaks: Callable[[], list[Exchange]]
    neighbour: Callable[[], list[Exchange]]
    regime: str = "eu"
    says: str = ""
    """The property file of the first visit."""
    says_then: str | None = None
    """That of the neighbour, where it is another one."""


def visit(cookie: str | None, *more: Exchange, url: str = SHOP, headers: list[tuple[str, str]] | None = None) -> list:
    return [page(0, url, cookie=cookie, headers=headers or []), *more]


def gpc_file(value: bool) -> Exchange:
    answer = Response(START + 150, 200, (), json.dumps({"gpc": value, "lastUpdate": "2026-01-01"}).encode())
    return Exchange("c", START + 100, "GET", SHOP + ".well-known/gpc.json", (("Referer", SHOP),), response=answer)


def click(cookie: str, **content: object) -> list[Exchange]:
    return visit(cookie, hit(1000, None, path="/api/v2/pixel/act", action="Click", **content))


def loader(matching: str) -> Exchange:
    text = (
        f'{{"pixelCode":"{PIXEL}","name":"n","status":1,"setupMode":0,"partner":"","is_onsite":false,'
        f'"firstPartyCookieEnabled":true,"AutoAdvancedMatching":{matching}}}'
    )
    return replace(script(1000), response=Response(START + 1100, 200, (), f"ttq._i={{}};var x={text}".encode()))


def served(url: str) -> Exchange:
    """TikTok's client, known by what stands in it."""
    text = b'a="TiktokAnalyticsObject",b="tt_adInfo",c="/api/v2/pixel/act",d=e()._self_host_config'
    response = Response(START + 130, 200, (("Content-Type", "text/javascript"),), text)
    return Exchange("c", START + 100, "GET", url, (("Referer", SHOP), ("Sec-Fetch-Dest", "script")), response=response)


def two_systems(marketing: str) -> list[Exchange]:
    bot = f"CookieConsent={{stamp:%27x%27%2Cnecessary:true%2Cmarketing:{marketing}%2Cutc:1794990000000}}"
    return visit(f"{YES}; {bot}", cmp_script(10), cmp_script(20, "https://consent.cookiebot.com/uc.js"), hit(1000))


PAIRS: dict[str, Pair] = {
    "contacted-without-consent": Pair(lambda: visit(NO, script(1000)), lambda: visit(YES, script(1000))),
    "fired-before-consent": Pair(lambda: visit(NONE, hit(1000)), lambda: visit(YES, hit(1000))),
    "fired-after-denial": Pair(lambda: visit(NO, hit(1000)), lambda: visit(YES, hit(1000))),
    "fired-after-withdrawal": Pair(
        lambda: [*visit(YES), page(9000, cookie=onetrust(False, at=5000)), hit(12_000)],
        lambda: [*visit(NO), page(9000, cookie=onetrust(False, at=5000)), hit(12_000)],
    ),
    "identifier-cookie-without-consent": Pair(
        lambda: visit(NO, hit(1000, headers=TTP)), lambda: visit(NO, hit(1000, headers=[("Cookie", "other=abc")]))
    ),
    "matching-without-consent": Pair(
        lambda: visit(NO, hit(1000, user={"email": HASH})), lambda: visit(YES, hit(1000, user={"email": HASH}))
    ),
    "collection-without-consent": Pair(
        lambda: click(NO, auto_collected_properties={"trigger_element": {"inner_text": "Buy"}}), lambda: click(NO)
    ),
    "plaintext-identifier": Pair(
        lambda: visit(YES, hit(1000, url=SHOP + "?email=jane.doe%40example.com")),
        lambda: visit(YES, hit(1000, url=SHOP + "?email=")),
    ),
    "gpc-ignored": Pair(
        lambda: visit(YES, hit(1000, headers=GPC), headers=GPC), lambda: visit(YES, hit(1000)), regime="us-ca"
    ),
    "opt-out-ignored": Pair(
        lambda: visit("usprivacy=1YYN", hit(1000)), lambda: visit("usprivacy=1YNN", hit(1000)), regime="us-ca"
    ),
    "opt-out-claimed-not-honoured": Pair(
        lambda: visit(YES, gpc_file(True), hit(1000, headers=GPC), headers=GPC),
        lambda: visit(YES, gpc_file(False), hit(1000, headers=GPC), headers=GPC),
        regime="us-ca",
    ),
    "sensitive-context": Pair(
        lambda: visit(NO, hit(1000, url=CLINIC), url=CLINIC), lambda: visit(NO, hit(1000)),
        says='    contexts: [{context: health, paths: ["/clinic/*"]}]\n',
    ),
    "transfer-without-safeguard": Pair(
        lambda: visit(YES, hit(1000)), lambda: visit(YES, hit(1000)),
        says="    transfer: {sccs: false, assessment: true}\n", says_then="    transfer: {sccs: true, assessment: true}\n",
    ),
    "client-hosted-elsewhere": Pair(
        lambda: visit(YES, served(SHOP + "assets/9f2.js")),
        lambda: visit(YES, served("https://analytics.tiktok.com/i18n/pixel/static/main.js")),
    ),
    "first-party-proxying": Pair(
        lambda: visit(YES, hit(1000, host="metrics.shop.example")), lambda: visit(YES, hit(1000))
    ),
    "matching-configured": Pair(
        lambda: visit(YES, loader('{"auto_email":true,"auto_phone_number":false}')),
        lambda: visit(YES, loader('{"auto_email":false,"auto_phone_number":false}')),
    ),
    "no-consent-mechanism": Pair(lambda: visit(None, hit(1000)), lambda: visit(None, cmp_script(10), hit(1000))),
    "sensitive-page": Pair(
        lambda: visit(YES, hit(1000, url=SHOP + "services/abortion")),
        lambda: visit(YES, hit(1000, url=SHOP + "services/delivery")),
    ),
    "signal-conflict": Pair(lambda: two_systems("false"), lambda: two_systems("true")),
    "transfer-not-documented": Pair(
        lambda: visit(YES, hit(1000)), lambda: visit(YES, hit(1000)),
        says="    contexts: []\n", says_then="    transfer: {sccs: true, assessment: true}\n",
    ),
}  # fmt: skip


def found(exchanges: list[Exchange], regime: str, said: list[Signal]) -> set[str]:
    rows = observe(exchanges)
    rows = rows.model_copy(update={"signals": (*rows.signals, *said)})
    made = judge(rows, [BOOK.regimes[regime]], BOOK)
    return {v.rule for v in made.violations} | {n.rule for n in made.notices}


def stated(folder: Path, text: str) -> list[Signal]:
    if not text:
        return []
    path = folder / "properties.yaml"
    path.write_text(f"as_of: 2026-11-01\nproperties:\n  shop.example:\n{text}", "utf-8")
    return read_statements(path, BOOK)


def test_every_rule_has_its_pair() -> None:
    assert set(PAIRS) == set(BOOK.findings)


@pytest.mark.parametrize("rule", sorted(PAIRS))
def test_one_visit_breaks_the_rule_and_its_neighbour_does_not(rule: str, tmp_path: Path) -> None:
    pair = PAIRS[rule]
    assert rule in found(pair.breaks(), pair.regime, stated(tmp_path, pair.says))
    then = pair.says if pair.says_then is None else pair.says_then
    assert rule not in found(pair.neighbour(), pair.regime, stated(tmp_path, then))


def test_every_rule_of_a_violation_is_under_some_regime_with_its_provision() -> None:
    for finding in BOOK.findings.values():
        under = [r for r in BOOK.regimes.values() if finding.id in r.findings]
        assert bool(under) != finding.notice, finding.id
        assert all(r.citations.get(finding.id) for r in under), finding.id
