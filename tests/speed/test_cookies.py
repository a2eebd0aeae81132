"""What a busy site's Cookie header costs, counted by the functions that run: nothing is parsed twice."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

from pixelwitness import ingest
from pixelwitness.consent import cookies
from pixelwitness.consent.read import read_cookies
from pixelwitness.ingest import observe_request
from support import BOOK, asset


def busy(counter: int = 0, *, advertising: int = 1) -> str:
    """60 cookies in 8 KB: plain ones, JSON of all sorts, and three of consent."""
    made = [f"c{i}={'x' * 125}" for i in range(50)]
    made += [f"prefs{i}=%7B%22a%22%3A{i}%2C%22b%22%3A%22{'y' * 80}%22%7D" for i in range(6)]
    groups = "%2C".join(["C0001%3A1", f"C0004%3A{advertising}", *(f"BG{i}%3A1" for i in range(60))])
    made += [f"OptanonConsent=isGpcEnabled=0&landingPath=NotLandingPage&groups={groups}"]
    made += ["euconsent-v2=CPubvkAPubvkAAHABBENDMCgAAAAAAAAAB5YAAAAAAAA.YAAAAAAAAAAA"]
    made += ["OptanonAlertBoxClosed=2026-11-18T00:00:00.000Z", f"_ga=GA1.2.{counter}"]
    return "; ".join(made)


def functions_of(work: Callable[[], object]) -> Counter[str]:
    """Which functions a piece of work called, those of Python and those written in C, and how often."""
    called: Counter[str] = Counter()

    def seen(frame: FrameType, event: str, function: Any) -> None:
        if event == "call":
            called[frame.f_code.co_qualname] += 1
        elif event == "c_call":
            called[function.__qualname__] += 1

    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(None)
    return called


def fresh() -> None:
    for cache in (cookies._read_header, cookies._read_jar, cookies._shaped, ingest._names_in):
        cache.cache_clear()


def test_the_header_is_a_busy_sites() -> None:
    assert len(busy().split("; ")) == 60
    assert 7_500 < len(busy()) < 9_000


def test_an_unchanged_header_costs_a_comparison() -> None:
    fresh()
    said = read_cookies(busy(), BOOK)
    again: list[object] = []
    header = busy()
    called = functions_of(lambda: again.append(read_cookies(header, BOOK)))
    assert again == [said]
    assert sum(called.values()) <= 6, called


def test_observing_the_next_request_costs_as_much_as_with_one_cookie() -> None:
    fresh()
    known = {}
    for cookie in ("a=1", busy()):
        observe_request(asset(0, cookie=cookie), BOOK)
        request = asset(10, cookie=cookie)
        known[cookie] = functions_of(lambda request=request: observe_request(request, BOOK))
    few, many = known.values()
    assert many["str.partition"] - few["str.partition"] <= 10, "60 cookies were split again"
    assert many["str.split"] == few["str.split"]
    assert not many["_speaks"] + many["_read_cookie"] + many["_shaped"]
    # What the header says becomes signals each time: the answer and its details, not the reading of them.
    assert sum(many.values()) - sum(few.values()) <= 120, many - few


def test_a_counter_that_changed_costs_the_splitting_and_no_decoding() -> None:
    fresh()
    read_cookies(busy(), BOOK)
    header = busy(1)
    called = functions_of(lambda: read_cookies(header, BOOK))
    assert sum(called.values()) <= 10 * 60, called
    assert not called["_read_cookie"] + called["_shaped"] + called["unquote"] + called["search"]


def test_a_choice_that_changed_costs_the_cookies_of_consent_alone() -> None:
    fresh()
    read_cookies(busy(), BOOK)
    header = busy(advertising=0)
    called = functions_of(lambda: read_cookies(header, BOOK))
    assert called["_read_cookie"] == 3
    assert called["_shaped"] == 0
