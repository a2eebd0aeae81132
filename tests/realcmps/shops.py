"""The consent systems and how a site sets them up, with what a proxy can know of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

type Table = Mapping[str, frozenset[str]]


def _same(**other: str) -> Table:
    table = {said: frozenset({said}) for said in ("unanswered", "granted", "denied")}
    return table | {said: frozenset(states.split("|")) for said, states in other.items()}


@dataclass(frozen=True)
class Shop:
    """One consent system, set up in one way.

    `reads`: what the page says, and what the proxy may read once a request has shown the answer; `cmp` None: the proxy
    cannot name the system. `stamped`: its cookie says when the visitor chose. `taken_back`: the rule that is broken
    where the pixel goes on after a yes was taken back ("": none, for nobody can tell).
    """

    name: str
    script: str
    packages: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    styles: tuple[str, ...] = ()
    cmp: str | None = None
    reads: Table = field(default_factory=_same)
    stamped: bool = False
    taken_back: str = "fired-after-withdrawal"
    settings_first: bool = False
    in_body: bool = False
    chooses: bool = True


def _klaro(name: str, services: list[str], tiktok: str, **more: Any) -> Shop:
    return Shop(name, "klaro.js", ("klaro/dist/klaro.js",), {"services": services, "tiktok": tiktok}, cmp="klaro",
                settings_first=True, in_body=True, **more)  # fmt: skip


def _orejime(name: str, services: list[str], tiktok: str, **more: Any) -> Shop:
    settings = {"services": services, "tiktok": tiktok, **more.pop("settings", {})}
    return Shop(name, "orejime.js", ("orejime/dist/orejime-standard-en.js",), settings, cmp=more.pop("cmp", "orejime"),
                styles=("orejime/dist/orejime-standard.css",), settings_first=True, in_body=True, **more)  # fmt: skip


def _tarteaucitron(name: str, services: list[str], tiktok: str, **more: Any) -> Shop:
    settings = {"services": services, "tiktok": tiktok, **more.pop("settings", {})}
    return Shop(name, "tarteaucitron.js", ("tarteaucitronjs/tarteaucitron.js",), settings, cmp="tarteaucitron", **more)


def _vanilla3(name: str, categories: dict[str, Any], category: str, **more: Any) -> Shop:
    settings = {"categories": categories, "category": category, **more.pop("settings", {})}
    return Shop(name, "vanilla3.js", ("vanilla-cookieconsent/dist/cookieconsent.umd.js",), settings,
                styles=("vanilla-cookieconsent/dist/cookieconsent.css",), cmp="vanilla-cookieconsent", stamped=True,
                in_body=True, **more)  # fmt: skip


def _vanilla2(name: str, categories: list[str], category: str, **more: Any) -> Shop:
    settings = {"categories": categories, "category": category, **more.pop("settings", {})}
    return Shop(name, "vanilla2.js", ("vanilla-cookieconsent-2/dist/cookieconsent.js",), settings,
                styles=("vanilla-cookieconsent-2/dist/cookieconsent.css",), cmp="vanilla-cookieconsent", in_body=True,
                **more)  # fmt: skip


def _osano(name: str, kind: str, **more: Any) -> Shop:
    return Shop(name, "osano.js", ("cookieconsent/build/cookieconsent.min.js",), {"type": kind}, in_body=True,
                styles=("cookieconsent/build/cookieconsent.min.css",), cmp="osano-cookieconsent", chooses=False, **more)  # fmt: skip


NAMED_OTHERWISE: dict[str, Any] = {
    "reads": _same(granted="unknown", denied="denied|unknown"), "taken_back": "fired-after-denial",
}  # fmt: skip
"""Nobody can tell that this name is TikTok's: a yes is never certain, and a no only where nothing like it was allowed."""

SHOPS = [
    _klaro("klaro", ["tiktok", "matomo"], "tiktok"),
    _klaro("klaro-own", ["tt-px", "metaPixel", "matomo"], "tt-px", **NAMED_OTHERWISE),
    _klaro("klaro-category", ["necessary", "analytics", "marketing"], "marketing"),
    _orejime("orejime", ["tiktok-pixel", "google-analytics"], "tiktok-pixel"),
    _orejime("orejime-own", ["publicite", "mesure"], "publicite", settings={"cookie": "shop-consent"},
             reads=_same(granted="unknown", denied="unknown"), taken_back="", cmp=None),
    _tarteaucitron("tac", ["tiktok", "gtag", "youtube"], "tiktok"),
    _tarteaucitron("tac-own", ["ttpixel", "facebookpixel", "gtag"], "ttpixel", settings={"cookie": "shop_choice"}, **NAMED_OTHERWISE),
    _vanilla3("vanilla3", {"analytics": {}, "marketing": {}}, "marketing"),
    _vanilla3("vanilla3-service", {"analytics": {}, "ads": {"services": {"tiktok": {"label": "TikTok"}, "meta": {"label": "Meta"}}}},
              "ads", settings={"service": "tiktok"}, reads=_same(denied="denied|unknown")),
    _vanilla3("vanilla3-own", {"statistik": {}, "werbung": {}}, "werbung", settings={"cookie": "shop_cookie"}),
    _vanilla3("vanilla3-odd", {"stats": {}, "partners": {}}, "partners", **NAMED_OTHERWISE),
    _vanilla2("vanilla2", ["analytics", "ads"], "ads"),
    _vanilla2("vanilla2-own", ["analytics", "targeting"], "targeting", settings={"cookie": "cookie_choice"}),
    _osano("osano-in", "opt-in"),
    _osano("osano-out", "opt-out"),
    Shop("c15t", "c15t.mjs", cmp="c15t", stamped=True, in_body=True),
    Shop("tcf", "tcf.mjs", cmp="tcf", **NAMED_OTHERWISE),
    Shop("gpp", "gpp.mjs", cmp="gpp", chooses=False),
]  # fmt: skip
