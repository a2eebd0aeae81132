"""Regular expressions in rules of one's own: what could run for ever is refused with a reason, all else is taken."""

from __future__ import annotations

import itertools
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pixelwitness.identity.personas import read_personas
from pixelwitness.marks import read_marks
from pixelwitness.rulebook import RuleError, as_rule, load_rulebook, model_for
from pixelwitness.rulebook.load import MAX_FILE_BYTES, default_rules_dir, read_yaml, rule_files
from pixelwitness.rulebook.regex import BODY, LINE, NAME, PATH, SHAPE, VALUE, check
from pixelwitness.statements import read_statements
from support import BOOK

NESTED = r"(a+)+$"
CATASTROPHIC = [
    NESTED, r"([a-zA-Z]+)*$", r"(a|aa)+$", r"(?:a|b|ab)*c", r"(.*a){20}", r"^(\w+\s?)*$", r"(x+x+)+y", r"(a*)*b",
    r"(a?){30}a{30}", r"((a?|b?)c)+d", r"^(([a-z])+.)+[A-Z]([a-z])+$", r"(.+)+@", r"a(?=(b+)+c)", r"(?!(b+)+c)a",
    r"(?:(?:a{1,20}){1,20}){1,20}b", r"(?>(a+)+b)", r"(a++b|aaab)+c", r"([^x]|y)*z", r"(\s*,?\s*)+x", r"(a)\1",
    r"(?P<x>a)(?P=x)", r"(a)?(?(1)b|c)", "a?" * 40 + "a" * 40, "(a|aa)" * 30 + "b", r"(?i)(?:k|\u212a+)+x",
    r".*.*.*=.*", r"\s*\s*\s*x", r"(?:b|b)*(?:ab|ab)*c", r"(?:ab|ab)*c", r"(?:(?:b(?:b)*|[ab])){1,8}", "(" * 600 + ")" * 600,
    "a" * 2_000, "(", r"(?P<x", r"[z-a]", r"(?:(?:(?:a{300}){300}){300})",
]  # fmt: skip
HARMLESS = [
    r"[a-z0-9]+(?:-[a-z0-9]+)*", r"^(![\w.-]+=(true|false|wait))+$", r"klaro([-_]\w+)?", r"(a++)+b", r"(?:%[0-9a-f]{2}|[^%])*",
    r"\d{4}-\d\d-\d\dT", r'^\{.*"a".*"b"', r"(foo|bar|foobar)x", r"https?://[^/]+/.*", r"[\w.-]+@[\w.-]+", r"(?i)consent.*",
    r"(?s)a.*b", r"[^;=]{1,80}=[^;]*(?:;[^;=]{1,80}=[^;]*)*", r"(?:[a-z]+\.)+example", r"", r"(?<!x)y", r"\bgroups\b",
]  # fmt: skip


@pytest.mark.parametrize("pattern", CATASTROPHIC)
def test_what_could_run_for_ever_is_refused(pattern: str) -> None:
    before = time.process_time()
    with pytest.raises(ValueError, match="regular expression"):
        check(pattern, SHAPE, anywhere=True)
    assert time.process_time() - before < 2


@pytest.mark.parametrize("pattern", HARMLESS)
def test_what_is_bounded_is_taken(pattern: str) -> None:
    check(pattern, SHAPE, anywhere=True)


def test_our_own_rules_hold() -> None:
    """They are only compiled when the program starts."""
    for rule in BOOK.consent:
        names = [n for c in rule.cookies for n in (c.pattern, *c.yields_to) if n] + list(rule.companions)
        for name in (*names, *(b for c in rule.cookies for b in c.params.get("chosen_beside", {}))):
            check(name, NAME)
        for cookie in rule.cookies:
            check(cookie.shape or "", SHAPE, anywhere=True)
            check(cookie.params.get("separator", ","), VALUE, anywhere=True)
            check(cookie.params.get("choice", ""), NAME)
        for config in rule.configs:
            check(config.path, PATH)
        for header in rule.headers:
            check(header.pattern, LINE, anywhere=True)
    for store in (s for p in BOOK.probe for s in p.storage):
        check(store.pattern or "", NAME)
    for pixel in BOOK.pixels:
        check(pixel.pixel_code or "", NAME)
        check(pixel.placeholder_pattern or "", NAME)
        check(pixel.redactions.pattern if pixel.redactions else "", BODY, anywhere=True)


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    times = st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,12}", "++", "*+", "*?", "{3,}"])
    return st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("(?:{}){}".format, inner, times),
        st.builds("({}{})".format, st.sampled_from(["?=", "?!", "?>", ""]), inner),
    )


LONGEST = 200
WORDS = ["".join(w) for n in (1, 2, 3) for w in itertools.product("ab", repeat=n)]
SMALL = st.recursive(st.sampled_from(["a", "b", "[ab]", ".", "[^a]"]), _grown, max_leaves=8)


@settings(max_examples=150, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(SMALL)
def test_python_agrees_that_what_is_taken_is_fast(pattern: str) -> None:
    try:
        check(pattern, LONGEST)
    except ValueError:
        return
    compiled = re.compile(pattern)
    for word in WORDS:
        for end in ("c", "cb"):
            before = time.process_time()
            compiled.fullmatch((word * LONGEST)[: LONGEST - 2] + end)
            assert time.process_time() - before < 2


CONSENT: dict[str, Any] = {"source": ["x"], "id": "x", "name": "X", "store": "cookie", "examples": []}
PIXELS: dict[str, Any] = {"source": ["x"], "vendor": "x"}
FIELDS = [
    ("consent/x.yaml", {**CONSENT, "cookies": [{"pattern": NESTED, "decoder": "flag"}]}, "cookies.0.pattern"),
    ("consent/x.yaml", {**CONSENT, "cookies": [{"name": "x", "shape": NESTED, "decoder": "flag"}]}, "cookies.0.shape"),
    ("consent/x.yaml", {**CONSENT, "cookies": [{"name": "x", "yields_to": [NESTED], "decoder": "flag"}]}, "yields_to.0"),
    ("consent/x.yaml", {**CONSENT, "cookies": [{"name": "x", "decoder": "pairs", "params": {"separator": NESTED}}]}, "params"),
    ("consent/x.yaml", {**CONSENT, "cookies": [{"name": "x", "decoder": "trustarc", "params": {"choice": NESTED}}]}, "params"),
    ("consent/x.yaml", {**CONSENT, "cookies": [{"name": "x", "decoder": "flag", "params": {"chosen_beside": {NESTED: []}}}]}, "params"),
    ("consent/x.yaml", {**CONSENT, "companions": [NESTED]}, "companions.0"),
    ("consent/x.yaml", {**CONSENT, "configs": [{"host": "x", "path": NESTED, "reader": "onetrust"}]}, "configs.0.path"),
    ("consent/x.yaml", {**CONSENT, "headers": [{"name": "x", "pattern": NESTED, "decoder": "flag"}]}, "headers.0.pattern"),
    ("probe/x.yaml", {"source": ["x"], "cmp": "x", "storage": [{"pattern": NESTED, "decoder": "flag"}], "examples": []}, "storage.0.pattern"),
    ("pixels/x/x.yaml", {**PIXELS, "pixel_code": NESTED}, "pixel_code"),
    ("pixels/x/x.yaml", {**PIXELS, "placeholder_pattern": NESTED}, "placeholder_pattern"),
    ("pixels/x/x.yaml", {**PIXELS, "redactions": {"pattern": NESTED, "meanings": {}}}, "redactions.pattern"),
]  # fmt: skip


@pytest.mark.parametrize(("relative", "rule", "field"), FIELDS)
def test_every_field_that_is_an_expression_is_checked(relative: str, rule: Any, field: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("{}")
    with pytest.raises(RuleError) as refused:
        as_rule(path, rule, model_for(relative))
    said = str(refused.value)
    for part in (str(path), field, "(a+)+$", "more than one way", "possessive"):
        assert part in said


def test_a_folder_of_rules_that_would_run_for_ever_is_refused(tmp_path: Path) -> None:
    (tmp_path / "consent").mkdir()
    (tmp_path / "consent" / "evil.yaml").write_text(
        'source: [x]\nid: evil\nname: Evil\nstore: cookie\ncookies:\n  - {pattern: "(a+)+$", decoder: flag}\nexamples: []\n'
    )
    with pytest.raises(RuleError, match=r"evil.yaml:6: cookies.0.pattern: .*repetition"):
        load_rulebook((tmp_path,))


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in itertools.pairwise("abcdefghi")
)
TRICKS = {
    "aliases": (LAUGHS, r":2: aliases \(\*a\) are not allowed. Write the value out"),
    "anchor in itself": ("a: &a [*a]\n", "aliases"),
    "merged": ("a: &a {x: 1}\nb: {<<: *a}\n", "aliases"),
    "tag of Python's": ("a: !!python/object/apply:os.system [true]\n", r":1: tags \(.*os.system\) are not allowed"),
    "tag": ("a: !x {b: 1}\n", "tags"),
    "binary": ("a: !!binary aGVsbG8=\n", "tags"),
    "deep": ("[" * 30 + "]" * 30, "nested deeper"),
    "very deep": ("[" * 100_000, "nested deeper"),
    "many values": ("a: [" + "1," * 40_000 + "]", "more than 20000 values"),
    "large": ("# " + "x" * MAX_FILE_BYTES, "larger than"),
    "half a character": ('a: "\\ud800"\n', "half a character"),
    "control": ("a: \x00\n", "not allowed"),
    "not text": ("a: \udcff\n", "cannot be read"),
    "twice": ("a: 1\na: 2\n", "duplicate key"),
    "two documents": ("a: 1\n---\na: 2\n", "another document"),
    "a long number": ("as_of: " + "9" * 5_000 + "\nproperties: {}\n", ""),
    "a long hexadecimal number": ("as_of: 0x" + "f" * 5_000 + "\nproperties: {}\n", ""),
    "a list as a key": ("? [a]\n: 1\n", ""),
}


@pytest.mark.parametrize("trick", list(TRICKS))
def test_tricks_of_yaml_are_refused_wherever_yaml_is_read(trick: str, tmp_path: Path) -> None:
    text, words = TRICKS[trick]
    path = tmp_path / "x.yaml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    before = time.process_time()
    for read in (read_yaml, lambda p: read_statements(p, BOOK), read_personas, lambda p: read_marks(p, BOOK)):
        if read is read_yaml and not words:
            continue  # sound YAML, which no model takes
        with pytest.raises(RuleError, match=words or None):
            read(path)
    assert time.process_time() - before < 10


def test_links_out_of_a_folder_of_rules_are_refused(tmp_path: Path) -> None:
    outside, folder = tmp_path / "secret.yaml", tmp_path / "rules" / "consent"
    folder.mkdir(parents=True)
    outside.write_text("a: 1\n")
    try:
        (folder / "x.yaml").symlink_to(outside)
    except OSError:
        pytest.skip("this system lets no links be made")
    with pytest.raises(RuleError, match="leads out of the folder"):
        list(rule_files(tmp_path / "rules"))
    (folder / "x.yaml").unlink()
    (folder / "..y.yaml").write_text("a: 1\n")
    (folder / "z.yaml").symlink_to(folder / "..y.yaml")
    assert [name for name, _ in rule_files(tmp_path / "rules")] == ["consent/..y.yaml", "consent/z.yaml"]


def test_folders_of_rules_are_bounded(tmp_path: Path) -> None:
    folder = tmp_path / "traffic"
    folder.mkdir()
    with (folder / "huge.yaml").open("wb") as hole:
        hole.truncate(10 * 1024**3)
    with pytest.raises(RuleError, match="larger than"):
        list(rule_files(tmp_path))
    (folder / "huge.yaml").unlink()
    for number in range(1_001):
        (folder / f"{number}.yaml").touch()
    with pytest.raises(RuleError, match="1001 files"):
        list(rule_files(tmp_path))
    assert len(list(rule_files(default_rules_dir()))) > 100
