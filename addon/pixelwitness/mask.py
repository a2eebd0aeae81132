"""Masks clear text of persons and secrets before anything is stored.

Everything that `identity.plaintext.find` would find is gone afterwards, in whatever encoding it stood, and so are test
personas' values of any kind, bearer tokens, values under names that say secret, and an exchange's own cookies and
credentials where they stand elsewhere in it. The encoding stays: a masked URL is still a URL, masked base64 is base64
of the mask.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any
from urllib.parse import unquote

import msgspec

from pixelwitness.exchange import Exchange, Headers
from pixelwitness.identity import plaintext
from pixelwitness.identity.layers import CODINGS, MAX_TOKENS, Coding, holds_nothing, parse_json
from pixelwitness.identity.people import NOBODY, People

MARKS = {"email": "[masked:email]", "phone": "[masked:phone]"}
EMAIL_MARK, PHONE_MARK = MARKS["email"], MARKS["phone"]
TEXT_MARK = "[masked:text]"
"""Instead of a whole text whose clear text could not be cut out of its encodings."""
SECRET_MARK = "[masked]"  # noqa: S105  a mark, not a secret
NEVER = frozenset(
    {"authorization", "proxy-authorization", "x-api-key", "api-key", "access-token", "x-access-token", "x-auth-token"}
    | {"x-csrf-token", "x-xsrf-token", "x-amz-security-token", "authentication-info", "proxy-authentication-info"}
)
SECRET_NAMES = frozenset(
    {"authorization", "proxy_authorization", "password", "passwd", "pwd", "passphrase", "secret", "client_secret"}
    | {"access_token", "refresh_token", "id_token", "auth_token", "api_key", "apikey", "x_api_key", "bearer", "jwt"}
    | {"csrf_token", "xsrf_token", "cookie", "cookies", "set_cookie", "session_token", "proxyauth", "token"}
)
"""Names in JSON, queries and forms whose values are nobody's business; `-` counts as `_`."""
TOKENS = re.compile(
    r"\b(?:bearer|basic|negotiate)[\s+]{1,4}([A-Za-z0-9._~+/=-]{6,})|(?<![\w-])(eyJ[\w-]{8,}\.eyJ[\w-]{4,}\.[\w-]{4,})",
    re.I,
)
"""Credentials as HTTP writes them (RFC 7235), and JSON Web Tokens."""
NAMED = re.compile(r"(?<![\w%-])([\w%-]{2,}+)(=|[\"']?\s{0,3}:\s{0,3}[\"'])([^&#;,\s\"'<>{}]{1,4096})")
"""A name and a value in a query, a form, or a piece of JSON or of a script."""
AUTHORITY = re.compile(r"://[^/?#\s\"'<>\\]*")
"""The host of a URL stays: without it nothing could be judged."""
VALUE = re.compile(r"(?=[^A-Za-z]*[A-Za-z])(?=\D*\d)[A-Za-z0-9+/_=.~%:-]{12,4096}")
"""What a session id or a token looks like: letters and digits. Words, numbers and addresses of pages are none."""
PASSES = 3
MAX_CACHED = 2048
MAX_BRANCH = 1024
"""Bytes of an object of which it is remembered that nothing in it is masked."""
MAX_COOKIES = 200
MAX_NAMES = 8192
"""Characters of the names in an object, each with its path, of which it is remembered how they are masked."""
MAX_ADDRESSES = 2_000
"""A text with more of what may be addresses is masked whole: cutting each out would take minutes."""
MAX_REMEMBERED = 16_384
"""Characters of cookies and credentials of an exchange that is remembered for the next one with the same."""
TELLING = NEVER | {"cookie", "set-cookie"}
"""Header fields whose values must not stand anywhere else in what is stored of an exchange."""
CONTAINERS = (dict, list, tuple)
type Member = tuple[str, str, str, bool]
"""Of a name in an object: the name masked, the path of its value, that path where it says telephone, and whether the
value is a secret."""
MARKED = "[masked"
PSEUDONYMS = ("_tt", "tt")
"""Cookies that the vendor itself reads: their values are the evidence that the same visitor was recognised."""


@dataclass(frozen=True, eq=False)
class Known:
    """What must not be stored besides the clear text that anybody can tell. Compared by identity."""

    people: People = NOBODY
    secrets: re.Pattern[str] | None = None
    """Values of cookies and credentials of the exchange at hand."""
    shortest: int = 0
    """Characters of the shortest of `secrets`: they stand in no shorter text."""
    others: Known | None = None
    """The same without `secrets`."""
    lasting: bool = True
    """Whether it is the same object for the next exchange with these values, so that a cache may be keyed by it."""

    def spans(self, text: str, path: str) -> list[plaintext.Span]:
        """Where something that must not be stored stands in one text, undecoded, in order and without overlap."""
        made = [*plaintext.spans(text, path), *_secrets(text), *self._whose(text)]
        if self.secrets is not None:
            made += [plaintext.Span("secret", *m.span()) for m in self.secrets.finditer(text)]
        if len(made) < 2:
            return made
        made.sort(key=lambda s: (s.start, -s.end))
        kept = made[:1]
        for span in made[1:]:
            if span.start >= kept[-1].end:
                kept.append(span)
            elif span.end > kept[-1].end:
                kept[-1] = plaintext.Span(kept[-1].kind, kept[-1].start, span.end)
        return kept

    def _whose(self, text: str) -> Iterator[plaintext.Span]:
        if not self.people:
            return
        hosts = [m.span() for m in AUTHORITY.finditer(text)] if "://" in text else []
        for found in self.people.clear_in(text, every=True):
            if not any(start < found.end and found.start < end for start, end in hosts):
                yield plaintext.Span(found.match.attribute, found.start, found.end)


ANYBODY = Known()


def of_exchange(exchange: Exchange, keep: Collection[str], people: People) -> Known:
    """What must not be stored of an exchange: `people`, and its cookies but those named in `keep`."""
    rows = exchange.headers + (exchange.response.headers if exchange.response else ())
    return of_headers(telling(rows), keep, people)


def telling(headers: Headers) -> Headers:
    """The header fields whose values must stand nowhere else, their names in lower case."""
    return tuple([(lower, value) for name, value in headers if (lower := name.lower()) in TELLING])


def of_headers(told: Headers, keep: Collection[str], people: People) -> Known:
    """The same as `of_exchange`, of its `telling` header fields."""
    if not told:
        return known_people(people)
    if sum(len(value) for _, value in told) <= MAX_REMEMBERED:
        return _remembered(told, frozenset(keep), people)
    return _of_values(told, keep, people, lasting=False)


def size_of(headers: Headers) -> int:
    """How many characters header fields have."""
    return sum(map(len, chain.from_iterable(headers)))


@lru_cache(64)
def known_people(people: People) -> Known:
    """What must not be stored where nothing is known but whose traffic it may be."""
    return Known(people) if people else ANYBODY


@lru_cache(256)
def _remembered(telling: Headers, keep: frozenset[str], people: People) -> Known:
    """Most requests of a page carry the cookies of the one before."""
    return _of_values(telling, keep, people, lasting=True)


def _of_values(telling: Headers, keep: Collection[str], people: People, *, lasting: bool) -> Known:
    found: set[str] = set()
    for lower, value in telling:
        if lower in NEVER:
            found.add(value.rpartition(" ")[2])
        else:
            pairs = value.split(";") if lower == "cookie" else [value.partition(";")[0]]
            for pair in pairs[:MAX_COOKIES]:
                cookie, _, said = pair.strip().partition("=")
                if cookie not in keep and not cookie.startswith(PSEUDONYMS):
                    found.add(said.strip('"'))
    values = [v for v in found if VALUE.fullmatch(v) and "%2F%2F" not in v.upper() and "://" not in v]
    others = known_people(people)
    if not values:
        return others
    words = sorted({w for v in values for w in (v, unquote(v))}, key=len, reverse=True)
    secrets = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(re.escape(w) for w in words)})(?![A-Za-z0-9])")
    return Known(people, secrets, len(words[-1]), others, lasting)


def mask_text(text: str, path: str = "", known: Known = ANYBODY) -> str:
    """The text with every clear e-mail address, telephone number and secret replaced, in encodings too. Idempotent.

    `path` names where the text stands: below a name that says telephone a bare number is one.
    """
    if len(text) > MAX_CACHED:
        return _settled(text, path, known)
    if known.others is not None and len(text) < known.shortest and _cached(text, path, known.others) == text:
        # What stands encoded in a text is never longer than the text: no secret fits.
        return text
    return _cached(text, path, known) if known.lasting else _settled(text, path, known)


@lru_cache(8192)
def _cached(text: str, path: str, known: Known) -> str:
    return _settled(text, path, known)


def _settled(text: str, path: str, known: Known) -> str:
    """Masked until nothing changes: a mask can bring two halves together that were apart before."""
    for _ in range(PASSES):
        masked = _once(text, path, plaintext.MAX_DEPTH, 0, known)
        if masked == text:
            return text
        text = masked
    again = plaintext.find(text, path) or _once(text, path, plaintext.MAX_DEPTH, 0, known) != text
    return TEXT_MARK if again else text


def _once(text: str, path: str, depth: int, nesting: int, known: Known) -> str:
    if len(text) > MAX_CACHED and text.count("@") + text.count("%40") > MAX_ADDRESSES:
        return TEXT_MARK
    if known.lasting and holds_nothing(text) and _replaced(text, path, known) == text:
        return text
    parsed = parse_json(text) if depth > 0 else None
    if parsed is not None:
        masked = _json(parsed, path, depth - 1, nesting + 1, known)
        return text if masked == parsed else json.dumps(masked, ensure_ascii=False, separators=(",", ":"))
    text = _replace(text, path, known)
    if depth > 0:
        for coding in CODINGS:
            if coding.hint in text:
                text = _recoded(text, coding, path, depth, nesting, known)
    return text


@lru_cache(8192)
def _replaced(text: str, path: str, known: Known) -> str:
    return _replace(text, path, known)


def _replace(text: str, path: str, known: Known) -> str:
    parts, done = [], 0
    spans = known.spans(text, path)
    if len(spans) > MAX_ADDRESSES:
        return TEXT_MARK
    for kind, start, end in spans:
        parts += [text[done:start], mark_of(kind)]
        done = end
    return "".join((*parts, text[done:])) if parts else text


def mark_of(kind: str) -> str:
    """What stands in the place of a value."""
    return SECRET_MARK if kind == "secret" else MARKS.get(kind, f"[masked:{kind}]")


def _may_hold_tokens(text: str) -> bool:
    """A cheap look, for what `TOKENS` needs; beyond ASCII other letters count as theirs."""
    if not text.isascii():
        return True
    lower = text.lower()
    return ("." in lower and "eyj" in lower) or "bearer" in lower or "basic" in lower or "negotiate" in lower


def _secrets(text: str) -> Iterator[plaintext.Span]:
    if _may_hold_tokens(text):
        for token in TOKENS.finditer(text):
            which = 1 if token[1] is not None else 2
            yield plaintext.Span("secret", *token.span(which))
    if "=" in text or (":" in text and ('"' in text or "'" in text)):
        for named in NAMED.finditer(text):
            if is_secret_name(named[1][-80:]) and not named[3].startswith(MARKED):
                yield plaintext.Span("secret", *named.span(3))


@lru_cache(4096)
def is_secret_name(name: str) -> bool:
    """Whether a name says that its value is a secret: `accessToken`, `X-Api-Key`, `password`."""
    plain = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", unquote(name)[-80:]).lower().replace("-", "_")
    return plain in SECRET_NAMES


def _recoded(text: str, coding: Coding, path: str, depth: int, nesting: int, known: Known) -> str:
    parts, done, undone = [], 0, 0
    for run in coding.runs.finditer(text):
        inner = coding.undo(run[0])
        if inner is None:
            continue
        undone += 1
        if undone > MAX_TOKENS:
            return TEXT_MARK  # the search for clear text looks at no more either
        masked = _once(inner, path, depth - 1, nesting, known)
        if masked != inner:
            parts += [text[done : run.start()], coding.redo(masked, run[0])]
            done = run.end()
    return "".join((*parts, text[done:])) if parts else text


def mask_json(value: Any, path: str = "", known: Known = ANYBODY) -> Any:
    """A JSON-like value with every string and key in it masked; a number under a name that says telephone too."""
    return _json(value, path, None, 0, known)


def _json(value: Any, path: str, depth: int | None, nesting: int, known: Known) -> Any:
    """`depth` None: each string may be as deep in encodings as a text of its own."""
    if isinstance(value, dict) and value and known.lasting:
        said = branch_key(value)
        if said is not None and _stays(said, path, depth, nesting, known):
            return value
    return _branch(value, path, depth, nesting, known)


def branch_key(value: Any) -> bytes | None:
    """A piece of JSON as a key to know it again by; None where it is long, or cannot be one."""
    try:
        said = msgspec.json.encode(value)
    except (UnicodeEncodeError, TypeError, RecursionError):
        return None
    return said if len(said) <= MAX_BRANCH else None


@lru_cache(4096)
def _stays(said: bytes, path: str, depth: int | None, nesting: int, known: Known) -> bool:
    """Whether nothing in a piece of JSON is masked: much of what a page sends is the same each time."""
    value = json.loads(said)
    return bool(_branch(value, path, depth, nesting, known) == value)


def _branch(value: Any, path: str, depth: int | None, nesting: int, known: Known) -> Any:
    if isinstance(value, CONTAINERS) and nesting > plaintext.MAX_NESTING:
        return "[nested too deeply]"
    if isinstance(value, dict):
        made: dict[str, Any] = {}
        names = tuple(value)
        again = known.lasting and len(path) * len(names) + sum(map(len, names)) <= MAX_NAMES
        members = (_members_again if again else _members)(path, names, depth, nesting, known)
        for (name, where, spoken, secret), child in zip(members, value.values(), strict=True):
            if isinstance(child, str):
                if secret and child:
                    made[name] = SECRET_MARK
                elif depth is None:
                    made[name] = mask_text(child, spoken, known)
                else:
                    made[name] = _inner(child, spoken, depth, nesting + 1, known)
            elif isinstance(child, CONTAINERS):
                made[name] = _json(child, where, depth, nesting + 1, known)
            else:
                made[name] = _number(child, spoken, known) if isinstance(child, int) else child
        return made
    if isinstance(value, CONTAINERS):
        return [_json(child, f"{path}[{i}]", depth, nesting + 1, known) for i, child in enumerate(value)]
    if isinstance(value, str):
        return _string(value, path, depth, nesting, known)
    return _number(value, path, known) if isinstance(value, int) else value


@lru_cache(1024)
def _members_again(
    path: str, names: tuple[str, ...], depth: int | None, nesting: int, known: Known
) -> tuple[Member, ...]:  # fmt: skip
    """Messages of a kind have the same names."""
    return _members(path, names, depth, nesting, known)


def _members(
    path: str, names: tuple[str, ...], depth: int | None, nesting: int, known: Known
) -> tuple[Member, ...]:  # fmt: skip
    made: dict[str, Member] = {}
    for key in map(str, names):
        name = _string(key, "", depth, nesting, known)
        while name in made:
            name += "'"  # two addresses as keys: both values are kept
        where = f"{path}.{key}" if path else key
        made[name] = name, where, _spoken(where), is_secret_name(key)
    return tuple(made.values())


def _number(value: int, path: str, known: Known) -> Any:
    if not plaintext.is_number(value):
        return value
    if plaintext.is_phone_name(path) and plaintext.is_bare_phone(str(value)):
        return PHONE_MARK
    if known.people and value > 999 and (match := known.people.whose(str(value))) and match.hashed is None:
        return mark_of(match.attribute)
    return value


def _string(text: str, path: str, depth: int | None, nesting: int, known: Known) -> str:
    spoken = _spoken(path)
    return mask_text(text, spoken, known) if depth is None else _inner(text, spoken, depth, nesting, known)


def _inner(text: str, path: str, depth: int, nesting: int, known: Known) -> str:
    small = known.lasting and len(text) <= MAX_CACHED
    return (_inner_again if small else _once)(text, path, depth, nesting, known)


@lru_cache(4096)
def _inner_again(text: str, path: str, depth: int, nesting: int, known: Known) -> str:
    """A string of a JSON document that stands in a text, as a body does."""
    return _once(text, path, depth, nesting, known)


def _spoken(path: str) -> str:
    """What of a path matters: its end where that says telephone."""
    return path[-plaintext.MAX_NAME :] if plaintext.is_phone_name(path) else ""


def mask_body(body: bytes, known: Known = ANYBODY) -> bytes:
    """A body with clear text masked, byte for byte as it was where there is none. One that is not text is replaced
    by its length."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return f"[{len(body)} bytes that are not text]".encode()
    masked = mask_text(text, "", known)
    return body if masked == text else masked.encode("utf-8", "replace")


def mask_headers(
    headers: Headers, keep: Collection[str] = (), *, plain: bool = False, known: Known = ANYBODY
) -> Headers:  # fmt: skip
    """Header fields as they may be stored: no credentials, no cookie values but those of the names in `keep`.

    `plain` leaves clear text in the other fields; credentials and cookies go in any case.
    """
    rows = []
    for name, value in headers:
        lower = name.lower()
        if lower in NEVER:
            value = SECRET_MARK
        elif lower in ("cookie", "cookie2"):
            value = _cookies(value, keep, known)
        elif lower in ("set-cookie", "set-cookie2"):
            first, semicolon, rest = value.partition(";")
            value = _cookie(first.strip(), keep, known) + semicolon + rest
        elif not plain:
            value = mask_text(value, "", known)
        rows.append((name, value))
    return tuple(rows)


def _cookies(value: str, keep: Collection[str], known: Known) -> str:
    if known.lasting and len(value) <= MAX_REMEMBERED:
        return _cookies_again(value, frozenset(keep), known)
    return "; ".join(_cookie(pair.strip(), keep, known) for pair in value.split(";"))


@lru_cache(256)
def _cookies_again(value: str, keep: frozenset[str], known: Known) -> str:
    return "; ".join(_cookie(pair.strip(), keep, known) for pair in value.split(";"))


def _cookie(pair: str, keep: Collection[str], known: Known) -> str:
    """One cookie; without an equals sign all of it is a value (RFC 6265bis 5.6)."""
    name, equals, value = pair.partition("=")
    if not equals:
        return SECRET_MARK if name else ""
    path = name if plaintext.is_phone_name(name) else ""
    kept = mask_text(value, path, known) if name in keep else SECRET_MARK
    return f"{mask_text(name, '', known)}={kept}"
