"""The IAB's own libraries as the measure: every field that they read, this program reads alike.

`vectors/strings.jsonl.gz` was written by `vectors/generate.mjs` (seed 20261125, 80 TC and 220 GPP strings); where Node
and the libraries' packages can be had, as many thousands are made anew at every run.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from pixelwitness.consent.iab.bits import Ranges, merged
from pixelwitness.consent.iab.gpp import read_gpp
from pixelwitness.consent.iab.tcf import TC, read_tc

HERE = Path(__file__).parent / "vectors"
COMMITTED = [json.loads(line) for line in gzip.decompress((HERE / "strings.jsonl.gz").read_bytes()).splitlines()]
PACKAGES = ("@iabtcf/core@1.5.6", "@iabgpp/cmpapi@3.2.0")


def flat(ranges: Ranges | None) -> list[int] | None:
    return None if ranges is None else [end for pair in ranges for end in pair]


def seen_of(tc: TC, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a TC string that the reference names, in its form."""
    seen: dict[str, Any] = {}
    for name in fields:
        value = getattr(tc, name, None)
        if name in ("vendors", "vendor_interests", "disclosed", "allowed"):
            seen[name] = flat(value)
        elif name == "restrictions":
            together: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
            for one in tc.restrictions:
                together[one.purpose, one.kind] += one.vendors
            seen[name] = sorted([p, k, flat(merged(v))] for (p, k), v in together.items())
        elif name == "publisher":
            p = tc.publisher
            seen[name] = p and {
                "consents": sorted(p.consents), "legitimate_interests": sorted(p.legitimate_interests),
                "custom": p.custom, "custom_consents": sorted(p.custom_consents),
                "custom_legitimate_interests": sorted(p.custom_legitimate_interests),
            }  # fmt: skip
        elif name == "publisher_consents":
            seen[name] = sorted(tc.publisher.consents) if tc.publisher else []
        else:
            seen[name] = sorted(value) if isinstance(value, frozenset) else value
    return seen


def compare(vector: dict[str, Any]) -> None:
    expect = vector["expect"]
    if vector["kind"] == "tcf":
        expect["restrictions"] = sorted(r for r in expect["restrictions"] if r[2])
        seen = seen_of(read_tc(vector["text"]), expect)
        seen["restrictions"] = [r for r in seen["restrictions"] if r[2]]
        assert seen == expect, vector["text"]
        return
    said = read_gpp(vector["text"])
    assert said.unread == {}, vector["text"]
    assert list(said.ids) == expect["ids"], vector["text"]
    us = {str(k): {n: list(v) if isinstance(v, tuple) else v for n, v in f.items()} for k, f in said.us.items()}
    assert us == expect["us"], vector["text"]
    assert {str(k): v for k, v in said.gpc.items()} == expect["gpc"], vector["text"]
    assert (said.usp.text if said.usp else None) == expect["usp"], vector["text"]
    for own, theirs in ((said.tc, expect["tc"]), (said.canada, expect["canada"])):
        assert (own is None) == (theirs is None)
        if own is not None:
            seen = seen_of(own, theirs)
            seen["disclosed"] = seen["disclosed"] or []  # the reference tells no empty segment from none
            assert seen == theirs, vector["text"]
    opted_out = any(f.get(n) == 1 for f in expect["us"].values()
                    for n in ("SaleOptOut", "SharingOptOut", "TargetedAdvertisingOptOut"))  # fmt: skip
    assert (said.opted_out() is True) == (opted_out or (expect["usp"] or "----")[2] == "Y")


def test_the_committed_vectors() -> None:
    assert len(COMMITTED) == 300
    kinds = {section for v in COMMITTED if v["kind"] == "gpp" for section in v["expect"]["ids"]}
    assert kinds == {2, *range(5, 28)}, "every section that there is"
    for vector in COMMITTED:
        compare(vector)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_thousands_of_new_vectors(tmp_path: Path) -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        assert "PIXELWITNESS_NEEDS_NODE" not in os.environ, "CI must compare with the IAB's libraries"
        pytest.skip("no Node and npm here to run the IAB's libraries")
    install = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-save", *PACKAGES]
    got = subprocess.run(install, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    if got.returncode != 0:
        pytest.skip(f"the IAB's packages could not be had: {got.stderr[-200:]}")
    seed = random.randrange(2**32)
    made = subprocess.run([node, str(HERE / "generate.mjs"), str(seed), "3000", "3000"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=240, check=False)  # fmt: skip
    assert made.returncode == 0, made.stderr[-2000:]
    lines = made.stdout.splitlines()
    assert len(lines) == 6_000, f"seed {seed}"
    for line in lines:
        compare(json.loads(line))
