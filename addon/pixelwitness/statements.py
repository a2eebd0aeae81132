"""Property files: what the auditor knows of a property that no traffic shows. They go into the ledger like marks."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from pixelwitness.audit.sites import STATEMENT
from pixelwitness.exchange import from_iso
from pixelwitness.hostname import ascii_host
from pixelwitness.observations import Signal
from pixelwitness.rulebook import Rulebook, RuleError
from pixelwitness.rulebook.load import Rule, read_rule

Pattern = Annotated[str, StringConstraints(pattern=r"^/", max_length=500)]
SAFEGUARDS = {"sccs": "contract with clauses for the transfer (SCCs)", "assessment": "transfer assessment"}


class SensitivePages(Rule):
    """A sensitive matter, and the pages that are about it: patterns of their paths; none: the whole property."""

    context: str
    paths: tuple[Pattern, ...] = Field(default=(), max_length=200)


class Transfer(Rule):
    """Whether clauses and an assessment for a transfer abroad exist. Left out: not known."""

    sccs: bool | None = None
    assessment: bool | None = None


class Statement(Rule):
    """What the auditor says of one property."""

    contexts: tuple[SensitivePages, ...] = Field(default=(), max_length=200)
    transfer: Transfer | None = None


class PropertyFile(Rule):
    """`as_of` is the day on which it was true; `properties` are registrable domains or app ids."""

    as_of: date
    properties: dict[str, Statement]


def read_statements(path: Path, book: Rulebook) -> list[Signal]:
    """The statements of a property file, one signal a property. Raises RuleError with file and line."""
    said = read_rule(path, PropertyFile)
    made = []
    for prop, statement in said.properties.items():
        if prop.lower().startswith("www.") or "/" in prop or prop != prop.strip("."):
            raise RuleError(f"{path}: {prop}: write a property as reports name it: shop.example, or an app's id")
        unknown = [c.context for c in statement.contexts if c.context not in book.contexts.contexts]
        if unknown:
            known = ", ".join(book.contexts.contexts)
            raise RuleError(f"{path}: {prop}: no context {', '.join(unknown)}. There are: {known}")
        made.append(_signal(ascii_host(prop), statement, said.as_of))
    return made


def _signal(prop: str, statement: Statement, as_of: date) -> Signal:
    detail: dict[str, object] = {
        "as_of": as_of.isoformat(),
        "contexts": [c.model_dump(mode="json") for c in statement.contexts],
    }
    given = statement.transfer.model_dump(exclude_none=True) if statement.transfer else {}
    if given:
        detail["transfer"] = {SAFEGUARDS[k]: v for k, v in given.items()}
    text = json.dumps([prop, detail], sort_keys=True)
    return Signal(
        id=hashlib.sha256(f"statement|{text}".encode("utf-8", "replace")).hexdigest()[:24],
        exchange_id=None,
        client=None,
        property=prop,
        observed_at=from_iso(f"{as_of.isoformat()}T00:00:00Z"),
        source=STATEMENT,
        name="property file",
        detail=detail,
    )
