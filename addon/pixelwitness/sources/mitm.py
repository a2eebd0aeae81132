"""mitmproxy's flows, live or from a flow file, as exchanges."""

from __future__ import annotations

import io
from collections.abc import Iterator

from mitmproxy import exceptions, flow, http
from mitmproxy.io import FlowReader

from pixelwitness.exchange import BodyState, Exchange, Headers, Response, milliseconds
from pixelwitness.hostname import ascii_url
from pixelwitness.sources import CaptureError, ReadNote
from pixelwitness.sources.added import ADDED, added_names
from pixelwitness.sources.content import TEXTUAL, decode


def client_of(one: flow.Flow) -> str:
    """Who sent it: proxy mode, proxy user name, device address; parts that say nothing are left out."""
    peer = one.client_conn.peername
    proxyauth = one.metadata.get("proxyauth")
    user = str(proxyauth[0]) if isinstance(proxyauth, list | tuple) and proxyauth else ""
    mode = getattr(one.client_conn, "proxy_mode", None)
    parts = (mode.full_spec if mode is not None else "", user, peer[0] if peer else "")
    return _whole("|".join(part for part in parts if part)) or "unknown client"


def exchange_from_flow(one: http.HTTPFlow, *, with_response: bool = True) -> Exchange:
    """A flow as an exchange. Which request headers the add-on itself added stands in the flow's metadata."""
    request = one.request
    headers = _headers(request.headers)
    body, state = _body(request.raw_content, request.headers.get("content-encoding", ""))
    response = None
    if with_response and one.response is not None:
        response = _response(one.response)
    return Exchange(
        client=client_of(one),
        started_at=milliseconds(request.timestamp_start),
        method=_whole(request.method),
        url=ascii_url(_whole(request.pretty_url)),
        headers=headers,
        body=body,
        body_state=state,
        response=response,
        error=_whole(one.error.msg) if one.error else None,
        added_headers=added_names(one.metadata.get(ADDED)),
    )


def request_state(one: http.HTTPFlow) -> tuple[object, ...]:
    """All of a flow's request that an exchange is made from: where it is as before, so is the exchange."""
    data = one.request.data
    return (
        data.method, data.scheme, data.host, data.port, data.authority, data.path, data.headers.fields, data.content,
        data.timestamp_start, one.metadata.get(ADDED), one.metadata.get("proxyauth"),
    )  # fmt: skip


def with_response(before: Exchange, one: http.HTTPFlow) -> Exchange:
    """The exchange of a flow whose request was read before, with the response that has come since."""
    response = _response(one.response) if one.response is not None else None
    return before.answered(response, _whole(one.error.msg) if one.error else None)


def _whole(text: str) -> str:
    """Text without lone surrogates, in which mitmproxy keeps bytes that are none, and which nobody could write out."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _response(response: http.Response) -> Response:
    kind = response.headers.get("content-type", "").lower()
    at = milliseconds(response.timestamp_end or response.timestamp_start)
    # Pictures, fonts and films carry no evidence: their bytes are not worth undoing.
    if response.raw_content and not any(word in kind for word in TEXTUAL):
        return Response(at, response.status_code, _headers(response.headers), None, "not_captured")
    body, state = _body(response.raw_content, response.headers.get("content-encoding", ""))
    return Response(at, response.status_code, _headers(response.headers), body, state)


def _headers(headers: http.Headers) -> Headers:
    return tuple(
        (k.decode("utf-8", "surrogateescape"), v.decode("utf-8", "surrogateescape")) for k, v in headers.fields
    )


def _body(raw: bytes | None, encoding: str) -> tuple[bytes | None, BodyState]:
    if raw is None:
        return None, "not_captured"
    return decode(raw, encoding) if encoding else (raw, "complete")


def read_one(raw: bytes, name: str, index: int, start: int) -> Iterator[Exchange | ReadNote | None]:
    """What mitmproxy makes of the bytes of one flow, or of the rest of a file: None for a flow that is not HTTP.

    `index` and `start`: so many flows, and bytes, were before it. Raises CaptureError at damage.
    """
    stream = io.BytesIO(raw)
    flows = iter(FlowReader(stream).stream())
    while True:
        try:
            one = next(flows)
        except StopIteration:
            return
        except exceptions.FlowReadException as error:
            raise _damage(name, index, start + stream.tell(), error) from error
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, MemoryError) as error:
            # mitmproxy lets what a damaged record does to its own classes through, and believes any length.
            raise _damage(name, index, start + stream.tell(), error) from error
        index += 1
        if not isinstance(one, http.HTTPFlow):
            yield None
            continue
        if one.request.method == "CONNECT" or (one.response is not None and one.response.status_code == 407):
            continue
        try:
            yield exchange_from_flow(one)
        except (ValueError, OverflowError, OSError) as error:
            yield ReadNote("odd_entry", f"flow could not be read: {error}", f"flow {index}")


def _damage(name: str, index: int, byte: int, error: Exception) -> CaptureError:
    text = str(error)
    position = f"after {index} flows, byte {byte}"
    if "version" in text:
        return CaptureError(name, position, f"a newer mitmproxy wrote it ({text})", "Update mitmproxy and try again")
    return CaptureError(
        name, position, f"the flow file is damaged or cut ({text or type(error).__name__})",
        "Save it again from mitmproxy; everything before was read",
    )  # fmt: skip
