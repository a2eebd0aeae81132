"""`pixelwitness consent` as a person meets it."""

from __future__ import annotations

import json
import time

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwitness.cli import cli
from pixelwitness.consent.explain import explain
from pixelwitness.report.consent_words import lines
from support import BOOK, onetrust

DENIED = "CPubvkAPubvkAAHABBENDMCgAAAAAAAAAB5YAAAAAAAA.YAAAAAAAAAAA"
GRANTED = "COv_eg6Ov_eg6AOADBENAaCgAP_AAH_AACiQAVEUQQoAIQAqIoghAAQgAA.YAAAAAAAAAAAAAAAAAA"


def told(text: str, *more: str, stdin: str | None = None) -> str:
    done = CliRunner().invoke(cli, ["consent", text, *more], input=stdin)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        (onetrust(False, at=0), ["OneTrust (cookie OptanonConsent)", "Advertising: refused", "Anybody chose: yes", "Since: 2026-11-18T"]),
        (onetrust(None), ["nobody has answered (denied until somebody does)", "Anybody chose: no"]),
        ("Cookie: a=1; " + onetrust(True) + "; b=2", ["a Cookie header with 3 cookies", "Advertising: allowed", "Say nothing of consent: a, b"]),
        ("my_consent=1; sid=2", ["A consent-like cookie that no rule reads (cookie my_consent)", "not known"]),
        (DENIED, ["IAB TCF string", "Advertising (TCF): refused", "Purposes with consent: none", "TikTok by name: not mentioned"]),
        (GRANTED, ["Advertising (TCF): not known. Consent was given to purposes", "1 Store and/or access information on a device"]),
        ("DBABLA~BVQVAAAAAAGA.YA", ["Sections: 7 usnat", "opted out", "usnat SaleOptOut: opted out", "usnat Gpc: on"]),
        ("DBABKY~BAAAAAAA", ["(unknown)", "not read", "it does not say"]),
        ("1YYN", ["US Privacy", "Opt-out of sale (US Privacy): opted out"]),
        ("1Y--", ["it does not say", "Damaged: a dash"]),
        ("2~7.12~dv.9", ["additional consent", "2 (TikTok is not known to be one); 1 more were disclosed"]),
        ("13p3p3p3p5l1", ["Google's consent mode", "denied by default, no update", "decides nothing"]),
        (f"https://ads.example/?gdpr=1&gdpr_consent={DENIED}", ["a URL", "parameter gdpr_consent", "GDPR applies: yes"]),
        ("isGpcEnabled=0&interactionCount=1&landingPath=NotLandingPage&groups=C0001%3A1%2CC0004%3A0", ["Perhaps OneTrust", "refused"]),
        ("sid=1; theme=dark", ["Nothing in it is known to speak of consent", "sid, theme"]),
        ("CPubvkAPubvkAAHABBENDMCgAAAAAAA", ["starts as a TC string", "cut"]),
        ("1XYZ", ["starts as a US Privacy string"]),
        ("0f8fad5b-d9cb-469f-a165-70867728950e", ["a UUID"]),
        ("eyJmb28iOiB7ImJhciI6IDF9fQ==", ["JSON in base64 with the keys foo"]),
    ],
)  # fmt: skip
def test_what_it_says(text: str, expect: list[str]) -> None:
    output = told(text)
    for words in expect:
        assert words in output, output


def test_from_standard_input_and_as_json() -> None:
    said = json.loads(told("-", "--json", stdin=f"euconsent-v2={DENIED}\n"))
    assert said["said"][0]["system"] == "tcf"
    assert said["said"][0]["readings"][0]["state"] == "denied"


def test_nothing_is_an_input_that_cannot_be_used() -> None:
    assert CliRunner().invoke(cli, ["consent", " "]).exit_code == 2
    assert CliRunner().invoke(cli, ["consent"], input="").exit_code == 2


def test_hostile_text_reaches_no_terminal() -> None:
    output = told("OptanonConsent=groups=C0004%3A0%2C%1b[31mx:1&landingPath=NotLandingPage; \x1b[2J=1")
    assert "\x1b" not in output


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=60), st.binary(max_size=60).map(lambda b: b.decode("latin-1")),
                 st.sampled_from([DENIED, GRANTED, "1YYN", "DBABLA~BVQVAAAAAAGA.YA", onetrust(True)]).flatmap(
                     lambda t: st.integers(0, len(t)).map(lambda cut: t[:cut] + "%" + t[cut:]))))  # fmt: skip
def test_anything_can_be_pasted(text: str) -> None:
    try:
        said = explain(text, BOOK)
    except ValueError:
        assert not text.strip() or text.strip().lower().startswith(("cookie:", "set-cookie:"))
        return
    assert list(lines(said, BOOK))


def test_a_megabyte_of_anything_takes_no_time() -> None:
    start = time.process_time()  # not the clock on the wall: other work on the machine is none of ours
    for text in ("%25" * 300_000, "a=1; " * 150_000, "[" * 500_000, "C" * 900_000, "2~" + "1." * 300_000):
        assert list(lines(explain(text, BOOK), BOOK))
    assert time.process_time() - start < 10
