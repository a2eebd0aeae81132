"""Test personas: the people an auditor pretends to be, whose values are looked for in the traffic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pixelwitness.rulebook.load import RuleError, read_rule


def _many(value: Any) -> Any:
    """One value where a list is meant; numbers (ids, zip codes) as their text."""
    items = list(value) if isinstance(value, list | tuple) else [] if value is None else [value]
    return [str(item) if isinstance(item, int) and not isinstance(item, bool) else item for item in items]


Values = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_many)]


class Persona(BaseModel):
    """One persona. Every attribute may be one value or a list, as it is typed into forms."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """How reports call it."""
    control: bool = False
    """Never typed anywhere: if it is found, the audit is at fault."""
    country: str | None = None
    """ISO 3166 code of the country whose way of writing telephone numbers it uses."""
    email: Values = ()
    phone: Values = ()
    first_name: Values = ()
    last_name: Values = ()
    full_name: Values = ()
    """Only where it is not first name and last name put together."""
    username: Values = ()
    external_id: Values = ()
    """Customer numbers and the like."""
    street: Values = ()
    city: Values = ()
    state: Values = ()
    zip_code: Values = ()
    birthday: Values = ()
    """YYYY-MM-DD."""

    def values(self) -> list[tuple[str, str]]:
        """Every attribute and value; first and last names put together as well."""
        names = [a for a in Persona.model_fields if a not in ("name", "control", "country")]
        made = [(attribute, value) for attribute in names for value in getattr(self, attribute)]
        made += [("full_name", f"{first} {last}") for first in self.first_name for last in self.last_name]
        return made


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    personas: Annotated[tuple[Persona, ...], Field(min_length=1)]


def read_personas(path: Path) -> tuple[Persona, ...]:
    """The personas of a file. Raises RuleError with file and line."""
    personas = read_rule(path, _File).personas
    names = [p.name for p in personas]
    if len(set(names)) < len(names):
        raise RuleError(f"{path}: two personas have the same name")
    for persona in personas:
        if not persona.values():
            raise RuleError(f"{path}: {persona.name} has no value to look for")
    return personas
