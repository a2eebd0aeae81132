"""Model of what is known about how people's values are written."""

from __future__ import annotations

from pixelwitness.rulebook.load import Rule, SourcedRule


class SpellingExample(Rule):
    """An address as typed, a text that a vendor may make of it, and what that spelling is called."""

    email: str
    text: str
    variant: str


class IdentityRules(SourcedRule):
    """Knowledge about mail providers."""

    mail_domains: tuple[str, ...]
    dotless_domains: tuple[str, ...]
    examples: tuple[SpellingExample, ...]
