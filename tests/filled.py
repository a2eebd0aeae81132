"""A ledger with a small visit in it."""

from __future__ import annotations

from pixelwitness.exchange import Exchange
from pixelwitness.ledger.store import Ledger, RunInfo
from pixelwitness.run import Lens, Tally, judge_recording, request_record, response_record, write
from support import BOOK, START, asset, hit, onetrust, page

REGIMES = [BOOK.regimes["eu"], BOOK.regimes["us-ca"]]
SECRET = [("Authorization", "Bearer tell-nobody")]
VISIT = [
    page(0, "https://www.shop.example/?email=jane.doe%40example.com", cookie=f"{onetrust(False, at=-5000)}; sid=hunter2",
         headers=SECRET),
    hit(1000, url="https://www.shop.example/?email=jane.doe%40example.com", user={"email": "jane.doe@example.com"}),
    asset(2000, cookie=onetrust(False, at=-5000)),
    hit(3000, "Purchase"),
]  # fmt: skip


def info(kind: str = "replay", name: str = "a") -> RunInfo:
    return RunInfo(kind, "test", "12", BOOK.digest, START, {}, ((name, name * 64),), ("eu", "us-ca"))


def fill(ledger: Ledger, visit: list[Exchange], name: str = "a", *, keep: bool = False) -> str:
    run = ledger.begin_run(info(name=name)).id
    tally = Tally()
    made = [r for e in visit for r in (request_record(e, Lens(BOOK), tally), response_record(e, Lens(BOOK)))]
    write(ledger, run, [r for r in made if r], BOOK, keep_plaintext=keep)
    write(ledger, run, [tally.record(f"traffic.{name}", START)], BOOK, keep_plaintext=keep)
    judge_recording(ledger, run, REGIMES, BOOK)
    ledger.finish_run(run, START, complete=True)
    return run
