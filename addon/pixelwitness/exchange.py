"""One HTTP request and its response, as a proxy saw it: the only input of everything that follows.

An `Exchange` knows nothing of where it came from (live proxy, flow file, HAR), and nothing of mitmproxy. Times are
whole milliseconds since the Unix epoch, UTC. It is immutable: the same exchange is observed twice with one `id`, first
without its response and then, if that ever comes, with it.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from pixelwitness.hostname import ascii_host

Headers = tuple[tuple[str, str], ...]
"""Header fields in the order of the wire; names as sent. Bytes that are not text survive as surrogates."""

BEYOND_ASCII = bytes(range(128, 256))
BodyState = Literal["complete", "cut", "not_captured", "undecodable", "too_large"]
"""Whether `body` is all there is: `cut` (a part), `not_captured` (streamed, or left out by the recorder),
`undecodable` (its Content-Encoding could not be undone: `body` holds the raw bytes), `too_large` (skipped)."""

_PIECE = 1 << 20
_USUAL_URL = re.compile(r"(https?)://([a-z0-9._-]+)(:[0-9]{1,4})?(/[!-\"$->@-~]*)?(?:\?([!-\"$-~]*))?(?:#([!-~]*))?")
"""URLs that need no second look: printable ASCII, a host in small letters, a short port."""
_MAX_REMEMBERED = 2048
_OF_REQUEST = ("parts", "host", "path", "fields", "id")
"""What an exchange remembers of itself that its response does not change."""


def milliseconds(seconds: float) -> int:
    """A Unix time in seconds as whole milliseconds.

    Rounded to microseconds first, as every tool that writes HAR does, so that a flow file and a HAR of the same
    traffic agree to the millisecond.
    """
    moment = datetime.fromtimestamp(seconds, UTC)
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def iso(at: int) -> str:
    """Milliseconds since the epoch as ISO 8601 in UTC, milliseconds, ending in Z. Out of range: clamped."""
    at = min(max(at, -62135596800000), 253402300799999)
    return f"{_second(at // 1000)}.{at % 1000:03d}Z"


@lru_cache(1024)
def _second(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S}".rjust(19, "0")


def from_iso(text: str) -> int:
    """The inverse of `iso`; also reads any ISO 8601 time that carries a zone. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} carries no time zone")
    return int(moment.astimezone(UTC).replace(microsecond=0).timestamp()) * 1000 + moment.microsecond // 1000


def header_values(headers: Headers, name: str) -> list[str]:
    """All values of a header field, case-insensitively, in order."""
    name = name.lower()
    return [value for key, value in headers if key.lower() == name]


def taken_apart(url: str) -> tuple[SplitResult, str]:
    """A URL's parts, and its host in lower-case ASCII without a trailing dot ('' where it has none).

    An impossible URL gives empty parts, never an error.
    """
    return _taken_apart(url) if len(url) <= _MAX_REMEMBERED else _taken_apart.__wrapped__(url)


@lru_cache(512)
def _taken_apart(url: str) -> tuple[SplitResult, str]:
    usual = _USUAL_URL.fullmatch(url)
    if usual is not None:
        scheme, host, port, path, query, fragment = usual.groups("")
        return SplitResult(scheme, host + port, path, query, fragment), host.rstrip(".")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        parts.port  # noqa: B018  raises ValueError for what cannot be a port, as `hostname` does for hosts
    except ValueError:
        return SplitResult("", "", "", "", ""), ""
    return parts, ascii_host(host.rstrip("."))


@dataclass(frozen=True)
class Response:
    """What came back. `at` is when it was complete, or as near to that as the source knows."""

    at: int
    status: int
    headers: Headers = ()
    body: bytes | None = None
    body_state: BodyState = "complete"


@dataclass(frozen=True)
class Exchange:
    """One request, with its response where there was one.

    `body` is the request's body with its Content-Encoding undone. `cookies_complete` says whether an absent Cookie
    header means that no cookie was sent (a proxy's own record) or may mean that the recorder left it out (a HAR).
    """

    client: str
    started_at: int
    method: str
    url: str
    headers: Headers = ()
    body: bytes | None = None
    body_state: BodyState = "complete"
    response: Response | None = None
    cookies_complete: bool = True
    error: str | None = None
    ordinal: int = 0
    added_headers: tuple[str, ...] = field(default=())
    """Names of request headers that the proxy itself added (GPC on demand), so that they are told apart."""

    @cached_property
    def parts(self) -> SplitResult:
        """The URL taken apart; an impossible URL gives empty parts, never an error."""
        return taken_apart(self.url)[0]

    @cached_property
    def host(self) -> str:
        """The host in lower-case ASCII without a trailing dot; '' where the URL has none."""
        return taken_apart(self.url)[1]

    @cached_property
    def path(self) -> str:
        return self.parts.path

    @cached_property
    def fields(self) -> dict[str, str]:
        """Request headers by lower-case name, as text; repeated ones joined as RFC 9110 says (cookies by `; `)."""
        joined: dict[str, str] = {}
        for name, value in self.headers:
            key = name.lower()
            if key in joined:
                value = f"{joined[key]}{'; ' if key == 'cookie' else ', '}{value}"
            joined[key] = value
        if not all(map(str.isascii, joined.values())):
            return {key: value.encode("utf-8", "replace").decode() for key, value in joined.items()}
        return joined

    @cached_property
    def agent(self) -> str | None:
        """Which program sent it: a short digest of its User-Agent, to tell programs apart and no more."""
        named = self.fields.get("user-agent")
        return _digest(named) if named else None

    @cached_property
    def id(self) -> str:
        """A digest of what was captured: start, method, URL, body and an ordinal among equals.

        Of the body only ASCII counts: a HAR holds text, and a recorder's guess at the encoding must not change the
        id. Neither the client's name nor the time of the run is in it.
        """
        # The JSON list of start, method, URL, body and ordinal, piece by piece.
        digest = hashlib.sha256(f'[{self.started_at}, {_quoted(self.method)}, {_quoted(self.url)}, "'.encode())
        body = self.body or b""
        for start in range(0, len(body), _PIECE):  # in pieces: of 64 MB no copy is made
            ascii_only = body[start : start + _PIECE].translate(None, BEYOND_ASCII).decode("ascii")
            digest.update(_quoted(ascii_only)[1:-1].encode())
        digest.update(f'", {self.ordinal}]'.encode())
        return digest.hexdigest()[:32]

    def without_response(self) -> Exchange:
        """The request alone; what was found out about it is kept. The same object each time."""
        return self if self.response is None else self._alone

    @cached_property
    def _alone(self) -> Exchange:
        return self._with(response=None)

    def answered(self, response: Response | None, error: str | None) -> Exchange:
        """The same request with what came of it; what was found out about the request is kept."""
        return self._with(response=response, error=error)

    def _with(self, **others: Any) -> Exchange:
        made = replace(self, **others)
        made.__dict__.update({name: self.__dict__[name] for name in _OF_REQUEST if name in self.__dict__})
        return made


@lru_cache(1024)
def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:8]


class Numbering:
    """Gives equal exchanges of one recording their ordinals, in the order in which they are seen."""

    def __init__(self) -> None:
        # Of most exchanges there is one: of those only some sixty bits of their ids are kept.
        self._seen: set[int] = set()
        self._again: Counter[str] = Counter()

    def number(self, exchange: Exchange) -> Exchange:
        """The exchange with its ordinal: 0 for the first of its kind, 1 for the next equal one, and so on."""
        key = exchange.id
        short = int(key[:15], 16)
        if short not in self._seen:
            self._seen.add(short)
            return exchange
        self._again[key] += 1
        return replace(exchange, ordinal=self._again[key])
