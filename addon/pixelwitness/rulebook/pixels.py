"""Models of the rules about pixel vendors: endpoints, event names, identity fields."""

from __future__ import annotations

from pixelwitness.rulebook.load import SourcedRule


class PixelRule(SourcedRule):
    """One file of rules about a vendor's pixel."""
