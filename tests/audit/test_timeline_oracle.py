"""The timeline against a slow model of DESIGN 5.2: every history that fits what was seen, and no fewer.

Time is cut into a few slots. A history gives each slot a value. Of all histories that fit the evidence, those with the
fewest changes count ("an answer holds until evidence of another"); what was in force before anything was seen is free,
but nobody goes back from an answer to none. The values that these histories have at a moment are what was possible.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product

from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwitness.audit.timeline import CHOICES, Evidence, at_moment, settle

SLOTS = 7
SLOT = 1000
VALUES = ("granted", "denied", "unanswered")
HISTORIES = list(product(VALUES, repeat=SLOTS))
EXPLAINED = {"signal_conflict", "visitor_not_fresh"}
"""Reasons for which more may be held possible than the fewest changes need."""


@dataclass(frozen=True)
class Seen:
    """One piece of evidence in slots: a value found at `at`, or an act; `stamp` is off by at most one slot."""

    value: str
    at: int
    stamp: int | None = None
    act: bool = False

    def evidence(self, name: str) -> Evidence:
        if self.act:
            return Evidence(self.value, self.at * SLOT, (self.at + 1) * SLOT, (self.at - 1) * SLOT, name, written=True)
        if self.stamp is None:
            return Evidence(self.value, self.at * SLOT, self.at * SLOT, None, name)
        by = min(self.at, self.stamp + 1)
        return Evidence(self.value, self.at * SLOT, by * SLOT, (self.stamp - 1) * SLOT, name)

    def begins(self, history: tuple[str, ...]) -> list[int]:
        """The slots at which the value may have come into force, as the evidence asks; none: the history is false."""
        if self.act:
            return [s for s in range(self.at - 1, self.at + 2) if history[s] == self.value]
        if self.stamp is None:
            return [self.at] if history[self.at] == self.value else []
        starts = range(max(self.stamp - 1, 0), min(self.at, self.stamp + 1) + 1)
        return [s for s in starts if all(v == self.value for v in history[s : self.at + 1])]


def cost_of(history: tuple[str, ...], seen: list[Seen]) -> tuple[int, int] | None:
    """How much a history supposes beyond what was seen: changes, and answers given again; None where it is false."""
    begun = [s.begins(history) for s in seen]
    if not all(begun):
        return None
    first = min(b[0] for b in begun)
    changed = [s for s in range(1, SLOTS) if history[s] != history[s - 1]]
    # Going back to no answer (cookies cleared) supposes more than an answer does.
    changes = sum(2 if history[s] == "unanswered" else s > first for s in changed)
    stamped = [b for s, b in zip(seen, begun, strict=True) if s.stamp is not None and b[-1] > first]
    dated = stamped + [b for s, b in zip(seen, begun, strict=True) if s.act]
    explained = {s for b in dated for s in b}
    again = max(len(dated) - len(explained & set(changed)), 0)
    unexplained = sum(1 for s in changed if s > first and s not in explained)
    return changes, again + unexplained


def possible(seen: list[Seen]) -> list[set[str]]:
    """By slot: the values of every history that fits and supposes least."""
    costs = {history: cost for history in HISTORIES if (cost := cost_of(history, seen)) is not None}
    best = min(costs.values())
    return [{history[slot] for history, cost in costs.items() if cost == best} for slot in range(SLOTS)]


def implemented(seen: list[Seen], slot: int, holds: int = 10_000 * SLOT) -> tuple[set[str], str | None]:
    settled = settle([s.evidence(f"s{i}") for i, s in enumerate(seen)])
    reading = at_moment(settled, slot * SLOT, every=CHOICES, fleeting="unanswered", holds=holds)
    return set(reading.values), reading.reason


@st.composite
def visits(draw: st.DrawFn, *, cleared: bool = False) -> tuple[list[str], list[Seen]]:
    """A true history, and things that a proxy saw of it."""
    truth = [draw(st.sampled_from(VALUES))] * SLOTS
    acts: list[int] = []
    for slot in range(1, SLOTS):
        if draw(st.integers(0, 3)) == 0:
            choices = VALUES if cleared else VALUES[:2]
            truth[slot:] = [draw(st.sampled_from(choices))] * (SLOTS - slot)
            acts.append(slot)
    seen: list[Seen] = []
    error = {act: draw(st.integers(-1, 1)) for act in acts}
    for slot in range(SLOTS):
        kind = draw(st.sampled_from(("none", "none", "found", "stamped")))
        if kind == "none":
            continue
        act = max((a for a in acts if a <= slot), default=None)
        stamp = None
        if kind == "stamped" and act is not None and truth[slot] != "unanswered":
            stamp = min(slot, act + error[act])
        seen.append(Seen(truth[slot], slot, stamp))
    for slot in acts:
        if truth[slot] != "unanswered" and draw(st.booleans()):
            at = slot + draw(st.integers(-1, 1))
            if 1 <= at <= SLOTS - 2:
                seen.append(Seen(truth[slot], at, act=True))
    return truth, draw(st.permutations(seen))


@given(visits())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_nothing_possible_is_left_out_and_nothing_is_added_without_a_reason(
    visit: tuple[list[str], list[Seen]],
) -> None:
    _, seen = visit
    if not seen:
        return
    acts = [s for s in seen if s.act]
    crowded = any(a.value != b.value and abs(a.at - b.at) < 3 for a in acts for b in acts)
    model = possible(seen)
    for slot in range(SLOTS):
        values, reason = implemented(seen, slot)
        assert model[slot] <= values, (slot, seen)
        edge = any(slot in ((s.at - 1, s.at, s.at + 1) if s.act else (s.at, (s.stamp or 0) - 1)) for s in seen)
        if reason not in EXPLAINED and not edge and not crowded:
            assert values == model[slot], (slot, seen)


@given(visits())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_the_truth_is_always_possible_where_every_answer_was_seen(visit: tuple[list[str], list[Seen]]) -> None:
    truth, seen = visit
    changes = [s for s in range(1, SLOTS) if truth[s] != truth[s - 1]]
    bounds = [0, *changes, SLOTS]
    shown = all(
        any(a <= s.at < b and not s.act for s in seen) for a, b in pairwise(bounds)
    )  # between two changes the value was found at least once
    # An answer that was given again carries the later time: of the first one nothing is seen.
    dates = [(s.at if s.act else s.stamp, s.value) for s in seen if s.act or s.stamp is not None]
    shown = shown and all(
        any(abs(c - d) <= 1 and truth[c] == value for c in changes) for d, value in dates if d is not None
    )
    for slot in range(SLOTS):
        if seen and shown:
            assert truth[slot] in implemented(seen, slot)[0], (slot, truth, seen)


@given(visits())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_one_more_sighting_never_turns_a_certain_state_round_silently(visit: tuple[list[str], list[Seen]]) -> None:
    """Where all evidence fits one history, a further sighting narrows or opens; it never swaps certainties."""
    truth, seen = visit
    for left_out in range(len(seen)):
        fewer = [s for i, s in enumerate(seen) if i != left_out]
        if not fewer or seen[left_out].act:
            continue
        for slot in range(SLOTS):
            before, _ = implemented(fewer, slot)
            after, _ = implemented(seen, slot)
            if len(before) == len(after) == 1 and before != after:
                # Only what the new sighting itself shows may overrule a value that was merely carried on.
                assert after == {truth[slot]} or seen[left_out].value in after, (slot, seen, left_out)
