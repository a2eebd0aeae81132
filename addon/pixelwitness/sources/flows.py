"""Flow files, read without mitmproxy where a flow is of the usual shape.

A flow is a tnetstring (length, colon, bytes, type). Only what an exchange needs is taken out of it; all else is skipped
by its length. A flow with anything unusual in it (an older version, an error, a WebSocket, a host that mitmproxy would
rewrite) is read by mitmproxy itself, and so is everything from a damaged place on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, BinaryIO

from mitmproxy.version import FLOW_FORMAT_VERSION

from pixelwitness.exchange import BodyState, Exchange, Headers, Response, milliseconds
from pixelwitness.sources import ReadNote
from pixelwitness.sources.added import ADDED, added_names
from pixelwitness.sources.content import TEXTUAL, decode

BUFFER = 1 << 20
PREFIX = re.compile(rb"(\d{1,12}):")
PLAIN_HOST = re.compile(r"((?:[a-z0-9_-]{1,63}\.){0,30}[a-z0-9_-]{1,63})(?::(\d{1,5}))?")
"""Hosts that mitmproxy takes as they are."""
MODES = frozenset({"regular", "transparent", "socks5", "wireguard", "local"})
PORTS = {"http": 80, "https": 443}
FLOW = frozenset({b"version", b"type", b"request", b"response", b"error", b"websocket", b"client_conn", b"metadata"})
REQUEST = frozenset(
    {b"headers", b"content", b"timestamp_start", b"host", b"port", b"method", b"scheme", b"authority", b"path"}
    | {b"http_version"}
)
RESPONSE = frozenset({b"headers", b"content", b"timestamp_start", b"timestamp_end", b"status_code"})
CLIENT = frozenset({b"peername", b"proxy_mode"})
WITHIN = {b"request": REQUEST, b"response": RESPONSE, b"client_conn": CLIENT}
MAX_DEPTH = 20
MAX_KEY = 40
MAX_REMEMBERED = 2048
"""Bytes of a header field that is remembered for the next flow with the same."""


class _Unusual(Exception):
    """A flow that is left to mitmproxy."""


def read_flows(stream: BinaryIO, name: str) -> Iterator[Exchange | ReadNote]:
    """The exchanges of a flow file. Raises CaptureError at damage, after every whole flow before it."""
    other = start = 0
    for index, raw in enumerate(_flows(stream)):
        try:
            made = quick(raw)
        except (_Unusual, ValueError, LookupError, TypeError, AttributeError, OverflowError, OSError):
            # mitmproxy is slow to import, and most files do not need it.
            from pixelwitness.sources.mitm import read_one

            for item in read_one(raw, name, index, start):
                if item is None:
                    other += 1
                else:
                    yield item
        else:
            if made is not None:
                yield made
        start += len(raw)
    if other:
        yield ReadNote("not_http", f"{other} flows that are not HTTP")


def _flows(stream: BinaryIO) -> Iterator[bytes]:
    """Each flow's bytes; where no whole one follows, all that is left as one piece."""
    held, at = b"", 0
    while True:
        found = PREFIX.match(held, at)
        size = found.end() - at + int(found[1]) + 1 if found is not None else 16
        if len(held) - at < size:
            parts = [held[at:]]
            missing = size - len(parts[0])
            while missing > 0 and (more := stream.read(max(BUFFER, min(missing, 64 * BUFFER)))):
                parts.append(more)
                missing -= len(more)
            held, at = b"".join(parts), 0
            if missing > 0 and (PREFIX.match(held) is None or found is not None):
                if held:
                    yield held
                return
            continue
        if found is None:
            yield held[at:] + stream.read(BUFFER)  # no flow: what follows could be gigabytes, and is not looked at
            return
        yield held[at : at + size]
        at += size


def quick(raw: bytes) -> Exchange | None:
    """The exchange of a flow; None for what is none (CONNECT, a proxy's own 407). Raises for an unusual one."""
    flow = _document(raw, FLOW, WITHIN)
    if flow[b"version"] != FLOW_FORMAT_VERSION or flow[b"type"] != "http":
        raise _Unusual
    if flow[b"error"] is not None or flow[b"websocket"] is not None:
        raise _Unusual
    request, response = flow[b"request"], flow[b"response"]
    client = _client(flow[b"client_conn"], flow[b"metadata"])
    headers: Headers = request[b"headers"]
    method = str(request[b"method"], "ascii").upper()
    status = response[b"status_code"] if response is not None else None
    if method == "CONNECT" or status == 407:
        return None
    url = _url(request, headers)
    body, state = _body(request[b"content"], _joined(headers, "content-encoding"))
    return Exchange(
        client=client,
        started_at=_time(request[b"timestamp_start"]),
        method=method,
        url=url,
        headers=headers,
        body=body,
        body_state=state,
        response=_response(response) if response is not None else None,
        added_headers=added_names(flow[b"metadata"].get(ADDED.encode())),
    )


def _client(conn: dict[bytes, Any], metadata: dict[bytes, Any]) -> str:
    peer, mode = conn[b"peername"], conn[b"proxy_mode"]
    if mode not in MODES or b"proxyauth" in metadata or not isinstance(peer, list) or not isinstance(peer[0], str):
        raise _Unusual
    return f"{mode}|{peer[0]}" if peer[0] else str(mode)


def _response(response: dict[bytes, Any]) -> Response:
    headers: Headers = response[b"headers"]
    status, content = response[b"status_code"], response[b"content"]
    if type(status) is not int:
        raise _Unusual
    at = _time(response[b"timestamp_end"] or response[b"timestamp_start"])
    kind = _joined(headers, "content-type").lower()
    if content and not any(word in kind for word in TEXTUAL):
        return Response(at, status, headers, None, "not_captured")
    body, state = _body(content, _joined(headers, "content-encoding"))
    return Response(at, status, headers, body, state)


def _url(request: dict[bytes, Any], headers: Headers) -> str:
    """mitmproxy's `pretty_url`, for hosts and paths that it takes as they are."""
    path = str(request[b"path"], "ascii")
    scheme = str(request[b"scheme"], "ascii")
    named = ""
    if request[b"http_version"] in (b"HTTP/2.0", b"HTTP/3"):
        named = str(request[b"authority"], "ascii")
    named = named or _joined(headers, "host")
    host, port = request[b"host"], request[b"port"]
    if not isinstance(host, str) or type(port) is not int or scheme not in PORTS:
        raise _Unusual
    return _origin(scheme, named, host, port) + ("" if path == "*" else path)


@lru_cache(4096)
def _origin(scheme: str, named: str, host: str, port: int) -> str:
    found = PLAIN_HOST.fullmatch(named or host)
    if found is None or len(found[1]) > 250 or "xn--" in found[1]:
        raise _Unusual
    if named:
        host, port = found[1], int(found[2] or 0) or PORTS[scheme]
        if found[2] and not 0 < int(found[2]) < 65_536:
            raise _Unusual
    elif found[2]:
        raise _Unusual
    return f"{scheme}://{host}" if port == PORTS[scheme] else f"{scheme}://{host}:{port}"


def _joined(headers: Headers, name: str) -> str:
    size = len(name)
    return ", ".join([value for key, value in headers if len(key) == size and key.lower() == name])


def _body(content: bytes | None, encoding: str) -> tuple[bytes | None, BodyState]:
    if content is None:
        return None, "not_captured"
    if not isinstance(content, bytes):
        raise _Unusual
    return decode(content, encoding) if encoding else (content, "complete")


def _time(seconds: Any) -> int:
    if type(seconds) not in (float, int):
        raise _Unusual
    return milliseconds(seconds)


# --- tnetstrings ---------------------------------------------------------------------------------------------------


def _document(raw: bytes, keys: frozenset[bytes], within: dict[bytes, frozenset[bytes]]) -> dict[bytes, Any]:
    start, end, kind, behind = _span(raw, 0, len(raw))
    if kind != b"}" or behind != len(raw):
        raise _Unusual
    return _fields(raw, start, end, keys, within)


def _span(data: bytes, at: int, limit: int) -> tuple[int, int, bytes, int]:
    """Where the content of the value at a place begins and ends, of which type it is, and what comes behind it."""
    colon = data.index(b":", at, at + 13)
    start = colon + 1
    end = start + int(data[at:colon])
    if end >= limit:
        raise _Unusual
    return start, end, data[end : end + 1], end + 1


def _fields(
    data: bytes, at: int, limit: int, keys: frozenset[bytes] | None = None,
    within: dict[bytes, frozenset[bytes]] | None = None, depth: int = 0,
) -> dict[bytes, Any]:  # fmt: skip
    """An object; of its values only those under `keys`, and of objects in them only what `within` names."""
    found: dict[bytes, Any] = {}
    while at < limit:
        named = data.index(b";", at, at + MAX_KEY)
        key = _key(data[at:named])
        colon = data.index(b":", named, named + 14)
        start = colon + 1
        end = start + int(data[named + 1 : colon])
        if end >= limit:
            raise _Unusual
        at = end + 1
        if keys is None or key in keys:
            kind = data[end:at]
            if within is not None and kind == b"}" and key in within:
                found[key] = _fields(data, start, end, within[key])
            elif key == b"headers" and kind == b"]":
                found[key] = _rows(data, start, end)
            else:
                found[key] = _value(data, start, end, kind, depth + 1)
    return found


@lru_cache(256)
def _key(token: bytes) -> bytes:
    """The key out of `7:request`, where that is what it says."""
    size, _, key = token.partition(b":")
    if int(size) != len(key):
        raise _Unusual
    return key


def _rows(data: bytes, at: int, limit: int) -> Headers:
    rows = []
    while at < limit:
        colon = data.index(b":", at, at + 13)
        start = colon + 1
        end = start + int(data[at:colon])
        if end >= limit or data[end : end + 1] != b"]":
            raise _Unusual
        row = data[start:end]
        rows.append(_row(row) if len(row) <= MAX_REMEMBERED else _row.__wrapped__(row))
        at = end + 1
    return tuple(rows)


@lru_cache(4096)
def _row(row: bytes) -> tuple[str, str]:
    """A header field; most come again with the next request."""
    start, end, kind, at = _span(row, 0, len(row))
    first, last, other, behind = _span(row, at, len(row))
    if kind != b"," or other != b"," or behind != len(row):
        raise _Unusual
    return row[start:end].decode("utf-8", "surrogateescape"), row[first:last].decode("utf-8", "surrogateescape")


def _value(data: bytes, start: int, end: int, kind: bytes, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise _Unusual
    if kind == b",":
        return data[start:end]
    if kind == b"]":
        items = []
        while start < end:
            first, last, inner, start = _span(data, start, end)
            items.append(data[first:last] if inner == b"," else _value(data, first, last, inner, depth + 1))
        return items
    if kind == b";":
        return data[start:end].decode("utf-8")
    if kind == b"#":
        return int(data[start:end])
    if kind == b"^":
        return float(data[start:end])
    if kind == b"~" and start == end:
        return None
    if kind == b"}":
        return _fields(data, start, end, depth=depth)
    if kind == b"!" and data[start:end] in (b"true", b"false"):
        return data[start:end] == b"true"
    raise _Unusual
