"""The HTML report: complete, bounded, and never active."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from demo.browser import BrowserMissing, browser_path
from pixelwitness.ledger.store import open_ledger
from pixelwitness.report.evidence import MOST_PER_FINDING
from pixelwitness.report.html import MOST_SENDS, render_html
from pixelwitness.report.summary import Summary, summarise
from pixelwitness.report.timeline import MOST_POINTS, Point, draw
from pixelwitness.report.write import write_private
from report.hostile import ATTACK
from support import BOOK


class Tags(HTMLParser):
    """Every element with its attributes, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def made(path: Path) -> tuple[str, Summary]:
    ledger = open_ledger(path, create=False)
    summary = summarise(ledger, BOOK)
    text = render_html(ledger, summary, "pixelwitness report audit.db --html out.html")
    ledger.close()
    return text, summary


def test_it_holds_every_finding_task_and_gap(audited: Path) -> None:
    text, summary = made(audited)
    shown = " ".join(Tags(text).text.split())
    for group in summary.properties[0].groups:
        assert group.title in shown
        assert group.citation in shown
        assert " ".join(group.remedy.split()) in shown
        for task in group.act.values():
            if group.applicability != "contradicted":
                assert task in shown
    assert summary.chain_head in shown
    assert summary.rules_digest in shown
    assert "not tested" in shown
    for violation in [v for g in summary.properties[0].groups for v in g.violations]:
        assert violation["hit_id"] in shown
        assert violation["id"] in shown


def test_links_lead_somewhere_and_ids_are_unique(audited: Path) -> None:
    tags = Tags(made(audited)[0]).found
    ids = [a["id"] for _, a in tags if "id" in a]
    assert len(ids) == len(set(ids))
    targets = {a["href"] for t, a in tags if t == "a"}
    assert targets <= {f"#{i}" for i in ids}
    named = {n for _, a in tags for n in (a.get("aria-labelledby") or "").split()}
    assert named <= set(ids)


def check_harmless(text: str) -> None:
    """No element, attribute or address that acts."""
    for tag, attributes in Tags(text).found:
        assert tag not in {
            "script",
            "img",
            "iframe",
            "object",
            "embed",
            "link",
            "form",
            "base",
            "input",
            "foreignobject",
            "use",
        }, tag
        for name, value in attributes.items():
            assert not name.startswith("on"), name
            assert name not in {"src", "style", "action", "formaction", "srcdoc", "xlink:href"}, name
            if name == "href":
                assert re.fullmatch(r"#[a-z0-9-]+", value or "")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)


def test_hostile_traffic_stays_text(poisoned: Path) -> None:
    text, _ = made(poisoned)
    check_harmless(text)
    assert text.count("alert(1)") > 50, "the attack must have reached the report"
    assert "{{7*7}}" in text
    assert "<script" not in text
    style = re.findall("<style>(.*?)</style>", text, re.S)
    assert len(style) == 1
    assert ATTACK[:10] not in style[0]


def test_the_policy_allows_the_style_sheet_and_nothing_else(audited: Path) -> None:
    text, _ = made(audited)
    style = re.search("<style>(.*?)</style>", text, re.S)
    policy = next(a["content"] for t, a in Tags(text).found if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()  # type: ignore[index]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_thousands_of_violations_make_a_bounded_file(audited: Path) -> None:
    ledger = open_ledger(audited, create=False)
    summary = summarise(ledger, BOOK)
    one = summary.properties[0]
    group = one.groups[0]
    many = [{**group.violations[0], "hit_id": f"{n:032x}.0", "id": f"{n:024x}"} for n in range(5_000)]
    big = summary.model_copy(
        update={"properties": [one.model_copy(update={"groups": [group.model_copy(update={"violations": many})]})] * 60}
    )
    text = render_html(ledger, big)
    ledger.close()
    assert len(text) < 2_000_000
    assert f"{5_000 - MOST_SENDS} more requests of this finding are left out" in text
    assert "35 more sites" in text
    assert MOST_PER_FINDING <= MOST_SENDS


def test_a_long_session_is_cut_and_idle_time_is_marked() -> None:
    points = [
        Point(f"2026-11-22T08:{n // 60:02}:{n % 60:02}.000Z", "event", "x", "denied", "violation") for n in range(900)
    ]
    drawing = draw(points)
    assert drawing.left_out == 900 - MOST_POINTS
    idle = draw([points[0], Point("2026-11-22T12:00:00.000Z", "event", "x")])
    assert [words for _, words in idle.breaks] == ["4 h"] or [words for _, words in idle.breaks] == ["3 h"]
    assert draw([]).marks == ()


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_a_report_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


@pytest.fixture
def chromium() -> Any:
    try:
        path = browser_path()
    except BrowserMissing as error:
        if os.environ.get("PIXELWITNESS_NEEDS_BROWSER"):
            raise
        pytest.skip(str(error))
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_nothing(audited: Path, tmp_path: Path, chromium: Any, width: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    report = tmp_path / "r.html"
    report.write_text(made(audited)[0])
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(report.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.browser
def test_a_browser_runs_nothing_and_asks_for_nothing(poisoned: Path, tmp_path: Path, chromium: Any) -> None:
    report = tmp_path / "r.html"
    report.write_text(made(poisoned)[0])
    page = chromium.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda message: said.append(message.text))
    page.goto(report.as_uri())
    page.hover("h1")
    assert asked == [report.as_uri()]
    assert said == []
    assert page.evaluate("document.scripts.length + document.images.length") == 0
    assert page.evaluate("document.styleSheets.length") == 1
    assert page.evaluate("getComputedStyle(document.querySelector('.badge')).borderRadius") == "3px"
    assert page.pdf()[:5] == b"%PDF-"
