"""The public suffix list, read quicker than its package reads it: the same answers for every rule of the list."""

from __future__ import annotations

from pathlib import Path

from publicsuffixlist import PSLFILE, PublicSuffixList

from pixelwitness.hostname import ascii_host
from pixelwitness.property import is_top_level, registrable_domain

WHOLE = PublicSuffixList()
LISTED = PublicSuffixList(accept_unknown=False)
RULES = [
    line.split(" ")[0].strip()
    for line in Path(PSLFILE).read_text("utf-8").splitlines()
    if line.strip() and not line.startswith("//")
]


def test_every_rule_covers_what_the_package_says() -> None:
    """Hosts at, above and below each rule, in its own script and in ASCII, and beside it under no rule."""
    assert len(RULES) > 5_000
    wrong = []
    for rule in RULES:
        name = rule.lstrip("!").removeprefix("*.")
        for host in (name, f"a.{name}", f"b.a.{name}", f"c.b.a.{name}", f"x{name}", f"a.x{name}"):
            spelt = ascii_host(host)
            if registrable_domain(host) != (WHOLE.privatesuffix(spelt) or spelt):
                wrong.append(host)
    assert wrong == []


def test_top_levels_are_those_of_the_list() -> None:
    tops = {label for rule in RULES if (label := rule.rpartition(".")[2].lstrip("!*")).isascii()}
    tops = {top for top in tops if not top.startswith("xn--")}
    assert len(tops) > 1_000
    for top in (*sorted(tops), "nosuchtop", "corp", "x", "example"):
        assert is_top_level(top) == (LISTED.publicsuffix(top) is not None), top
