"""The option `pixelwitness_properties`: what the auditor says of a site is on a live record as it is on a replay."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner
from mitmproxy import exceptions, http
from mitmproxy.test import taddons, tflow, tutils

from pixelwitness.cli import cli
from pixelwitness.proxy.addon import PixelWitness
from support import body, onetrust

SAID = """
as_of: 2026-11-01
properties:
  shop.example:
    contexts: [{context: health}]
    transfer: {sccs: false, assessment: true}
"""


def flow(host: str, path: str, method: str, at: float, content: bytes = b"", **headers: str) -> http.HTTPFlow:
    fields = tuple((k.replace("_", "-").encode(), v.encode()) for k, v in {"host": host, **headers}.items())
    request = tutils.treq(host=host, authority=b"", path=path.encode(), method=method.encode(), content=content,
                          headers=fields, scheme=b"https", port=443, timestamp_start=at, timestamp_end=at)  # fmt: skip
    made = tflow.tflow(req=request)
    made.client_conn.peername = ("192.0.2.7", 4711)
    return made


def visit() -> list[http.HTTPFlow]:
    at = 1_795_000_000.0
    page = flow("www.shop.example", "/", "GET", at, Sec_Fetch_Dest="document", Cookie=onetrust(False, at=-5000))
    sent = flow("analytics.tiktok.com", "/api/v2/pixel", "POST", at + 1, json.dumps(body()).encode(),
                Referer="https://www.shop.example/")  # fmt: skip
    return [page, sent]


def record(db: Path, properties: Path | None) -> None:
    async def go() -> None:
        addon = PixelWitness()
        with taddons.context(addon) as context:
            given = {"pixelwitness_properties": str(properties)} if properties else {}
            context.configure(addon, pixelwitness_db=str(db), **given)
            addon.running()
            for one in visit():
                addon.request(one)
                at = one.request.timestamp_start
                one.response = tutils.tresp(headers=((b"content-type", b"text/html"),), timestamp_end=at)
                addon.response(one)
            addon.done()

    asyncio.run(go())


def broken(db: Path) -> set[str]:
    with sqlite3.connect(db) as opened:
        return {r[0] for r in opened.execute("select rule from violations where regime = 'eu'")}


def test_without_a_file_only_the_traffic_speaks(tmp_path: Path) -> None:
    record(tmp_path / "a.db", None)
    assert broken(tmp_path / "a.db") == {"fired-after-denial"}


def test_a_live_run_judges_by_the_property_file_and_so_does_rejudging_it(tmp_path: Path) -> None:
    said = tmp_path / "properties.yaml"
    said.write_text(SAID, "utf-8")
    record(tmp_path / "a.db", said)
    wanted = {"fired-after-denial", "sensitive-context", "transfer-without-safeguard"}
    assert broken(tmp_path / "a.db") == wanted
    done = CliRunner().invoke(cli, ["rejudge", str(tmp_path / "a.db")])
    assert "nothing changed" in done.output
    assert broken(tmp_path / "a.db") == wanted
    assert CliRunner().invoke(cli, ["verify", str(tmp_path / "a.db")]).exit_code == 0


def test_a_file_that_cannot_be_used_stops_before_anything_is_recorded(tmp_path: Path) -> None:
    said = tmp_path / "properties.yaml"
    said.write_text(SAID.replace("health", "astrology"), "utf-8")
    with pytest.raises(exceptions.OptionsError, match="pixelwitness_properties: .*astrology"):
        record(tmp_path / "a.db", said)
