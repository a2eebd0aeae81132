"""The decision table of docs/verdicts.md: complete, what the code does, and a visit for every row."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from pixelwitness.audit.judge import judge
from pixelwitness.audit.table import ROWS, TIMING, cells, decided, outcome, row_of
from pixelwitness.exchange import Exchange
from support import BOOK, ROOT, SHOP, cmp_script, hit, observe, onetrust, page, script

sys.path.insert(0, str(ROOT / "docs"))
from verdict_table import PAGE, written

GPC = [("Sec-GPC", "1")]
ANSWERED = {True: onetrust(True, at=-5000), False: onetrust(False, at=-5000)}
REFUSED_TCF = "euconsent-v2=CPubvkAPubvkAAHABBENDMCgAAAAAAAAAB5YAAAAAAAA.YAAAAAAAAAAA"
CLEAR = SHOP + "?email=jane.doe%40example.com"
SALE = "usprivacy=1YYN"


def test_every_combination_falls_into_exactly_one_row_and_comes_out_as_it_says() -> None:
    seen = set()
    for cell in cells():
        rows = row_of(cell)
        assert len(rows) == 1, (cell, [r.id for r in rows])
        assert (rows[0].word, rows[0].outcome) == outcome(decided(cell, BOOK)[0]), cell
        seen.add(rows[0].id)
    assert seen == {row.id for row in ROWS}


def test_at_most_one_rule_of_consent_timing_fires() -> None:
    for cell in cells():
        fired = [r for r in decided(cell, BOOK)[0].rules if r.startswith("fired-")]
        assert len(fired) <= 1


def test_the_page_holds_the_table_as_the_code_has_it() -> None:
    text = PAGE.read_text("utf-8")
    assert text == written(text), "run: uv run python docs/verdict_table.py"


# --- a visit for every row ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Visit:
    """What was done; the last hit is judged."""

    exchanges: Callable[[], list[Exchange]]
    regime: str = "eu"


def old(exchanges: list[Exchange]) -> list[Exchange]:
    return [replace(e, started_at=e.started_at - 500_000_000_000, response=None) for e in exchanges]


def shop(cookie: str | None, *rest: Exchange, **more: Any) -> list[Exchange]:
    return [page(0, cookie=cookie, **more), *rest]


def cut(at: int, **more: Any) -> Exchange:
    """A message whose body the recorder did not keep."""
    return replace(hit(at, **more), body=None, body_state="not_captured")


VISITS: dict[str, Visit] = {
    "in-1": Visit(lambda: shop(ANSWERED[True], hit(1000))),
    "in-2": Visit(lambda: shop(onetrust(None), hit(60_000))),
    "in-3": Visit(lambda: shop(ANSWERED[True], hit(1000, url=CLEAR))),
    "in-4": Visit(lambda: shop(ANSWERED[False], script(1000))),
    "in-5": Visit(lambda: shop(onetrust(None), hit(1000))),
    "in-6": Visit(lambda: shop(ANSWERED[False], hit(1000))),
    "in-7": Visit(lambda: [*shop(ANSWERED[True]), page(9000, cookie=onetrust(False, at=5000)), hit(12_000)]),
    "in-8": Visit(lambda: old(shop(ANSWERED[False], hit(1000)))),
    "out-1": Visit(lambda: shop(ANSWERED[False], script(1000, headers=GPC), headers=GPC), "us-ca"),
    "out-2": Visit(lambda: shop(ANSWERED[True], hit(1000, headers=GPC), headers=GPC), "us-ca"),
    "out-3": Visit(lambda: shop(ANSWERED[False], hit(1000, headers=GPC), headers=GPC), "us-ca"),
    "out-4": Visit(lambda: shop(SALE, hit(1000)), "us-ca"),
    "out-5": Visit(lambda: shop(f"{SALE}; {ANSWERED[False]}", hit(1000)), "us-ca"),
    "out-6": Visit(lambda: shop(ANSWERED[False], hit(1000)), "us-ca"),
    "out-7": Visit(lambda: shop(ANSWERED[False], hit(1000, limited_data_use=True)), "us-ca"),
    "out-8": Visit(lambda: shop(ANSWERED[True], cut(1000, headers=GPC), headers=GPC), "us-ca"),
    "out-9": Visit(
        lambda: [
            *shop(ANSWERED[True], headers=GPC),
            page(60_000, SHOP + "next", cookie=ANSWERED[True]),
            hit(61_000, url=SHOP + "next"),
        ],
        "us-ca",
    ),
    "out-10": Visit(lambda: shop(REFUSED_TCF, hit(1000)), "us-ca"),
    "out-11": Visit(lambda: shop(None, cmp_script(5, "https://cmp.osano.com/x/osano.js"), hit(1000)), "us-ca"),
    "out-12": Visit(lambda: shop(ANSWERED[True], hit(1000)), "us-ca"),
    "out-13": Visit(lambda: shop(ANSWERED[True], hit(1000, url=CLEAR)), "us-ca"),
    "out-14": Visit(lambda: old(shop(ANSWERED[False], hit(1000))), "us-ca"),
}


@pytest.mark.parametrize("row", ROWS, ids=lambda r: r.id)
def test_a_visit_comes_out_as_its_row(row) -> None:
    visit = VISITS[row.id]
    j = judge(observe(visit.exchanges()), [BOOK.regimes[visit.regime]], BOOK)
    last = j.verdicts[-1]
    assert last.verdicts == {visit.regime: row.word}
    broken = {v.rule for v in j.violations if v.hit_id == last.hit_id}
    wanted = {r for r in row.outcome if r in BOOK.findings}
    assert broken & (TIMING | {"plaintext-identifier"}) == wanted
    assert all(v.severity_why for v in j.violations)
    if row.id in SENTENCES:
        assert SENTENCES[row.id] in last.reasons[visit.regime]


SENTENCES = {
    "in-2": "Not verified",
    "in-3": "no consent covers",
    "out-7": "limited data use",
    "out-8": "could not be decoded",
    "out-9": "whether that was in force at this moment is open",
    "out-10": "TCF string",
    "out-11": "could not be read",
    "out-13": "no consent covers",
}


def test_every_row_has_its_visit() -> None:
    assert set(VISITS) == {row.id for row in ROWS}


def test_gpc_that_is_gone_persists_in_colorado() -> None:
    visit = VISITS["out-9"].exchanges()
    j = judge(observe(visit), [BOOK.regimes["us-co"]], BOOK)
    assert {v.rule for v in j.violations} == {"gpc-ignored"}
