"""Models of the rules about consent: a file a CMP, the standard strings, the generic names, marks."""

from __future__ import annotations

from pixelwitness.rulebook.load import SourcedRule


class ConsentRule(SourcedRule):
    """One consent system."""
