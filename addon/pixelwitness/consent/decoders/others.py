"""Cookies whose form is their CMP's alone, each too small for a file of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pixelwitness.consent.decoders.names import is_category, is_tiktok
from pixelwitness.consent.decoders.strings import tc
from pixelwitness.consent.decoders.values import dig, json_of, moment, place, plain, tokens, truth, word
from pixelwitness.consent.reading import Reading, answered, opted_out, unanswered, unsure

TC_INSIDE = re.compile(r"C[A-Za-z0-9_-]{30,}(?:\.[A-Za-z0-9_-]{4,}){0,3}")


def tealium(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """CONSENTMGR: `c1:0|...|ts:MS|consent:true`. `advertising` is the category; a consent that is refused as a whole
    overrides it, and one without any categories covers all."""
    parts = [p.partition(":") for p in re.split(r"\|", plain(value))[:200]]
    fields = {k.strip(): v.strip().lower() for k, _, v in parts}
    groups = {k: fields[k] == "1" for k in fields if re.fullmatch(r"c\d{1,2}", k) and fields[k] in ("0", "1")}
    consent = truth(fields.get("consent"))
    if consent is None and not groups and "dns" not in fields:
        return None
    found = [opted_out("cmp_sale", None, dns=fields["dns"])] if "dns" in fields else []
    common: dict[str, Any] = {"detail": {"categories": groups}}
    at = moment(fields.get("ts"))
    allowed = groups.get(params["advertising"])
    if consent is False or allowed is False:
        return [answered(False, at=at, **common), *found]
    if consent and (allowed or not groups):
        return [answered(True, at=at, **common), *found]
    if consent is None and not groups:
        return found
    return [unsure("category_guessed", choice_made=True, **common), *found]


def commanders_act(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """TC_PRIVACY: `status@version@categories@...@updated,created,expires@...`; status 0 is a yes, 1 a no."""
    parts = re.split(params.get("separator", "@"), plain(value))
    stamps = next((p for p in parts if re.fullmatch(r"\d{13}(,\d{13}){2}", p)), None)
    if len(parts) < 5 or parts[0] not in ("0", "1") or stamps is None:
        return None
    at = moment(stamps.partition(",")[0])
    detail = {"version": parts[1][:40]}
    if parts[0] == "1" and not parts[2]:
        return [answered(False, at=at, detail=detail)]
    return [unsure("category_guessed", choice_made=True, detail=detail)]


def funding_choices(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """FCCDCF: a JSON array; at index 3 the TC string where the European message was answered."""
    parsed = json_of(value)
    if not isinstance(parsed, list) or not parsed:
        return None
    answer = parsed[3] if len(parsed) > 3 else None
    answer = json_of(answer) if isinstance(answer, str) and answer.startswith("[") else answer
    string = answer[0] if isinstance(answer, list) and answer else answer
    if isinstance(string, str) and (said := tc(string, jar, params)):
        return said
    if answer is None and len(parsed) >= 7 and not any(parsed[:6]):
        return [unanswered()]
    return [unsure()]


def tc_inside(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """A value of the CMP's own in which a TC string stands."""
    found = TC_INSIDE.search(plain(value)[:20_000])
    if found is None:
        return None
    parts = found[0].split(".")
    for end in range(len(parts), 0, -1):
        if said := tc(".".join(parts[:end]), jar, params):
            return said
    return None


def ketch(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """_ketch_consent_v1_: base64 JSON of purposes, each with a status and its canonical names.

    It is also written for a new visitor with the region's defaults: `_swb_consent_` beside it tells by which legal
    basis each purpose is allowed, and what is allowed unless somebody objects was allowed by nobody.
    """
    parsed = json_of(value)
    if not isinstance(parsed, dict) or not parsed:
        return None
    said: list[bool] = []
    basis = dig(json_of(jar.get("_swb_consent_", "")), "purposes")
    by_default = False
    for code, purpose in list(parsed.items())[:200]:
        status = word(dig(purpose, "status"))
        if status not in ("granted", "denied"):
            continue
        canonical = dig(purpose, "canonicalPurposes")
        names = {str(code), *(str(n) for n in (canonical if isinstance(canonical, list) else []))}
        if names & set(params["advertising"]):
            said.append(status == "granted")
            own = basis.get(code) if isinstance(basis, dict) else None
            by_default |= word(dig(own, "legalBasisCode")) not in ("", "consent_optin")
    if not any(isinstance(p, dict) and "status" in p for p in parsed.values()):
        return None
    if said and len(set(said)) == 1:
        return [unsure(effective_default=True) if said[0] and by_default else answered(said[0])]
    return [unsure("category_guessed")]


def fides(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """fides_consent: notices by key, and by which method they were answered (`script`: by nobody)."""
    parsed = json_of(value)
    consent = dig(parsed, "consent")
    if not isinstance(consent, dict):
        return None
    method = word(dig(parsed, "fides_meta.consentMethod"))
    at = moment(dig(parsed, "fides_meta.updatedAt"))
    detail = {"version": word(dig(parsed, "fides_meta.version"))[:20]}
    notices = {str(k): truth(v) for k, v in list(consent.items())[:200]}
    advertising = {v for k, v in notices.items() if v is not None and set(tokens(k)) & set(params["advertising"])}
    sale = {v for k, v in notices.items() if v is not None and set(tokens(k)) & set(params["sale"])}
    allowed = advertising.pop() if len(advertising) == 1 else None
    if method == "script":
        return [unanswered(allowed, detail=detail)]
    if method not in params["answered"]:
        return [unsure(effective_default=allowed, detail=detail)]
    found = [opted_out("cmp_sale", False in sale)] if sale else []
    if method == "gpc":
        found.append(opted_out("gpc", True, recorded_by_cmp=True))
    if allowed is None:
        return [unsure("category_guessed", choice_made=True, detail=detail), *found]
    return [answered(allowed, at=at, detail=detail), *found]


def pandectes(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """_pandectes_gdpr: base64 JSON; `preferences` is a mask of the categories that were refused."""
    parsed = json_of(value)
    mask = parsed.get("preferences") if isinstance(parsed, dict) else None
    if not isinstance(mask, int) or isinstance(mask, bool) or mask < 0:
        return None
    status = word(parsed.get("status"))
    refused = bool(mask & params["advertising"])
    region = place("-".join(w for k in ("code", "state") if (w := word(dig(parsed, f"country.{k}")))))
    if status not in ("allow", "deny", "custom") or ((status == "allow") and refused) or (status == "deny") > refused:
        return [unsure(choice_made=True, region=region)]
    return [answered(not refused, at=moment(parsed.get("timestamp")), region=region)]


def cookiehub(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """cookiehub: base64 JSON; `categories` lists the allowed ones by number, and is empty where all are allowed."""
    parsed = json_of(value)
    if not isinstance(parsed, dict) or not isinstance(parsed.get("answered"), bool):
        return None
    listed = parsed.get("categories")
    if not isinstance(listed, list):
        return None
    numbers = [c.get("cid") if isinstance(c, dict) else c for c in listed[:100]
               if not isinstance(c, dict) or truth(c.get("value"))]  # fmt: skip
    allowed = parsed.get("allAllowed") is True or params["advertising"] in numbers
    detail = {"version": word(parsed.get("revision")), "dnt": parsed.get("dnt") is True}
    common: dict[str, Any] = {"region": place(parsed.get("region")), "detail": detail}
    if not parsed["answered"]:
        return [unanswered(allowed or parsed.get("implicit") is True, **common)]
    if parsed.get("implicit") is True:
        return [unsure(effective_default=allowed, **common)]
    said = [answered(allowed, at=moment(parsed.get("timestamp")), **common)]
    if isinstance(parsed.get("allowSale"), bool):
        said.append(opted_out("cmp_sale", not parsed["allowSale"]))
    return said


def civic(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """CookieControl: optional categories that were accepted, revoked, or rest on a legitimate interest."""
    parsed = json_of(value)
    optional = dig(parsed, "optionalCookies")
    if not isinstance(optional, dict) or "necessaryCookies" not in parsed:
        return None
    answers = {str(k): word(v) for k, v in list(optional.items())[:200]}
    if parsed.get("interactedWith") is False:
        return [unanswered()]
    at = moment(parsed.get("consentDate"))
    advertising = {v for k, v in answers.items() if is_category(k, params["lists"])} or (
        {"revoked"} if answers and set(answers.values()) == {"revoked"} else set()
    )
    if advertising in ({"accepted"}, {"revoked"}):
        return [answered(advertising == {"accepted"}, at=at)]
    return [unsure("category_guessed")]


def evidon(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """_evidon_consent_cookie: categories and vendors by country; `true` in place of either means all of them."""
    parsed = json_of(value)
    if not isinstance(parsed, dict) or "consent_date" not in parsed:
        return None
    at = moment(parsed["consent_date"])
    vendors = _by_country(parsed.get("vendors"))
    if own := {v for k, v in vendors.items() if is_tiktok(k, params["lists"])}:
        return [answered(own == {True}, "vendor", at)]
    categories = _by_country(parsed.get("categories"))
    advertising = {v for k, v in categories.items() if k == "" or is_category(k, params["lists"])}
    if len(advertising) == 1 or (categories and not any(categories.values())):
        return [answered(advertising == {True}, at=at)]
    return [unsure("category_guessed" if categories else "meaning_uncertain")]


def _by_country(found: Any) -> dict[str, bool]:
    """Names to yes or no over all countries; `""` stands for all. A name with both answers counts as refused."""
    said: dict[str, bool] = {}
    for names in list(found.values())[:50] if isinstance(found, dict) else []:
        for name, value in list(names.items())[:500] if isinstance(names, dict) else [("", names)]:
            flag = truth(value)
            if flag is not None:
                said[str(name)] = flag and said.get(str(name), True)
    return said


def axeptio_vendors(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """axeptio_authorized_vendors: the allowed ones of axeptio_all_vendors, between commas. An empty list stands both
    before a choice and after a refusal."""
    text = plain(value).strip()
    if not re.fullmatch(r"[,\w .:&+()/-]*", text) or "," not in text:
        return None
    allowed = [n.strip() for n in text.split(",") if n.strip()]
    if any(is_tiktok(n, params["lists"]) for n in allowed):
        return [answered(True, "vendor")]
    offered = plain(jar.get("axeptio_all_vendors", "")).split(",")
    if allowed and any(is_tiktok(n, params["lists"]) for n in offered):
        return [answered(False, "vendor")]
    return [unsure("vendor_not_named")]
