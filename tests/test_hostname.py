"""A host has one name, however a recorder spelt it; and no name can pass for another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwitness.hostname import ascii_host, ascii_url
from pixelwitness.property import host_of, property_of
from support import SHOP, hit, judged, onetrust, page


@pytest.mark.parametrize(
    ("spelt", "name"),
    [("bücher.example", "xn--bcher-kva.example"), ("BÜCHER.example", "xn--bcher-kva.example"),
     ("straße.de", "xn--strae-oqa.de"), ("раураl.com", "xn--l-7sba6dbr.com"), ("💩.la", "xn--ls8h.la"),
     ("例え.テスト", "xn--r8jz45g.xn--zckzah"), ("shop.example", "shop.example"), ("[::1]", "[::1]")],
)  # fmt: skip
def test_as_browsers_write_it(spelt: str, name: str) -> None:
    assert ascii_host(spelt) == name
    assert host_of(f"https://{spelt}/x") == name.strip("[]")


@given(st.text(max_size=300))
def test_whatever_is_no_name_raises_nothing(text: str) -> None:
    assert ascii_host(ascii_host(text)) == ascii_host(text)
    if text.isascii() or len(text) > 253:
        assert ascii_host(text) == text
    else:
        assert ascii_host(text).isascii()
    property_of(f"https://{text}/")
    ascii_url(f"https://{text}/")


def test_only_the_host_of_a_url_is_written_anew() -> None:
    assert ascii_url("https://u@BÜCHER.example:8443/ä?q=ö#ü") == "https://u@xn--bcher-kva.example:8443/ä?q=ö#ü"


def test_one_site_in_two_spellings_is_one_property() -> None:
    there, wire = "https://bücher.example/", "https://xn--bcher-kva.example/"
    for asked, named in ((there, wire), (wire, there)):
        said = judged([page(0, asked, cookie=onetrust(False)), hit(3000, url=named)])
        assert [(v.property, v.consent_state) for v in said.verdicts] == [("xn--bcher-kva.example", "denied")]
    alike = judged([page(0, cookie=onetrust(False)), hit(3000, url=SHOP.replace("o", "\u043e"))])
    assert [v.property for v in alike.verdicts] != ["shop.example"]
