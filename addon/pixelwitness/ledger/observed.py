"""What was observed as a document: masked once more, as it holds text of the traffic, and committed to.

Most requests of a page show the jar that the one before showed, and the signals in it: of these the observations differ
in ids and times, and all else is made once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from pixelwitness.identity.people import People
from pixelwitness.ledger.commit import LeafOf, tag
from pixelwitness.ledger.pieces import Mould, Piece, filled, listed, mould, piece, shaped
from pixelwitness.mask import ANYBODY, MAX_REMEMBERED, Known, branch_key, known_people, mask_json, mask_text
from pixelwitness.observations import FirstParty, Observation, Observed, Signal

DIGESTS = frozenset({"id", "exchange_id", "hit_id", "host", "page_host", "body_sha256"})
NAMES = frozenset(
    {
        "category",
        "kind",
        "tier",
        "vendor",
        "source",
        "cmp",
        "level",
        "state",
        "reason",
        "region",
        "opt_out_kind",
        "form",
    }
    | {"name", "field", "where", "layers", "collected", "persona", "attribute", "variant", "diagnostics", "property"}
    | {"code", "pixel_codes", "method", "transport", "effective_default", "cookie_names", "set_cookie_names"}
)
"""Names of ours in an observation, which a persona's first name or city must not blot out."""
JARS = frozenset({"cookie_names", "set_cookie_names"})
CHANGING: dict[str, str | int] = {"id": "", "exchange_id": "", "at": 0, "observed_at": 0}
"""What differs from one observation to the next that says the same: ids of ours and times. None of it is masked."""
SIZED = frozenset({str, bytes, tuple})
MAX_TEXT = 256
"""Characters of a text that is remembered."""
MAX_MOULD = 8192
"""Characters of an observation whose mould is remembered."""
FIELDS = tuple((name, field.get_default(call_default_factory=True)) for name, field in Observed.model_fields.items())


def masked_client(client: str | None, people: People, leaf: LeafOf) -> str | None:
    """A client's name as it may be stored: what is masked of it stays told apart from others."""
    if client is None:
        return None
    masked = mask_text(client, "", known_people(people))
    return client if masked == client else f"{masked}#{leaf(tag(client)).hex()[:8]}"


def as_stored(observed: Observed, known: Known | None, leaf: LeafOf) -> Piece:
    """What was observed, as it is stored. `known` None: nothing in it comes from the traffic, and it stays as it is."""
    if known is None:
        said = _dumped(observed)
        return piece(said, said, leaf)
    members: list[tuple[str, Piece]] = []
    for name, default in FIELDS:
        value = getattr(observed, name)
        if value is default or value == default:
            continue
        if isinstance(value, tuple):
            members.append((name, listed([_one(name, v, known, leaf) for v in value])))
        elif isinstance(value, Observation):
            members.append((name, _one(name, value, known, leaf)))
        else:
            members.append((name, _word(name, value, leaf)))
    return shaped(members)


@lru_cache(256)
def _word(name: str, value: str, leaf: LeafOf) -> Piece:
    return piece(value, _clean(value, name, ANYBODY, leaf), leaf)


def _one(name: str, value: Observation, known: Known, leaf: LeafOf) -> Piece:
    """One of the observations in what was observed."""
    shape = SHAPES.get(type(value)) if known.lasting else None
    if shape is not None:
        key = _key(value, shape)
        if key is not None and _size(key) <= MAX_MOULD:
            return filled(_mould(type(value), key, known, leaf), shape.changing(value.__dict__), leaf)
    said = _dumped(value)
    if not known.lasting:
        return piece(said, _clean(said, name, known, leaf), leaf)
    return shaped([(key, _member(key, child, known, leaf)) for key, child in said.items()])


def _member(key: str, value: Any, known: Known, leaf: LeafOf) -> Piece:
    """A member of an observation, or one of a list that is one."""
    if isinstance(value, list) and key not in JARS:
        return listed([_member(key, v, known, leaf) for v in value])
    if isinstance(value, str):
        return (_text if len(value) <= MAX_TEXT else _text.__wrapped__)(key, value, known, leaf)
    said = branch_key(value) if isinstance(value, dict) and key != "payload" else None
    if said is not None:
        return _again(key, said, known, leaf)
    clean = _clean(value, key, known, leaf)
    return _unmasked(value, leaf) if clean == value else piece(value, clean, leaf)


@lru_cache(4096)
def _text(key: str, value: str, known: Known, leaf: LeafOf) -> Piece:
    return piece(value, _clean(value, key, known, leaf), leaf)


@lru_cache(1024)
def _again(key: str, said: bytes, known: Known, leaf: LeafOf) -> Piece:
    """An object that comes with many observations: an identity field, what was read off the page."""
    value = json.loads(said)
    return piece(value, _clean(value, key, known, leaf), leaf)


def _unmasked(value: Any, leaf: LeafOf) -> Piece:
    """A value in which there is nothing to mask: much of a payload is the same with each hit."""
    if isinstance(value, str) and len(value) <= MAX_TEXT:
        return _plain_text(value, leaf)
    said = branch_key(value) if isinstance(value, dict | list) else None
    return _branch(value, leaf) if said is None else _branch_again(said, leaf)


@lru_cache(4096)
def _plain_text(value: str, leaf: LeafOf) -> Piece:
    return piece(value, value, leaf)


def _branch(value: Any, leaf: LeafOf) -> Piece:
    if isinstance(value, dict):
        return shaped([(k, _unmasked(v, leaf)) for k, v in value.items()])
    if isinstance(value, list):
        return listed([_unmasked(v, leaf) for v in value])
    return piece(value, value, leaf)


@lru_cache(2048)
def _branch_again(said: bytes, leaf: LeafOf) -> Piece:
    return _branch(json.loads(said), leaf)


class Shape(NamedTuple):
    """The fields of an observation of which many say the same: those that are the same, and those that are not."""

    names: tuple[str, ...]
    same: Callable[[dict[str, Any]], tuple[Any, ...]]
    changing: Callable[[dict[str, Any]], tuple[Any, ...]]


def _shape(kind: type[Observation]) -> Shape:
    names = tuple(n for n in kind.model_fields if n not in CHANGING)
    return Shape(names, itemgetter(*names), itemgetter(*(n for n in kind.model_fields if n in CHANGING)))


SHAPES: dict[type[Observation], Shape] = {kind: _shape(kind) for kind in (FirstParty, Signal)}


def _key(value: Observation, shape: Shape) -> tuple[Any, ...] | None:
    """All that is the same, to be known again by; None where that cannot be told."""
    same = shape.same(value.__dict__)
    if type(value) is not Signal:
        return same
    try:
        return (*same[:-1], msgspec.json.encode(same[-1]))  # its `detail`, the last field
    except (UnicodeEncodeError, TypeError):
        return None


def _size(key: tuple[Any, ...]) -> int:
    return sum([sum(map(len, v)) if v.__class__ is tuple else len(v) for v in key if v.__class__ in SIZED])


@lru_cache(512)
def _mould(kind: type[Observation], key: tuple[Any, ...], known: Known, leaf: LeafOf) -> Mould:
    """Made of the key alone, so that nothing else can be in it."""
    fields: dict[str, Any] = dict(zip(SHAPES[kind].names, key, strict=True))
    if kind is Signal:
        fields["detail"] = json.loads(fields["detail"])
    fields |= {name: CHANGING[name] for name in kind.model_fields if name in CHANGING}
    original = _dumped(kind.model_construct(None, **fields))
    return mould(original, _clean(original, "", known, leaf), CHANGING, leaf)


def _dumped(value: Observation) -> Any:
    return json.loads(value.model_dump_json(exclude_defaults=True))


def _clean(said: Any, key: str, known: Known, leaf: LeafOf) -> Any:
    return _masked(said, key, known, lambda c: masked_client(c, known.people, leaf))


def _masked(value: Any, key: str, known: Known, client: Callable[[str], str | None]) -> Any:
    """What was observed, masked once more where text of the traffic stands in it; names that judging rests on stay."""
    if isinstance(value, dict):
        if key in ("payload", "app_consent", "detail"):
            return value if known is ANYBODY and key == "payload" else mask_json(value, "", known)
        return {k: _masked(v, k, known, client) for k, v in value.items()}
    if isinstance(value, list):
        if key in JARS and sum(map(len, value)) <= MAX_REMEMBERED:
            return list(_masked_names(tuple(value)))
        return [_masked(v, key, known, client) for v in value]
    if not isinstance(value, str) or key in DIGESTS:
        return value
    if key == "client":
        return client(value)
    return mask_text(value, "", ANYBODY if key in NAMES else known)


@lru_cache(1024)
def _masked_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names in a cookie jar, which most requests of a page send again."""
    return tuple(mask_text(name) for name in names)
