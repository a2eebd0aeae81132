"""Chromium's "Copy as PowerShell": an Invoke-WebRequest with its session, taken apart and never run."""

from __future__ import annotations

import re

from pixelwitness.exchange import Headers

TEXT = r'"((?:[^"`]|`.|"")*+)"'
CALL = re.compile(r"\b(?:Invoke-(?:WebRequest|RestMethod)|iwr|irm)\b", re.I)
COOKIE = re.compile(rf"System\.Net\.Cookie\(\s*{TEXT}\s*,\s*{TEXT}", re.S)
AGENT = re.compile(rf"\.UserAgent\s*=\s*{TEXT}", re.S)
HEADERS = re.compile(r"-Headers\s+@\{(.*?)\n\s*\}", re.S | re.I)
PAIR = re.compile(rf"{TEXT}\s*=\s*{TEXT}", re.S)
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
ESCAPED = re.compile(r"\$\(\[char\]([0-9]{1,7})\)|`u\{([0-9a-fA-F]{1,6})\}|`(.)|\"\"", re.S)
NOT_SENT = frozenset({"authority", "method", "path", "scheme"})
"""What HTTP/2 sends in front of the headers; Chromium copies them as headers."""


class PowerShellError(ValueError):
    """What is wrong with a command, in words."""


def is_powershell(text: str) -> bool:
    """Whether a text is such a command."""
    return CALL.search(text[:100_000]) is not None and re.search(r"-Uri\b", text, re.I) is not None


def parse_powershell(text: str) -> tuple[str, str, Headers, bytes]:
    """Method, URL, headers and body. Raises PowerShellError."""
    url = _option(text, "Uri")
    if not url:
        raise PowerShellError("the command names no -Uri: it was not copied to its end")
    headers: list[tuple[str, str]] = []
    if (agent := AGENT.search(text)) is not None:
        headers.append(("User-Agent", _plain(agent[1])))
    cookies = [f"{_plain(name)}={_plain(value)}" for name, value in COOKIE.findall(text)]
    if cookies:
        headers.append(("Cookie", "; ".join(cookies)))
    if (block := HEADERS.search(text)) is not None:
        named = ((_plain(name), _plain(value)) for name, value in PAIR.findall(block[1]))
        headers += [(name, value) for name, value in named if name.lower() not in NOT_SENT]
    if (kind := _option(text, "ContentType")) is not None:
        headers.append(("Content-Type", kind))
    body = _option(text, "Body", r"(?:\(\s*\[System\.Text\.Encoding\]::UTF8\.GetBytes\(\s*)?")
    if body is None and re.search(r"-(?:Body|InFile)\s", text, re.I):
        raise PowerShellError("the body is cut, or in a variable or file: give that to decode")
    raw = (body or "").encode("utf-8", "replace")
    return _option(text, "Method") or ("POST" if raw else "GET"), url, tuple(headers), raw


def _option(text: str, name: str, before: str = "") -> str | None:
    found = re.search(rf"-{name}\s+{before}{TEXT}", text, re.S | re.I)
    return _plain(found[1]) if found else None


def _plain(text: str) -> str:
    """A text of PowerShell's as it is meant. Chromium writes what lies beyond 16 bits as two halves."""

    def undo(found: re.Match[str]) -> str:
        if found[1] or found[2]:
            code = int(found[1]) if found[1] else int(found[2], 16)
            return chr(code) if code < 0x110000 else "\ufffd"
        return ESCAPES.get(found[3], found[3]) if found[3] else '"'

    return ESCAPED.sub(undo, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
