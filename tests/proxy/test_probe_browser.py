"""GPC on demand and the probe in a real browser: strict policies, frames, an SPA, back and forward, and the click."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from demo.browser import BrowserMissing, Tape, browser_path, until, visit
from demo.sites import DemoSites
from demo.strict import FRAME, SITE, StrictSite
from pixelwitness.consent.probe import PATH
from pixelwitness.proxy import probe
from pixelwitness.proxy.addon import PixelWitness
from support import BOOK

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CHANGES = {"sec-gpc"}


@pytest.fixture(autouse=True)
def browser() -> None:
    try:
        browser_path()
    except BrowserMissing as error:
        if os.environ.get("PIXELWITNESS_NEEDS_BROWSER"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def confdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ca")


@contextmanager
def audited(site: Any, confdir: Path, db: Path, **options: Any) -> Iterator[tuple[Any, Tape, PixelWitness]]:
    class Audit(PixelWitness):
        def load(self, loader: Any) -> None:
            super().load(loader)
            loader.master.options.update(pixelwitness_db=str(db), **options)

    audit = Audit()
    with visit([audit, site], confdir) as (page, tape):
        yield page, tape, audit


def reports(tape: Tape, host: str = SITE) -> list[dict[str, Any]]:
    found = [f for f in list(tape.flows) if f.request.path == PATH and f.request.pretty_host == host]
    return [json.loads(f.request.content or b"{}") for f in found]


def requests(tape: Tape) -> list[tuple[Any, ...]]:
    """Everything that the page asked for, but the probe's own reports; times in bodies are left out."""
    own = [f for f in tape.flows if f.request.path != PATH]
    return sorted(
        (f.request.method, f.request.pretty_url, tuple((k, v) for k, v in sorted(f.request.headers.items()) if k.lower() not in CHANGES))
        for f in own
    )  # fmt: skip


def walk(page: Any, tape: Tape) -> dict[str, Any]:
    page.goto(f"https://{SITE}/")
    page.wait_for_function("document.title === 'works'")
    until(lambda: any(f.request.pretty_host == "analytics.tiktok.com" for f in list(tape.flows)), "the pixel")
    return page.evaluate(
        "({scripts: document.scripts.length, first: window.first, gpc: navigator.globalPrivacyControl === true,"
        " frames: frames.length, html: document.head.innerHTML.replace(/<meta http-equiv[^>]*>/, ''), native: Storage.prototype.setItem.toString().includes('native')})"
    )


def test_a_strict_page_works_reports_and_asks_for_the_same(confdir: Path, tmp_path: Path) -> None:
    with audited(StrictSite(), confdir, tmp_path / "off.db") as (page, tape, _):
        errors_off: list[str] = []
        page.on("pageerror", lambda e: errors_off.append(str(e)))
        plain, asked = walk(page, tape), requests(tape)
    on = {"pixelwitness_gpc": ["all"], "pixelwitness_probe": ["all"]}
    with audited(StrictSite(), confdir, tmp_path / "on.db", **on) as (page, tape, _):
        errors: list[str] = []
        said: list[str] = []
        page.on("pageerror", lambda e: errors.append(str(e)))
        page.on("console", lambda m: said.append(m.text))
        changed = walk(page, tape)
        until(lambda: reports(tape) and reports(tape, FRAME), "reports of the page and the frame of another site")
        assert requests(tape) == asked
        assert {f.request.headers.get("sec-gpc") for f in tape.flows if f.request.method != "OPTIONS"} == {"1"}
        config = json.loads(probe.script(BOOK).rpartition("})(")[2].removesuffix(");"))
        sources = [p["source"] for p in config["patterns"]] + config["storage"]
        assert (
            page.evaluate("sources => sources.filter(s => { try { new RegExp(s); } catch { return true; } })", sources)
            == []
        )
    assert changed == {**plain, "gpc": True, "native": True}
    assert errors == errors_off
    assert not [s for s in said if "Content Security Policy" in s], said
    assert not [url for _, url, _ in asked if "csp-report" in url]


def test_an_event_100_ms_after_reject_is_a_denial_at_once(confdir: Path, tmp_path: Path) -> None:
    with audited(StrictSite(), confdir, tmp_path / "a.db", pixelwitness_probe=["all"]) as (page, tape, _):
        walk(page, tape)
        time.sleep(1.6)
        page.click("#reject")
        until(lambda: any(b'"AddToCart"' in (f.request.content or b"") for f in list(tape.flows)), "AddToCart")
        hit = next(f for f in list(tape.flows) if b'"AddToCart"' in (f.request.content or b""))
        until(lambda: bool(hit.marked), "the verdict", 30)
        assert "fired-after-denial" in hit.comment
        assert "denied" in str(hit.metadata["pixelwitness"]["consent"])
    with sqlite3.connect(tmp_path / "a.db") as db:
        states = dict(db.execute("select event, consent_state from hits where event is not null"))
        assert states["AddToCart"] == "denied"
        assert not db.execute("select * from blind_spots where kind = 'addon_fault'").fetchall()


def test_without_the_probe_the_verdict_comes_with_the_next_page(confdir: Path, tmp_path: Path) -> None:
    with audited(DemoSites(), confdir, tmp_path / "a.db") as (page, tape, _):
        page.goto("https://www.onetrust-bad.example/")
        until(lambda: any(f.request.path.endswith("/act") for f in list(tape.flows)), "the pixel")
        time.sleep(1.6)
        page.click("#reject")
        time.sleep(1.6)
        page.click("#add")
        until(lambda: any(b'"AddToCart"' in (f.request.content or b"") for f in list(tape.flows)), "AddToCart")
        hit = next(f for f in list(tape.flows) if b'"AddToCart"' in (f.request.content or b""))
        until(lambda: bool(hit.marked), "a provisional verdict", 30)
        assert "fired-after-denial" not in hit.comment
        page.goto("https://www.onetrust-bad.example/product")
        until(lambda: "fired-after-denial" in hit.comment, "the right verdict", 30)


def test_back_and_forward(confdir: Path, tmp_path: Path) -> None:
    with audited(StrictSite(), confdir, tmp_path / "a.db", pixelwitness_probe=["all"]) as (page, tape, _):
        walk(page, tape)
        page.goto(f"https://{SITE}/other")
        before = len(reports(tape))
        page.go_back()
        until(lambda: len(reports(tape)) > before, "a report of the page that came back")
        page.evaluate("choose(true)")
        until(
            lambda: any("marketing:true" in i["value"] for r in reports(tape) for i in r.get("items", ())), "the change"
        )


def test_a_page_that_comes_back_whole(confdir: Path, tmp_path: Path) -> None:
    """The back/forward cache: the headless shell has none (`notRestoredReasons` says "masked" of the barest page), so
    its events are made by hand. What was chosen meanwhile in another tab must be reported when the page is shown."""
    with audited(StrictSite(), confdir, tmp_path / "a.db", pixelwitness_probe=["all"]) as (page, tape, _):
        walk(page, tape)
        page.evaluate("choose(false)")
        page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
        until(
            lambda: any("marketing:false" in i["value"] for r in reports(tape) for i in r["items"]), "the first choice"
        )
        (cookie,) = page.context.cookies(f"https://{SITE}/")
        before = len(reports(tape))
        other = {"name": cookie["name"], "value": cookie["value"].replace("marketing:false", "marketing:true")}
        page.context.add_cookies([{**other, "url": f"https://{SITE}/"}])
        page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")

        def said() -> list[str]:
            return [i["value"] for r in reports(tape)[before:] for i in r["items"]]

        until(lambda: any("marketing:true" in value for value in said()), "a report of the page that was shown again")
