"""An exception planted in each stage: the page and the pixel's request pass untouched, and the fault is on the record."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import contentviews
from mitmproxy.test import taddons

import pixelwitness.ingest
import pixelwitness.ledger.parts
import pixelwitness.ledger.store
import pixelwitness.proxy.addon
import pixelwitness.proxy.contentview
import pixelwitness.proxy.guide
import pixelwitness.proxy.pages
import pixelwitness.proxy.recorder
import pixelwitness.run
from flows import answered, document, flow, pixel
from pixelwitness.ledger.store import open_ledger, read_ledger
from pixelwitness.ledger.verify import verify
from pixelwitness.proxy.addon import PixelWitness
from pixelwitness.proxy.contentview import VIEW
from pixelwitness.rejudge import rejudge
from support import BOOK, SHOP

pytestmark = pytest.mark.timeout(120)
REFUSED = "OptanonConsent=landingPath=NotLandingPage&groups=C0004%3A0"


def broken(*args: Any, **named: Any) -> Any:
    raise ZeroDivisionError("a value of jane@shop.example's that must not be on the record")


def untouched(one: Any) -> tuple[Any, ...]:
    """All that reaches the site, and the browser."""
    answer = one.response
    return (
        one.request.get_state(),
        answer and (answer.status_code, tuple(answer.headers.fields), answer.raw_content),
    )


def visit(tmp_path: Path, *, options: dict[str, Any], during: Callable[[PixelWitness], object]) -> dict[str, list[str]]:
    """A page, a message of the pixel, a second page, through the hooks in mitmproxy's order. Faults by kind."""

    async def go() -> None:
        addon = PixelWitness()
        with taddons.context(addon) as context:
            context.configure(addon, pixelwitness_db=str(tmp_path / "a.db"), **options)
            addon.running()
            try:
                # Kept until the end: the add-on itself keeps no flow alive.
                flows = [document(cookie=REFUSED), pixel(), document(f"{SHOP}two", cookie=REFUSED)]
                for one in flows:
                    before = untouched(one)
                    addon.requestheaders(one)
                    addon.request(one)
                    assert untouched(one) == before
                    answered(one)
                    before = untouched(one)
                    addon.response(one)
                    assert untouched(one) == before
                during(addon)
                await asyncio.sleep(0.2)
                deadline = time.monotonic() + 30
                while addon.judgement is None and not addon.faults and time.monotonic() < deadline:
                    await asyncio.sleep(0.05)
            finally:
                addon.done()
            assert addon.faults > 0

    asyncio.run(go())
    ledger = read_ledger(tmp_path / "a.db")
    assert verify(ledger, BOOK).faults == []
    said: dict[str, list[str]] = {}
    for run in ledger.db.query("select id from runs"):
        for spot in ledger.rows(run["id"]).blind_spots:
            said.setdefault(spot.kind, []).append(spot.detail)
    ledger.close()
    assert "jane" not in repr(said)
    return said


READING = ("reading a request: ZeroDivisionError at ingest.py", "addon_fault")


@pytest.mark.parametrize(
    ("module", "name", "wanted", "said", "kind"),
    [
        (pixelwitness.ingest, "classify", None, *READING),
        (pixelwitness.ingest, "hits", None, *READING),
        (pixelwitness.ingest, "request_signals", None, *READING),
        (pixelwitness.run, "observe_response", None, "reading a response: ZeroDivisionError at run.py", "addon_fault"),
        (pixelwitness.proxy.addon, "exchange_from_flow", None, "taking a request: ZeroDivisionError", "addon_fault"),
        (pixelwitness.run, "judge", None, "judging: ZeroDivisionError at run.py", "program_fault"),
        (pixelwitness.run, "project", None, "judging: ZeroDivisionError at run.py", "program_fault"),
        (pixelwitness.ledger.parts, "mask_headers", None, "storing: ZeroDivisionError at ledger/parts.py", "addon_fault"),
        (pixelwitness.ledger.parts, "mask_text", None, "storing: ZeroDivisionError at ledger/parts.py", "addon_fault"),
        (pixelwitness.ledger.store, "body_hash", lambda row, *a, **n: row.kind == "request",
         "storing: ZeroDivisionError at ledger/store.py", "addon_fault"),
        (pixelwitness.ledger.store.Ledger, "insert", lambda self, table, rows: table == "observation_parts" and len(rows) > 3,
         "storing: ZeroDivisionError at ledger/store.py", "addon_fault"),
        (pixelwitness.proxy.addon, "mark", None, "marks on flows: ZeroDivisionError at proxy/addon.py", "program_fault"),
    ],
)  # fmt: skip
def test_a_fault_on_the_way_from_the_flow_to_the_ledger(
    module: Any, name: str, wanted: Any, said: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(module, name)
    monkeypatch.setattr(module, name, broken if wanted is None else once_for(real, wanted))
    found = visit(tmp_path, options={}, during=lambda addon: None)
    assert any(detail.startswith(said) for detail in found.get(kind, [])), found


def once_for(real: Callable[..., Any], wanted: Callable[..., bool]) -> Callable[..., Any]:
    """Fails whenever it is called for what is wanted."""

    def act(*args: Any, **named: Any) -> Any:
        return broken() if wanted(*args, **named) else real(*args, **named)

    return act


def test_one_that_cannot_be_stored_does_not_take_the_others_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = pixelwitness.ledger.store
    monkeypatch.setattr(store, "body_hash", once_for(store.body_hash, lambda row, *a, **n: row.kind == "response"))
    visit(tmp_path, options={}, during=lambda addon: None)
    with sqlite3.connect(tmp_path / "a.db") as db:
        kinds = dict(db.execute("select kind, count(*) from observations group by kind").fetchall())
    assert kinds["request"] == 3
    assert "response" not in kinds


def test_judging_that_failed_can_be_done_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixelwitness.run, "judge", broken)
    visit(tmp_path, options={}, during=lambda addon: None)
    monkeypatch.undo()
    ledger = open_ledger(tmp_path / "a.db")
    assert not ledger.db.table("violations").count
    rejudge(ledger, BOOK, regimes=(BOOK.regimes["eu"],))
    assert ledger.db.table("violations").count
    assert verify(ledger, BOOK).faults == []
    ledger.close()


@pytest.mark.parametrize(
    ("options", "module", "name", "said"),
    [
        ({"pixelwitness_gpc": ["all"]}, pixelwitness.proxy.addon.gpc, "add_header", "GPC: ZeroDivisionError"),
        ({"pixelwitness_probe": ["all"]}, pixelwitness.proxy.addon.probe, "script", "GPC or the probe: ZeroDivisionError"),
        ({"pixelwitness_probe": ["all"]}, pixelwitness.proxy.addon.pages, "put_in", "GPC or the probe: ZeroDivisionError"),
        ({"pixelwitness_probe": ["all"]}, pixelwitness.proxy.addon, "open_headers", "GPC or the probe: ZeroDivisionError"),
    ],
)  # fmt: skip
def test_a_fault_in_what_changes_pages_and_requests_leaves_them_alone(
    options: dict[str, Any], module: Any, name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, broken)
    # The page would be changed otherwise, so that "untouched" means something.
    if name == "add_header":
        monkeypatch.setattr(pixelwitness.proxy.addon.gpc, "SCRIPT", "")
        monkeypatch.setattr(pixelwitness.proxy.addon.pages, "is_page", lambda *a: False)
    found = visit(tmp_path, options=options, during=lambda addon: None)
    assert any(detail.startswith(said) for detail in found["program_fault"]), found


def test_a_fault_of_the_guided_page_sends_nothing_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixelwitness.proxy.guide, "page", broken)
    asked = flow("http://pixelwitness.local/")
    found = visit(tmp_path, options={}, during=lambda addon: addon.request(asked))
    assert asked.response.status_code == 500
    assert any(d.startswith("the guided page: ZeroDivisionError at proxy/") for d in found["program_fault"]), found


def test_a_report_of_the_probe_never_reaches_the_site_whatever_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pixelwitness.consent.probe import PATH

    monkeypatch.setattr(pixelwitness.proxy.addon, "exchange_from_flow", broken)
    report = flow(SHOP.rstrip("/") + PATH, method="POST", content=b"{}")
    visit(tmp_path, options={"pixelwitness_probe": ["off"]}, during=lambda addon: addon.request(report))
    assert report.response.status_code == 204


def test_a_fault_of_the_content_view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixelwitness.proxy.contentview, "hits_of", broken)
    one = pixel()

    def look(addon: PixelWitness) -> None:
        shown = contentviews.prettify_message(one.request, one, "TikTok Pixel")
        assert "AddToCart" in shown.text
        assert "Traceback" not in shown.text

    found = visit(tmp_path, options={}, during=look)
    assert any(d.startswith("the content view: ZeroDivisionError at proxy/") for d in found["program_fault"]), found
    assert VIEW.name == "TikTok Pixel"
