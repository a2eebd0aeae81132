"""Shops with real consent systems, as a mitmproxy add-on that answers for every host."""

from __future__ import annotations

import json
import mimetypes
from functools import lru_cache
from pathlib import Path

from mitmproxy import http

from demo.sites import PIXEL, TITLES, DemoSites
from realcmps.packages import WEB, bundled
from realcmps.shops import Shop


class RealSites(DemoSites):
    """`www.VISIT-SHOP.example`: one site a visit, so that each is a session of its own; the packages under /vendor/."""

    def __init__(self, shop: Shop, modules: Path) -> None:
        self.shop, self.modules = shop, modules
        self.bundle = lru_cache(lambda name: bundled(modules, name))

    def answer(self, host: str, path: str, request: http.Request) -> http.Response:
        if host == "analytics.tiktok.com":
            return self.tiktok(path, request)
        if not host.endswith(f"-{self.shop.name}.example"):
            return http.Response.make(404, b"", {"Content-Type": "text/plain"})
        if path in TITLES:
            return self.make(self.page(path), "text/html; charset=utf-8")
        if path.startswith("/vendor/"):
            return self.file(self.modules, path.removeprefix("/vendor/"))
        if path.endswith(".mjs"):
            return self.make(self.bundle(path[1:]), "text/javascript")
        return self.file(WEB, path[1:])

    def page(self, path: str) -> str:
        page = (
            (WEB / "shop.html").read_text(encoding="utf-8").replace("%PIXEL%", PIXEL).replace("%TITLE%", TITLES[path])
        )
        page = page.replace("%SETTINGS%", json.dumps(self.shop.settings))
        head = "".join(f'<link rel="stylesheet" href="/vendor/{name}">' for name in self.shop.styles)
        scripts = [f"/vendor/{name}" for name in self.shop.packages]
        own = f"/{self.shop.script}"
        order = [own, *scripts] if self.shop.settings_first else [*scripts, own]
        tags = "".join(f'<script src="{source}"></script>' for source in order)
        return page.replace("%HEAD%", head + ("" if self.shop.in_body else tags)).replace(
            "%BODY%", tags if self.shop.in_body else ""
        )

    def file(self, folder: Path, name: str) -> http.Response:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            return http.Response.make(404, b"", {"Content-Type": "text/plain"})
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return self.make(path.read_text(encoding="utf-8"), kind)
