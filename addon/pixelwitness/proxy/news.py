"""What a judgement says that the one before did not."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pixelwitness.audit.model import Judgement, Violation
from pixelwitness.observations import Hit
from pixelwitness.proxy.marking import Told

MOST_HITS = 10_000


@dataclass(frozen=True)
class News:
    """What one judgement says that the one before did not, and the judgement."""

    judgement: Judgement
    told: tuple[Told, ...]
    final: bool = False


class Known:
    """The hits of a live run and what was last said of each; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._hits: OrderedDict[str, Hit] = OrderedDict()
        self._said: dict[str, tuple[object, ...]] = {}
        self._words: dict[str, str] = {}

    def add(self, hits: Iterable[Hit]) -> None:
        """Remembers hits, without their payloads."""
        for hit in hits:
            self._hits[hit.id] = hit.model_copy(update={"payload": None})
        while len(self._hits) > MOST_HITS:
            self._hits.popitem(last=False)

    def changed(self, judgement: Judgement) -> tuple[Told, ...]:
        """The hits whose verdict is new or another than before, with the violations that belong to them."""
        violations: dict[str, list[Violation]] = {}
        for violation in judgement.violations:
            violations.setdefault(violation.hit_id, []).append(violation)
        told = []
        for verdict in judgement.verdicts:
            hit = self._hits.get(verdict.hit_id)
            broken = violations.get(verdict.hit_id, [])
            what = (tuple(sorted(verdict.verdicts.items())), verdict.consent_state, tuple(v.rule for v in broken))
            if hit is None or self._said.get(hit.id) == what:
                continue
            new = Told(hit, verdict, tuple(broken))
            before = self._words.get(hit.id)
            told.append(replace(new, was=before) if before not in (None, new.word) else new)
            self._said[hit.id], self._words[hit.id] = what, new.word
        if len(self._said) > 2 * MOST_HITS:
            self._said = {k: v for k, v in self._said.items() if k in self._hits}
            self._words = {k: v for k, v in self._words.items() if k in self._hits}
        return tuple(told)
