"""The same traffic gives the same judgement, in whatever order and company it arrives."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwitness.audit.judge import judge
from pixelwitness.audit.model import Judgement, Rows
from pixelwitness.exchange import Exchange, Response
from pixelwitness.observations import Observed
from support import BOOK, SHOP, START, asset, cmp_script, hit, mark, observe, onetrust, page, script

REGIMES = [BOOK.regimes["eu"], BOOK.regimes["us-ca"]]
OTHER = "https://other.example/"


def visit() -> list[Exchange]:
    """Two clients, two sites, a choice and its withdrawal, a copy, a preflight, a script that sets an identifier."""
    sets = (("Set-Cookie", "_ttp=x; Domain=tiktok.com"),)
    return [
        page(0), cmp_script(10), replace(script(20), response=Response(START + 90, 200, sets)),
        hit(40, stamp=35), page(60, OTHER, client="d", headers=[("Sec-GPC", "1")]),
        asset(2000, cookie=onetrust(None)), hit(2500, "ViewContent", event_id="e1", stamp=2490),
        hit(2510, "ViewContent", event_id="e1", host="metrics.shop.example", message_id="m2"),
        hit(2600, url=OTHER, client="d", headers=[("Origin", "null")]),
        asset(6000, cookie=onetrust(True, at=5000)), hit(6500, "AddToCart", stamp=4000),
        page(9000, SHOP + "b", cookie=onetrust(False, at=8500)), hit(9100, method="OPTIONS"), hit(9500, "Purchase"),
        hit(30_000, None, path="/api/v2/pixel/act", action="Click", url=SHOP + "b"),
    ]  # fmt: skip


def judged(rows: Rows) -> Judgement:
    return judge(rows, REGIMES, BOOK)


def essence(judgement: Judgement) -> tuple[object, ...]:
    """What must be the same: verdicts with all they rest on, violations, coverage, blind spots."""
    return (
        sorted(judgement.verdicts, key=lambda v: v.hit_id), judgement.violations, judgement.coverage,
        sorted(b.model_dump_json() for b in judgement.blind_spots), judgement.page_states, judgement.pixels,
    )  # fmt: skip


def observations(exchanges: list[Exchange]) -> list[tuple[Observed, Observed | None]]:
    """Of each exchange what its request says, and what its response adds."""
    from pixelwitness.exchange import Numbering
    from pixelwitness.ingest import observe_request, observe_response

    numbering = Numbering()
    made: list[tuple[Observed, Observed | None]] = []
    for e in map(numbering.number, exchanges):
        bare = replace(e, response=None)
        made.append((observe_request(bare, BOOK), observe_response(e, BOOK) if e.response else None))
    return made


def rows_of(said: list[Observed]) -> Rows:
    return Rows(
        hits=tuple(h for s in said for h in s.hits),
        signals=tuple(g for s in said for g in s.signals),
        page_views=tuple(s.page_view for s in said if s.page_view),
        settings=tuple(p for s in said for p in s.settings),
        first_party=tuple(s.first_party for s in said if s.first_party),
        frames=tuple(s.frame for s in said if s.frame),
        blind_spots=tuple(b for s in said for b in s.blind_spots),
    )


OBSERVED = observations(visit())
IN_ORDER = essence(judged(rows_of([part for pair in OBSERVED for part in pair if part is not None])))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_order_of_arrival_ends_the_same(data: st.DataObject) -> None:
    """Requests in any order, each response at any time after its own request."""
    order = data.draw(st.permutations(range(len(OBSERVED))))
    arrived: list[Observed] = []
    waiting: list[Observed] = []
    for index in order:
        request, response = OBSERVED[index]
        arrived.append(request)
        waiting += [response] if response is not None else []
        while waiting and data.draw(st.booleans()):
            arrived.append(waiting.pop(data.draw(st.integers(0, len(waiting) - 1))))
    arrived += waiting
    cut = data.draw(st.integers(0, len(arrived)))
    judged(rows_of(arrived[:cut]))  # a provisional judgement must not matter
    assert essence(judged(rows_of(arrived))) == IN_ORDER


@given(st.integers(-3_000_000_000, 200_000_000))
@settings(max_examples=25, deadline=None)
def test_a_shift_in_time_changes_no_verdict(shift: int) -> None:
    """Within one period of the law; stamps and payload times move along."""

    def moved(rows: Rows) -> Rows:
        fields = {"occurred_at", "event_time", "observed_at", "effective_at", "expires_at", "at"}
        changed = {}
        for name in ("hits", "signals", "page_views", "first_party", "frames", "blind_spots"):
            changed[name] = tuple(
                row.model_copy(update={f: v + shift for f in fields if (v := getattr(row, f, None)) is not None})
                for row in getattr(rows, name)
            )
        return rows.model_copy(update=changed)

    rows = rows_of([part for pair in OBSERVED for part in pair if part is not None])
    before = {v.hit_id: (v.verdicts, v.possible_states, v.confidence) for v in judged(rows).verdicts}
    after = {v.hit_id: (v.verdicts, v.possible_states, v.confidence) for v in judged(moved(rows)).verdicts}
    assert after == before


def test_renamed_clients_have_the_same_verdicts() -> None:
    names = {"c": "x-ray", "d": "alpha"}
    renamed = judged(observe([replace(e, client=names[e.client]) for e in visit()]))
    plain = judged(observe(visit()))
    key = {v.hit_id: v.model_dump() for v in plain.verdicts}
    assert {v.hit_id: v.model_dump() for v in renamed.verdicts} == key
    assert {(v.id, v.rule, v.severity) for v in renamed.violations} == {
        (v.id, v.rule, v.severity) for v in plain.violations
    }
    assert renamed.coverage == plain.coverage


@pytest.mark.parametrize("at", [150, 1900, 5900, 8800, 20_000])
def test_unrelated_traffic_changes_nothing(at: int) -> None:
    """Another site, with its own consent system, choices, widgets, pixel and clock-free scripts."""
    news = "https://news.example/"
    noise = [
        page(at, news, cookie=onetrust(True, at=at - 1000)), cmp_script(at + 1),
        replace(cmp_script(at + 2, "https://consent.cookiebot.com/uc.js"), headers=(("Referer", news),)),
        asset(at + 3, cookie="consent=1", url=news + "x.js"),
        hit(at + 4, url=news, headers=[("Origin", "null")]),
        Exchange("c", START + at + 5, "GET", "https://cdn.example.net/lib.js", (("Referer", news),)),
    ]  # fmt: skip
    noise[1] = replace(noise[1], headers=(("Referer", news), ("Sec-Fetch-Dest", "script")))
    plain = {v.hit_id: v for v in judged(observe(visit())).verdicts}
    noisy = {v.hit_id: v for v in judged(observe([*visit(), *noise])).verdicts}
    for hit_id, verdict in plain.items():
        assert noisy[hit_id] == verdict


def test_marks_of_another_property_change_nothing() -> None:
    plain = judged(observe(visit()))
    marked = judged(observe(visit(), [mark(1000, "clicked accept", property="news.example")]))
    assert essence(marked) == essence(plain)
