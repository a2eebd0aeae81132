"""The IAB's strings at their edges: what is refused, what is left open, and how long hostile ones take."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwitness.consent.google import read_gcd
from pixelwitness.consent.iab.ac import read_ac
from pixelwitness.consent.iab.bits import Bits, merged, size
from pixelwitness.consent.iab.gpp import read_gpp
from pixelwitness.consent.iab.tcf import OldString, read_tc, read_tc_canada
from pixelwitness.consent.iab.usp import read_usp
from pixelwitness.consent.read import read_cookies
from pixelwitness.consent.wire import in_body
from support import BOOK

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
DENIED = "CPubvkAPubvkAAHABBENDMCgAAAAAAAAAB5YAAAAAAAA.YAAAAAAAAAAA"
GRANTED = "COv_eg6Ov_eg6AOADBENAaCgAP_AAH_AACiQAVEUQQoAIQAqIoghAAQgAA.YAAAAAAAAAAAAAAAAAA"
READERS = (read_tc, read_tc_canada, read_gpp, read_usp, read_ac, lambda text: read_gcd(text, {}))


def text_of(bits: str) -> str:
    bits += "0" * (-len(bits) % 6)
    return "".join(ALPHABET[int(bits[i : i + 6], 2)] for i in range(0, len(bits), 6))


def core(*, treatment: int = 0, purposes: int = 0, vendors: str | None = None, version: int = 2) -> str:
    """A TC string's core, bit by bit from the specification (not by the reader under test)."""
    day = 17_500_000_000
    return text_of(
        f"{version:06b}{day:036b}{day:036b}{10:012b}{1:012b}{0:06b}{4:06b}{13:06b}{48:012b}{5:06b}10{0:012b}"
        f"{purposes:024b}{0:024b}{treatment}{3:06b}{4:06b}" + 2 * (vendors or "0" * 17) + "0" * 12
    )


def test_a_tc_string_in_words() -> None:
    said = read_tc(GRANTED)
    assert (said.cmp_id, said.language, said.specific) == (14, "EN", True)
    assert {1, 2, 3} <= said.purposes
    assert said.publisher is not None


def test_purpose_one_that_was_never_asked_for_is_no_refusal() -> None:
    states = {}
    for treatment in (0, 1):
        (one,) = [r for _, _, r in read_cookies(f"euconsent-v2={core(treatment=treatment)}", BOOK)]
        states[treatment] = (one.state, one.reason)
    assert states == {0: ("denied", None), 1: (None, "vendor_not_named")}


def test_a_string_of_version_1_is_named_as_such() -> None:
    with pytest.raises(OldString):
        read_tc("BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA")
    with pytest.raises(ValueError, match="shape"):
        read_tc(core(version=3))


@pytest.mark.parametrize(
    ("text", "out"),
    [("DBABTA~1YYN", True), ("DBABTA~1YNN", False), ("DBABLA~BVQVAAAAAAGA.YA", True), ("DBAA", False),
     ("DBABLA~BAAAAAAAAgA.QA", False), ("DBABBg~BUUAAAGA.YA", True)],
)  # fmt: skip
def test_what_a_gpp_string_opts_out_of(text: str, out: bool) -> None:
    assert read_gpp(text).opted_out() is out


def test_gpp_fields_and_its_own_record_of_gpc() -> None:
    said = read_gpp("DBABLA~BVQVAAAAAAGA.YA")
    assert said.gpc == {7: True}
    assert {k: said.us[7][k] for k in ("Version", "SaleOptOut", "SharingOptOut", "TargetedAdvertisingOptOut")} == {
        "Version": 1, "SaleOptOut": 1, "SharingOptOut": 1, "TargetedAdvertisingOptOut": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ids", "parts", "out"),
    [
        ([28], ["BAAAAAAA"], None),  # a section from the future: what it says is not known, so no "no"
        ([8, 28], ["BUoAAAEA.QA", "BAAAAAAA"], None),
        ([7, 28], ["BVQVAAAAAAGA", "BAAAAAAA"], True),  # one that was read says so, whatever the other says
        ([7], ["DVQVAAAAAAGA"], None),  # a version from the future
        ([7], ["BVQ"], None),  # cut
        ([2], [DENIED], None),  # speaks of Europe only
    ],
)
def test_what_cannot_be_read_is_not_taken_for_no_opt_out(ids: list[int], parts: list[str], out: bool | None) -> None:
    said = read_gpp("~".join([gpp_header(ids), *parts]))
    assert list(said.ids) == ids
    assert said.opted_out() is out
    assert set(said.unread) | set(said.us) | ({2} if said.tc else set()) == set(ids), "no section is dropped in silence"


def fibonacci(number: int) -> str:
    row = [1, 2]
    while row[-1] <= number:
        row.append(row[-1] + row[-2])
    bits = ["0"] * len(row)
    for i in reversed(range(len(row))):
        if row[i] <= number:
            number -= row[i]
            bits[i] = "1"
    return "".join(bits).rstrip("0") + "1"


def gpp_header(ids: list[int]) -> str:
    steps = [b - a for a, b in zip([0, *ids], ids, strict=False)]
    return text_of(f"{3:06b}{1:06b}{len(ids):012b}" + "".join("0" + fibonacci(s) for s in steps))


def test_which_section_applies() -> None:
    said = read_gpp(gpp_header([7, 8]) + "~BVQVAAAAAAGA~BUoAAAEA")
    assert said.opted_out(frozenset({7})) is True
    assert said.opted_out(frozenset({8})) is None, "another section opts out: that this one does not decides nothing"
    assert said.opted_out(frozenset()) is None


@pytest.mark.parametrize(
    ("text", "out", "applies"),
    [("1YYN", True, True), ("1YNN", False, True), ("1---", False, False), ("1Y--", None, True), ("1yyn", True, True),
     ("1-Y-", True, True), ("1YN", None, True), ("1NNNN", None, True)],
)  # fmt: skip
def test_us_privacy_and_its_illegal_forms(text: str, out: bool | None, applies: bool) -> None:
    said = read_usp(text)
    assert (said.opted_out, said.applies) == (out, applies)


@pytest.mark.parametrize("text", ["", "2YYN", "1", "1Y", "1YYX", "1YYNNN", "YNN", "undefined", "1YYN\n", "１YYN"])
def test_what_is_no_us_privacy_string(text: str) -> None:
    with pytest.raises(ValueError, match="US Privacy"):
        read_usp(text)


def test_additional_consent() -> None:
    said = read_ac("2~7.12.35~dv.9.21")
    assert (said.version, said.consented, said.disclosed) == (2, {7, 12, 35}, {9, 21})
    assert read_ac("1~").consented == frozenset()
    for wrong in ("", "2", "2~a", "1~7~dv.9", "2~7..8", "2~7~dv"):
        with pytest.raises(ValueError, match="additional"):
            read_ac(wrong)


def test_a_gcd_tells_a_default_from_an_answer() -> None:
    letters = next(r for r in BOOK.consent if r.id == "google").phrases
    assert read_gcd("13p3p3p3p5l1", letters)["ad_storage"] == ("denied", "unset")
    assert read_gcd("13r3r3r3r5l1", letters)["ad_user_data"] == ("denied", "granted")
    assert read_gcd("13t3t3Z3t5l1", letters)["ad_user_data"] == ("unknown", "unknown")


# --- hostile ------------------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(st.one_of(
    st.text(max_size=80),
    st.text(alphabet=ALPHABET + ".~", max_size=200).map(lambda t: "C" + t),
    st.text(alphabet=ALPHABET + ".~", max_size=200).map(lambda t: "DB" + t),
    st.text(alphabet=ALPHABET, min_size=40, max_size=200).map(lambda t: core()[:30] + t),
))  # fmt: skip
def test_any_text_is_read_or_refused_with_a_value_error(text: str) -> None:
    for reader in READERS:
        try:
            reader(text)
        except ValueError:
            continue


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(GRANTED)), st.integers(0, len(GRANTED) - 1), st.sampled_from(ALPHABET + ".~ \x00é"))
def test_a_damaged_string_is_read_or_refused(cut: int, at: int, character: str) -> None:
    for text in (GRANTED[:cut], GRANTED[:at] + character + GRANTED[at + 1 :]):
        try:
            read_tc(text)
        except ValueError:
            continue


@given(st.lists(st.tuples(st.integers(1, 300), st.integers(1, 300)), max_size=30))
def test_ranges_are_the_set_that_they_were_made_of(pairs: list[tuple[int, int]]) -> None:
    wanted = {n for a, b in pairs for n in range(a, b + 1)}
    joined = merged(pairs)
    assert {n for a, b in joined for n in range(a, b + 1)} == wanted
    assert size(joined) == len(wanted)
    assert all(b + 1 < c for (_, b), (c, _) in pairwise(joined))


def test_monsters_take_no_time() -> None:
    everybody = "1" + f"{1:016b}{65_535:016b}"
    ranges = f"{65_535:016b}1{1_500:012b}" + everybody * 1_500
    restrictions = f"{2_000:012b}" + (f"{2:06b}{1:02b}{1:012b}" + everybody) * 2_000
    fixed = core()
    bits = "".join(f"{ALPHABET.index(c):06b}" for c in fixed)[:213]
    monsters = [
        text_of(bits + ranges + ranges + "0" * 12),
        text_of(bits + "0" * 34 + restrictions),
        "C" + "_" * 60_000,
        text_of(f"{3:06b}{1:06b}{4_095:012b}" + ("1" + fibonacci(75_000) * 2) * 4_000) + "~1YYN",
        text_of(f"{3:06b}{1:06b}{1:012b}0" + "01" * 30_000 + "1") + "~x",
        "DBABLA" + "~" * 60_000,
        "DBABLA~B" + ".YA" * 20_000,
        "2~" + ".".join(["123456"] * 9_000) + "~dv." + ".".join(["1"] * 500),
    ]
    start = time.monotonic()
    for monster in monsters:
        for reader in READERS:
            try:
                reader(monster)
            except ValueError:
                continue
        in_body(b'{"x":"' + monster.encode() + b'"}')
        read_cookies(f"a={monster}; usprivacy={monster}; euconsent-v2={monster}; __gpp={monster}", BOOK)
    assert time.monotonic() - start < 5
    assert size(read_tc(monsters[0]).vendors) == 65_535
    assert len(read_tc(monsters[1]).restrictions) == 2_000


def test_a_number_without_end() -> None:
    with pytest.raises(ValueError, match="Fibonacci"):
        Bits("A" * 500).fibonacci()
