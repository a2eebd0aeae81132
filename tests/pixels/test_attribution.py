"""Hashes on the wire of TikTok's own client, and the text that each is known to be of: whose is it, in which spelling?"""

from __future__ import annotations

import hashlib
import json

import pytest

from pixelwitness.classify import classify
from pixelwitness.exchange import Exchange
from pixelwitness.identity.people import index
from pixelwitness.identity.personas import Persona
from pixelwitness.identity.variants import spellings
from pixelwitness.observations import Hit, Plaintext
from pixelwitness.pixels.decode import hits
from pixelwitness.sources.files import read_capture
from support import BOOK, SHARED, START, body, needs_shared

JANE = Persona(
    name="Jane", country="US", email=("jane.doe@example.com",), phone=("+1 213 373 4253",), first_name=("Jane",),
    last_name=("Doe",), external_id=("cust-4711",), zip_code=("90001",), city=("Los Angeles",), username=("janedoe85",),
)  # fmt: skip
HANS = Persona(name="Hans", country="DE", phone=("030 901820",), zip_code=("10115",))
LI = Persona(name="Li", country="CN", phone=("13800138000",))
ANN = Persona(name="Ann", zip_code=("SW1A 1AA",))
CONTROL = Persona(name="Nobody", control=True, email=("never@example.org",))
PERSONAS = [JANE, HANS, LI, ANN, CONTROL]
PEOPLE = index(PERSONAS, BOOK.identity)
NOBODYS = {"call me", "undefined", "12345"}


def truth() -> list[dict]:
    path = SHARED / "captures" / "sdk" / "truth.jsonl"
    return [r for r in map(json.loads, path.read_text().splitlines()) if r["hashes"]] if path.is_file() else []


TRUTH = truth()


def decoded(exchange: Exchange) -> Hit:
    found, spots = hits(exchange, classify(exchange, BOOK), BOOK, PEOPLE)
    assert not spots
    return found[0]


@needs_shared
@pytest.mark.parametrize("name", sorted({r["file"] for r in TRUTH}))
def test_each_hash_of_the_real_client_is_named(name: str) -> None:
    exchanges = list(read_capture(SHARED / "captures" / "sdk" / f"{name}.mitm", client="c"))
    for row in (r for r in TRUTH if r["file"] == name):
        hit = decoded(exchanges[row["index"]])
        for said in row["hashes"].values():
            text, value = said["sha256_of"], said["value"]
            (one, *_) = [i for i in hit.identifiers if i.value == value]
            if text in NOBODYS:
                assert one.persona is None
                continue
            (persona,) = [p for p in PERSONAS if p.name == one.persona]
            possible = [
                names[text]
                for attribute, typed in persona.values()
                if attribute == one.attribute
                for names in [spellings(attribute, typed, persona.country, BOOK.identity)]
                if text in names
            ]
            plain = {spelling if text == value else f"{spelling}, SHA-256" for spelling in possible}
            assert one.variant in plain or (text == "cust-4711" and one.variant == "trimmed, lower case, SHA-256")


@needs_shared
def test_whether_the_vendors_own_rule_was_followed() -> None:
    said = {}
    for exchange in read_capture(SHARED / "captures" / "sdk" / "03c-identify-phone-spellings.har", client="c"):
        for hit in hits(exchange, classify(exchange, BOOK), BOOK, PEOPLE)[0]:
            said |= {
                i.variant: i.follows_rule for i in hit.identifiers if i.persona == "Jane" and i.attribute == "phone"
            }
    assert said == {
        "E.164 with plus, SHA-256": True,
        "national number without country code, SHA-256": False,
        "country code and number without plus, SHA-256": False,
        "country code and number with 00, SHA-256": False,
    }


def of(message: dict, url: str = "https://analytics.tiktok.com/api/v2/pixel", headers: tuple = ()) -> Hit:
    return decoded(Exchange("c", START, "POST", url, headers, json.dumps(message).encode()))


def test_a_personas_hash_in_a_field_that_nobody_knows() -> None:
    digest = "86e0b9e56c17cc4d12387e1949b85053fbe73bc3ce5a1188713a9d300cc6133d"
    hit = of(
        body(
            "Purchase", properties={"contents": [{"note": f"u={digest};"}]}, url=f"https://www.shop.example/?h={digest}"
        )
    )
    found = {(i.field, i.attribute, i.persona, i.collected) for i in hit.identifiers if i.persona}
    assert found == {
        ("properties.contents[0].note", "email", "Jane", "elsewhere"),
        ("context.page.url", "email", "Jane", "elsewhere"),
    }
    assert hit.tier == "advanced_matching"


@pytest.mark.parametrize(
    ("message", "kind", "where"),
    [
        (body(properties={"desc": "Order for jane.doe@example.com"}), "email", "properties.desc"),
        (body(url="https://www.shop.example/?p=2133734253"), "phone", "context.page.url"),
        ({**body(None), "action": "Click", "auto_collected_properties": {"trigger_element": {"attributes": {"value": "Cancel order of Jane Doe"}}}},
         "name", "auto_collected_properties.trigger_element.attributes.value"),
        (body(user={"external_id": "Jane.Doe@example.com"}), "email", "context.user.external_id"),
    ],
)  # fmt: skip
def test_a_personas_clear_text_is_named(message: dict, kind: str, where: str) -> None:
    hit = of(message)
    assert hit.tier == "plaintext"
    (said,) = [p for p in hit.plaintext if p.where == where]
    assert (said.kind, said.persona) == (kind, "Jane")
    assert "doe" not in said.masked.lower()
    assert isinstance(said, Plaintext)


def test_a_personas_id_in_clear_is_an_identifier() -> None:
    hit = of(body(url="https://www.shop.example/account?c=cust-4711"))
    assert [(i.attribute, i.form) for i in hit.identifiers if i.persona] == [("external_id", "plaintext")]
    assert hit.plaintext == ()


def test_the_control_persona_is_a_defect_of_the_audit() -> None:
    digest = hashlib.sha256(b"never@example.org").hexdigest()
    raw = json.dumps(body(properties={"x": digest}, user={"email": digest})).encode()
    exchange = Exchange("c", START, "POST", "https://analytics.tiktok.com/api/v2/pixel", (), raw)
    (hit,), spots = hits(exchange, classify(exchange, BOOK), BOOK, PEOPLE)
    assert {s.kind for s in spots} == {"control_persona"}
    assert not [i for i in hit.identifiers if i.persona]


def test_without_personas_nothing_is_attributed() -> None:
    exchange = Exchange(
        "c",
        START,
        "POST",
        "https://analytics.tiktok.com/api/v2/pixel",
        (),
        json.dumps(body(user={"email": "a" * 64})).encode(),
    )
    (hit,), _ = hits(exchange, classify(exchange, BOOK), BOOK)
    assert [i.persona for i in hit.identifiers if i.name == "email"] == [None]


def test_what_ids_embed() -> None:
    hit = of(
        {**body(), "context": {**body()["context"], "csid": "1795336131907::aBcD"}},
        headers=(("Cookie", "_ttp=36dyY1iiVEyKOqnhLOWLc3IZqFZ"),),
    )
    made = {i.field: i.created_at for i in hit.identifiers}
    assert made["context.user.anonymous_id"] == 1795336131890
    assert made["cookie._ttp"] == 1765350786000
    assert made["context.csid"] == 1795336131907


def test_the_clients_own_redactions_are_reported_as_what_they_are() -> None:
    hit = of(
        {
            **body(None),
            "action": "Click",
            "auto_collected_properties": {
                "trigger_element": {"inner_text": "I am <#RELIGION#>, mail <#EMAIL#> <#NEW_THING#>"}
            },
        }
    )
    assert [(r.token, r.meaning) for r in hit.redactions] == [
        ("<#RELIGION#>", "a word on religion"), ("<#EMAIL#>", "an e-mail address"), ("<#NEW_THING#>", "new thing"),
    ]  # fmt: skip
    assert hit.plaintext == ()
