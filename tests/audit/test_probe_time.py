"""Evidence of the probe: an act at a time of the client's own clock, against messages with that clock's stamps."""

from __future__ import annotations

import json
from typing import Any

from pixelwitness.exchange import Exchange
from support import START, cmp_script, hit, judged, onetrust, page, report, rules, verdict

SKEW = 7_000_000
"""The client's clock may be anything: about two hours ahead here."""


def jar(advertising: bool | None, at: int | None = None) -> str:
    return onetrust(advertising, at=at)


def change(
    at: int, after: bool | None, before: bool | None, *, seen: int, since: int | None = None, skew: int = 0
) -> Exchange:
    """A change of OneTrust's cookie at `at`, reported so that it arrives at `seen`."""
    row: dict[str, Any] = {
        "kind": "cookie", "value": jar(after), "before": jar(before), "at": START + at + skew,
        "since": START + (at if since is None else since) + skew, "act": True, "names": ["OptanonConsent"],
    }  # fmt: skip
    return report(seen, row)


def visit(*more: Exchange) -> list[Exchange]:
    return [page(0, cookie=jar(None)), cmp_script(10), *more]


def test_an_event_just_after_reject_is_a_denial_at_once() -> None:
    """100 ms after the click, with no first-party request between: what the cookie header alone shows too late."""
    exchanges = visit(change(5000, False, None, seen=5010), hit(5120, stamp=5100))
    assert verdict(exchanges).consent_state == "denied"
    assert "fired-after-denial" in rules(judged(exchanges), "eu")


def test_the_order_of_arrival_does_not_matter_on_one_clock() -> None:
    exchanges = visit(hit(5110, stamp=5100), change(5000, False, None, seen=5130))
    assert verdict(exchanges).consent_state == "denied"


def test_a_clock_that_is_wrong_by_hours_changes_nothing() -> None:
    exchanges = visit(change(5000, False, None, seen=5010, skew=SKEW), hit(5120, stamp=5100 + SKEW))
    assert verdict(exchanges).consent_state == "denied"


def test_without_the_probe_it_stays_open_until_the_next_request() -> None:
    assert verdict(visit(hit(5120, stamp=5100))).consent_state != "denied"


def test_an_event_just_after_accept_is_no_violation() -> None:
    exchanges = visit(change(5000, True, None, seen=5010), hit(5120, stamp=5100))
    assert verdict(exchanges).consent_state == "granted"
    assert not rules(judged(exchanges), "eu")


def test_a_system_that_fires_before_it_writes_is_not_accused() -> None:
    """The click on Accept, the pixel at once, the cookie 80 ms later: whether consent was given by then is open."""
    exchanges = visit(change(5080, True, None, seen=5090, since=5000), hit(5060, stamp=5040))
    assert set(verdict(exchanges).possible_states) == {"granted", "unanswered"}
    assert not rules(judged(exchanges), "eu")


def test_a_message_that_may_have_waited_stays_open() -> None:
    """Made before the change, arrived around its report: it may have been held back until consent was there."""
    exchanges = visit(change(5000, True, None, seen=5010), hit(5030, stamp=4900))
    assert "granted" in verdict(exchanges).possible_states
    assert not rules(judged(exchanges), "eu")


def test_an_event_well_before_the_click_was_before_it() -> None:
    exchanges = visit(hit(2030, stamp=2000), change(5000, True, None, seen=5010))
    assert verdict(exchanges).consent_state == "unanswered"
    assert "fired-before-consent" in rules(judged(exchanges), "eu")


def test_a_choice_that_cannot_be_read_ends_what_the_probe_had_read() -> None:
    """Groups of the site's own after the click: what was chosen is unknown, not still unanswered."""
    own = (
        onetrust(None, default=True)
        .replace("landingPath=https%3A%2F%2Fwww.shop.example%2F", "landingPath=NotLandingPage")
        .replace("C0004", "BG57")
    )
    first = change(1000, None, None, seen=1010)
    row = {
        "kind": "cookie",
        "value": jar(None),
        "before": "",
        "at": START + 500,
        "since": START + 500,
        "act": True,
        "names": ["OptanonConsent"],
    }
    exchanges = [page(0), cmp_script(10), report(510, row), first, page(6000, cookie=own), hit(8000, stamp=7990)]
    found = verdict(exchanges)
    assert "granted" in found.possible_states
    assert not rules(judged(exchanges), "eu")


def test_accept_then_withdrawal_in_one_report() -> None:
    one = change(3000, True, None, seen=3010)
    two = change(6000, False, True, seen=6010)
    exchanges = visit(one, two, hit(6120, stamp=6100))
    assert "fired-after-withdrawal" in rules(judged(exchanges), "eu")


def test_a_stamp_that_cannot_be_the_time_of_sending_is_not_used() -> None:
    """A message stamped an hour ago does not show that it was sent before the click."""
    exchanges = visit(change(5000, True, None, seen=5010), hit(5500, stamp=5500 - 3_600_000))
    assert "fired-before-consent" not in rules(judged(exchanges), "eu")


def test_the_jar_that_the_probe_saw_keeps_unanswered_alive() -> None:
    row = {
        "kind": "cookie",
        "value": jar(None),
        "at": START + 20_000,
        "since": START,
        "act": False,
        "names": ["OptanonConsent"],
    }
    exchanges = visit(report(20_005, row), hit(15_000, stamp=14_990))
    assert verdict(exchanges).consent_state == "unanswered"


def test_a_consent_system_in_local_storage_is_read() -> None:
    history = [{"action": "onDenyAllServices", "timestamp": START + 5000}]
    refused = json.dumps({"services": [{"id": "a", "history": history}]})
    row = {
        "kind": "storage",
        "name": "uc_settings",
        "value": refused,
        "before": "",
        "at": START + 5000,
        "since": START + 5000,
        "act": True,
    }
    script = cmp_script(10, "https://app.usercentrics.eu/browser-ui/latest/loader.js")
    exchanges = [page(0), script, report(5010, row), hit(5120, stamp=5100)]
    assert verdict(exchanges).consent_state == "denied"
    assert verdict([page(0), script, hit(5120, stamp=5100)]).consent_state == "unknown"


def test_an_interface_that_answers_shows_that_the_system_runs() -> None:
    """Didomi's interface speaks beside OneTrust's script: it is not a stale cookie of something gone."""
    row = {"kind": "api", "name": "didomi", "value": '{"vendors":{"c:tiktok-x":false},"pending":false}', "before": '{"vendors":{"c:tiktok-x":false},"pending":true}',
           "at": START + 5000, "since": START + 5000, "act": True}  # fmt: skip
    exchanges = visit(report(5010, row), hit(7000, stamp=6990))
    found = verdict(exchanges)
    assert "denied" in found.possible_states
    assert "granted" not in found.possible_states
