"""One entry of a HAR as an exchange, tolerant of what recorders leave out or get wrong.

An entry is lost only if it has no URL or no time.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from pixelwitness.exchange import BodyState, Exchange, Headers, Response
from pixelwitness.sources import ReadNote, Wanted, all_wanted
from pixelwitness.sources.content import MAX_BODY, decode

TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,12}))?\s*(Z|z|[+-]\d\d:?\d\d)?$")
MAX_HEADERS = 10_000
BLOCKED = "blocked: "
"""Before what a recorder says of why its browser did not send a request."""
TOO_LARGE = object()
"""Instead of a text that is longer than this program reads."""


def tolerant(entry: Any, client: str, position: str, wanted: Wanted = all_wanted) -> Iterator[Exchange | ReadNote]:
    """The exchange of an entry as a parser gives it, and a note of what was odd in it. `position` names the entry."""
    problems: list[str] = []
    request = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(request, dict):
        yield ReadNote("odd_entry", "an entry without a request", position)
        return
    url, started = request.get("url"), har_time(entry.get("startedDateTime"))
    if not isinstance(url, str) or not url or started is None:
        yield ReadNote("odd_entry", "an entry without a URL or a time", position)
        return
    method = request.get("method")
    if not isinstance(method, str) or not method:
        method = "GET"
        problems.append("no method")
    headers = _headers(request, problems)
    body, state = request_body(request.get("postData"), headers, method, problems)
    yield Exchange(
        client=client,
        started_at=started,
        method=method.upper(),
        url=_clean(url),
        headers=headers,
        body=body,
        body_state=state,
        response=_response(entry, started, problems, url, wanted),
        cookies_complete=False,
        error=_error(entry),
    )
    if problems:
        yield ReadNote("odd_entry", ", ".join(dict.fromkeys(problems)), position, started)


def har_time(value: Any) -> int | None:
    """A `startedDateTime` in milliseconds, or None. A time without a zone is taken as UTC."""
    found = TIME.match(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None
    day, clock, fraction, zone = found.groups()
    seconds = _seconds(day, clock, zone)
    return seconds * 1000 + int(((fraction or "") + "000")[:3]) if seconds is not None else None


@lru_cache(256)
def _seconds(day: str, clock: str, zone: str | None) -> int | None:
    """A second of a recording, in which many requests were sent, as seconds since the epoch."""
    zone = "+00:00" if zone in (None, "Z", "z") else zone
    try:
        return int(datetime.fromisoformat(f"{day}T{clock}{zone}").astimezone(UTC).timestamp())
    except (ValueError, OverflowError):
        return None


def _clean(text: str) -> str:
    """Text without lone surrogates, which no later stage could write out."""
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text


def _headers(message: dict[str, Any], problems: list[str]) -> Headers:
    rows = message.get("headers")
    pairs: list[tuple[str, str]] = []
    for row in (rows if isinstance(rows, list) else [])[:MAX_HEADERS]:
        if not isinstance(row, dict) or not isinstance(row.get("name"), str):
            problems.append("a header without a name")
            continue
        value = row.get("value")
        if row["name"].startswith(":"):
            continue
        if value is None:
            problems.append("a header without a value")
            continue
        pairs.append((_clean(row["name"]), _clean(value if isinstance(value, str) else str(value))))
    if not any(name.lower() == "cookie" for name, _ in pairs) and (cookies := cookies_of(message.get("cookies"))):
        pairs.append(("Cookie", cookies))
    return tuple(pairs)


def cookies_of(rows: Any) -> str:
    """A Cookie header rebuilt from the `cookies` array, where the recorder kept only that."""
    if not isinstance(rows, list):
        return ""
    named = [row for row in rows[:1000] if isinstance(row, dict) and isinstance(row.get("name"), str)]
    return _clean("; ".join(f"{row['name']}={row['value']}" for row in named if isinstance(row.get("value"), str)))


def request_body(data: Any, headers: Headers, method: str, problems: list[str]) -> tuple[bytes | None, BodyState]:
    """The body out of `postData`, with its Content-Encoding undone, and whether that is all of it."""
    if not isinstance(data, dict):
        if method.upper() in ("POST", "PUT", "PATCH"):
            sized = next((v for k, v in headers if k.lower() == "content-length"), "0")
            if sized.strip() not in ("", "0"):
                return None, "not_captured"
        return b"", "complete"
    if data.get("text") is TOO_LARGE:
        return None, "too_large"
    if isinstance(data.get("text"), str):
        body = _bytes(data.pop("text"), data.get("encoding"), problems)  # popped: of 64 MB one copy is enough
        encoding = next((v for k, v in headers if k.lower() == "content-encoding"), "")
        if encoding and body[:2] in (b"\x1f\x8b", b"\x28\xb5"):
            return decode(body, encoding)
        return (body, "complete") if len(body) <= MAX_BODY else (None, "too_large")
    params = data.get("params")
    if isinstance(params, list) and params:
        pairs = [
            (p["name"], p.get("value") or "") for p in params if isinstance(p, dict) and isinstance(p.get("name"), str)
        ]
        problems.append("the body was rebuilt from its parameters")
        return urlencode([(_clean(n), _clean(str(v))) for n, v in pairs]).encode(), "complete"
    return None, "not_captured"


def _bytes(text: str, encoding: Any, problems: list[str]) -> bytes:
    if encoding == "base64":
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            problems.append("a body that is not the base64 it claims to be")
    return text.encode("utf-8", "replace")


def ended(started: int, took: Any) -> int:
    """When an exchange was over, in milliseconds; when it began where its length is none."""
    return started + (int(took) if isinstance(took, int | float | Decimal) and 0 < took < 86_400_000 else 0)


def _response(
    entry: dict[str, Any], started: int, problems: list[str], url: str, wanted: Wanted
) -> Response | None:  # fmt: skip
    response = entry.get("response")
    if not isinstance(response, dict):
        return None
    try:
        status = int(response.get("status") or 0)
    except (TypeError, ValueError, OverflowError):
        problems.append("a status that is no number")
        return None
    if status <= 0:
        return None
    content = response.get("content")
    text = content.get("text") if isinstance(content, dict) else None
    if isinstance(content, dict) and isinstance(text, str):
        text = content.pop("text") if wanted(url, text) else None
    body: bytes | None = None
    state: BodyState = "too_large" if text is TOO_LARGE else "not_captured"
    if isinstance(text, str) and isinstance(content, dict):
        body, state = _bytes(text, content.get("encoding"), problems), "complete"
        if len(body) > MAX_BODY:
            body, state = None, "too_large"
    headers = tuple((k, v) for k, v in _headers({"headers": response.get("headers")}, problems))
    mime = content.get("mimeType") if isinstance(content, dict) else None
    if isinstance(mime, str) and mime and not any(k.lower() == "content-type" for k, _ in headers):
        headers = (*headers, ("Content-Type", _clean(mime)))
    return Response(ended(started, entry.get("time")), status, headers, body, state)


def _error(entry: dict[str, Any]) -> str | None:
    response = entry.get("response")
    for holder in (response if isinstance(response, dict) else {}, entry):
        for key in ("_error", "_blockedReason", "_failureText"):
            if isinstance(holder.get(key), str) and holder[key]:
                return _clean((BLOCKED if key == "_blockedReason" else "") + holder[key])[:200]
    return None
