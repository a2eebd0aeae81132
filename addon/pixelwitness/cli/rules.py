"""`pixelwitness rules`: what rules there are, what one says, and whether a folder of them holds."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pixelwitness.cli.common import UsableError, rules_option
from pixelwitness.report.harmless import printable


@click.group()
def rules() -> None:
    """List the rules, show one, or check a folder of your own."""


def _files(extra: tuple[Path, ...]) -> dict[str, Path]:
    from pixelwitness.rulebook.load import RuleError, default_rules_dir, rule_files

    found: dict[str, Path] = {}
    try:
        for folder in (default_rules_dir(), *extra):
            found.update(rule_files(folder))
    except RuleError as error:
        raise UsableError(str(error)) from error
    return found


@rules.command("list")
@rules_option
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_rules(rules: tuple[Path, ...], as_json: bool) -> None:
    """Every rule file: its id, its name, how many examples it carries."""
    import json

    from pixelwitness.report.harmless import safe
    from pixelwitness.rulebook.load import RuleError, read_yaml

    rows: list[dict[str, str]] = []
    for relative, path in sorted(_files(rules).items()):
        try:
            data = read_yaml(path)
        except RuleError as error:
            raise UsableError(str(error)) from error
        data = data if isinstance(data, dict) else {}
        title = data.get("name") or data.get("title") or data.get("category") or ""
        count = len(data.get("examples") or ()) + sum(len(e.get("examples") or ()) for e in data.get("endpoints") or ())
        kind = relative.rpartition("/")[0] or "general"
        rows.append(
            {"id": _id_of(relative, data), "kind": kind, "name": str(title), "examples": str(count), "file": relative}
        )
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    width = max(len(r["id"]) for r in rows)
    for kind in dict.fromkeys(r["kind"] for r in rows):
        click.echo(f"{kind}:")
        for row in (r for r in rows if r["kind"] == kind):
            click.echo(f"  {safe(row['id']):{width}}  {safe(row['name'])} ({row['examples']} examples)")


def _id_of(relative: str, data: dict[str, object]) -> str:
    own = data.get("id")
    return own if isinstance(own, str) else relative.removesuffix(".yaml")


@rules.command()
@click.argument("name", metavar="ID")
@rules_option
def show(name: str, rules: tuple[Path, ...]) -> None:
    """One rule file as it is: by its id, or by its path below rules/ where two share an id."""
    from pixelwitness.report.harmless import safe
    from pixelwitness.rulebook.load import RuleError, read_yaml

    files = _files(rules)
    # A path says which file it is; only for an id every file has to be read.
    matches = [(name, files[name])] if name in files else []
    for relative, path in () if matches else sorted(files.items()):
        try:
            data = read_yaml(path)
        except RuleError as error:
            raise UsableError(str(error)) from error
        own = _id_of(relative, data if isinstance(data, dict) else {})
        if name in (own, relative, relative.removesuffix(".yaml")):
            matches.append((relative, path))
    if not matches:
        raise UsableError(f"no rule {name!r}. `pixelwitness rules list` shows them all")
    if len(matches) > 1:
        paths = ", ".join(relative for relative, _ in matches)
        raise UsableError(f"several rules have the id {name!r}: say which, by path: {paths}")
    relative, path = matches[0]
    click.echo(f"# rules/{relative}")
    for line in path.read_text("utf-8").splitlines():
        click.echo(safe(line, 10_000))


@rules.command()
@click.argument("folder", type=click.Path(path_type=Path))
def check(folder: Path) -> None:
    """Validate a folder of rules (or one file in it) and run its examples. Exit code 1: something does not hold."""
    from pixelwitness.examples import check_folder
    from pixelwitness.rulebook import RuleError

    try:
        done = check_folder(folder)
    except RuleError as error:
        raise UsableError(str(error)) from error
    for problem in done.problems:
        click.echo(printable(problem))
    files = "1 file" if done.files == 1 else f"{done.files} files"
    if done.problems:
        click.echo(f"{files}, {len(done.problems)} problems", err=True)
        sys.exit(1)
    click.echo(f"{files}, {done.examples} examples: all hold")
