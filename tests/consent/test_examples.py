"""Real consent values, each as the only consent cookie of a page, through everything up to the verdict."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwitness.audit.model import HitVerdict
from pixelwitness.consent.read import read_cookies
from support import BOOK, SHARED, START, hit, page, verdict

EXAMPLES = SHARED / "reference" / "consent-examples.jsonl"
ROWS = [json.loads(line) for line in EXAMPLES.read_text().splitlines()] if EXAMPLES.is_file() else []
FACEBOOK = '"tracking":false,"youtube":true,"dailymotion":true,"Facebook":true'
"""Said to be granted; but its own tracking category is refused, and consent to Facebook is none to TikTok."""


def of_a_visitor_with(cookies: dict[str, str]) -> HitVerdict:
    """The verdict on a hit half a second after a page that was asked for with these cookies.

    A minute after the answer where the value carries its time: an answer holds for a year only.
    """
    header = "; ".join(f"{k}={v}" for k, v in cookies.items())
    stamps = [r.effective_at for _, _, r in read_cookies(header, BOOK) if r.effective_at is not None]
    at = max(stamps) + 60_000 - START if stamps else 0
    return verdict([page(at, cookie=header), hit(at + 500)])


@pytest.mark.skipif(not ROWS, reason="the shared reference is not beside the checkout")
@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r['cmp']}-{r['cookie'][:20]}")
def test_a_real_value(row: dict) -> None:
    name, expect = row["cookie"].split(" / ")[0], row["expect"]
    if name.startswith("Sec-GPC"):
        judged = verdict([page(0, headers=[("Sec-GPC", row["raw_value"])]), hit(500)])
    elif name.startswith("Server-Timing"):
        timing = ("Server-Timing", f'processing;dur=14, _cmp;desc="{row["raw_value"]}"')
        judged = verdict([page(0, cookie="a=1", set=(timing,)), hit(500)])
    else:
        judged = of_a_visitor_with({name: row["raw_value"], **expect.get("companions", {})})
    if FACEBOOK in row["raw_value"]:
        assert judged.consent_state == "unknown"
        return
    assert expect["state"] is None or judged.consent_state in expect["state"]
    assert bool(judged.opt_outs) is bool(expect["opt_out"])
    if expect.get("effective_default"):
        assert judged.effective_default == expect["effective_default"]


NAMES = sorted(
    {c.name for r in BOOK.consent for c in r.cookies if c.name}
    | {"euconsent-v2", "usprivacy", "__gpp", "my_consent", "_iub_cs-1", "klaro", "notice_gdpr_prefs", "TC_PRIVACY"}
)
PIECES = st.sampled_from(
    [
        "{",
        "}",
        "[",
        "]",
        '"',
        ":",
        ",",
        "|",
        "@",
        "!",
        "=",
        "%7B",
        "%22",
        "true",
        "false",
        "null",
        "1",
        "categories",
        "consents",
        "purposes",
        "groups=",
        "c3:1",
        "tiktok",
        "vendors",
        '{"consent":{},',
        '"fides_meta":7',
    ]
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.text(max_size=60) | st.lists(PIECES).map("".join)), max_size=5))
def test_any_cookie_header_is_read(pairs: list[tuple[str, str]]) -> None:
    read_cookies("; ".join(f"{k}={v}" for k, v in pairs), BOOK)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["consents", "categories", "purposes", "con", "CMP", "m", "vendors", "enabled", "answered", "preferences",
             "optionalCookies", "necessaryCookies", "consent", "fides_meta", "destinations", "custom", "status",
             "user_id", "strict", "consent_date", "tiktok", "services", "revision", "location", "country"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.sampled_from(NAMES), JSON)
def test_any_json_under_a_known_name_is_read(name: str, value: object) -> None:
    read_cookies(f"{name}={json.dumps(value)}", BOOK)


def test_a_megabyte_of_cookies_costs_no_more_than_reading_it() -> None:
    start = time.monotonic()
    read_cookies("OptanonConsent=" + "groups=" + "C1:1," * 200_000, BOOK)
    read_cookies("; ".join(f"consent{i}={'%7B' * 40}" for i in range(5_000)), BOOK)
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("piece", ['{"a":', "!a=true", "%25", '"categories":['])
def test_64_kilobytes_of_anything_under_a_known_name_are_read_in_time(piece: str) -> None:
    for name in NAMES:
        start = time.process_time()
        read_cookies(f"{name}={piece * (64_000 // len(piece))}", BOOK)
        assert time.process_time() - start < 2, name
