"""Who is who: names for clients, and features that are on for some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

EVERYONE = frozenset({"all", "on", "true", "yes"})
NOBODY = frozenset({"", "none", "off", "false", "no"})


@dataclass(frozen=True)
class Names:
    """Names by address, proxy user or proxy mode; what has none is shown as it came in."""

    by_part: dict[str, str] = field(default_factory=dict)
    as_given: tuple[str, ...] = ()

    @classmethod
    def of(cls, entries: Sequence[str]) -> Names:
        """Reads `10.0.0.2=pixel-8` and the like. Raises ValueError."""
        names: dict[str, str] = {}
        for entry in entries:
            # A mode's own text may hold `=`, a name does not.
            part, equals, name = entry.rpartition("=")
            if not equals or not part.strip() or not name.strip() or "|" in name:
                raise ValueError(f"{entry!r} is not ADDRESS=NAME (e.g. 10.0.0.2=pixel-8, or wireguard@51820=iphone)")
            names[part.strip()] = name.strip()
        return cls(names, tuple(entries))

    def name(self, client: str) -> str:
        """The name of a client that is known as `mode|user|address`; itself where nobody named it."""
        if not self.by_part:
            return client
        # The last part is the most telling: every WireGuard phone has one address, but then its mode is named.
        for part in (client, *reversed(client.split("|"))):
            if part in self.by_part:
                return self.by_part[part]
        return client


@dataclass(frozen=True)
class Chosen:
    """The clients for which something is switched on."""

    clients: tuple[str, ...] = ()

    @classmethod
    def of(cls, entries: Sequence[str]) -> Chosen:
        """Reads names and addresses; `all` stands for everyone, `off` for nobody."""
        words = [e.strip() for e in entries]
        if any(w.lower() in EVERYONE for w in words):
            return cls(("all",))
        return cls(tuple(dict.fromkeys(w for w in words if w.lower() not in NOBODY)))

    def covers(self, *names: str) -> bool:
        """Whether it is on for a client, known under any of these names or their parts."""
        if not self.clients or self.clients == ("all",):
            return bool(self.clients)
        return any(part in self.clients for name in names for part in (name, *name.split("|")))
