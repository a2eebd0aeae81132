"""Real consent values, each as all that is known of a visitor."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwitness.consent.read import read_cookies
from support import BOOK, SHARED

EXAMPLES = SHARED / "reference" / "consent-examples.jsonl"
ROWS = [json.loads(line) for line in EXAMPLES.read_text().splitlines()] if EXAMPLES.is_file() else []
DECODED = {"OneTrust", "Cookiebot", "CookieYes", "Klaro", "Orejime", "tarteaucitron", "IAB TCF", "IAB GPP", "US Privacy", "Osano",
           "Complianz", "Wix", "HubSpot", "Finsweet (Webflow)", "(not Cookiebot)"}  # fmt: skip


@pytest.mark.skipif(not ROWS, reason="the shared reference is not beside the checkout")
@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r['cmp']}-{r['cookie'][:20]}")
def test_a_real_value(row: dict) -> None:
    name, expect = row["cookie"].split(" / ")[0], row["expect"]
    if "(header)" in name or ":" in name:
        pytest.skip("no cookie: a header, read elsewhere")
    header = "; ".join(f"{k}={v}" for k, v in {name: row["raw_value"], **expect.get("companions", {})}.items())
    said = [r for cookie, _, r in read_cookies(header, BOOK) if cookie == name]
    states = [r for r in said if r.opt_out_kind is None]
    state = states[0].state or "unknown" if states else "unknown"
    if expect["state"] is not None and state in ("granted", "denied"):
        assert state in expect["state"]
    if row["cmp"] not in DECODED:
        assert said or state == "unknown"
        return
    if '"tracking":false' in row["raw_value"] and '"Facebook":true' in row["raw_value"]:
        # Said to be granted; but its own tracking category is refused, and consent to Facebook is none to TikTok.
        assert state == "unknown"
        return
    assert expect["state"] is None or state in expect["state"]
    if expect["opt_out"] is not None:
        assert expect["opt_out"] in [r.opt_out for r in said if r.opt_out_kind]
    if expect.get("effective_default"):
        assert states[0].effective_default == expect["effective_default"]


NAMES = sorted(
    {c.name for r in BOOK.consent for c in r.cookies if c.name} | {"euconsent-v2", "usprivacy", "__gpp", "my_consent"}
)


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.text(max_size=60)), max_size=5))
def test_any_cookie_header_is_read(pairs: list[tuple[str, str]]) -> None:
    read_cookies("; ".join(f"{k}={v}" for k, v in pairs), BOOK)


def test_a_megabyte_of_cookies_costs_no_more_than_reading_it() -> None:
    import time

    start = time.monotonic()
    read_cookies("OptanonConsent=" + "groups=" + "C1:1," * 200_000, BOOK)
    read_cookies("; ".join(f"consent{i}={'%7B' * 40}" for i in range(5_000)), BOOK)
    assert time.monotonic() - start < 10
