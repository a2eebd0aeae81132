"""Rules kept between runs: the same as read afresh, whatever became of what was kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixelwitness.rulebook import _load, parsed
from pixelwitness.rulebook.load import RuleError, default_rules_dir, rule_files
from pixelwitness.rulebook.parsed import parsed_rules

FILES = dict(rule_files(default_rules_dir()))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(parsed.OFF, raising=False)
    monkeypatch.setattr(parsed, "cache_dir", lambda: tmp_path / "cache")
    return tmp_path / "cache" / "rules.json"


def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    seen: list[Path] = []
    real = parsed.read_yaml
    monkeypatch.setattr(parsed, "read_yaml", lambda path: [seen.append(path), real(path)][1])
    return seen


def test_kept_rules_are_the_rules(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    seen = reads(monkeypatch)
    fresh = _load.__wrapped__((default_rules_dir(),))
    assert len(seen) == len(FILES)
    kept = _load.__wrapped__((default_rules_dir(),))
    assert len(seen) == len(FILES)
    assert vars(kept) == vars(fresh)


def test_a_changed_file_alone_is_read_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    parsed_rules(FILES)
    seen = reads(monkeypatch)
    changed = tmp_path / "eu.yaml"
    changed.write_text(FILES["regimes/eu.yaml"].read_text() + "\n# changed\n")
    assert parsed_rules({**FILES, "regimes/eu.yaml": changed}) == parsed_rules(FILES)
    assert seen == [changed]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 0, "parsed": {}}', '{"format": 1, "parsed": 3}', "[" * 100_000]
)
def test_a_damaged_cache_is_as_good_as_none(text: str, cache: Path) -> None:
    fresh = parsed_rules(FILES)
    cache.write_text(text)
    assert parsed_rules(FILES) == fresh


def test_keys_that_json_would_change_are_not_kept(tmp_path: Path, cache: Path) -> None:
    odd = tmp_path / "odd.yaml"
    odd.write_text("a: {1: x}\n")
    assert parsed_rules({"odd": odd}) == parsed_rules({"odd": odd}) == {"odd": {"a": {1: "x"}}}
    assert not cache.exists()


def test_a_bad_file_is_an_error_with_its_line_each_time(tmp_path: Path) -> None:
    (tmp_path / "regimes").mkdir()
    (tmp_path / "regimes" / "eu.yaml").write_text("id: eu\nmodel: sometimes\n")
    for _ in range(2):
        with pytest.raises(RuleError, match=r"eu\.yaml:2"):
            _load.__wrapped__((default_rules_dir(), tmp_path))
