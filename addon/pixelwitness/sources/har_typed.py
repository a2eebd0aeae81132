"""The usual entry of a HAR, read by its expected types: what is not needed is skipped unread.

An entry with anything unusual in it is not for this file: `typed` gives None, and the tolerant reader takes it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from pixelwitness.exchange import BodyState, Exchange, Headers, Response
from pixelwitness.sources import Wanted, har_entry
from pixelwitness.sources.content import MAX_BODY
from pixelwitness.sources.har_entry import MAX_HEADERS

NOTHING = Raw(b"null")
NO_COOKIES = b"null"
"""As long as the longest text that stands for none."""


class _Pair(Struct, gc=False):
    name: str
    value: str


class _Post(Struct):
    text: Any = None
    encoding: Any = None
    params: Any = None


class _Request(Struct):
    url: str
    method: str
    headers: list[_Pair]
    cookies: Raw = NOTHING
    postData: _Post | None = None


class _Content(Struct):
    text: Raw = NOTHING
    encoding: Any = None
    mimeType: Any = None


class _Response(Struct):
    status: int
    headers: list[_Pair]
    content: _Content | None = None
    error: Any = field(name="_error", default=None)
    blocked: Any = field(name="_blockedReason", default=None)
    failure: Any = field(name="_failureText", default=None)


class Entry(Struct):
    """What is read of an entry."""

    startedDateTime: str
    request: _Request
    response: _Response | None = None
    time: float | None = None
    error: Any = field(name="_error", default=None)
    blocked: Any = field(name="_blockedReason", default=None)
    failure: Any = field(name="_failureText", default=None)


_entry = msgspec.json.Decoder(Entry)
_entries = msgspec.json.Decoder(list[Entry])
_text = msgspec.json.Decoder(str | None)
_anything = msgspec.json.Decoder()


def typed(raw: bytes | Raw, client: str, wanted: Wanted) -> Exchange | None:
    """The exchange of an entry, or None where the entry is not of the usual shape."""
    try:
        return usual(_entry.decode(raw), client, wanted)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def entries(text: bytes) -> list[Entry] | None:
    """The entries of a JSON list, or None where not all are of the usual shape."""
    try:
        return _entries.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def usual(entry: Entry, client: str, wanted: Wanted) -> Exchange | None:
    """The exchange of an entry as `entries` gives it, or None where it is not of the usual shape after all."""
    try:
        return _exchange(entry, client, wanted)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _exchange(entry: Entry, client: str, wanted: Wanted) -> Exchange | None:
    request = entry.request
    started = har_entry.har_time(entry.startedDateTime)
    if started is None or not request.url or not request.method or len(request.headers) > MAX_HEADERS:
        return None
    problems: list[str] = []
    headers = _headers(request.headers)
    if len(memoryview(request.cookies)) > len(NO_COOKIES) and not _has(headers, "cookie"):
        kept = har_entry.cookies_of(_anything.decode(request.cookies))
        headers = (*headers, ("Cookie", kept)) if kept else headers
    post = request.postData
    data = {"text": post.text, "encoding": post.encoding, "params": post.params} if post is not None else None
    body, state = har_entry.request_body(data, headers, request.method, problems)
    response = _response(entry, started, request.url, wanted)
    if problems or (response is None and entry.response is not None and entry.response.status > 0):
        return None
    return Exchange(
        client=client,
        started_at=started,
        method=request.method.upper(),
        url=request.url,
        headers=headers,
        body=body,
        body_state=state,
        response=response,
        cookies_complete=False,
        error=_error(entry),
    )


def _headers(rows: list[_Pair]) -> Headers:
    headers = [(row.name, row.value) for row in rows]
    if headers and min(headers)[0] < ";":  # the one sign behind the colon
        headers = [row for row in headers if row[0][:1] != ":"]
    return tuple(headers)


def _has(headers: Headers, name: str) -> bool:
    size = len(name)
    return any(len(key) == size and key.lower() == name for key, _ in headers)


def _response(entry: Entry, started: int, url: str, wanted: Wanted) -> Response | None:
    response = entry.response
    if response is None or response.status <= 0 or len(response.headers) > MAX_HEADERS:
        return None
    content = response.content
    body: bytes | None = None
    state: BodyState = "not_captured"
    headers = _headers(response.headers)
    if content is not None:
        if content.text is not NOTHING and wanted(url, bytes(content.text)):
            text = _text.decode(content.text)
            if text is not None and content.encoding is not None:
                return None
            if text is not None:
                body, state = text.encode("utf-8"), "complete"
                if len(body) > MAX_BODY:
                    body, state = None, "too_large"
        mime = content.mimeType
        if isinstance(mime, str) and mime and not _has(headers, "content-type"):
            headers = (*headers, ("Content-Type", mime))
    return Response(har_entry.ended(started, entry.time), response.status, headers, body, state)


def _error(entry: Entry) -> str | None:
    for holder in (entry.response, entry) if entry.response is not None else (entry,):
        for before, text in (("", holder.error), (har_entry.BLOCKED, holder.blocked), ("", holder.failure)):
            if isinstance(text, str) and text:
                return (before + text)[:200]
    return None
