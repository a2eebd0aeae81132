"""A hit is decoded in few steps, and the same as in many: each of them against the plain way."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from pixelwitness import mask
from pixelwitness.classify import classify
from pixelwitness.exchange import Exchange
from pixelwitness.identity import plaintext, sift
from pixelwitness.identity.people import NOBODY, People, digest_of, index
from pixelwitness.identity.personas import Persona
from pixelwitness.observations import Identifier
from pixelwitness.pixels import decode
from pixelwitness.pixels.tiktok import clear, content, fields, hit, loader, payload
from pixelwitness.pixels.tiktok.paths import all_at, at_path, leading, tree
from pixelwitness.pixels.vendor import Vendor, vendor_of
from pixelwitness.sources.files import read_capture
from support import BOOK, SHARED, SHOP, body

TIKTOK = vendor_of(BOOK, "tiktok")
ANNA = index(
    [Persona(name="anna", email=("anna@shop.example",), phone=("+14155550100",), first_name=("Anna",), city=("Springfield",)),
     Persona(name="never", control=True, email=("never@shop.example",), last_name=("Nevermore",))], BOOK.identity,
)  # fmt: skip
CAPTURES = sorted(
    [*(Path(__file__).parents[2] / "captures").rglob("*.har"), *(SHARED / "captures").rglob("*.har")],
    key=lambda p: p.name,
)


# --- the plain ways ------------------------------------------------------------------------------------------------


def plain_mask(value: Any, path: str = "", known: mask.Known = mask.ANYBODY, nesting: int = 0) -> Any:
    """`mask_json`, each name and value by itself."""
    slow = replace(known, lasting=False, others=None)
    if isinstance(value, dict | list | tuple) and nesting > plaintext.MAX_NESTING:
        return "[nested too deeply]"
    if isinstance(value, dict):
        made: dict[str, Any] = {}
        for key, child in value.items():
            name = mask._settled(key, "", slow)
            while name in made:
                name += "'"
            secret = isinstance(child, str) and child and mask.is_secret_name(key)
            where = f"{path}.{key}" if path else key
            made[name] = mask.SECRET_MARK if secret else plain_mask(child, where, known, nesting + 1)
        return made
    if isinstance(value, list | tuple):
        return [plain_mask(child, f"{path}[{i}]", known, nesting + 1) for i, child in enumerate(value)]
    if isinstance(value, str):
        return mask._settled(value, path if plaintext.is_phone_name(path) else "", slow)
    return mask._number(value, path, known) if isinstance(value, int) else value


def plain_sift(vendor: Vendor, people: People) -> sift.Sift:
    return lambda value, where, unread: plaintext.strings(value, where, unread)


def plain_identifiers(message: Any, vendor: Vendor, people: People) -> Iterator[Identifier]:
    for number, rule in enumerate(vendor.identity):
        for text in fields._texts(all_at(message, rule.path)):
            said = tuple(dict.fromkeys(fields._diagnostics(message, rule.diagnostics)))
            yield fields._read(vendor, number, text, people).model_copy(update={"diagnostics": said})
    yield from islice(fields._unknown(message, vendor, people), fields.MAX_UNKNOWN)


def _text(value: Any) -> str | None:
    return None if value is None or isinstance(value, bool | dict | list) else str(value)[:4096] or None


def _object(value: Any) -> Any:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> Any:
    return value if isinstance(value, list) else []


Text = Annotated[str | None, BeforeValidator(_text)]
Object = Annotated[dict[str, Any], BeforeValidator(_object)]


class Open(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class Pixel(Open):
    code: Text = None
    codes: Text = None
    runtime: Text = None


class Page(Open):
    url: Text = None
    referrer: Text = None


class Library(Open):
    version: Text = None


class Context(Open):
    pixel: Annotated[Pixel, BeforeValidator(_object)] = Pixel()
    page: Annotated[Page, BeforeValidator(_object)] = Page()
    library: Annotated[Library, BeforeValidator(_object)] = Library()
    sessions: Annotated[list[Any], BeforeValidator(_list)] = []


class Message(Open):
    """The message as a model that forgives every wrong type."""

    event: Text = None
    event_id: Text = None
    message_id: Text = None
    timestamp: Any = None
    event_time: Any = None
    action: Text = None
    metric_name: Text = None
    pixel_code: Annotated[Text, Field(validation_alias=AliasChoices("pixel_code", "sdkid", "pixelCode"))] = None
    event_source: Text = None
    event_source_id: Text = None
    page_url: Text = None
    partner: Text = None
    limited_data_use: Any = None
    context: Annotated[Context, BeforeValidator(_object)] = Context()


def plain_read(value: Any) -> payload.Message:
    said = Message.model_validate(value if isinstance(value, dict) else {})
    around = said.context
    found = [around.pixel.code, said.pixel_code, *(around.pixel.codes or "").split("|")]
    found += [said.event_source_id] if said.event_source == "web" else []
    found += [s.get("pixel_code") for s in around.sessions[:50] if isinstance(s, dict)]
    return payload.Message(
        **{n: getattr(said, n) for n in ("event", "event_id", "message_id", "timestamp", "event_time", "action",
                                         "metric_name", "partner", "limited_data_use")},
        library_version=around.library.version, runtime=around.pixel.runtime, page_url=around.page.url,
        page_referrer=around.page.referrer, top_page_url=said.page_url,
        codes=tuple(dict.fromkeys(c for c in found if isinstance(c, str) and c))[:50],
    )  # fmt: skip


def make_plain(patch: pytest.MonkeyPatch) -> None:
    """Hits are decoded in the plain ways from here on."""
    patch.setattr(clear, "_sift", plain_sift)
    patch.setattr(hit, "mask_json", plain_mask)
    patch.setattr(hit, "identifiers", plain_identifiers)
    patch.setattr(payload, "read", plain_read)
    patch.setattr(fields, "_in_header_again", fields._in_header)
    patch.setattr(content, "_one_again", content._one)
    patch.setattr(loader, "_settings_again", loader._settings)
    patch.setattr(loader, "_country_again", loader._country_in)


# --- whole hits ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CAPTURES, ids=lambda p: p.name)
def test_the_hits_of_recordings(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []
    for item in read_capture(path, client="c"):
        if isinstance(item, Exchange) and (found := classify(item, BOOK)).endpoint is not None:
            sent.append((item, found))

    def read() -> list[Any]:
        made = []
        for item, found in sent:
            for people in (NOBODY, ANNA):
                hits, spots = decode._hits(item, found, BOOK, people)
                made.append((hits, spots, decode.completed(item, hits, BOOK), decode.disclosed(item, hits, BOOK)))
        return made

    fast = read()
    assert read() == fast, "from memory"
    make_plain(monkeypatch)
    assert read() == fast


HASHES = [
    hashlib.sha256(t.encode()).hexdigest() for t in ("anna@shop.example", "x@y.example", "", "never@shop.example")
]
LEAVES = st.sampled_from(
    [
        "anna@shop.example", "+14155550100", "tel:+1 415 555 0100", "4155550100", 4155550100, 14155550100, "Anna", "never@shop.example",
        "Springfield", *HASHES, base64.b64encode(bytes.fromhex(HASHES[0])).decode(), "<#EMAIL#>", "token=abcdef123", "null", "{{user.email}}",
        "Bearer abcdefgh12345", "eyJhbGciOi.eyJzdWIiOi.abcd12", "/a?email=anna%40shop.example&tel=4155550100", f"?hashed_email={HASHES[1]}",
        "", " ", None, True, 0, 1.5, 10**30, "x" * 1100, "é😀", "mailto:shop@shop.example", "01M815YN9JZW0KVGPPSCF7FDMT_.tt.1", "web", "[]", "{}",
        "y@z.example " * 60, "a%40b.example", "&#64;", "anna\\u0040shop.example", "[masked:email]", "https://user:pw@host.example/", "D0ME9HRC77U4Q9G3Q7A0",
    ]
)  # fmt: skip
WRAPS = st.sampled_from(
    [
        lambda v: v,
        lambda v: json.dumps(v),
        lambda v: json.dumps({"a": v, "phone": [v]}),
        lambda v: quote(str(v), safe=""),
        lambda v: base64.b64encode(str(v).encode("utf-8", "replace")).decode(),
        lambda v: f"before {v} behind",
    ]
)
NAMES = st.sampled_from(
    [
        "phone", "user_phone", "email", "hashed_email", "phone_sha256", "password", "access_token", "a.b", "x", "[key]", "anna@shop.example",
        "tel", "customerPhone", "content_data", "trigger_element", "attributes", "inner_text", "user", "properties", "context", "pixel", "code",
        "codes", "sessions", "pixel_code", "sdkid", "event_source", "event_source_id", "event", "event_time", "timestamp", "limited_data_use",
        "partner", "page", "page_url", "app", "url", "referrer", "ad", "callback", "auto_collected_properties", "form_details", "external_id",
        "runtime", "library", "version", "batch", "data", "message_id", "device", "idfa", "csid", "",
    ]
)  # fmt: skip


@st.composite
def leaves(draw: st.DrawFn) -> Any:
    value = draw(LEAVES)
    for wrap in draw(st.lists(WRAPS, max_size=2)):
        value = wrap(value)
    return value


VALUES = st.recursive(
    leaves(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=10
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=5)


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    """A message of TikTok's client with other things in any of its places."""
    message = body()
    places = [message, message["context"], message["context"]["user"], message["properties"]]
    for name, value in draw(OBJECTS).items():
        draw(st.sampled_from(places))[name] = value
    return message


@settings(max_examples=300, deadline=None)
@given(messages(), st.sampled_from([None, "e=anna%40shop.example", f"hashed_email={HASHES[1]}"]), st.booleans())
def test_generated_messages(message: dict[str, Any], query: str | None, persona: bool) -> None:
    url = "https://analytics.tiktok.com/api/v2/pixel" + (f"?{query}" if query else "")
    headers = (
        ("Referer", SHOP + (f"?{query}" if query else "")),
        ("Cookie", "_ttp=2abcDEF1234567890123456789a; sid=1"),
    )
    sent = Exchange("c", 0, "POST", url, headers, json.dumps(message).encode())
    found, people = classify(sent, BOOK), ANNA if persona else NOBODY
    fast = decode._hits(sent, found, BOOK, people)
    assert fast[0]
    assert decode._hits(sent, found, BOOK, people) == fast
    with pytest.MonkeyPatch.context() as patch:
        make_plain(patch)
        assert decode._hits(sent, found, BOOK, people) == fast


# --- each step -----------------------------------------------------------------------------------------------------


@settings(max_examples=400, deadline=None)
@given(VALUES, st.sampled_from(["", "body", "user.phone"]), st.booleans())
def test_what_is_left_out_of_a_search_says_nothing(value: Any, where: str, persona: bool) -> None:
    people = ANNA if persona else NOBODY

    def told(texts: Any) -> list[plaintext.Text]:
        return [t for t in texts if clear._tells(t[0], t[1], TIKTOK, people)]

    expected: list[str] = []
    wanted = told(plaintext.strings(value, where, expected))
    for _ in ("searched", "remembered"):
        unread: list[str] = []
        assert told(clear._sift(TIKTOK, people)(value, where, unread)) == wanted
        assert unread == expected


def test_a_text_that_says_something_is_searched_each_time() -> None:
    looked: list[str] = []

    def tells(_: str, text: str) -> bool:
        looked.append(text)
        return text == "b"

    search = sift.sifter(tells)
    for _ in range(3):
        assert list(search({"x": "a", "y": ["b", "a"]}, "", [])) == [("y[0]", "b", ())]
    assert sorted(looked) == ["a", "a", "b", "x", "y"], "once at each place"


@pytest.mark.parametrize("depth", [*range(60, 68)])
def test_bounds_of_nesting_are_those_of_the_search(depth: int) -> None:
    for inner in (
        "anna@shop.example",
        json.dumps([["anna@shop.example"]]),
        {"phone": 4155550100},
        {"a": json.dumps([["anna@shop.example"]])},
    ):
        value: Any = inner
        for _ in range(depth):
            value = [value]
        search = clear._sift(TIKTOK, NOBODY)
        for _ in ("searched", "remembered"):
            told = [t for t in search(value, "", []) if clear._tells(t[0], t[1], TIKTOK, NOBODY)]
            assert told == [t for t in plaintext.strings(value, "") if clear._tells(t[0], t[1], TIKTOK, NOBODY)]
        assert mask.mask_json(value) == plain_mask(value)


@pytest.mark.parametrize("count", [plaintext.MAX_STRINGS - 1, plaintext.MAX_STRINGS, plaintext.MAX_STRINGS + 1])
def test_bounds_of_number_are_those_of_the_search(count: int) -> None:
    for value in (["quiet"] * count, {"a": ["quiet"] * 9, "b": ["x@y.example", *["quiet"] * count]}):
        wanted, got = list[str](), list[str]()
        full = [t for t in plaintext.strings(value, "", wanted) if "@" in t[1]]
        assert [t for t in clear._sift(TIKTOK, NOBODY)(value, "", got) if "@" in t[1]] == full
        assert got == wanted


def test_a_name_that_says_something_is_found() -> None:
    value = {"a": {"anna@shop.example": "x"}}
    for _ in range(2):
        assert ("a.[key]", "anna@shop.example", ()) in list(clear._sift(TIKTOK, NOBODY)(value, "", []))


@settings(max_examples=300, deadline=None)
@given(VALUES, st.sampled_from(["", "phone"]), st.booleans())
def test_masking_by_the_names_of_an_object_is_masking_each(value: Any, path: str, persona: bool) -> None:
    headers = (("Cookie", "sid=D0ME9HRC77U4Q9G3Q7A0"), ("Authorization", "Bearer abcdefgh12345"))
    people = ANNA if persona else NOBODY
    known = mask.of_exchange(Exchange("c", 0, "GET", SHOP, headers), (), people)
    for one in (mask.ANYBODY, known):
        assert mask.mask_json(value, path, one) == plain_mask(value, path, one)
        text = json.dumps(value, ensure_ascii=False)
        assert mask.mask_text(text, path, one) == mask._settled(text, path, replace(one, lasting=False, others=None))


@settings(max_examples=300, deadline=None)
@given(st.none() | OBJECTS | messages() | VALUES)
def test_what_is_read_by_name_is_what_a_model_reads(message: Any) -> None:
    assert payload.read(message) == plain_read(message)


@given(OBJECTS, st.lists(st.lists(NAMES.filter(bool), min_size=1, max_size=3), max_size=8))
def test_paths_that_lead_nowhere_are_left_out(value: dict[str, Any], steps: list[list[str]]) -> None:
    paths = [".".join(one) for one in steps]
    found = leading(value, tree(paths))
    assert found == sorted(found)
    assert {i for i, p in enumerate(paths) if at_path(value, p) is not None} <= set(found)


@settings(max_examples=300, deadline=None)
@given(leaves().map(str) | st.text(max_size=30))
def test_a_cheap_look_leaves_out_only_what_has_nothing(text: str) -> None:
    assert mask._may_hold_tokens(text) or mask.TOKENS.search(text) is None
    assert plaintext._spans(text) or not [*plaintext.emails(text), *plaintext.phones(text)]
    assert digest_of(text) is None or len(text) >= clear.MIN_DIGEST
    named = [
        m for m in mask.NAMED.finditer(text) if mask.is_secret_name(m[1][-80:]) and not m[3].startswith(mask.MARKED)
    ]
    assert len(list(mask._secrets(text))) == len(named) + len(mask.TOKENS.findall(text))


@pytest.mark.parametrize(
    "text", ["Bearer abcdef123", "BA\u017fIC abcdef123", "Ne\u0261otiate x", "EYJabcdefgh.eyJabcd.abcd"]
)
def test_tokens_in_any_case_are_looked_for(text: str) -> None:
    assert mask._may_hold_tokens(text) or mask.TOKENS.search(text) is None
    assert (mask.mask_text(text) != text) == (mask.TOKENS.search(text) is not None)


def test_names_of_telephones_are_told_by_their_end() -> None:
    long = "x" * 500
    for path in (f"{long}.phone", f"{long}.phone[0]", f"phone.{long}", f"{long}phone", "phone" + "[0]" * 45):
        end = mask._spoken(path)
        assert bool(end) == plaintext.is_phone_name(path)
        assert not end or plaintext.is_phone_name(f"{path}[0]") == plaintext.is_phone_name(f"{end}[0]")
        assert len(end) <= plaintext.MAX_NAME
