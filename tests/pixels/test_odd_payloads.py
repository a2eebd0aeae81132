"""Identity values in odd places, spellings, keys and transports: none missed, and nothing called what it is not."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwitness.classify import classify
from pixelwitness.exchange import Exchange
from pixelwitness.identity.people import NOBODY, People, index
from pixelwitness.identity.personas import Persona
from pixelwitness.observations import Hit
from pixelwitness.pixels.decode import hits
from pixelwitness.pixels.tiktok.jsontext import parse_forgiving
from pixelwitness.pixels.tiktok.meanings import explained
from pixelwitness.pixels.tiktok.paths import leaves
from pixelwitness.pixels.vendor import vendor_of
from support import BOOK, PIXEL, START, body

EMAIL = "jane.doe@example.com"
JANE = Persona(name="Jane", country="US", email=(EMAIL,), phone=("+1 213 373 4253",), external_id=("cust-4711",))
PEOPLE = index([JANE], BOOK.identity)
TIKTOK = "https://analytics.tiktok.com/api/v2/pixel"
VENDOR = vendor_of(BOOK, "tiktok")


def sha(text: str, algorithm: str = "sha256") -> str:
    return hashlib.new(algorithm, text.encode()).hexdigest()


def made(raw: bytes, url: str = TIKTOK, method: str = "POST", people: People = PEOPLE) -> tuple[tuple[Hit, ...], tuple]:
    exchange = Exchange("c", START, method, url, (), raw)
    return hits(exchange, classify(exchange, BOOK), BOOK, people)


def user(people: People = PEOPLE, **fields: object) -> Hit:
    return made(json.dumps(body(user=fields)).encode(), people=people)[0][0]


@pytest.mark.parametrize(
    ("value", "form", "variant"),
    [
        (f"sha256:{sha(EMAIL)}", "sha256_hex", "trimmed, lower case, SHA-256"),
        (f"0x{sha(EMAIL)}", "sha256_hex", "trimmed, lower case, SHA-256"),
        (f'"{sha(EMAIL)}"', "sha256_hex", "trimmed, lower case, SHA-256"),
        (base64.b64encode(sha(EMAIL).encode()).decode(), "other", "trimmed, lower case, SHA-256"),
        (base64.b64encode(sha(EMAIL, "md5").encode()).decode(), "sha256_base64url", "trimmed, lower case, MD5"),
        (sha("Jane.doe@example.com "), "sha256_hex", "untrimmed: first letter capital, a space behind, SHA-256"),
        (sha(f"{EMAIL} "), "sha256_hex", "untrimmed: a space behind, SHA-256"),
        (sha(EMAIL, "sha224"), "other", None),
        (sha("someone@else.example"), "sha256_hex", None),
    ],
)  # fmt: skip
def test_how_a_hash_may_be_written(value: str, form: str, variant: str | None) -> None:
    (one,) = [i for i in user(email=value).identifiers if i.name == "email"]
    assert (one.form, one.variant) == (form, variant)


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
@pytest.mark.parametrize("text", ["", "null", "None", "undefined", "0", "[object Object]", "(not set)"])
def test_the_hash_of_nothing_hands_nothing_over(text: str, algorithm: str) -> None:
    hit = user(email=sha(text, algorithm), external_id=text or "null")
    assert {i.form for i in hit.identifiers if i.collected == "manual"} == {"placeholder_hash", "placeholder"}
    assert hit.tier == "event"
    assert hit.matching == ()


@pytest.mark.parametrize("text", ["{{user.email}}", "${email}", "%%EMAIL%%", "[object Object]"])
def test_a_template_that_nobody_filled_in(text: str) -> None:
    assert user(email=text).tier == "event"


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [("last_name", "O'Brien", "name"), ("first_name", "Zoë-Marie", "name"), ("phone_number", "+1 (213) 373-4253", "phone"),
     ("phone_number", 12133734253, "phone"), ("full_name", "Jane Q. Doe", "name")],
)  # fmt: skip
def test_clear_text_in_fields_for_hashes_is_clear_text(field: str, value: object, kind: str) -> None:
    hit = user(**{field: value})
    assert [(p.kind, p.where) for p in hit.plaintext] == [(kind, f"context.user.{field}")]
    assert "Brien" not in hit.model_dump_json(exclude={"payload"})


@pytest.mark.parametrize("fields", [{"email": "guest"}, {"email": "test"}, {"phone_number": "call me"}])
def test_a_word_in_a_field_for_an_address_is_no_clear_address(fields: dict) -> None:
    hit = user(NOBODY, **fields)
    assert hit.plaintext == ()
    assert {i.form for i in hit.identifiers if i.name in fields} == {"malformed"}


def test_a_clear_postal_code_is_clear_and_a_formatted_number_is_whose() -> None:
    assert [i.form for i in user(zip_code="SW1A 1AA").identifiers if i.name == "zip_code"] == ["plaintext"]
    (one,) = [i for i in user(phone_number="+1 (213) 373-4253").identifiers if i.name == "phone_number"]
    assert (one.persona, one.variant) == ("Jane", "country code, then formatted (national)")


def test_a_field_of_the_person_that_no_rule_knows() -> None:
    hit = user(NOBODY, em=sha("a@b.example"), shoe="44", locale="en")
    assert [(i.field, i.form, i.collected) for i in hit.identifiers if i.name in ("em", "shoe", "locale")] == [
        ("context.user.em", "sha256_hex", "manual"), ("context.user.shoe", "other", "unknown"),
    ]  # fmt: skip
    assert hit.tier == "advanced_matching"
    assert user(NOBODY, shoe="44").tier == "event"


@pytest.mark.parametrize("name", ["customer_email_sha256", "hashedEmail", "email", "phone_hash", "em", "userEmailMd5"])
def test_a_hash_under_a_name_that_says_whose(name: str) -> None:
    hit = made(json.dumps(body(properties={name: sha("a@b.example")})).encode(), people=NOBODY)[0][0]
    assert [(i.field, i.collected) for i in hit.identifiers if i.collected == "elsewhere"] == [
        (f"properties.{name}", "elsewhere")
    ]
    assert hit.tier == "advanced_matching"


@pytest.mark.parametrize(
    "name", ["content_id", "email_template", "phone_case_sku", "order_hash", "itemid", "theme", "graph"]
)
def test_a_hash_under_another_name_is_nobodys(name: str) -> None:
    hit = made(json.dumps(body(properties={name: sha("a@b.example")})).encode(), people=NOBODY)[0][0]
    assert hit.tier == "event"


@pytest.mark.parametrize(
    "url",
    [f"https://www.shop.example/u/{sha(EMAIL)}/x", f"https://www.shop.example/?em_{sha(EMAIL)}", f"https://www.shop.example/#h={sha(EMAIL).upper()}",
     f"https://www.shop.example/a/{base64.urlsafe_b64encode(hashlib.sha256(EMAIL.encode()).digest()).decode().rstrip('=')}/b"],
)  # fmt: skip
def test_a_personas_hash_inside_an_address(url: str) -> None:
    hit = made(json.dumps(body(url=url)).encode())[0][0]
    assert {i.persona for i in hit.identifiers if i.collected == "elsewhere"} == {"Jane"}


RAW = json.dumps(body("Purchase", user={"email": sha(EMAIL)})).encode()


@pytest.mark.parametrize(
    ("raw", "spots"),
    [
        (RAW.decode().encode("utf-16"), []),
        (gzip.compress(RAW), []),
        (base64.b64encode(gzip.compress(RAW)), []),
        (base64.encodebytes(RAW), []),
        (RAW + b"\n", []),
        (RAW + b";", ["body_cut"]),
        (RAW[:-60], ["body_cut"]),
    ],
    ids=["utf-16", "packed", "packed in base64", "base64 in lines", "newline", "text behind", "cut"],
)
def test_a_message_in_odd_clothes(raw: bytes, spots: list[str]) -> None:
    (hit,), said = made(raw)
    assert [s.kind for s in said] == spots
    assert [i.persona for i in hit.identifiers if i.field == "context.user.email"] == ["Jane"]


def test_messages_one_behind_the_other_are_a_hit_each() -> None:
    assert [h.event for h in made(RAW + b"\n" + RAW.replace(b"Purchase", b"Lead"))[0]] == ["Purchase", "Lead"]


@pytest.mark.parametrize(
    "url",
    [f"{TIKTOK}?analytics_message={quote(quote(base64.b64encode(RAW).decode(), safe=''), safe='')}",
     f"{TIKTOK}?v=1&d={base64.urlsafe_b64encode(RAW).decode()}", f"{TIKTOK}?analytics_message={quote(RAW.decode())}"],
    ids=["encoded twice", "another name", "bare JSON"],
)  # fmt: skip
def test_an_image_in_odd_clothes(url: str) -> None:
    (hit,), spots = made(b"", url, "GET")
    assert (hit.event, hit.tier, spots) == ("Purchase", "advanced_matching", ())


@pytest.mark.parametrize("way", ["image", "form"])
def test_a_hand_made_image_or_form_without_json(way: str) -> None:
    fields = f"event=CompletePayment&sdkid={PIXEL}&context[user][email]={sha(EMAIL)}&url={quote(f'https://x.example/?e={EMAIL}')}"
    url = "https://analytics.tiktok.com/api/v2/pixel_event_track"
    (hit,), _ = made(b"", f"{url}?{fields}", "GET") if way == "image" else made(fields.encode(), url)
    assert (hit.event, hit.pixel_codes, hit.tier, hit.kind) == ("Purchase", (PIXEL,), "plaintext", "event")
    assert {i.field for i in hit.identifiers if i.persona} >= {"context.user.email"}


def test_a_body_that_is_no_message_is_searched_all_the_same() -> None:
    (hit,), (spot,) = made(f"<m>{EMAIL}</m>".encode(), people=NOBODY)
    assert (hit.kind, hit.tier, [p.where for p in hit.plaintext], spot.kind) == (
        "unreadable", "plaintext", ["body"], "unreadable_body",
    )  # fmt: skip


def test_a_message_on_an_undescribed_path_is_searched_too() -> None:
    (hit,), _ = made(json.dumps({"x": EMAIL}).encode(), "https://analytics.tiktok.com/api/v9/new", people=NOBODY)
    assert (hit.kind, hit.tier) == ("telemetry", "plaintext")


def test_events_api() -> None:
    event = {"event": "Purchase", "event_time": 1_795_000_000, "user": {"email": [sha(EMAIL)], "phone": sha("+12133734253")},
             "page": {"url": "https://www.shop.example/x"}, "limited_data_use": True}  # fmt: skip
    batch = {"event_source": "web", "event_source_id": PIXEL, "data": [event, {"event": "Lead"}]}
    found, _ = made(json.dumps(batch).encode(), "https://business-api.tiktok.com/open_api/v1.3/event/track/")
    assert [(h.event, h.pixel_codes, h.limited_data_use) for h in found] == [
        ("Purchase", (PIXEL,), True),
        ("Lead", (PIXEL,), None),
    ]
    assert found[0].event_time == 1_795_000_000_000
    assert {i.name for i in found[0].identifiers if i.persona == "Jane"} == {"email", "phone_number"}


def test_a_name_that_stands_twice_keeps_both_values() -> None:
    (hit,), _ = made(b'{"event":"A","event":"B","context":{"pixel":{"code":"x"}}}')
    assert (hit.event, hit.payload["event'"]) == ("B", "A")


def test_every_leaf_is_named_or_called_unknown() -> None:
    message = {**body(), "properties": {"shoe_size": 44, "extra": json.dumps({"a": [1, {"b": None}]})}}
    found = {leaf.path: leaf for leaf in explained(message, VENDOR)}
    assert found["properties.shoe_size"].means is None
    assert found["properties.extra.a[1].b"].means is None
    assert found["context.user.anonymous_id"].means == "identity: anonymous_id, first party cookie"
    assert {path for path, _ in leaves(message["context"], "context")} <= set(found)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=15,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(max_size=8), JSON, min_size=1))
def test_what_was_encoded_is_decoded(value: dict) -> None:
    raw = json.dumps(value).encode()
    whole = parse_forgiving(raw)
    assert whole is not None
    assert (whole.value, whole.flaw) == (json.loads(json.dumps(value).encode("utf-8", "replace")), None)
    assert {leaf.path for leaf in explained(value, VENDOR)} or not dict(leaves(value))


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(max_size=8), JSON, min_size=1), st.integers(1, 40))
def test_a_cut_message_says_no_more_than_the_whole(value: dict, less: int) -> None:
    raw = json.dumps(value).encode()
    cut = parse_forgiving(raw[:-less])
    whole = {(p, repr(v)) for p, v in leaves(value)}
    if cut is not None and cut.flaw == "cut":
        assert {(p, repr(v)) for p, v in leaves(cut.value) if v not in ({}, [])} <= whole
