"""Clear text is found through encodings, and what only looks like it is not."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwitness.identity import layers, plaintext
from pixelwitness.identity.plaintext import find
from pixelwitness.mask import mask_body, mask_headers, mask_json, mask_text

EMAIL = "jane.doe@example.com"


@pytest.mark.parametrize(
    "text",
    [
        EMAIL, f"mailto:{EMAIL}", f"https://shop.example/?e={EMAIL}", f"https://shop.example/u/{EMAIL}",
        f"https://shop.example/?e={quote(EMAIL)}", quote(quote(EMAIL)), json.dumps({"a": json.dumps({"b": EMAIL})}),
        base64.b64encode(f"user={EMAIL}".encode()).decode(), base64.urlsafe_b64encode(EMAIL.encode()).decode(),
        "jane&#46;doe&#64;example.com", "user@example.com-abc", ' {"a":"jane.doe\\u0040example.com"}', "Jane <jane.doe@Example.com>",
    ],
)  # fmt: skip
def test_found_and_masked(text: str) -> None:
    assert [p.kind for p in find(text, "x")][:1] == ["email"]
    masked = mask_text(text)
    assert not find(masked, "x")
    assert mask_text(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "logo@2x.png", "sprite@1x.webp", "/npm/pkg@1.2.3/dist/x.js", "https://abc123@o1.ingest.sentry.io/4", "<#EMAIL#>",
        "https://user:word@host.example/", "@handle", "a@b", "99.95", "1745853750673", "2133734253", "C8J7IKS8D8GECQQUIMM0",
        "messageId-1745853750673-9572865390382", "86e0b9e56c17cc4d12387e1949b85053fbe73bc3ce5a1188713a9d300cc6133d",
        "react@latest.js", "+1745853750673", "+99912345678", "lib@2.0.beta", "+1", "2+2=4", "2025-04-28T15:22:30+0000", "1+234567890123456789",
    ],
)  # fmt: skip
def test_look_alikes(text: str) -> None:
    assert find(text, "x") == []
    assert mask_text(text) == text


@pytest.mark.parametrize("text", ["+12133734253", "+49 30 901820", "tel:+1-213-373-4253", "call +1 (213) 373-4253 now"])
def test_phones(text: str) -> None:
    assert [p.kind for p in find(text, "x")] == ["phone"]
    assert not find(mask_text(text), "x")


def test_a_bare_number_is_a_phone_only_under_a_name_that_says_so() -> None:
    assert [p.where for p in find({"phone": "2133734253", "order_id": "2133734253"}, "")] == ["phone"]
    assert mask_json({"phone": 2133734253}) == {"phone": "[masked:phone]"}


@pytest.mark.parametrize(
    "name", ["handy", "contactNumber", "telefono", "tel_nr", "whatsapp_number", "mobil", "billing[celular]"]
)
def test_names_that_say_telephone(name: str) -> None:
    assert [p.kind for p in find({name: "015112345678"}, "")] == ["phone"]
    assert [p.kind for p in find(f"https://www.shop.example/?{name}=015112345678", "")] == ["phone"]


@pytest.mark.parametrize(
    "name", ["mobile_orders", "handyman", "contact_id", "phone_case", "hotel", "excellent", "cellar_no"]
)
def test_names_that_do_not(name: str) -> None:
    assert find({name: "015112345678"}, "") == []


def test_headers_never_keep_credentials_or_unclaimed_cookies() -> None:
    headers = (("Authorization", "Bearer x"), ("Cookie", "sid=secret; OptanonConsent=a=1"), ("Referer", f"https://x/?{EMAIL}"),
               ("Set-Cookie", "sid=secret; Path=/"))  # fmt: skip
    masked = dict(mask_headers(headers, {"OptanonConsent"}))
    assert masked["Cookie"] == "sid=[masked]; OptanonConsent=a=1"
    assert masked["Set-Cookie"] == "sid=[masked]; Path=/"
    assert dict(mask_headers((("Cookie", "jane.doe@example.com"), ("X-Auth-Token", "x")))) == {
        "Cookie": "[masked]",
        "X-Auth-Token": "[masked]",
    }
    assert "Bearer x" not in masked["Authorization"]
    assert EMAIL not in masked["Referer"]


@given(st.text(max_size=60), st.text(max_size=20))
def test_masking_leaves_nothing_to_find(before: str, after: str) -> None:
    text = f"{before} {EMAIL} {after}"
    masked = mask_text(text)
    assert EMAIL not in masked
    assert EMAIL.encode() not in mask_body(text.encode("utf-8", "replace"))


def test_a_number_in_the_encoding_of_forms_is_found_and_masked() -> None:
    from pixelwitness.mask import mask_text

    for text in ("https://a.example/x?u=%2B49+30+90182345&b=1", "u=%2b49+30+90182345", "%2B49+30+90182345"):
        assert [f.kind for f in find(text, "x")] == ["phone"], text
        assert "90182345" not in mask_text(text)
    assert find("q=1+1%2B2+3+4+5+6+7+8", "x") == []


def test_what_stands_encoded_behind_many_words_is_found_and_what_is_not_undone_is_said() -> None:
    words = " ".join(f"word{i}" for i in range(5_000))
    assert [f.kind for f in plaintext.find(f"{words} jane%40shop.example", "title")] == ["email"]
    unread: list[str] = []
    many = " ".join(f"a%2{i % 5}b{i}" for i in range(layers.MAX_TOKENS))
    assert len(list(plaintext.strings(many, "title", unread))) == layers.MAX_TOKENS + 1
    assert unread == []
    list(plaintext.strings(many + " one%20more", "title", unread))
    assert unread == ["title"]
