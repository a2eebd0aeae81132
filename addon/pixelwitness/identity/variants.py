"""The spellings in which a person's value may reach a vendor, before and after hashing. No vendor in it.

Each spelling has a name that reads well in a sentence (`digits as typed`). The first spelling that gives a text names
it: the careful ones stand first, so that a value that needed no care is not called careless.
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pixelwitness.identity.personas import Persona
from pixelwitness.rulebook.identity import IdentityRules

if TYPE_CHECKING:  # its tables take longer to load than all that is asked of them: only where a number is known
    import phonenumbers

CAREFUL_EMAIL = "trimmed, lower case"
E164 = "E.164 with plus"
GUESS = "with country code"
AS_TYPED = "as typed"
ALGORITHMS: dict[str, Callable[[bytes], bytes]] = {
    "SHA-256": lambda raw: hashlib.sha256(raw).digest(),
    "MD5": lambda raw: hashlib.md5(raw, usedforsecurity=False).digest(),
    "SHA-1": lambda raw: hashlib.sha1(raw, usedforsecurity=False).digest(),
    "SHA-512": lambda raw: hashlib.sha512(raw).digest(),
}


def spellings(attribute: str, value: str, country: str | None, mail: IdentityRules) -> dict[str, str]:
    """Every spelling of a value as text -> name of the spelling."""
    made: dict[str, str] = {}
    for text, name in _spellings(attribute, value, country, mail):
        if text:
            made.setdefault(text, name)
    return made


def _spellings(attribute: str, value: str, country: str | None, mail: IdentityRules) -> Iterator[tuple[str, str]]:
    if attribute == "email":
        yield from _emails(value, mail)
    elif attribute == "phone":
        yield from _phones(value, country)
    elif attribute == "birthday":
        yield from _dates(value)
    else:
        yield from _words(value)
        if attribute == "zip_code":
            yield value.strip()[:5], "first five characters"
            yield re.sub(r"[\s-]", "", value).lower(), "without spaces and hyphens"


def _emails(value: str, mail: IdentityRules) -> Iterator[tuple[str, str]]:
    trimmed = value.strip()
    lower = trimmed.lower()
    yield lower, CAREFUL_EMAIL
    yield trimmed, "trimmed, case kept"
    yield value, AS_TYPED
    yield trimmed.upper(), "upper case"
    yield value.lower(), "lower case, untrimmed"
    yield value.replace(" ", "", 1), "first space removed"
    yield value.replace(" ", "", 1).lower(), "first space removed, lower case"
    yield from _edges(lower, trimmed)
    local, at, domain = lower.rpartition("@")
    if not at:
        return
    bare = local.partition("+")[0]
    yield f"{bare}@{domain}", "without +tag"
    undotted = "without dots" if domain in mail.dotless_domains else "without dots, though this provider minds them"
    yield f"{local.replace('.', '')}@{domain}", undotted
    yield f"{bare.replace('.', '')}@{domain}", f"without +tag and {undotted}"
    yield local, "the part before the @"
    yield f"{local}%40{domain}", "with %40 for the @"
    for known in mail.mail_domains:
        if known != domain and _one_slip(domain, known):
            yield f"{local}@{known}", f"domain corrected to {known}"
            yield f"{bare.replace('.', '')}@{known}", f"domain corrected to {known}, without +tag and dots"


def _edges(*texts: str) -> Iterator[tuple[str, str]]:
    """What a keyboard adds and an app's client does not take off again (app SDKs hash the raw text)."""
    for text in texts:
        yield f"{text} ", "untrimmed: a space behind"
        yield f" {text}", "untrimmed: a space before"
        yield f"{text[:1].upper()}{text[1:]}", "first letter capital"
        yield f"{text[:1].upper()}{text[1:]} ", "untrimmed: first letter capital, a space behind"


def _one_slip(typed: str, meant: str) -> bool:
    """Whether one word is the other with a letter too many, too few, wrong, or two swapped."""
    if abs(len(typed) - len(meant)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(typed, meant, strict=False)) if a != b), min(len(typed), len(meant)))
    a, b = typed[start:], meant[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[:2][::-1] and a[2:] == b[2:])


def _phones(value: str, country: str | None) -> Iterator[tuple[str, str]]:
    typed = re.sub(r"\D", "", value)
    import phonenumbers

    number = _parsed(value, country)
    if number is not None:
        national = phonenumbers.national_significant_number(number)
        full = f"{number.country_code}{national}"
        yield f"+{full}", E164
        yield full, "country code and number without plus"
        yield national, "national number without country code"
        yield f"0{national}", "national number with leading zero"
        yield f"00{full}", "country code and number with 00"
        yield f"011{full}", "country code and number with 011"
        yield f"+{number.country_code}0{national}", "country code, then the national leading zero"
        yield f"{number.country_code}0{national}", "country code without plus, then the national leading zero"
        for form in ("INTERNATIONAL", "NATIONAL", "RFC3966"):
            shape = getattr(phonenumbers.PhoneNumberFormat, form)
            yield phonenumbers.format_number(number, shape), f"formatted ({form.lower()})"
        yield from _separated(number)
    yield typed, "digits as typed"
    yield f"+{typed}", "digits as typed with plus"
    yield value.strip(), "trimmed"
    yield value, AS_TYPED
    yield re.sub(r"\s", "", value), "without spaces"
    yield from _edges(value.strip(), typed)
    yield typed.lstrip("0"), "digits without leading zeros"
    significant = phonenumbers.national_significant_number(number) if number is not None else typed.lstrip("0")
    for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
        yield f"+{code}{significant}", f"{GUESS} {code}"
        yield f"{code}{significant}", f"{GUESS} {code}, without plus"


def _separated(number: phonenumbers.PhoneNumber) -> Iterator[tuple[str, str]]:
    """The usual groups with other marks between them, as people type them and app SDKs hash them."""
    import phonenumbers

    national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    international = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    yield f"+{number.country_code} {national}", "country code, then formatted (national)"
    for text, name in ((national, "national"), (international, "international")):
        groups = re.findall(r"\+?\d+", text)
        for mark in "-. ":
            yield mark.join(groups), f"formatted ({name}) with {'spaces' if mark == ' ' else mark} between"


def is_guess(spelling: str) -> bool:
    """Whether a spelling is one of the hundreds that come from putting any country's code in front."""
    return spelling.startswith(GUESS)


def _parsed(value: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    import phonenumbers

    try:
        return phonenumbers.parse(value, country.upper() if country else None)
    except phonenumbers.NumberParseException:
        return None  # no country is known: the digits are all there is


def _dates(value: str) -> Iterator[tuple[str, str]]:
    year, month, day = [*value.strip().split("-"), "", ""][:3]
    yield f"{year}{month}{day}", "year, month, day"
    yield value.strip(), AS_TYPED
    yield f"{month}{day}{year}", "month, day, year"
    yield f"{day}{month}{year}", "day, month, year"
    for separator in "./-":
        yield separator.join((day, month, year)), f"day, month, year with {separator}"
        yield separator.join((month, day, year)), f"month, day, year with {separator}"


def _words(value: str) -> Iterator[tuple[str, str]]:
    trimmed = value.strip()
    lower = trimmed.lower()
    yield lower, "trimmed, lower case"
    yield trimmed, "trimmed, case kept"
    yield value, AS_TYPED
    yield trimmed.upper(), "upper case"
    yield trimmed.title(), "capitalised"
    yield re.sub(r"\s", "", trimmed), "without spaces"
    yield re.sub(r"\s", "", lower), "without spaces, lower case"
    yield "".join(c for c in lower if c.isalnum()), "letters and digits only, lower case"
    plain = "".join(c for c in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(c))
    yield f"{trimmed} ", "untrimmed: a space behind"
    yield plain, "without accents, lower case"
    yield "".join(c for c in plain if c.isascii() and c.isalnum()), "ASCII letters and digits only, lower case"


def digests(text: str, spelling: str) -> Iterator[tuple[bytes, str]]:
    """Every digest of a text, and how it was made: four algorithms, and hashes of hashes.

    Of guessed spellings, of which there are hundreds a number, only the plain digests.
    """
    raw = text.encode("utf-8", "surrogatepass")
    plain = {name: hashed(raw) for name, hashed in ALGORITHMS.items()}
    for name, digest in plain.items():
        yield digest, name
    if is_guess(spelling):
        return
    sha256 = ALGORITHMS["SHA-256"]
    for name in ("SHA-256", "MD5", "SHA-1"):
        yield sha256(plain[name].hex().encode()), f"SHA-256 of the {name} in hex"
    yield sha256(plain["SHA-256"].hex().upper().encode()), "SHA-256 of the SHA-256 in upper-case hex"
    yield ALGORITHMS["MD5"](plain["MD5"].hex().encode()), "MD5 of the MD5 in hex"
    yield ALGORITHMS["MD5"](plain["SHA-256"].hex().encode()), "MD5 of the SHA-256 in hex"
    for coded, name in _base64_texts(plain["SHA-256"]):
        yield sha256(coded.encode()), f"SHA-256 of the SHA-256 in {name}"


def _base64_texts(digest: bytes) -> list[tuple[str, str]]:
    standard, urlsafe = base64.b64encode(digest).decode(), base64.urlsafe_b64encode(digest).decode()
    coded: dict[str, str] = {}
    for text, name in (
        (standard, "base64"), (urlsafe, "base64url"), (urlsafe.rstrip("="), "base64url without padding"),
        (standard.lower(), "base64, lower-cased"), (urlsafe.lower(), "base64url, lower-cased"),
    ):  # fmt: skip
        coded.setdefault(text, name)
    return list(coded.items())


def all_spellings(persona: Persona, mail: IdentityRules) -> Iterator[tuple[str, str, str]]:
    """Every (attribute, text, name of the spelling) of a persona."""
    for attribute, value in persona.values():
        for text, name in spellings(attribute, value, persona.country, mail).items():
            yield attribute, text, name
