"""Judging while a long run goes on: what is held is bounded, what is said is what the whole would say, or nothing."""

from __future__ import annotations

import itertools
import random
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest
from mitmproxy.test import taddons

from pixelwitness.audit.judge import judge
from pixelwitness.audit.model import Judgement
from pixelwitness.exchange import Exchange
from pixelwitness.ingest import observe_request, observe_response
from pixelwitness.observations import Observed
from pixelwitness.proxy import recorder as recorder_module
from pixelwitness.proxy.addon import PixelWitness
from pixelwitness.proxy.news import News
from pixelwitness.proxy.recent import Recent, merged, rows_of
from pixelwitness.proxy.recorder import Recorder
from pixelwitness.proxy.settings import read
from pixelwitness.sources.files import read_capture
from support import BOOK, ROOT, hit, onetrust, page

REGIMES = [BOOK.regimes["eu"], BOOK.regimes["us-ca"]]
CAPTURES = sorted((ROOT / "captures").rglob("*.har"))


def seen(one: Exchange) -> list[Observed]:
    made = [observe_request(one.without_response(), BOOK)]
    return [*made, observe_response(one, BOOK)] if one.response is not None else made


def said(judgement: Judgement) -> dict[str, tuple[object, ...]]:
    return {v.hit_id: (v.property, v.consent_state, sorted(v.verdicts.items())) for v in judgement.verdicts}


@pytest.mark.parametrize("path", CAPTURES, ids=lambda p: p.stem)
def test_what_changed_is_judged_as_in_the_whole(path: Path) -> None:
    """A capture in pieces, beside the visit of another client: each time as if everything had been judged."""
    exchanges = [one for one in read_capture(path, client="a") if isinstance(one, Exchange)]
    other = [o for e in (page(0, client="b"), hit(500, client="b")) for o in seen(e)]
    recent, so_far = Recent(), list[Observed]()
    told: dict[str, tuple[object, ...]] = {}
    for piece in itertools.batched(exchanges, max(1, len(exchanges) // 4)):
        new = [*other, *(o for e in piece for o in seen(e))]
        other = []
        so_far += new
        for one in new:
            recent.add(one)
        told |= said(recent.judged(REGIMES, BOOK, ()))
        assert told == said(judge(rows_of(so_far), REGIMES, BOOK))


def test_a_site_is_judged_by_all_of_it_or_not_at_all() -> None:
    """Sites come and go in a bounded memory: no verdict is ever another than the whole recording's."""
    chance = random.Random(7)
    recent, so_far, told = Recent(most=60), list[Observed](), 0
    for at in range(0, 300_000, 1000):
        url = f"https://www.shop{chance.choice('abcdefgh') if at > 150_000 else 'a'}.example/"
        cookie = onetrust(chance.random() < 0.5, at=at - 5000)
        for one in (page(at, url, cookie=cookie), hit(at + 300, url=url)):
            so_far += (new := seen(one))
            for o in new:
                recent.add(o)
        assert len(recent) <= 60
        found = said(recent.judged(REGIMES, BOOK, ()))
        told += len(found)
        whole = said(judge(rows_of(so_far), REGIMES, BOOK)) if at % 20_000 == 0 else {}
        for hit_id in found.keys() & whole.keys():
            assert found[hit_id] == whole[hit_id]
    assert told > 10


def test_what_is_said_together_is_the_newest_of_each_message_and_site() -> None:
    def judged(site: str, at: int) -> Judgement:
        url = f"https://www.{site}.example/"
        return judge(rows_of(o for e in (page(at, url), hit(at + 300, url=url)) for o in seen(e)), REGIMES, BOOK)

    one, two, again = judged("one", 0), judged("two", 5000), judged("one", 9000)
    both = merged(merged(merged(None, one), two), again)
    assert said(both) == said(one) | said(two) | said(again)
    assert {c.property for c in both.coverage} == {"one.example", "two.example"}


def test_a_long_run_holds_little_and_judges_all_of_it_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "WHOLE_UP_TO", 20)
    monkeypatch.setattr(recorder_module, "JUDGE_EVERY", 0.0)
    monkeypatch.setattr(recorder_module, "APART_AFTER", 10**9)
    heard, faults = list[News](), list[str]()
    with taddons.context(PixelWitness()) as context:
        context.options.update(pixelwitness_db=str(tmp_path / "a.db"))
        live = Recorder(read(context.options), on_news=heard.append, on_fault=faults.append)
    live._recent = Recent(most=40)
    live.start()
    for number in range(60):
        client = f"10.0.0.{number}"
        made = [page(number * 10_000, cookie=onetrust(False, at=number * 10_000 - 5000)), hit(number * 10_000 + 1000)]
        for one in (replace(e, client=client) for e in made):
            live.put("request", one.without_response())
            live.put("response", one)
        time.sleep(0.02)
    deadline = time.monotonic() + 60
    while (live.backlog.counts.rows or len(live._recent) == 0) and not faults and time.monotonic() < deadline:
        time.sleep(0.02)
    held = len(live._recent)
    provisional = [n for n in heard if not n.final]
    with sqlite3.connect(tmp_path / "a.db") as db:
        written = db.execute("select count(*) from hits").fetchone()[0]
    live.close()
    assert faults == []
    assert 0 < held <= 40
    assert written < 60  # the tables are left alone while it grows
    assert any(len(n.judgement.verdicts) > 20 for n in provisional)  # of more sites than the rows of which are held
    assert heard[-1].final
    assert len(heard[-1].judgement.verdicts) == 60
    with sqlite3.connect(tmp_path / "a.db") as db:
        assert db.execute("select count(*) from hits").fetchone()[0] == 60
        assert db.execute("select count(distinct client) from violations").fetchone()[0] == 60
