"""A live run's provisional verdicts: what became of them, and by which evidence."""

from __future__ import annotations

import itertools
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pixelwitness.exchange import Exchange, Numbering
from pixelwitness.ledger.store import Ledger, RunInfo, open_ledger
from pixelwitness.run import Lens, Tally, judge_recording, request_record, response_record, write
from support import BOOK, asset, hit, onetrust, page

REGIMES = (BOOK.regimes["eu"], BOOK.regimes["us-ca"])
VISIT = [page(0), hit(1000), hit(6000, "AddToCart"), asset(9000, cookie=onetrust(True, at=3000)), hit(9500, "Purchase")]


def live(ledger: Ledger, batches: list[list[tuple[str, Exchange]]], kind: str = "live") -> str:
    """A run that judges after each batch but the last, and then for good."""
    info = RunInfo(kind, "test", "none", BOOK.digest, 0, {}, (), ("eu", "us-ca"))
    run, lens, tally = ledger.begin_run(info).id, Lens(BOOK), Tally()
    for i, batch in enumerate(batches):
        records = [
            request_record(e, lens, tally) if stage == "request" else response_record(e, lens) for stage, e in batch
        ]
        write(ledger, run, [r for r in records if r is not None], BOOK, keep_plaintext=False)
        judge_recording(ledger, run, REGIMES, BOOK, provisional=i < len(batches) - 1)
    ledger.finish_run(run, 1, complete=True)
    return run


def steps(exchanges: list[Exchange]) -> list[tuple[str, Exchange]]:
    return [(stage, e) for e in map(Numbering().number, exchanges) for stage in ("request", "response")]


def table(ledger: Ledger, name: str, columns: str) -> list[tuple[object, ...]]:
    return sorted(ledger.db.execute(f"select {columns} from {name}").fetchall(), key=str)


VERDICTS = "id, property, attribution, possible_states, verdicts, reasons, confidence, signals, set_aside, shown_by"
COVERAGE = "property, regime, state, page_views, hits, result, control_hits, note"


def test_a_revision_names_the_evidence_that_came(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "a.db")
    done = steps(VISIT)
    live(ledger, [done[:6], done[6:]])
    revisions = list(ledger.db.query("select * from revisions order by hit_id, regime"))
    (cart,) = [r for r in revisions if r["regime"] == "eu"]
    assert (cart["was"], cart["became"]) == ("violation", "compliant")
    assert "Possible states: unanswered before, granted now." in cart["reason"]
    assert "OptanonConsent" in cart["reason"]
    ledger.close()


@given(st.sets(st.integers(1, 2 * len(VISIT) - 1), max_size=4))
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_batches_cut_anywhere_end_like_a_replay(tmp_path: Path, cuts: set[int]) -> None:
    done = steps(VISIT)
    bounds = [0, *sorted(cuts), len(done)]
    name = "-".join(map(str, bounds))
    ends = []
    for kind, batches in (("live", [done[a:b] for a, b in itertools.pairwise(bounds)]), ("replay", [done])):
        (tmp_path / f"{name}-{kind}.db").unlink(missing_ok=True)
        ledger = open_ledger(tmp_path / f"{name}-{kind}.db")
        live(ledger, batches, kind)
        ends.append((table(ledger, "hits", VERDICTS), table(ledger, "violations", "id, rule, regime, severity, explanation"),
                     table(ledger, "coverage", COVERAGE)))  # fmt: skip
        ledger.close()
    assert ends[0] == ends[1]
