"""Replay, verify and report work where no connection can be made."""

from __future__ import annotations

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
        asked.append(arguments[1:])
        raise OSError("this program has no business on the network")

    for name in ("connect", "connect_ex", "sendto", "bind"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    db = str(tmp_path / "a.db")
    capture = str(ROOT / "captures" / "onetrust-reject.har")
    for command in (
        ["replay", capture, "--db", db],
        ["verify", db],
        ["report", db, "--html", str(tmp_path / "r.html")],
    ):
        result = CliRunner().invoke(cli, command)
        assert result.exit_code == 0, result.output
    assert asked == []
