"""Fuzzing within a bound, the same cases each time; `PIXELWITNESS_FUZZ=20000` tries that many new ones a target.

Something found by it belongs into `corpus/` (the shrunk input as a file), so that it is tried first from then on.
"""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import HealthCheck, given, settings

from fuzz.mutations import inputs
from fuzz.seeds import seeds
from fuzz.targets import TARGETS

CASES = int(os.environ.get("PIXELWITNESS_FUZZ", "0"))
FEW = 60
SECONDS = 2.0
"""Of processor for an input of at most 20,000 bytes: what takes longer is as good as an endless loop."""


def within_bounds(name: str, data: bytes) -> None:
    before = time.process_time()
    TARGETS[name](data)
    took = time.process_time() - before
    assert took < SECONDS, f"{len(data)} bytes took {took:.1f} s"


@pytest.mark.parametrize("name", list(TARGETS))
def test_the_corpus(name: str) -> None:
    for data in seeds(name):
        within_bounds(name, data)


@pytest.mark.timeout(0 if CASES else 300)
@pytest.mark.parametrize("name", list(TARGETS))
def test_only_promised_errors(name: str) -> None:
    @settings(
        max_examples=CASES or FEW, derandomize=not CASES, database=None, deadline=None, print_blob=False,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(inputs(seeds(name)))
    def tried(data: bytes) -> None:
        within_bounds(name, data)

    tried()
