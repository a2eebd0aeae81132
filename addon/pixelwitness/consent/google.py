"""Google's consent mode, as Google's own hits carry it: what the page told Google. It decides nothing here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

GCS = re.compile(r"G1([01-])([01-])")
GCD = re.compile(r"1[0-9](?:[a-zA-Z][0-9]){4,5}[a-zA-Z0-9]{0,8}")
PURPOSES = ("ad_storage", "analytics_storage", "ad_user_data", "ad_personalization")

type Letters = Mapping[str, tuple[str, ...]]
"""What each letter of a gcd says: the default, then the update (rules/consent/google.yaml)."""


def read_gcd(text: str, letters: Letters) -> dict[str, tuple[str, str]]:
    """`13r3r3r3r5l1` as default and update for each of Google's four purposes. Raises ValueError."""
    if len(text) > 40 or not GCD.fullmatch(text):
        raise ValueError("not the shape of a gcd")
    read = []
    for letter in re.findall(r"[a-zA-Z]", text[2:])[:4]:
        default, update = (*letters.get(letter, ()), "unknown", "unknown")[:2]
        read.append((default, update))
    return dict(zip(PURPOSES, read, strict=True))


def google_detail(query: Mapping[str, str], letters: Letters) -> dict[str, Any] | None:
    """What a Google hit's parameters say of consent, or None where they say nothing."""
    found: dict[str, Any] = {}
    if (gcs := GCS.fullmatch(query.get("gcs", "")[:8])) is not None:
        words = {"1": "granted", "0": "denied", "-": "unset"}
        found["gcs"] = {"ad_storage": words[gcs[1]], "analytics_storage": words[gcs[2]]}
    try:
        read = read_gcd(query.get("gcd", ""), letters)
    except ValueError:
        read = {}
    if read:
        found["gcd"] = {purpose: {"default": d, "update": u} for purpose, (d, u) in read.items()}
        found["answered"] = _answered(read["ad_storage"])
    if not found:
        return None
    return found | {name: query[name] == "1" for name in ("npa", "dma", "gcu") if query.get(name) in ("0", "1")}


def _answered(ad_storage: tuple[str, str]) -> str:
    default, update = ad_storage
    if update in ("granted", "denied"):
        return f"{update} by an update"
    return f"{default} by default, no update" if default in ("granted", "denied") else "not said"
