"""Reads rule files: YAML to plain data to validated models, with file and line in every error."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from pixelwitness.rulebook.regex import OURS

MAX_FILE_BYTES = 300_000
MAX_VALUES = 20_000
"""Of one file: YAML is slow to read, some seconds for so many."""
MAX_FILES = 1_000
MAX_FOLDER_BYTES = 4_000_000
MAX_DEPTH = 24


class RuleError(Exception):
    """A rule file that cannot be used: says which file, which line, and what is wrong."""


def _compiles(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from error
    return text


type Pattern = Annotated[str, AfterValidator(_compiles)]
"""A regular expression, as text."""


class Rule(BaseModel):
    """What every rule is: frozen, and strict about names, so that a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SourcedRule(Rule):
    """The content of one rule file: it says where its facts come from."""

    source: tuple[str, ...]


def default_rules_dir() -> Path:
    """The rules that belong to this program: inside the installed package, or `rules/` of the checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "rules"
    return installed if installed.is_dir() else package.parents[1] / "rules"


def rule_files(directory: Path) -> Iterator[tuple[str, Path]]:
    """Every YAML file below a directory as (relative path, path), sorted.

    Raises RuleError if there is none, if they are too many or too large, and for a link that leads out of it.
    """
    if not directory.is_dir():
        raise RuleError(f"{directory}: no such folder of rules")
    files = sorted(p for p in directory.rglob("*.yaml") if p.is_file())
    if not files:
        raise RuleError(f"{directory}: holds no .yaml file")
    if len(files) > MAX_FILES:
        raise RuleError(f"{directory}: {len(files)} files; a folder of rules may hold {MAX_FILES}")
    inside, size = directory.resolve(), 0
    for path in files:
        if not path.resolve().is_relative_to(inside):
            raise RuleError(f"{path}: leads out of the folder of rules. Copy the file to where the link is")
        size += (own := path.stat().st_size)
        if own > MAX_FILE_BYTES:
            raise RuleError(f"{path}: larger than {MAX_FILE_BYTES} bytes. Split it into several files")
        if size > MAX_FOLDER_BYTES:
            raise RuleError(f"{directory}: more than {MAX_FOLDER_BYTES} bytes of rules. Leave out what is not needed")
    for path in files:
        yield path.relative_to(directory).as_posix(), path


def read_yaml(path: Path) -> Any:
    """One YAML document as plain data. Aliases, tags, half characters, excessive depth and size are refused."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(f"{path}: cannot be read: {error}") from error
    if len(data) > MAX_FILE_BYTES:
        raise RuleError(f"{path}: larger than {MAX_FILE_BYTES} bytes. Split it into several files")
    try:
        _refuse_tricks(text, path)
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else "?"
        raise RuleError(f"{path}:{line}: {error.problem or error}") from error
    except (YAMLError, ValueError) as error:
        raise RuleError(f"{path}: {error}") from error


def _refuse_tricks(text: str, path: Path) -> None:
    """What makes little text much data, or data something else than text, numbers, lists and mappings."""
    depth = 0
    for count, event in enumerate(YAML(typ="safe", pure=True).parse(text)):
        where = f"{path}:{event.start_mark.line + 1}"
        if count > MAX_VALUES:
            raise RuleError(f"{where}: more than {MAX_VALUES} values. Split it into several files")
        if isinstance(event, AliasEvent):
            raise RuleError(f"{where}: aliases (*{event.anchor}) are not allowed. Write the value out")
        if getattr(event, "tag", None) is not None:
            raise RuleError(f"{where}: tags ({event.tag}) are not allowed. Take it out")
        if isinstance(event, ScalarEvent) and not _is_whole(event.value):
            raise RuleError(f"{where}: half a character (a lone surrogate), which cannot be written out")
        if isinstance(event, CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise RuleError(f"{where}: nested deeper than {MAX_DEPTH}")
        elif isinstance(event, CollectionEndEvent):
            depth -= 1


def _is_whole(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def read_rule[R: BaseModel](path: Path, model: type[R]) -> R:
    """One rule file as its model. Raises RuleError with the line of the first offending place."""
    return as_rule(path, read_yaml(path), model)


def as_rule[R: BaseModel](path: Path, data: Any, model: type[R]) -> R:
    """The plain data of a rule file as its model. Raises RuleError with the line of the first offending place."""
    try:
        return model.model_validate(data, context={OURS: path.is_relative_to(default_rules_dir())})
    except ValidationError as error:
        problems = error.errors(include_url=False)
        lines = [f"{path}:{line_of(path, p['loc'])}: {_where(p['loc'])}{words_of(p)}" for p in problems[:5]]
        more = [f"and {len(problems) - 5} more"] if len(problems) > 5 else []
        raise RuleError("\n".join(lines + more)) from error


def words_of(problem: Mapping[str, Any]) -> str:
    """What one problem of a ValidationError is, without what pydantic puts before the words of a check of ours."""
    return str(problem["msg"]).removeprefix("Value error, ")


def _where(location: tuple[int | str, ...]) -> str:
    return ".".join(str(step) for step in location) + ": " if location else ""


def line_of(path: Path, location: tuple[int | str, ...]) -> int:
    """The line of the deepest node that the location reaches (union tags in it are passed over)."""
    node: Node | None = YAML(typ="safe", pure=True).compose(path)
    line = 1
    for step in location:
        child: Node | None = None
        if isinstance(node, MappingNode):
            for key, value in node.value:
                if key.value == step:
                    line, child = key.start_mark.line + 1, value
        elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
            child = node.value[step]
            line = child.start_mark.line + 1 if child is not None else line
        node = child if child is not None else node
    return line
