"""Captures read on a Dask cluster: the same ledger, also where workers are killed in the middle."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

os.environ.setdefault("DASK_DISTRIBUTED__WORKER__MULTIPROCESSING_METHOD", "forkserver")

from distributed import LocalCluster
from many_captures import BOOK, DEMO, OPTIONS, fill, tables_of

from pixelwitness import cluster as clusters
from pixelwitness.capture import Capture, Intake
from pixelwitness.cli import cli
from pixelwitness.cluster import Cluster, connected
from pixelwitness.ledger.store import open_ledger, read_ledger
from pixelwitness.ledger.verify import verify
from pixelwitness.replay import Outcome, replay
from pixelwitness.sources.places import Place, Url

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A cluster of two processes on this machine, copied from one that has imported everything."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(["distributed", "pixelwitness.cluster"])
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as local:
        yield local.scheduler_address


@pytest.fixture(scope="module")
def there(address: str) -> Iterator[Cluster]:
    with connected(address) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("library") / "captures")


def run(
    db: Path, captures: Sequence[Place], cluster: Cluster | None, progress: Any = lambda name, count: None
) -> tuple[Outcome, dict[str, list[str]]]:
    ledger = open_ledger(db)
    named = [(p, (p.text if isinstance(p, Url) else str(p)).rpartition("/")[2]) for p in captures]
    try:
        outcome = replay(ledger, named, OPTIONS, BOOK, progress, cluster=cluster)
        return outcome, tables_of(ledger)
    finally:
        ledger.close()


@pytest.fixture(scope="module")
def serial(library: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, dict[str, list[str]]]:
    return run(tmp_path_factory.mktemp("serial") / "a.db", sorted(library.iterdir()), None)


def test_a_cluster_writes_what_one_process_does(library: Path, tmp_path: Path, there: Cluster, serial: Any) -> None:
    one, expected = serial
    two, tables = run(tmp_path / "a.db", sorted(library.iterdir()), there)
    assert tables == expected
    assert expected["violations"]
    assert (one.run_id, one.read, one.new, one.problems) == (two.run_id, two.read, two.new, two.problems)
    assert [p.partition(":")[0] for p in two.problems] == ["cut.har", "none.har"]
    assert verify(read_ledger(tmp_path / "a.db"), BOOK).faults == []
    # The ledger's secret does not stay on the cluster.
    assert not [n for names in there.client.run(_plugins).values() for n in names if "pixelwitness" in n]


def _plugins(dask_worker: Any) -> list[str]:
    return list(dask_worker.plugins)


def test_captures_by_url_with_a_worker_killed_in_the_middle(
    library: Path, tmp_path: Path, there: Cluster, serial: Any
) -> None:  # fmt: skip
    _, expected = serial
    before = there.client.run(os.getpid)
    killed: list[int] = []

    def kill(name: str, count: int) -> None:
        if not killed:
            killed.append(next(iter(before.values())))
            os.kill(killed[0], signal.SIGKILL)

    outcome, tables = run(tmp_path / "a.db", [Url(f"file://{p}") for p in sorted(library.iterdir())], there, kill)
    assert killed
    assert tables == expected
    assert outcome.new == serial[0].new
    assert killed[0] not in there.client.run(os.getpid).values()


def test_a_large_result_whose_worker_is_killed_before_it_handed_it_over(
    tmp_path: Path, there: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    captures = [Capture(p, p.name, _digest(p)) for p in DEMO[:3]]
    expected = [list(_records(c, there)) for c in captures]
    pieces: list[str] = []
    fetch = Cluster._fetch

    def cut(self: Cluster, made: Any, file: Path) -> None:
        assert made.data is None
        pieces.append(made.where)
        if len(pieces) == 1:
            os.kill(self.client.run(os.getpid, workers=[made.where])[made.where], signal.SIGKILL)
        fetch(self, made, file)

    monkeypatch.setattr(clusters, "_read", _read_in_pieces)
    monkeypatch.setattr(Cluster, "_fetch", cut)
    assert [list(_records(c, there)) for c in captures] == expected
    assert len(pieces) > 3
    left = [n for names in there.client.run(_files).values() for n in names]
    assert left == []


def _digest(path: Path) -> str:
    from pixelwitness.sources.files import capture_digest

    return capture_digest(path)


def _records(capture: Capture, there: Cluster) -> Iterator[Any]:
    from pixelwitness.workers import written

    for _, read in there.read([capture], Intake("r"), BOOK, bytes(32)):
        assert read.problems == ()
        for batch in written(read.file):
            yield from (r for r in batch if r.kind != "traffic")


def _read_in_pieces(name: str, capture: Capture) -> Any:
    """As if everything was large."""
    clusters.INLINE, clusters.PIECE = 0, 5000
    return _whole(name, capture)


_whole = clusters._read


def _files(dask_worker: Any) -> list[str]:
    return [p.name for p in Path(dask_worker.local_directory).glob("pixelwitness-*")]


def _deadly(name: str, capture: Capture) -> Any:
    if capture.name == "bad.har":
        os.kill(os.getpid(), signal.SIGKILL)
    return _whole(name, capture)


def test_a_capture_that_kills_its_workers_is_left_out_and_named(
    there: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    there.client.run_on_scheduler(_give_up_at_once)
    monkeypatch.setattr(clusters, "_read", _deadly)
    captures = [Capture(p, n, _digest(p)) for p, n in zip(DEMO, ("a.har", "bad.har", "c.har", "d.har"), strict=False)]
    made = [(c.name, r.problems) for c, r in there.read(captures, Intake("r"), BOOK, bytes(32))]
    assert [name for name, _ in made] == ["a.har", "bad.har", "c.har", "d.har"]
    assert [bool(problems) for _, problems in made] == [False, True, False, False]
    assert "killed, or out of memory" in made[1][1][0]


def _give_up_at_once(dask_scheduler: Any) -> None:
    dask_scheduler.allowed_failures = 0


def test_the_command(address: str, library: Path, tmp_path: Path) -> None:
    db = str(tmp_path / "a.db")
    captures = [f"file://{library}/", str(DEMO[7])]
    result = CliRunner().invoke(cli, ["replay", *captures, "--db", db, "--dask", address, "--json"])
    assert result.exit_code == 2, result.output  # two of them cannot be read to their end
    assert "none.har" in result.stderr
    known = {r["name"] for row in read_ledger(Path(db)).db.query("select inputs from runs") for r in _inputs(row)}
    assert {f"file://{library}/again.har", str(DEMO[7])} <= known


def _inputs(row: dict[str, Any]) -> list[dict[str, str]]:
    import json

    return json.loads(row["inputs"])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--jobs", "2"], "one of them"),
        (["-"], "standard input"),
        ([], "--dask tcp://127.0.0.1:1: cannot be reached"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_line(
    more: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(clusters, "REACH", 1)
    command = ["replay", str(DEMO[0]), *more, "--db", str(tmp_path / "a.db"), "--dask", "tcp://127.0.0.1:1"]
    result = CliRunner().invoke(cli, command)
    assert (result.exit_code, said in result.stderr) == (2, True), result.output
    assert not (tmp_path / "a.db").exists()
