"""Look-up of hosts by suffix, label by label: never by substring."""

from __future__ import annotations


class HostIndex[T]:
    """Values under host suffixes. `tiktok.com` covers itself and every subdomain; `=www.tiktok.com` only itself."""

    def __init__(self) -> None:
        self._suffixes: dict[str, list[T]] = {}
        self._exact: dict[str, list[T]] = {}

    def add(self, pattern: str, value: T) -> None:
        """Put a value under a host suffix, or under one host (`=host`)."""
        pattern = pattern.lower().rstrip(".")
        if pattern.startswith("="):
            self._exact.setdefault(pattern[1:], []).append(value)
        else:
            self._suffixes.setdefault(pattern, []).append(value)

    def lookup(self, host: str) -> list[T]:
        """All values whose pattern covers the host, the most specific first."""
        found = list(self._exact.get(host, ()))
        rest = host
        while rest:
            found += self._suffixes.get(rest, ())
            _, _, rest = rest.partition(".")
        return found
