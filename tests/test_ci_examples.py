"""The examples do what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from ruamel.yaml import YAML

from support import ROOT

DEMO = ROOT / "captures" / "demo"


@pytest.mark.parametrize(
    ("capture", "failed", "passed"), [("onetrust-bad-before.har", 1, 1), ("onetrust-good-before.har", 0, 2)]
)
def test_the_pytest_example_fails_a_build_that_should_fail(capture: str, failed: int, passed: int) -> None:
    env = {**os.environ, "PIXEL_HAR": str(DEMO / capture)}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-v",
        "-o",
        "addopts=",
        "-p",
        "no:cacheprovider",
        "examples/test_pixel_consent.py",
    ]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == (1 if failed else 0), done.stdout
    waits = "examples/test_pixel_consent.py::test_the_pixel_waits_for_consent"
    assert (f"FAILED {waits}" in done.stdout) == bool(failed)
    assert re.search(rf"\b{passed} passed\b", done.stdout)


def test_the_action_uses_commands_that_exist() -> None:
    import click

    from pixelwitness.cli import cli

    steps = YAML(typ="safe").load((ROOT / "examples" / "github-action.yml").read_text())["jobs"]["audit"]["steps"]
    commands = [s["run"].split() for s in steps if s.get("run", "").startswith("pixelwitness ")]
    assert [c[1] for c in commands] == ["replay", "report", "report"]
    for _, name, *arguments in commands:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        command.make_context(name, list(arguments))
