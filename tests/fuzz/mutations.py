"""Inputs near to sound ones: a seed from the corpus with some changes, all drawn by hypothesis, so that it shrinks."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

LARGEST = 20_000
TOKENS = (
    b"{", b"}", b"[", b"]", b'"', b"'", b"\\", b",", b":", b";", b"=", b"&", b"%", b"%25", b"%00", b"%ff", b"\x00",
    b"\n", b"\r\n", b"\r\n\r\n", b"\t", b" ", b"~", b".", b"-", b"_", b"|", b"/", b"//", b"../", b"?", b"#", b"@",
    b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\\ud800", b"\\udc00", b"\\u0000", b"\x1b[2J",
    "\u202e".encode(), "\U0001f600".encode(), "\u0130".encode(), b"null", b"true", b"false", b"NaN", b"Infinity",
    b"1e999", b"-1", b"0", b"9" * 40, b"1" + b"0" * 5000, b"1e-999", b"[" * 300, b'{"a":' * 300, b"{}", b"[]", b'""',
    b"__proto__", b"a@b.example", b"+4915112345678", b"C" * 64, b"f" * 64, b"DBABLA~", b"1YNN", b"&a", b"*a", b"<<:",
    b"!!python/object:os.system", b"!x ", b"--- ", b"...", b"? ", b"data:", b"javascript:", b"<script>", b"=cmd|",
    b"0:", b"12:", b"2026-11-18T06:13:20.000Z", b"0000-00-00T00:00:00Z", b"9999-12-31T23:59:59-14:00", b"99999999999999",
    b"curl ", b"fetch(", b"--data-raw ", b"$'\\x", b"-H ", b"GET / HTTP/1.1\r\n", b"ffffffff\r\n", b"(a+)+$",
)  # fmt: skip
"""What readers of JSON, YAML, queries, headers, base64 and bits may stumble over."""

_place = st.integers(0, LARGEST)
_change = st.one_of(
    st.tuples(st.just("insert"), _place, st.sampled_from(TOKENS)),
    st.tuples(st.just("insert"), _place, st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("replace"), _place, st.sampled_from(TOKENS)),
    st.tuples(st.just("replace"), _place, st.binary(min_size=1, max_size=4)),
    st.tuples(st.just("remove"), _place, st.integers(1, 200)),
    st.tuples(st.just("cut"), _place, st.just(0)),
    st.tuples(st.just("repeat"), _place, st.integers(2, 60)),
    st.tuples(st.just("flip"), _place, st.integers(0, 7)),
)


def changed(seed: bytes, changes: Sequence[tuple[str, int, bytes | int]]) -> bytes:
    data = seed
    for what, place, given in changes:
        at = place % (len(data) + 1)
        if isinstance(given, bytes):
            data = data[:at] + given + data[at + (len(given) if what == "replace" else 0) :]
        elif what == "remove":
            data = data[:at] + data[at + given :]
        elif what == "cut":
            data = data[:at]
        elif what == "repeat":
            data = data[:at] + data[at : at + 40] * given + data[at + 40 :]
        elif at < len(data):
            data = data[:at] + bytes([data[at] ^ 1 << given]) + data[at + 1 :]
        data = data[:LARGEST]
    return data


def inputs(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Seeds with up to eight changes, two seeds joined, or anything."""
    near = st.builds(changed, st.sampled_from(seeds), st.lists(_change, max_size=8))
    joined = st.builds(lambda a, b, at: a[: at % (len(a) + 1)] + b[at % (len(b) + 1) :], near, near, _place)
    return st.one_of(near, near, near, joined, st.binary(max_size=200))
