"""Which request headers of a flow the add-on itself added: it says so in the flow's metadata, on demand and on file."""

from __future__ import annotations

ADDED = "pixelwitness_added"
"""The key of a flow's metadata that names them."""


def added_names(names: object) -> tuple[str, ...]:
    """The names that stand there, in lower case."""
    return tuple(n.lower() for n in names if isinstance(n, str)) if isinstance(names, list | tuple) else ()
