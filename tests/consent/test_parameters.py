"""Decoders and their parameters: a mistake in a rule shows when rules load, with file, field and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pixelwitness.cli import cli
from pixelwitness.consent.decoders import DECODERS
from pixelwitness.consent.reports import REPORTED
from pixelwitness.rulebook import RuleError, load_rulebook
from pixelwitness.rulebook.decoders import PARAMETERS, PROBED

COOKIE = "id: mine\nname: Mine\nstore: cookie\nsource: [me]\nexamples: []\ncookies:\n  - {name: mine, %s}\n"


def folder(tmp_path: Path, text: str, name: str = "consent/mine.yaml") -> Path:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text)
    return tmp_path


def test_every_decoder_declares_its_parameters() -> None:
    assert DECODERS.keys() == PARAMETERS.keys()
    assert REPORTED.keys() == PROBED.keys()


@pytest.mark.parametrize(
    ("cookie", "expect"),
    [
        ("decoder: flagg", ["there is no decoder 'flagg'", "flag,"]),
        ("decoder: flag", ["params.values: Field required", "parameters of flag are: values, kind"]),
        ("decoder: flag, params: {values: {y: grant}}", ["params.values.y", "granted"]),
        ("decoder: flag, params: {values: {y: opt_out}}", ["an opt-out needs its `kind`"]),
        ("decoder: json", ["params.key: Field required"]),
        ("decoder: json, params: {key: ads, base64: true}", ["params.base64: Extra inputs"]),
        ("decoder: json, params: {key: ads, chosen_key: a}", ["`chosen_key` and `chosen` go together"]),
        ("decoder: json, params: {key: ads, absent: nothing}", ["no kind of blind spot 'nothing'", "category_guessed"]),
        ("decoder: opaque, params: {reason: becoz}", ["cookies.0.params.reason", "no kind of blind spot 'becoz'"]),
        ("decoder: pairs, params: {key: a, separator: '('}", ["params.separator", "no regular expression"]),
        ("decoder: json, params: {key: a, chosen_beside: {'(': ['1']}}", ["no regular expression"]),
        ("decoder: didomi", ["params.advertising: Field required"]),
        ("decoder: trustarc, params: {form: permit}", ["`form: permit` needs `choice`"]),
        ("decoder: trustarc, params: {form: quux}", ["params.form"]),
        ("decoder: tc, params: {strict: true}", ["params.strict: Extra inputs", "parameters of tc are: none"]),
        ("decoder: opaque, shape: '['", ["cookies.0.shape", "no regular expression"]),
        ("decoder: opaque, yields_to: ['*']", ["cookies.0.yields_to.0", "no regular expression"]),
    ],
)
def test_a_mistake_in_a_rule_is_told_when_rules_load(tmp_path: Path, cookie: str, expect: list[str]) -> None:
    made = folder(tmp_path, COOKIE % cookie)
    with pytest.raises(RuleError) as error:
        load_rulebook((made,))
    for part in ["mine.yaml:7: ", *expect]:
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "expect"),
    [
        ("consent/mine.yaml", "id: m\nname: M\nstore: cookie\nsource: [me]\nexamples: []\nconfigs:\n  - {host: a.example, path: '(', reader: onetrust}\n", "mine.yaml:7: configs.0.path"),
        ("consent/mine.yaml", "id: m\nname: M\nstore: cookie\nsource: [me]\nexamples: []\nheaders:\n  - {name: x, pattern: a, decoder: tc}\n", "needs a group"),
        ("consent/services.yaml", "id: services\nname: S\nstore: signal\nsource: [me]\nexamples: []\nphrases: {tiktok: [tiktok]}\n", "lists of names are missing"),
        ("consent/marks.yaml", "id: mrks\nname: S\nstore: signal\nsource: [me]\nexamples: []\n", "no rule has the id marks"),
        ("probe/mine.yaml", "cmp: m\nsource: [me]\nexamples: []\napis:\n  - {api: tcf, decoder: nope}\n", "mine.yaml:5: apis.0: there is no decoder 'nope'"),
        ("probe/mine.yaml", "cmp: m\nsource: [me]\nexamples: []\nstorage:\n  - {name: x, decoder: services_api}\n", "params.services: Field required"),
    ],
)  # fmt: skip
def test_so_is_one_in_another_part(tmp_path: Path, name: str, text: str, expect: str) -> None:
    with pytest.raises(RuleError) as error:
        load_rulebook((folder(tmp_path, text, name),))
    assert expect in str(error.value)


@pytest.mark.parametrize(
    "command", [["rules", "check"], ["consent", "mine=y", "--rules"], ["replay", "captures/gpc-on.har", "--rules"]]
)
def test_every_command_says_so_and_ends(tmp_path: Path, command: list[str]) -> None:
    made = folder(tmp_path, COOKIE % "decoder: flag, params: {valus: {y: granted}}")
    done = CliRunner().invoke(cli, [*command, str(made)])
    assert done.exit_code in (1, 2)
    assert "mine.yaml:7: cookies.0: params.values: Field required" in done.output
    assert "Traceback" not in done.output
    assert isinstance(done.exception, SystemExit)
