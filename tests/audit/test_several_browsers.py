"""Several browsers behind one client: nobody is judged by the cookies of another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pixelwitness.audit.model import Judgement
from pixelwitness.exchange import Exchange
from support import SHOP, START, cmp_script, hit, judged, mark, onetrust, page, style


def of(agent: str, *exchanges: Exchange) -> list[Exchange]:
    return [replace(e, headers=(*e.headers, ("User-Agent", agent))) for e in exchanges]


def visit(agent: str, at: int, *, granted: bool | None) -> list[Exchange]:
    """A page with OneTrust on it, in the state that the cookie says."""
    since = at - 50_000 if granted is not None else None
    return of(agent, page(at, cookie=onetrust(granted, at=since)), cmp_script(at + 10), style(at + 15))


def preflight(at: int) -> Exchange:
    given = (("Origin", SHOP.rstrip("/")), ("Referer", SHOP), ("Access-Control-Request-Method", "POST"))
    return Exchange("c", START + at, "OPTIONS", "https://analytics.tiktok.com/api/v2/pixel", given, b"")


def result(judgement: Judgement, state: str) -> str:
    return next(c.result for c in judgement.coverage if c.regime == "eu" and c.state == state)


@pytest.mark.parametrize("granted", [True, False])
def test_a_program_that_never_showed_its_cookies_is_not_judged_by_those_of_another(granted: bool) -> None:
    said = judged([*visit("A", 0, granted=granted), *of("B", hit(2000))])
    assert [v.verdicts["eu"] for v in said.verdicts] == ["unverified"]
    assert "several_browsers" in {b.kind for b in said.blind_spots}
    # The neighbour: the same browser.
    said = judged([*visit("A", 0, granted=granted), *of("A", hit(2000))])
    assert [v.verdicts["eu"] for v in said.verdicts] == ["compliant" if granted else "violation"]


@pytest.mark.parametrize("first", [True, False])
def test_a_send_without_a_name_may_be_of_either(first: bool) -> None:
    both = [*visit("A", 0, granted=first), *visit("B", 100, granted=not first)]
    said = judged([*both, hit(2000)])
    assert [v.verdicts["eu"] for v in said.verdicts] == ["unverified"]
    assert result(said, "denied") == "unverified"


@pytest.mark.parametrize("clicked", ["clicked accept", "clicked reject"])
def test_a_mark_does_not_say_in_which_browser(clicked: str) -> None:
    both = [*visit("A", 0, granted=None), *visit("B", 100, granted=None)]
    said = judged([*both, *of("B", hit(9000))], [mark(5000, clicked)])
    [verdict] = said.verdicts
    assert set(verdict.possible_states) == {"unanswered", "granted" if clicked == "clicked accept" else "denied"}


def test_a_blocked_preflight_stays_where_it_was() -> None:
    denied, granted = visit("A", 0, granted=False), visit("B", 100, granted=True)
    sent = of("B", preflight(3990), hit(4000))
    assert result(judged([*denied, *granted, *of("A", preflight(30)), *sent]), "denied") == "unverified"
    assert result(judged([*denied, *granted, preflight(30), *sent]), "denied") == "unverified"
    assert result(judged([*denied, *granted, *of("C", preflight(30)), *sent]), "denied") == "unverified"
    assert result(judged([*denied, *granted, *sent]), "denied") == "pass"


def test_a_request_answers_the_preflight_before_it() -> None:
    blocked, answered = preflight(30), preflight(3990)
    visits = [*visit("A", 0, granted=False), *of("A", page(2000, cookie=onetrust(True, at=1500)), style(2015))]
    said = judged([*visits, *of("A", blocked, answered, hit(4000))])
    assert result(said, "denied") == "unverified"
    assert result(said, "granted") == "pass"


def test_a_loader_that_another_browser_fetched_is_no_missing_mechanism() -> None:
    accepted = of("A", page(0, cookie="a=1"), cmp_script(10, "https://app.usercentrics.eu/browser-ui/latest/loader.js"))
    said = judged([*accepted, *of("B", page(5000, cookie=None), style(5010), hit(6000))])
    assert [v.verdicts["eu"] for v in said.verdicts] == ["unverified"]


def test_a_request_that_names_no_browser_shows_nothing_of_the_pages_of_one() -> None:
    quiet = of("A", page(0, cookie=onetrust(False, at=-5_000)))
    other = of("B", page(20_000, cookie=onetrust(True, at=-5_000)), style(20_100))
    assert result(judged([*quiet, style(100), *other]), "denied") == "unverified"
    assert result(judged([*quiet, *of("A", style(100)), *other]), "denied") == "pass"
    assert result(judged([*quiet, style(100)]), "denied") == "pass"
