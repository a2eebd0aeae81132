"""Named decoders of what the probe reads in a page: consent kept in localStorage, and what consent systems' own
JavaScript interfaces say. Values are text, mostly JSON; a decoder gives None for a value that is not its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pixelwitness.consent.decoders import DECODERS, Decoder
from pixelwitness.consent.decoders.values import dig, moment
from pixelwitness.consent.reading import Reading, answered, unanswered

MAX_SERVICES = 500


def _object(value: str) -> dict[str, Any] | None:
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def tcf_api(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """`__tcfapi` events: `{"string", "status", "applies"}`. While the dialogue is shown they say nothing new."""
    said = _object(value)
    if said is None:
        return None
    if said.get("status") not in ("tcloaded", "useractioncomplete") or not isinstance(said.get("string"), str):
        return []
    return DECODERS["tc"](said["string"], jar, params) or []


def gpp_api(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """`__gpp` events: `{"string", "status"}`."""
    said = _object(value)
    if said is None:
        return None
    text = said.get("string")
    ready = said.get("status") in (None, "ready") and isinstance(text, str) and text
    return DECODERS["gpp"](text, jar, params) or [] if ready and isinstance(text, str) else []


def onetrust_api(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """OneTrust's groups and whether its banner was answered: `{"groups": {"C0004": false}, "closed": true}`."""
    said = _object(value)
    groups = said.get("groups") if said else None
    if said is None or not isinstance(groups, dict):
        return None
    listed = ",".join(f"{k}:{int(bool(v))}" for k, v in list(groups.items())[:MAX_SERVICES] if isinstance(v, bool))
    landing = "NotLandingPage" if said.get("closed") is True else "page"
    return DECODERS["onetrust"](f"groups={quote(listed)}&landingPath={landing}", {}, params)


def services_api(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """One yes or no a service, and whether somebody chose: at the paths `services` and `answered`."""
    said = _object(value)
    flags = dig(said, params["services"])
    if said is None or not isinstance(flags, dict):
        return None
    if dig(said, params["answered"]) not in params["answered_values"]:
        return [unanswered()]
    plain = {str(k): v for k, v in list(flags.items())[:MAX_SERVICES] if isinstance(v, bool)}
    return DECODERS["services"](json.dumps(plain), jar, params)


def usercentrics_settings(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """`uc_settings`: services by id, each with its history of actions. Ids name no TikTok: only what was done to all
    of them at once says what was done to it."""
    said = _object(value)
    listed = said.get("services") if said else None
    if not isinstance(listed, list) or not listed:
        return None
    latest: list[dict[str, Any]] = []
    for service in listed[:MAX_SERVICES]:
        history = service.get("history") if isinstance(service, dict) else None
        last = history[-1] if isinstance(history, list) and history else None
        if isinstance(last, dict):
            latest.append(last)
    actions = {str(entry.get("action")) for entry in latest}
    at = moment(max((e["timestamp"] for e in latest if isinstance(e.get("timestamp"), int)), default=None))
    if actions and actions <= set(params["untouched"]):
        return [unanswered()]
    if actions and actions <= set(params["granted"]):
        return [answered(True, at=at)]
    if actions and actions <= set(params["denied"]):
        return [answered(False, at=at)]
    return [Reading(None, "advertising", "vendor_not_named", True, effective_at=at)]


def sourcepoint(value: str, jar: Mapping[str, str], params: Mapping[str, Any]) -> list[Reading] | None:
    """`_sp_user_consent_*`: the summary of the answer, and the TC string beside it."""
    said = _object(value)
    gdpr = dig(said, "gdpr")
    status = dig(gdpr, "consentStatus")
    if not isinstance(gdpr, dict) or not isinstance(status, dict):
        return None
    if status.get("hasConsentData") is False:
        return [unanswered()]
    string = gdpr.get("euconsent")
    found = DECODERS["tc"](string, jar, params) or [] if isinstance(string, str) else []
    at = moment(gdpr.get("dateCreated"))
    if status.get("consentedAll") is True:
        return [answered(True, at=at), *found]
    if status.get("consentedToAny") is False or status.get("rejectedAll") is True:
        return [answered(False, at=at), *found]
    return found or [Reading(None, "advertising", "vendor_not_named", None)]


REPORTED: dict[str, Decoder] = {
    **DECODERS,
    "tcf_api": tcf_api,
    "gpp_api": gpp_api,
    "onetrust_api": onetrust_api,
    "services_api": services_api,
    "usercentrics_settings": usercentrics_settings,
    "sourcepoint": sourcepoint,
}
