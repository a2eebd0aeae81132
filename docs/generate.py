"""Writes what of the documentation follows from the code: `docs/reference.md` and `docs/schema/`.

Run `uv run python docs/generate.py` after a change of a command, an option or the summary; a test compares.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

DOCS = Path(__file__).resolve().parent
HEAD = """# Reference

Every command and option, written by `uv run python docs/generate.py`. How to use them: [tutorial](tutorial.md) and
[how-to](how-to.md).

Exit codes: 0; 1 when a check failed (`--fail-on` was met, `verify` found a fault); 2 for input or options that cannot
be used; 3 for a fault of the program (`pixelwitness --debug COMMAND ...` shows where).
"""
OPTIONS = """

## Options of the mitmproxy add-on

Set with `--set NAME=VALUE`, in mitmproxy's `config.yaml`, or in mitmweb's options.

| option | type | default | meaning |
|---|---|---|---|
"""


def reference() -> str:
    """The text of `docs/reference.md`."""
    from pixelwitness.cli import COMMANDS, cli

    parts = [HEAD]
    context = click.Context(cli, info_name="pixelwitness")
    for name in sorted(COMMANDS):
        command = cli.get_command(context, name)
        if command is not None:
            parts += _command(command, click.Context(command, info_name=name, parent=context))
    return "\n".join(parts) + OPTIONS + "\n".join(_addon_options()) + "\n"


def _command(command: click.Command, context: click.Context) -> list[str]:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts = [f"\n## `{context.command_path}`\n", f"```\n{usage}\n```\n", (command.help or "").strip()]
    options = [p for p in command.params if isinstance(p, click.Option)]
    if options:
        parts += ["\n| option | value | default | meaning |", "|---|---|---|---|"]
        parts += [_option(o, context) for o in options]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            sub = command.get_command(context, name)
            if sub is not None:
                parts += _command(sub, click.Context(sub, info_name=name, parent=context))
    return parts


def _option(option: click.Option, context: click.Context) -> str:
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    value = "" if option.is_flag else option.make_metavar(context).strip("[]").replace("|", ", ")
    value += " (repeatable)" if option.multiple else ""
    default = option.get_default(context, call=False)
    shown = "" if default in (None, (), False) or callable(default) or "UNSET" in repr(default) else f"`{default}`"
    return f"| {names} | {value} | {shown} | {(option.help or '').replace('|', '\\|')} |"


def _addon_options() -> list[str]:
    from mitmproxy.test import taddons

    from pixelwitness.proxy.addon import PixelWitness

    with taddons.context(PixelWitness()) as context:
        every = dict(context.options.items())
    return [_row(o) for name, o in sorted(every.items()) if name.startswith("pixelwitness_")]


def _row(option: Any) -> str:
    kind = getattr(option.typespec, "__name__", str(option.typespec))
    kind = "list of strings" if "[" in str(option.typespec) or kind == "Sequence" else kind
    default = option.default if isinstance(option.default, str | bool | int) else list(option.default)
    help_text = " ".join(option.help.split()).replace("|", "\\|")
    return f"| `{option.name}` | {kind} | `{json.dumps(default)}` | {help_text} |"


QUERIES_HEAD = """# Ten questions in SQL

A ledger is SQLite: ask it with `sqlite3 audit.db`, or `pixelwitness explore audit.db`, which opens Datasette with these
queries saved (`pip install 'pixelwitness[explore]'`). The tables are described in [ledger.md](ledger.md). A ledger may
hold several runs: add
`where run_id = '...'` to look at one. Written by `uv run python docs/generate.py`; every query is run by a test.
"""


def queries() -> str:
    """The text of `docs/queries.md`."""
    from pixelwitness.ledger.views import VIEWS
    from pixelwitness.report.queries import QUERIES

    parts = [QUERIES_HEAD]
    for number, query in enumerate(QUERIES.values(), 1):
        parts.append(f"\n## {number}. {query.title}\n\n```sql\n{query.sql};\n```")
    parts.append("\n## Views\n\n| view | what |\n|---|---|")
    parts += [f"| `{name}` | {view.about} |" for name, view in VIEWS.items()]
    return "\n".join(parts) + "\n"


def schemas() -> dict[str, str]:
    """File name to text."""
    from pixelwitness.report.summary import Summary

    made = Summary.model_json_schema(mode="serialization")
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "pixelwitness summary"}
    return {"summary.schema.json": json.dumps(made, indent=2) + "\n"}


def main() -> None:
    """Writes all of it."""
    (DOCS / "reference.md").write_text(reference(), "utf-8", newline="\n")
    (DOCS / "queries.md").write_text(queries(), "utf-8", newline="\n")
    (DOCS / "schema").mkdir(exist_ok=True)
    for name, text in schemas().items():
        (DOCS / "schema" / name).write_text(text, "utf-8", newline="\n")


if __name__ == "__main__":
    main()
