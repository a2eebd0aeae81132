"""One request in whatever form a person has it: a cURL command, a raw request, a fetch call, a URL, or a bare body."""

from __future__ import annotations

import json
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from pixelwitness.exchange import Exchange, Headers
from pixelwitness.sources.content import decode
from pixelwitness.sources.curl import CurlError, parse_curls
from pixelwitness.sources.powershell import PowerShellError, is_powershell, parse_powershell

MAX_PASTED = 64 * 1024 * 1024
METHODS = "GET|POST|PUT|PATCH|HEAD|OPTIONS|DELETE"
REQUEST_LINE = re.compile(rf"({METHODS})[ \t]+(\S+)(?:[ \t]+HTTP/[0-9.]+)?[ \t]*\r?\n")
FETCH = re.compile(r"(?:await\s+)?(?:window\.)?fetch\(\s*(\"(?:[^\"\\]|\\.)*\")\s*(?:,\s*(\{.*\})\s*)?\)\s*;?\s*", re.S)
URL = re.compile(r"https?://[^\s\"'<>]+", re.I)


class PastedError(ValueError):
    """What is wrong with the text, and what to do."""


class Pasted(NamedTuple):
    """The request, and how it was given. `url` is '' where only a body is known."""

    method: str
    url: str
    headers: Headers
    body: bytes
    form: str


def read_all_pasted(data: bytes) -> list[Pasted]:
    """Takes what was pasted apart: one request, or all of several cURL commands. Raises PastedError."""
    text = data.decode("utf-8", "surrogateescape") if len(data) <= MAX_PASTED else ""
    bare = _without_prompt(text.lstrip("\ufeff").strip().strip("`").strip())
    if _is_curl(bare):
        try:
            return [Pasted(*one, form="cURL command") for one in parse_curls(bare)]
        except CurlError as error:
            raise PastedError(str(error)) from error
    return [read_pasted(data)]


def _without_prompt(text: str) -> str:
    """A command without the prompt that was copied with it."""
    return re.sub(r"\A[^\n'\"{}]{0,80}?[$#%>]\s+(?=curl(?:\.exe)?\s)", "", text, flags=re.I)


def _is_curl(text: str) -> bool:
    return re.match(r"\S*curl(?:\.exe)?\s", text, re.I) is not None and not text.startswith(("{", "["))


def read_pasted(data: bytes) -> Pasted:
    """Takes a pasted request apart. Raises PastedError."""
    if len(data) > MAX_PASTED:
        raise PastedError("more than 64 MB: use replay for captures")
    text = data.decode("utf-8", "surrogateescape").lstrip("\ufeff")
    bare = text.strip().strip("`").strip()
    if not bare:
        raise PastedError("nothing was given: paste a request, a body, a URL or a cURL command")
    if _is_curl(_without_prompt(bare)):
        return read_all_pasted(data)[0]
    if not bare.startswith(("{", "[")) and is_powershell(bare):
        try:
            return Pasted(*parse_powershell(bare), form="PowerShell command")
        except PowerShellError as error:
            raise PastedError(str(error)) from error
    if (found := FETCH.fullmatch(bare)) is not None:
        return _fetch(found)
    lines = re.sub(r"\A(?:\s*(?:#|//)[^\n]*\n|\s*\n)+", "", text)
    if (found := REQUEST_LINE.match(lines if lines.endswith("\n") else lines + "\n")) is not None:
        return _raw(found[1], found[2], lines[found.end() :])
    if URL.fullmatch(bare):
        return Pasted("GET", bare, (), b"", "URL")
    return Pasted("POST", "", (), bare.encode("utf-8", "surrogateescape") if bare.isascii() else data, "body")


def _fetch(found: re.Match[str]) -> Pasted:
    """Developer tools' "Copy as fetch"."""
    try:
        options = json.loads(found[2]) if found[2] else {}
        url = json.loads(found[1])
    except ValueError as error:
        raise PastedError(f"the fetch call cannot be read ({error}): copy it as cURL instead") from error
    headers = options.get("headers")
    headers = headers if isinstance(headers, dict) else {}
    pairs = [(str(k), str(v)) for k, v in headers.items()]
    if isinstance(options.get("referrer"), str) and options["referrer"]:
        pairs.append(("Referer", options["referrer"]))
    body = options.get("body")
    raw = body.encode("utf-8", "replace") if isinstance(body, str) else b""
    method = options.get("method")
    return Pasted(method if isinstance(method, str) else "GET", url, tuple(pairs), raw, "fetch call")


def _raw(method: str, target: str, rest: str) -> Pasted:
    head, body = _halves(rest)
    headers = tuple(
        (name.strip(), value.strip())
        for name, colon, value in (line.partition(":") for line in head.splitlines() if not line.startswith(":"))
        if colon
    )
    fields = {name.lower(): value for name, value in headers}
    raw = body.encode("utf-8", "surrogateescape")
    if "chunked" in fields.get("transfer-encoding", "").lower():
        raw = _dechunked(raw)
    if "://" not in target:
        host = fields.get("host") or next(
            (h.partition(":authority:")[2] for h in head.splitlines() if ":authority:" in h), ""
        )
        if not host.strip():
            raise PastedError("the request has no Host header: add it, or write the whole URL in the first line")
        target = f"http{'' if host.endswith(':80') else 's'}://{host.strip()}{target}"
    return Pasted(method, target, headers, raw, "raw request")


def _halves(rest: str) -> tuple[str, str]:
    found = re.search(r"(?:\A|\r?\n)\r?\n", rest)
    return (rest[: found.start()], rest[found.end() :]) if found else (rest, "")


def _dechunked(raw: bytes) -> bytes:
    """The body without its chunks; as it is where it has none after all (tools show it either way)."""
    made, at = bytearray(), 0
    while (line := re.compile(rb"([0-9a-fA-F]{1,8})[^\r\n]*\r?\n").match(raw, at)) is not None:
        size = int(line[1], 16)
        if size == 0:
            break
        made += raw[line.end() : line.end() + size]
        at = line.end() + size
        at += 2 if raw[at : at + 2] == b"\r\n" else 1
    return bytes(made) or raw


def exchange_of(pasted: Pasted, url: str, at: int) -> Exchange:
    """The pasted request as an exchange: Content-Encoding undone where it still is in force."""
    fields = {name.lower(): value for name, value in pasted.headers}
    body, state = decode(pasted.body, fields.get("content-encoding", ""))
    if state == "undecodable":
        body, state = pasted.body, "complete"  # tools copy bodies that they already unpacked
    url = url if url.isascii() else url.encode("utf-8", "replace").decode()
    try:
        known = urlsplit(url).scheme in ("http", "https")
    except ValueError as error:
        raise PastedError(f"this URL cannot be ({error}): {url[:100]}") from error
    if not known:
        raise PastedError("only http and https requests can be read")
    return Exchange("pasted", at, pasted.method.upper(), url, pasted.headers, body, state, cookies_complete=False)
