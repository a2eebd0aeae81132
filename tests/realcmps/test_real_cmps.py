"""Real consent systems in a real browser: what the proxy read, against what the page's own interface said.

Every message of these shops' pixel carries what the consent system's interface said of TikTok when it was sent. The
proxy reads cookies alone. It may not know; it must never say another thing than the page.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.browser import BrowserMissing, browser_path
from pixelwitness.proxy.addon import PixelWitness
from realcmps.packages import NotToBeHad, installed
from realcmps.shops import SHOPS, Shop
from realcmps.visits import FIRST, THEN, run

SHOWN = ("/product", "/checkout")
"""Pages before and after which a request showed the same answer: here the proxy must know what it can know."""


@dataclass(frozen=True)
class Hit:
    """One message of the pixel."""

    visit: str
    at: str
    path: str
    event: str
    says: str
    read: str
    opt_outs: str
    rules: frozenset[str]


@pytest.fixture(scope="module")
def modules(request: pytest.FixtureRequest) -> Path:
    try:
        browser_path()
        return installed(request.config.cache.mkdir("realcmps"))  # type: ignore[union-attr]
    except (BrowserMissing, NotToBeHad) as error:
        if os.environ.get("PIXELWITNESS_NEEDS_BROWSER"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def confdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ca")


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("shop", SHOPS, ids=lambda s: s.name)
def test_the_proxy_reads_what_the_page_says(shop: Shop, modules: Path, confdir: Path, tmp_path: Path) -> None:
    class Audit(PixelWitness):
        def load(self, loader: object) -> None:
            super().load(loader)  # type: ignore[arg-type]
            loader.master.options.update(pixelwitness_db=str(tmp_path / "a.db"))  # type: ignore[attr-defined]

    run(shop, modules, Audit(), confdir)
    with sqlite3.connect(tmp_path / "a.db") as db:
        hits = list(recorded(db, shop))
        systems = {cmp for (cmp,) in db.execute("select distinct cmp from signals where cmp is not null")}
        assert not db.execute("select * from blind_spots where kind = 'addon_fault'").fetchall()
    print(*hits, sep="\n")
    print(f"{shop.name}: {len(hits)} messages, {dict(Counter((h.says, h.read) for h in hits))}")
    assert systems == ({shop.cmp} if shop.cmp else set())
    check_visits(hits)
    if shop.cmp == "gpp":
        check_opt_outs(hits)
        return
    for hit in hits:
        assert hit.read in shop.reads[hit.says] | {"unknown"}, f"{hit}"
        if hit.path in SHOWN and hit.event in ("Pageview", "Metadata"):
            assert hit.read in shop.reads[hit.says], f"{hit}"
        if shop.stamped and hit.event == "AddToCart":
            assert hit.read in shop.reads[hit.says], f"the stamp tells the moment: {hit}"
        if hit.visit == "wait":
            assert hit.read in shop.reads["unanswered"], f"{hit}"
        if hit.says == "granted" and hit.read == "granted":
            assert not hit.rules, f"{hit}"
    check_withdrawal(shop, hits)


def recorded(db: sqlite3.Connection, shop: Shop) -> Iterator[Hit]:
    """What the ledger holds of the visits, in order."""
    broken: dict[str, set[str]] = {}
    for hit, rule in db.execute("select hit_id, rule from violations where regime = 'eu'"):
        broken.setdefault(hit, set()).add(rule)
    query = """select id, substr(property, 1, instr(property, '-') - 1), occurred_at,
        replace(json_extract(payload, '$.context.page.url'), 'https://www.' || property, ''),
        coalesce(event, action), json_extract(payload, '$.properties.page_says'), consent_state, opt_outs
        from hits where payload is not null order by property, occurred_at"""
    for hit, *row in db.execute(query):
        yield Hit(*row, rules=frozenset(broken.get(hit, ())))


def check_visits(hits: list[Hit]) -> None:
    """The visits were what they should be: else nothing was compared."""
    first = {"accept": "granted", "only": "granted", "reject": "denied", "but": "denied", "wait": "unanswered"}
    last = first | {"accept": "denied", "reject": "granted"}
    for visit in {h.visit for h in hits}:
        for path, wanted in (("/product", first), ("/checkout", last)):
            said = {h.says for h in hits if h.visit == visit and h.path == path and h.event in ("Pageview", "Metadata")}
            assert {s.replace("not_opted_out", "granted").replace("opted_out", "denied") for s in said} == {
                wanted[visit]
            }, (visit, path)


def check_opt_outs(hits: list[Hit]) -> None:
    for hit in hits:
        if hit.path in SHOWN and hit.event in ("Pageview", "Metadata"):
            assert ("gpp" in hit.opt_outs) == (hit.says == "opted_out"), hit


def check_withdrawal(shop: Shop, hits: list[Hit]) -> None:
    """Who took a yes back and is still tracked: that is said, and of nobody else."""
    found = {h.visit for h in hits if "fired-after-withdrawal" in h.rules}
    assert found == ({"accept"} if shop.taken_back == "fired-after-withdrawal" else set())
    after = [h for h in hits if h.visit == "accept" and h.path == "/checkout" and h.event == "Pageview"]
    assert after
    for hit in after:
        assert (shop.taken_back in hit.rules) if shop.taken_back else not hit.rules, f"{hit}"


def test_all_visits_are_judged() -> None:
    assert set(THEN) < set(FIRST)
    assert len({shop.name for shop in SHOPS}) == len(SHOPS)
