"""Five visits to one shop at once, each in a browser profile and on a site of its own.

They go in step, so that the seconds for which the clock's error must pass are waited for once.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from demo.browser import Tape, until, visit
from demo.scenarios import AFTER_A_CLICK
from realcmps.shops import Shop
from realcmps.sites import RealSites

FIRST = {"wait": None, "accept": "accept", "reject": "reject", "only": "choose(true)", "but": "choose(false)"}
"""What each visitor does first: nothing, all, nothing at all, TikTok and no other, all others but TikTok."""
THEN = {"accept": "rejectAgain", "reject": "acceptAgain"}
"""Who changes their mind, and to what."""


def run(shop: Shop, modules: Path, audit: Any, confdir: Path) -> None:
    """Makes the visits, through the add-on `audit`."""
    first = {n: w for n, w in FIRST.items() if shop.chooses or n not in ("only", "but")}
    with visit([audit, RealSites(shop, modules)], confdir) as (opened, tape), ExitStack() as stack:
        pages: dict[str, Any] = {}
        for name in first:
            context = opened.context.browser.new_context()
            stack.callback(context.close)
            pages[name] = context.new_page()
            pages[name].set_default_timeout(20_000)
            pages[name].on("pageerror", lambda error, name=name: print(f"{name}: {error}"))
        everywhere(shop, pages, tape, "/")
        time.sleep(AFTER_A_CLICK)
        for name, what in first.items():
            if what in ("accept", "reject"):
                click(pages[name], what)
            elif what:
                pages[name].evaluate(f"cmp.{what}")
        time.sleep(AFTER_A_CLICK)
        # No request has shown the new answer yet; only a stamp can tell that it was in force here.
        for page in pages.values():
            page.evaluate("ttq.track('AddToCart', {value: 9.95, currency: 'EUR'})")
        time.sleep(0.3)
        everywhere(shop, pages, tape, "/product")
        everywhere(shop, pages, tape, "/")
        time.sleep(AFTER_A_CLICK)
        for name, what in THEN.items():
            pages[name].evaluate("cmp.reopen()")
            click(pages[name], what)
        time.sleep(AFTER_A_CLICK)
        everywhere(shop, pages, tape, "/checkout")
        everywhere(shop, pages, tape, "/")
        time.sleep(0.3)


def click(page: Any, what: str) -> None:
    """Clicks on what the consent system itself shows."""
    for selector in page.evaluate(f"cmp.{what}"):
        page.click(selector)


def everywhere(shop: Shop, pages: dict[str, Any], tape: Tape, path: str) -> None:
    """Opens a page in every visit and waits for its pixel."""
    for name, page in pages.items():
        seen, host = len(tape.flows), f"https://www.{name}-{shop.name}.example"
        page.goto(host + path)
        until(partial(_pixel_came, tape, seen, host), f"the pixel on {host}{path}")


def _pixel_came(tape: Tape, seen: int, host: str) -> bool:
    return any(f.request.path.endswith("/act") and f.request.headers.get("origin") == host for f in tape.flows[seen:])
