"""Every rule file's own examples."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from pixelwitness.cli import cli
from pixelwitness.consent.read import read_cookies
from pixelwitness.examples import check_folder, wrong_in
from pixelwitness.rulebook import RuleError, load_rulebook, model_for
from pixelwitness.rulebook.load import read_rule, rule_files
from support import BOOK, ROOT

FILES = dict(rule_files(ROOT / "rules"))


@pytest.mark.parametrize("name", FILES)
def test_the_examples_of_a_file(name: str) -> None:
    rule = read_rule(FILES[name], model_for(name))
    wrong = [f"{place}: {what}" for place, what in wrong_in(rule, BOOK)]
    assert wrong == []


def test_our_own_folder_holds() -> None:
    result = CliRunner().invoke(cli, ["rules", "check", str(ROOT / "rules")])
    assert (result.exit_code, "all hold" in result.output) == (0, True), result.output


@pytest.mark.parametrize(
    ("name", "was", "becomes", "what"),
    [
        ("loader", "partner: Shopify", "partner: Wix", "partner"),
        ("loader", 'automatic_matching: ""', "automatic_matching: auto_email", "automatic_matching"),
        ("events", 'Q7A0", repeats: ""', 'Q7A0", repeats: other', "repeats"),
        ("fields", "means: product or product group", "means: price", "means"),
    ],
)
def test_a_wrong_example_of_a_pixel_rule_is_found(tmp_path, name: str, was: str, becomes: str, what: str) -> None:
    folder = tmp_path / "pixels" / "tiktok"
    folder.mkdir(parents=True)
    text = FILES[f"pixels/tiktok/{name}.yaml"].read_text("utf-8")
    assert was in text
    (folder / f"{name}.yaml").write_text(text.replace(was, becomes), "utf-8")
    assert any(f"example: {what} is" in p for p in check_folder(tmp_path).problems)


def test_the_kinds_of_blind_spot_that_judging_names_exist() -> None:
    assert {"cookies_not_captured", "opaque_store", "blocked_send"} <= set(BOOK.blind_spots)


def test_every_file_has_sources_and_examples() -> None:
    for path in (ROOT / "rules").rglob("*.yaml"):
        text = path.read_text()
        assert "source:" in text, path
        assert "examples:" in text, path


@pytest.mark.parametrize(
    ("name", "text", "expect"),
    [
        ("consent/x.yaml", "id: x\nnme: y\n", "x.yaml:2: nme"),
        ("consent/x.yaml", "id: [\n", "x.yaml:2"),
        ("consent/x.yaml", "a: &a [1]\nb: *a\n", "aliases"),
        ("consent/x.yaml", "a: !!python/object:os.system x\n", "x.yaml"),
        ("nowhere/x.yaml", "id: x\n", "no rules belong here"),
        ("consent/x.yaml", "id: " + "[" * 60 + "\n", "nested deeper"),
    ],
)
def test_a_bad_rule_names_its_file_and_line(tmp_path, name, text, expect) -> None:
    path = tmp_path / name
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(RuleError, match=re.escape(expect)):
        load_rulebook((tmp_path,))


def test_a_folder_of_rules_replaces_and_adds(tmp_path) -> None:
    folder = tmp_path / "consent"
    folder.mkdir()
    (folder / "mine.yaml").write_text(
        "id: mine\nname: Mine\nstore: cookie\nsource: [me]\n"
        "cookies:\n  - {name: mine, decoder: flag, params: {values: {y: granted}}}\n"
        "examples:\n  - {cookie: mine, value: y, state: granted}\n"
    )
    book = load_rulebook((tmp_path,))
    assert [r.state for _, _, r in read_cookies("mine=y", book)] == ["granted"]
    assert not read_cookies("mine=y", BOOK)
    assert book.digest != BOOK.digest


@pytest.mark.parametrize("finding", BOOK.findings.values(), ids=lambda f: f.id)
def test_a_finding_says_who_must_act(finding) -> None:
    assert finding.act
    assert all(task.endswith(".") for task in finding.act.values())


MINE = """id: mine
name: Mine
store: cookie
source: [me]
cookies:
  - {name: mine_consent, decoder: DECODER, params: PARAMS}
calls:
  - {host: mine.example, path: /choice, answers: [{query: {ads: "1"}, state: granted}]}
examples:
  - {cookie: mine_consent, value: y, state: granted}
  - EXAMPLE
"""
GOOD = {
    "DECODER": "flag",
    "PARAMS": "{values: {y: granted}}",
    "EXAMPLE": "{cookie: mine_consent, value: n, ignored: true}",
}


def folder_with(tmp_path, **changes: str):
    text = MINE
    for word, value in {**GOOD, **changes}.items():
        text = text.replace(word, value)
    (tmp_path / "consent").mkdir(exist_ok=True)
    (tmp_path / "consent" / "mine.yaml").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "expect"),
    [
        ({}, None),
        ({"EXAMPLE": "{cookie: mine_consent, value: y, state: denied}"}, "mine.yaml:11: example: state is granted, and the file says denied"),
        ({"EXAMPLE": "{cookie: mine_consent, value: y, ignored: true}"}, "mine.yaml:11: example: ignored: it was read"),
        ({"EXAMPLE": "{cookie: mine_consent, value: z, state: granted}"}, "mine.yaml:11: example: the value was not read"),
        ({"EXAMPLE": "{cookie: mine_consent, value: y, opt_out: true}"}, "mine.yaml:11: example: state is granted"),
        ({"EXAMPLE": "{url: 'https://mine.example/choice?ads=1', state: denied}"}, "mine.yaml:11: example: state is granted"),
        ({"EXAMPLE": "{url: 'https://mine.example/elsewhere', state: granted}"}, "mine.yaml:11: example: nothing was read"),
        ({"DECODER": "flagg"}, "mine.yaml:6: cookies.0: there is no decoder 'flagg'"),
        ({"PARAMS": "{}"}, "mine.yaml:6: cookies.0: params.values: Field required. The parameters of flag are: values"),
        ({"EXAMPLE": "{cookie: mine_consent, valu: y}"}, "mine.yaml:11: examples.1.valu: Extra inputs"),
    ],
)  # fmt: skip
def test_rules_check(tmp_path, changes: dict[str, str], expect: str | None) -> None:
    done = check_folder(folder_with(tmp_path, **changes))
    if expect is None:
        assert (done.problems, done.files, done.examples) == ((), 1, 2)
        return
    assert any(expect in problem for problem in done.problems), done.problems


def test_rules_check_on_the_command_line(tmp_path) -> None:
    good = CliRunner().invoke(cli, ["rules", "check", str(folder_with(tmp_path))])
    assert (good.exit_code, good.output) == (0, "1 file, 2 examples: all hold\n")
    one = CliRunner().invoke(cli, ["rules", "check", str(tmp_path / "consent" / "mine.yaml")])
    assert one.exit_code == 0
    bad = CliRunner().invoke(cli, ["rules", "check", str(folder_with(tmp_path, DECODER="nope"))])
    assert bad.exit_code == 1
    assert "consent/mine.yaml:6: cookies.0: there is no decoder" in bad.output
    assert CliRunner().invoke(cli, ["rules", "check", str(tmp_path / "nowhere")]).exit_code == 2


def test_rules_list_and_show() -> None:
    listed = CliRunner().invoke(cli, ["rules", "list", "--json"])
    rows = json.loads(listed.output)
    assert {r["file"] for r in rows} == set(FILES)
    for row in rows:
        shown = CliRunner().invoke(cli, ["rules", "show", row["file"]])
        assert shown.output.splitlines()[1:] == FILES[row["file"]].read_text().splitlines()
    assert "id: usp" in CliRunner().invoke(cli, ["rules", "show", "usp"]).output
    assert CliRunner().invoke(cli, ["rules", "show", "nothing-of-that-name"]).exit_code == 2
