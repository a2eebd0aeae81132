"""docs/adding-a-cmp.md, followed to the letter: what it says comes out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from pixelwitness.cli import cli
from pixelwitness.consent.decoders import DECODERS
from support import ROOT

DOC = (ROOT / "docs" / "adding-a-cmp.md").read_text("utf-8")
(YAML,) = re.findall(r"```yaml\n(.*?)```", DOC, re.S)
COMMANDS = [line[2:] for line in re.findall(r"^\$ pixelwitness .*$", DOC, re.M)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my-rules" / "consent").mkdir(parents=True)
    (tmp_path / "my-rules" / "consent" / "acme.yaml").write_text(YAML, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_rule_of_the_page_holds(folder: Path) -> None:
    done = CliRunner().invoke(cli, ["rules", "check", "my-rules"])
    assert done.exit_code == 0, done.output
    assert done.output in DOC, "the page shows what the command prints"


def test_the_error_of_the_page_comes_as_it_shows(folder: Path) -> None:
    file = folder / "my-rules" / "consent" / "acme.yaml"
    file.write_text(YAML.replace("state: unanswered, effective_default: granted", "state: granted"), "utf-8")
    done = CliRunner().invoke(cli, ["rules", "check", "my-rules"])
    assert done.exit_code == 1
    assert done.output.splitlines()[0] in DOC


def test_the_value_of_the_page_is_unknown_before_and_read_after(folder: Path) -> None:
    value = re.search(r"consent '(acme_consent=%7B[^']*)'", DOC)
    assert value is not None
    before = CliRunner().invoke(cli, ["consent", value[1]])
    assert "no rule reads" in before.output
    after = CliRunner().invoke(cli, ["consent", value[1], "--rules", "my-rules"])
    assert "Acme Consent" in after.output
    assert "Advertising: refused" in after.output


def test_every_decoder_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`.*?) \|", DOC, re.M))))
    assert named <= set(DECODERS)
    assert {"json", "pairs", "flag", "services", "opaque"} <= named
