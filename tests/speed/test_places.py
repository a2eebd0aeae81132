"""Captures by URL: read like files, without a trace of credentials, and nothing is asked for that was not named."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from click.testing import CliRunner, Result
from many_captures import BOOK, DEMO, OPTIONS, tables_of

from pixelwitness.cli import cli
from pixelwitness.ledger.store import open_ledger, read_ledger
from pixelwitness.replay import Outcome, replay
from pixelwitness.sources import CaptureError
from pixelwitness.sources.places import Place, Url, captures_at, here, is_url, looked, shown

SECRET = "geheim42"
MARKS = b'- {at: "2026-11-24T10:00:00Z", text: clicked reject}\n'


@pytest.fixture
def bucket() -> Iterator[Any]:
    """Captures in memory: two, one with marks beside it, and what is no capture."""
    fs = fsspec.filesystem("memory")
    fs.pipe("/b/one.har", DEMO[0].read_bytes())
    fs.pipe("/b/deep/two.har", DEMO[1].read_bytes())
    fs.pipe("/b/one.har.marks.yaml", MARKS)
    fs.pipe("/b/readme.txt", b"nothing")
    yield fs
    fs.rm("/", recursive=True)


def run(db: Path, captures: list[tuple[Place, str]]) -> tuple[Outcome, dict[str, list[str]]]:
    ledger = open_ledger(db)
    outcome = replay(ledger, captures, OPTIONS, BOOK)
    tables = tables_of(ledger)
    ledger.close()
    return outcome, tables


def command(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["replay", *arguments])


def test_a_url_is_read_as_its_file_with_the_marks_beside_it(bucket: Any, tmp_path: Path) -> None:
    for path, name in ((DEMO[0], "one.har"), (DEMO[1], "two.har")):
        shutil.copy(path, tmp_path / name)
    (tmp_path / "one.har.marks.yaml").write_bytes(MARKS)
    files = run(tmp_path / "a.db", [(tmp_path / n, n) for n in ("one.har", "two.har")])
    urls = run(tmp_path / "b.db", [(Url("memory://b/one.har"), "one.har"), (Url("memory://b/deep/two.har"), "two.har")])
    assert urls[1] == files[1]
    assert (urls[0].run_id, urls[0].read, urls[0].new) == (files[0].run_id, files[0].read, files[0].new)
    assert [row for row in urls[1]["signals"] if "clicked reject" in row]


def test_folders_and_patterns(bucket: Any) -> None:
    def paths(url: str) -> list[str]:
        return [u.text.replace("memory:///", "memory://") for u in captures_at(url)]

    assert paths("memory://b/") == ["memory://b/deep/two.har", "memory://b/one.har"]
    assert paths("memory://b/*.har") == ["memory://b/one.har"]
    assert paths("memory://b/**/*.har") == ["memory://b/deep/two.har", "memory://b/one.har"]
    assert paths("memory://b/none.har") == ["memory://b/none.har"]  # asked for when it is read
    with pytest.raises(CaptureError, match="there is no capture"):
        captures_at("memory://elsewhere/")


def test_no_credential_gets_into_the_ledger_or_onto_the_screen(bucket: Any, tmp_path: Path) -> None:
    urls = [
        f"memory://me:{SECRET}@b/one.har",
        f"memory://b/two.har?sig={SECRET}&x=1",
        f"memory://b/two.har?sig={SECRET}2",
    ]
    for url, path in zip(urls, DEMO, strict=False):
        bucket.pipe(url.removeprefix("memory:/"), path.read_bytes())
    bucket.pipe(f"/b/cut.har?sig={SECRET}", DEMO[3].read_bytes()[:-3000])
    gone = f"memory://me:{SECRET}@b/gone.har?sig={SECRET}"
    db = tmp_path / "a.db"
    result = command(*urls, f"memory://b/cut.har?sig={SECRET}", gone, "--db", str(db), "--separate", "--json")
    assert result.exit_code == 2
    assert "memory://b/gone.har?...: cannot be read (FileNotFoundError" in result.stderr
    assert "memory://b/cut.har?..." in result.stderr
    assert SECRET not in result.output
    ledger = read_ledger(db)
    assert SECRET.encode() not in b"".join(p.read_bytes() for p in tmp_path.glob("a.db*"))
    dump = "\n".join(map(str, tables_of(ledger).values())) + "\n".join(ledger.db.conn.iterdump())
    assert SECRET not in dump
    # What differs in its query alone is a client of its own.
    clients = {r["client"] for r in ledger.db.query("select distinct client from exchanges")}
    assert len(clients) == 4


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("ftp://u:p@h/a.har", "ftp://h/a.har"),
        ("ftp://token@h/a.har", "ftp://h/a.har"),
        ("ftp://u:p/q::r@h/a.har", "ftp://h/a.har"),
        ("https://h/a.har?X-Sig=1:2::3#4", "https://h/a.har?..."),
        ("https://h/a.har#token", "https://h/a.har#..."),
        ("zip://a.har::https://u:p@h/b.zip?k=1", "zip://h/b.zip?..."),
        ("s3://bucket/@scope/a.har", "s3://bucket/@scope/a.har"),
        ("ClientError: 403 for https://u:p@h/a?k=1 .", "ClientError: 403 for https://h/a?... ."),
    ],
)
def test_how_a_url_is_shown(url: str, name: str) -> None:
    assert shown(url) == name


def test_what_is_a_url() -> None:
    assert all(map(is_url, ("s3://b/a.har", "zip://a.har::file:///b.zip", "file:///a", "simplecache::s3://b/a")))
    assert not any(map(is_url, ("a.har", "C:\\a.har", "c:/a.har", "-", "a/b://c", "://x")))


def test_what_changes_between_two_looks_is_not_read(bucket: Any, tmp_path: Path) -> None:
    url = Url("memory://b/one.har")
    found = looked(url)
    bucket.pipe("/b/one.har", DEMO[2].read_bytes())
    with pytest.raises(CaptureError, match="is not what it was"), here(url, found.digest, "one.har"):
        pass
    copy = tmp_path / "a.har"
    shutil.copy(DEMO[0], copy)
    with pytest.raises(CaptureError, match="is not what it was"), here(copy, "0" * 64, "a.har"):
        pass


def test_nothing_is_asked_for_but_the_url_and_its_marks(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    cls = type(bucket)
    for name in ("_open", "info", "ls", "exists"):
        original = getattr(cls, name)

        def spy(self: Any, path: str, *more: Any, _original: Any = original, **named: Any) -> Any:
            asked.append(path)
            return _original(self, path, *more, **named)

        monkeypatch.setattr(cls, name, spy)
    assert looked(Url("memory://b/deep/two.har")).digest
    assert "/b/deep/two.har" in asked
    assert set(asked) <= {"/b/deep/two.har", "/b/deep/two.har.marks.yaml", "/b/deep/two.marks.yaml"}
    asked.clear()
    bucket.pipe("/b/q.har?sig=1", b"x")
    assert looked(Url("memory://b/q.har?sig=1")).digest
    assert set(asked) <= {"/b/q.har?sig=1"}


def test_without_a_url_fsspec_is_not_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from click.testing import CliRunner; from pixelwitness.cli import cli;"
        f"r = CliRunner().invoke(cli, ['replay', {str(DEMO[0])!r}, '--db', {str(tmp_path / 'a.db')!r}]);"
        "print(r.exit_code, *{'fsspec', 'distributed', 'dask'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["0"]


@pytest.mark.parametrize(
    ("missing", "arguments"),
    [
        ("fsspec", ["s3://b/a.har"]),
        ("fsspec", ["s3://b/"]),
        ("distributed", [str(DEMO[0]), "--dask", "tcp://127.0.0.1:1"]),
    ],
)
def test_without_the_extra_it_says_what_to_install(
    missing: str, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, "pixelwitness.cluster", raising=False)
    result = command(*arguments, "--db", str(tmp_path / "a.db"))
    assert result.exit_code == 2
    assert "pip install 'pixelwitness[dask]'" in result.stderr
