"""What the probe reads in a page: every rule's own examples, and reports of any shape."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwitness.consent.probe import PATH, items
from pixelwitness.examples import wrong_in
from pixelwitness.exchange import Exchange
from pixelwitness.ingest import observe_request
from support import BOOK, START, report


@pytest.mark.parametrize("rule", BOOK.probe, ids=lambda r: r.cmp)
def test_the_examples_of_a_rule(rule) -> None:
    assert list(wrong_in(rule, BOOK)) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
row = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["cookie", "storage", "api", "x", 3]), "name": json_values, "value": json_values,
        "at": json_values, "since": json_values, "act": json_values, "before": json_values, "names": json_values,
    },
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.lists(row, max_size=5).map(lambda r: json.dumps({"pixelwitness": 1, "items": r}).encode()),
    )
)
def test_any_report_is_read_or_passed_over(body: bytes) -> None:
    observe_request(Exchange("c", START, "POST", "https://www.shop.example" + PATH, (), body), BOOK)


def test_bounds_of_a_report() -> None:
    one = {"kind": "cookie", "name": "", "value": "a=b", "at": START, "since": START, "names": []}
    found = items(report(0, {**one, "names": ["n" * 300] * 450}, *[one] * 150))
    assert 0 < len(found) <= 100
    assert all(len(i.names) <= 400 and all(len(n) <= 200 for n in i.names) for i in found)
    assert items(Exchange("c", START, "POST", "https://a.example" + PATH, (), b"[" * 200_000)) == ()
    assert items(Exchange("c", START, "POST", "https://a.example" + PATH, (), b"x" * 600_000)) == ()


def test_a_cookie_written_anew_with_the_same_meaning_is_no_act() -> None:
    def cookie(stamp: str) -> str:
        return f"OptanonConsent=datestamp={stamp}&landingPath=NotLandingPage&groups=C0001%3A1%2CC0004%3A0"

    def said(before: str, after: str) -> list[bool]:
        change = {
            "kind": "cookie",
            "value": after,
            "before": before,
            "at": START,
            "since": START,
            "act": True,
            "names": [],
        }
        signals = observe_request(report(5, change), BOOK).signals
        return [s.detail["probe"]["act"] for s in signals if s.source == "probe"]

    assert said(cookie("a"), cookie("b")) == [False]
    assert said(cookie("a").replace("C0004%3A0", "C0004%3A1"), cookie("b")) == [True]
    assert said("", cookie("b")) == [True]
