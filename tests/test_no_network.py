"""Every command but `timestamp` works where no connection can be made."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pixelwitness.cli import cli
from support import ROOT


def test_nothing_connects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def refuse(*arguments: Any, **named: Any) -> Any:
        asked.append(arguments)
        raise OSError("this program has no business on the network")

    for name in ("connect", "connect_ex", "sendto", "bind"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    db = str(tmp_path / "a.db")
    capture = str(ROOT / "captures" / "onetrust-reject.har")
    made = CliRunner().invoke(cli, ["replay", capture, "--db", db, "--json"])
    violations = [v["id"] for p in json.loads(made.stdout)["properties"] for g in p["groups"] for v in g["violations"]]
    for command in (
        ["replay", capture, "--db", str(tmp_path / "b.db"), "--regime", "auto"],
        ["verify", db],
        *(["report", db, "--format", form] for form in ("terminal", "json", "csv", "sarif", "junit", "markdown")),
        ["report", db, "--html", str(tmp_path / "r.html")],
        ["explain", violations[0], "--db", db],
        ["export-evidence", violations[0], "--db", db, "--out", str(tmp_path / "e.zip")],
        ["timeline", db, "--property", "shop.example"],
        ["redact", db, str(tmp_path / "shared.db")],
        ["verify", str(tmp_path / "shared.db")],
        ["compare", db, db],
        ["rejudge", db, "--regime", "us-ca"],
        ["mark", "clicked reject", "--db", db],
        ["decode", capture],
        ["consent", "OptanonConsent=groups=C0004%3A0"],
        ["rules", "list"],
    ):
        result = CliRunner().invoke(cli, command)
        assert result.exit_code == 0, (command, result.output)
    assert asked == []
    # The one command that connects does so where it is told to, and says that it could not.
    result = CliRunner().invoke(cli, ["timestamp", db, "--tsa", "http://tsa.example/"])
    assert result.exit_code == 2
    assert "http://tsa.example/: cannot be reached" in result.output
    assert {name for name, *_ in asked} == {"tsa.example"}
