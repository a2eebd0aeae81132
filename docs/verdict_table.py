"""Writes the decision table in verdicts.md from the code and the rules. Usage: uv run python docs/verdict_table.py"""

from __future__ import annotations

from pathlib import Path

from pixelwitness.audit.table import table
from pixelwitness.rulebook import load_rulebook

PAGE = Path(__file__).with_name("verdicts.md")
START, END = "<!-- table -->", "<!-- end of table -->"


def written(text: str) -> str:
    """The page with the table as the code has it now."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{table(load_rulebook())}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
