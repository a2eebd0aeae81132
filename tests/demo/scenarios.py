"""What the visitor does, and what an audit of it must find."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from demo.browser import Tape, until

AFTER_A_CLICK = 1.6
"""Seconds: what is sent within the clock's error of a click can belong to either state."""


@dataclass(frozen=True)
class Scenario:
    """One visit to one shop. `eu` and `us_ca` are the rules that must be found broken, exactly; `passes` are the
    coverage rows (regime, state) that must be a pass, `fails` those that must fail."""

    name: str
    shop: str
    steps: Callable[[Any, Scenario, Tape], None]
    gpc: bool = False
    eu: frozenset[str] = frozenset()
    us_ca: frozenset[str] = frozenset()
    passes: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    fails: frozenset[tuple[str, str]] = field(default_factory=frozenset)

    @property
    def home(self) -> str:
        return f"https://www.{self.shop}.example/"

    @property
    def fires(self) -> bool:
        return self.shop.endswith("bad")


def _open(page: Any, scenario: Scenario, tape: Tape, path: str = "", *, fires: bool | None = None) -> None:
    seen = len(tape.flows)
    page.goto(scenario.home + path)
    if scenario.fires if fires is None else fires:
        until(lambda: any(f.request.path.endswith("/act") for f in tape.flows[seen:]), "the pixel on the new page")


def _click(page: Any, what: str) -> None:
    time.sleep(AFTER_A_CLICK)
    page.click(what)
    time.sleep(AFTER_A_CLICK)


def before(page: Any, s: Scenario, tape: Tape) -> None:
    _open(page, s, tape)
    _open(page, s, tape, "product")


def accept(page: Any, s: Scenario, tape: Tape) -> None:
    _open(page, s, tape)
    _click(page, "#accept")
    _open(page, s, tape, "product", fires=True)
    page.click("#add")
    until(lambda: any(b'"AddToCart"' in (f.request.content or b"") for f in tape.flows), "AddToCart")
    _open(page, s, tape, "checkout", fires=True)
    page.fill("input[name=email]", "jane.doe@example.com")
    page.click("#buy")
    until(lambda: any(b'"Purchase"' in (f.request.content or b"") for f in tape.flows), "Purchase")


def reject(page: Any, s: Scenario, tape: Tape) -> None:
    _open(page, s, tape)
    _click(page, "#reject")
    _open(page, s, tape, "product")
    _open(page, s, tape, "checkout")
    page.fill("input[name=email]", "jane.doe@example.com")
    page.click("#buy")
    if s.fires:
        until(lambda: any(b'"Purchase"' in (f.request.content or b"") for f in tape.flows), "Purchase")


def withdraw(page: Any, s: Scenario, tape: Tape) -> None:
    _open(page, s, tape)
    _click(page, "#accept")
    _open(page, s, tape, "product", fires=True)
    _click(page, "#reject")
    _open(page, s, tape, "checkout")
    _open(page, s, tape)


EARLY = frozenset(
    {
        "contacted-without-consent",
        "identifier-cookie-without-consent",
        "fired-before-consent",
        "collection-without-consent",
    }
)
LATE = EARLY | {"fired-after-denial", "matching-without-consent"}
UNDER_GPC = frozenset({"gpc-ignored", "collection-without-consent"})
IN_CALIFORNIA = frozenset({"fired-after-denial", "collection-without-consent", "matching-without-consent"})


def _both(name: str, *rest: Any, **more: Any) -> list[Scenario]:
    return [
        Scenario(f"{cmp}-{name}", f"{cmp}-{name.split('-')[0]}", *rest, **more) for cmp in ("onetrust", "cookiebot")
    ]


def _rows(regimes: str, *states: str) -> frozenset[tuple[str, str]]:
    return frozenset((regime, state) for regime in regimes.split() for state in states)


SCENARIOS = [
    *_both("bad-before", before, eu=EARLY, fails=_rows("eu", "unanswered")),
    *_both("good-before", before, passes=_rows("eu us-ca", "unanswered")),
    *_both("bad-accept", accept, eu=EARLY, passes=_rows("eu us-ca", "granted"), fails=_rows("eu", "unanswered")),
    # The pixel loads at the very click: whether that was before or after it, a stamp cannot tell (eu, unanswered).
    *_both("good-accept", accept, passes=_rows("eu us-ca", "granted") | _rows("us-ca", "unanswered")),
    *_both("bad-reject", reject, eu=LATE, us_ca=IN_CALIFORNIA, fails=_rows("eu us-ca", "denied")),
    *_both("good-reject", reject, passes=_rows("eu us-ca", "denied", "unanswered")),
    *_both("bad-withdraw", withdraw, eu=EARLY | {"fired-after-withdrawal"},
           us_ca=frozenset({"fired-after-denial", "collection-without-consent"}), fails=_rows("eu us-ca", "withdrawn")),
    *_both("good-withdraw", withdraw, passes=_rows("eu us-ca", "withdrawn")),
    Scenario("cookiebot-bad-gpc", "cookiebot-bad", before, gpc=True, eu=EARLY, us_ca=UNDER_GPC,
             fails=_rows("us-ca", "gpc", "unanswered")),
    # OneTrust writes down that it saw GPC: an opt-out on its own record, beside the signal itself.
    Scenario("onetrust-bad-gpc", "onetrust-bad", before, gpc=True, eu=EARLY, us_ca=UNDER_GPC | {"opt-out-ignored"},
             fails=_rows("us-ca", "gpc", "unanswered")),
    *_both("good-gpc", before, gpc=True, passes=_rows("us-ca", "gpc")),
]  # fmt: skip
