"""Whose value is it: every spelling and hash of a persona is recognised, and no neighbour's."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwitness.identity.people import NOBODY, digest_of, index, load_people
from pixelwitness.identity.personas import Persona
from pixelwitness.identity.variants import spellings
from pixelwitness.rulebook import RuleError
from support import BOOK

JANE = Persona(
    name="Jane", country="US", email=("Jane.Doe+shop@gmail.com", "jane.doe@gmial.com"), phone=("+1 213 373 4253",),
    first_name=("Zoë",), last_name=("Doe",), external_id=("cust-4711",), street=("12 Main St",), city=("Los Angeles",),
    state=("CA",), zip_code=("90012-1234",), birthday=("1980-02-03",),
)  # fmt: skip
HANS = Persona(name="Hans", country="DE", phone=("030 901820",), last_name=("Doe",))
CONTROL = Persona(name="Nobody", control=True, email=("never@example.org",), city=("Berlin",))
PEOPLE = index([JANE, HANS, CONTROL], BOOK.identity)
HASHES = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5, "SHA-1": hashlib.sha1, "SHA-512": hashlib.sha512}

SPELT = [
    ("jane.doe+shop@gmail.com", "email", "trimmed, lower case"),
    ("Jane.Doe+shop@gmail.com", "email", "trimmed, case kept"),
    ("jane.doe@gmail.com", "email", "without +tag"),
    ("janedoe@gmail.com", "email", "without +tag and without dots"),
    ("+12133734253", "phone", "E.164 with plus"),
    ("12133734253", "phone", "country code and number without plus"),
    ("2133734253", "phone", "national number without country code"),
    ("0012133734253", "phone", "country code and number with 00"),
    ("+492133734253", "phone", "with country code 49"),
    ("+1 213-373-4253", "phone", "formatted (international)"),
    ("+4930901820", "phone", "E.164 with plus"),
    ("030901820", "phone", "national number with leading zero"),
    ("+130901820", "phone", "with country code 1"),
    ("zoë", "first_name", "trimmed, lower case"),
    ("zoe", "first_name", "without accents, lower case"),
    ("zoë doe", "full_name", "trimmed, lower case"),
    ("90012", "zip_code", "first five characters"),
    ("losangeles", "city", "without spaces, lower case"),
    ("19800203", "birthday", "year, month, day"),
    ("CUST-4711", "external_id", "upper case"),
]


@pytest.mark.parametrize("algorithm", HASHES)
@pytest.mark.parametrize(("text", "attribute", "spelling"), SPELT, ids=lambda v: v)
def test_every_spelling_in_every_hash_and_writing(text: str, attribute: str, spelling: str, algorithm: str) -> None:
    digest = HASHES[algorithm](text.encode()).digest()
    writings = {
        digest.hex(), digest.hex().upper(), base64.b64encode(digest).decode(), base64.urlsafe_b64encode(digest).decode(),
        base64.urlsafe_b64encode(digest).decode().rstrip("="),
    }  # fmt: skip
    for writing in writings:
        match = PEOPLE.whose(writing)
        assert match is not None
        assert (match.attribute, match.spelling, match.hashed) == (attribute, spelling, algorithm)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        (hashlib.sha256(b"jane.doe+shop@gmail.com").hexdigest(), "SHA-256 of the SHA-256 in hex"),
        (hashlib.md5(b"jane.doe+shop@gmail.com").hexdigest(), "SHA-256 of the MD5 in hex"),
        (base64.b64encode(hashlib.sha256(b"jane.doe+shop@gmail.com").digest()).decode().lower(),
         "SHA-256 of the SHA-256 in base64, lower-cased"),
    ],
)  # fmt: skip
def test_hashes_of_hashes(text: str, made: str) -> None:
    match = PEOPLE.whose(hashlib.sha256(text.encode()).hexdigest())
    assert match is not None
    assert match.hashed == made


@pytest.mark.parametrize(
    "text",
    ["jane.doe@gmail.co", "jane_doe@gmail.com", "ane.doe@gmail.com", "+12133734254", "213373425", "zo", "doex", "90013", "1980-02-04",
     "cust-4712", "", " ", "never@example.com", "losangele"],
)  # fmt: skip
def test_a_neighbour_is_nobody(text: str) -> None:
    assert PEOPLE.whose(text) is None
    assert PEOPLE.whose(hashlib.sha256(text.encode()).hexdigest()) is None


def test_a_typing_error_in_the_domain_is_corrected_as_the_client_does() -> None:
    people = index([Persona(name="J", email=("jane@gmial.com",))], BOOK.identity)
    match = people.whose(hashlib.sha256(b"jane@gmail.com").hexdigest())
    assert match is not None
    assert match.spelling == "domain corrected to gmail.com"
    assert people.whose(hashlib.sha256(b"jane@hotmail.com").hexdigest()) is None


@pytest.mark.parametrize("example", BOOK.identity.examples, ids=lambda e: e.email)
def test_the_rules_own_examples(example) -> None:
    assert spellings("email", example.email, None, BOOK.identity)[example.text] == example.variant


def test_a_value_of_two_personas_names_both() -> None:
    match = PEOPLE.whose("doe")
    assert match is not None
    assert match.persona == "Hans or Jane"


def test_the_control_persona_counts_only_by_what_tells_a_person() -> None:
    match = PEOPLE.whose(hashlib.sha256(b"never@example.org").hexdigest())
    assert match is not None
    assert match.control
    assert PEOPLE.whose("berlin") is None


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ("https://x.example/?q=CUST-4711&z=1", ["external_id"]),
        ("order of Zoë Doe", ["full_name"]),
        ("Zoë+Doe", ["full_name"]),
        ("call (213) 373-4253 now", ["phone"]),
        ("call +12133734253", ["phone"]),
        ("id 42133734253", []),
        ("21337342539", []),
        ("Doe", []),
        ("custody 47111", []),
        ("xcust-4711", []),
    ],
)
def test_values_inside_longer_texts(text: str, attributes: list[str]) -> None:
    assert [found.match.attribute for found in PEOPLE.clear_in(text)] == attributes


def test_hashes_inside_longer_texts() -> None:
    digest = hashlib.sha256(b"jane.doe@gmail.com").hexdigest()
    (found,) = PEOPLE.hashes_in(f"https://x.example/?em={digest}&x=1")
    assert (found.match.attribute, found.end - found.start) == ("email", 64)
    assert list(PEOPLE.hashes_in(digest[:-1] + "g")) == []


@given(st.text())
def test_nobody_is_found_in_other_texts(text: str) -> None:
    assert NOBODY.whose(text) is None
    digest_of(text)
    list(PEOPLE.hashes_in(text))
    list(PEOPLE.clear_in(text))


@given(st.binary(min_size=32, max_size=32))
def test_a_random_digest_is_nobodys(raw: bytes) -> None:
    for text in (raw.hex(), base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode().rstrip("=")):
        assert digest_of(text) == raw
        assert PEOPLE.whose(text) is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("personas: []", "personas"),
        ("personas:\n  - {name: A, mail: a@b.example}", r":2: personas\.0\.mail"),
        ("personas:\n  - {name: A}", "A has no value"),
        ("personas:\n  - {name: A, email: a@b.example}\n  - {name: A, phone: '1'}", "same name"),
        ("- x", "valid dictionary"),
    ],
)
def test_a_file_that_cannot_be_used_says_where(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "people.yaml"
    path.write_text(text)
    with pytest.raises(RuleError, match=complaint):
        load_people(path, BOOK.identity)


def test_one_value_or_many_and_numbers(tmp_path: Path) -> None:
    path = tmp_path / "people.yaml"
    path.write_text("personas:\n  - {name: A, email: a@b.example, external_id: [4711, x-99], zip_code: 90012}\n")
    people = load_people(path, BOOK.identity)
    assert {people.whose(v).attribute for v in ("4711", "x-99")} == {"external_id"}
    assert people.source is not None
