"""cURL commands as browsers' developer tools copy them, for a POSIX shell and for Windows' cmd."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

from pixelwitness.exchange import Headers

Request = tuple[str, str, Headers, bytes]
"""Method, URL, headers, body as sent."""

ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b", "0": "\0"}
ANSI = re.compile(
    r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|([0-7]{1,3})|(.))", re.S
)  # fmt: skip
WITH_VALUE = frozenset(
    {"-x", "--proxy", "-u", "--user", "-o", "--output", "-m", "--max-time", "--connect-timeout", "-T", "--upload-file"}
    | {"--resolve", "-c", "--cookie-jar", "-w", "--write-out", "--cacert", "-E", "--cert", "--key", "--retry"}
    | {"--max-redirs", "--ciphers", "--interface", "--limit-rate"}
)
"""Options of cURL that take a value and say nothing of the request's content."""


class CurlError(ValueError):
    """What is wrong with a command, in words."""


CURL = re.compile(r"(?:.*[/\\])?curl(?:\.exe)?", re.I)
BETWEEN = frozenset({";", "&", "&&"})
"""What stands between commands where all requests were copied at once."""


def parse_curls(text: str) -> list[Request]:
    """The requests that one cURL command or several in a row make. Raises CurlError."""
    words = _cmd_words(text) if _is_cmd(text) else _shell_words(text)
    ends = [i for i, word in enumerate(words[:-1]) if word in BETWEEN and CURL.fullmatch(words[i + 1])]
    starts = [0, *(i + 1 for i in ends)]
    return [_parsed(words[a:b]) for a, b in zip(starts, [*ends, len(words)], strict=True)]


def parse_curl(text: str) -> Request:
    """The request that a cURL command makes. Raises CurlError. `@file` is not read: only what was pasted is."""
    return parse_curls(text)[0]


def _parsed(words: list[str]) -> Request:
    if not words or not CURL.fullmatch(words[0]):
        raise CurlError("this is no cURL command")
    made = _Command()
    rest = iter(words[1:])
    for word in rest:
        name, value = _split(word)
        act = ACTIONS.get(name)
        if act is not None:
            if value is None:
                value = next(rest, None)
            if value is None:
                raise CurlError(f"the command ends after {name}: it was not copied to its end")
            act(made, value)
        elif name in WITH_VALUE and value is None:
            next(rest, None)
        elif name in ("-G", "--get"):
            made.as_query = True
        elif name in ("-I", "--head"):
            made.method = "HEAD"
        elif not word.startswith("-"):
            made.url = made.url or word
    return made.request()


class _Command:
    def __init__(self) -> None:
        self.method: str | None = None
        self.url = ""
        self.headers: list[tuple[str, str]] = []
        self.data: list[str] = []
        self.form: list[str] = []
        self.as_query = False

    def request(self) -> Request:
        if not self.url:
            raise CurlError("the command names no URL")
        url = self.url if "://" in self.url else f"https://{self.url}"
        body = "&".join(self.data)
        if self.as_query and body:
            return self.method or "GET", f"{url}{'&' if '?' in url else '?'}{body}", tuple(self.headers), b""
        if self.form:
            boundary = "pixelwitness"
            parts = [_part(boundary, field) for field in self.form]
            self.headers.append(("Content-Type", f"multipart/form-data; boundary={boundary}"))
            body = "".join(parts) + f"--{boundary}--\r\n"
        elif self.data and not any(name.lower() == "content-type" for name, _ in self.headers):
            self.headers.append(("Content-Type", "application/x-www-form-urlencoded"))
        raw = body.encode("utf-8", "surrogateescape")
        return self.method or ("POST" if raw else "GET"), url, tuple(self.headers), raw


def _part(boundary: str, field: str) -> str:
    name, _, value = field.partition("=")
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'


def _header(command: _Command, value: str) -> None:
    name, colon, text = value.partition(":")
    if colon and text.strip():
        command.headers.append((name.strip(), text.strip()))


def _data(command: _Command, value: str) -> None:
    if value.startswith("@"):
        raise CurlError(f"the body is in a file ({value[1:60]}), which is not read: give that file to decode")
    command.data.append(value)


def _raw(command: _Command, value: str) -> None:
    command.data.append(value)


def _urlencoded(command: _Command, value: str) -> None:
    name, equals, text = value.partition("=")
    command.data.append(f"{name}={quote(text, safe='')}" if equals and name else quote(text or name, safe=""))


def _json(command: _Command, value: str) -> None:
    _data(command, value)
    command.headers.append(("Content-Type", "application/json"))


def _set(name: str) -> Callable[[_Command, str], None]:
    return lambda command, value: setattr(command, name, value)


def _as_header(name: str) -> Callable[[_Command, str], None]:
    return lambda command, value: command.headers.append((name, value))


ACTIONS: dict[str, Callable[[_Command, str], None]] = {
    "-X": _set("method"), "--request": _set("method"), "--url": _set("url"), "-H": _header, "--header": _header,
    "-d": _data, "--data": _data, "--data-ascii": _data, "--data-binary": _data, "--data-raw": _raw,
    "--data-urlencode": _urlencoded, "--json": _json, "-b": _as_header("Cookie"), "--cookie": _as_header("Cookie"),
    "-A": _as_header("User-Agent"), "--user-agent": _as_header("User-Agent"), "-e": _as_header("Referer"),
    "--referer": _as_header("Referer"), "-F": lambda c, v: c.form.append(v), "--form": lambda c, v: c.form.append(v),
    "--form-string": lambda c, v: c.form.append(v),
}  # fmt: skip


def _split(word: str) -> tuple[str, str | None]:
    """`--name=value` and `-XPOST` as name and value."""
    if word.startswith("--") and "=" in word:
        name, _, value = word.partition("=")
        return name, value
    if len(word) > 2 and word[0] == "-" and word[1] != "-" and word[:2] in ACTIONS:
        return word[:2], word[2:]
    return word, None


# --- words of a shell ----------------------------------------------------------------------------------------------


def _shell_words(text: str) -> list[str]:
    words: list[str] = []
    word: list[str] | None = None
    at = 0
    while at < len(text):
        char = text[at]
        if char.isspace():
            if word is not None:
                words.append("".join(word))
            word, at = None, at + 1
            continue
        if char == "\\" and text[at + 1 : at + 3] == "\r\n":
            at += 3
            continue
        if char == "\\" and text[at + 1 : at + 2] == "\n":
            at += 2
            continue
        piece, at = _piece(text, at)
        word = [] if word is None else word
        word.append(piece)
    return words + (["".join(word)] if word is not None else [])


def _piece(text: str, at: int) -> tuple[str, int]:
    """One quoted piece or one character, and where it ends."""
    if text.startswith("$'", at):
        found = re.compile(r"\$'((?:[^'\\]|\\.)*)'", re.S).match(text, at)
        if found is None:
            raise CurlError("a $'...' text does not end")
        return _ansi(found[1]), found.end()
    if text[at] == "'":
        end = text.find("'", at + 1)
        if end < 0:
            raise CurlError("a '...' text does not end: it was not copied to its end")
        return text[at + 1 : end], end + 1
    if text[at] == '"':
        found = re.compile(r'"((?:[^"\\]|\\.)*)"', re.S).match(text, at)
        if found is None:
            raise CurlError('a "..." text does not end: it was not copied to its end')
        return re.sub(r'\\([$`"\\])', r"\1", found[1].replace("\\\n", "")), found.end()
    if text[at] == "\\" and at + 1 < len(text):
        return text[at + 1], at + 2
    return text[at], at + 1


def _ansi(text: str) -> str:
    def undo(found: re.Match[str]) -> str:
        if found[4]:
            return chr(int(found[4], 8) & 0xFF)
        digits = found[1] or found[2] or found[3]
        if digits:
            code = int(digits, 16)
            return chr(code) if code < 0x110000 else "\ufffd"
        return ESCAPES.get(found[5], found[5])

    made = ANSI.sub(undo, text)
    # Two halves of one character, as Chrome writes what lies beyond 16 bits.
    return made.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


# --- words of Windows' cmd -----------------------------------------------------------------------------------------


def _is_cmd(text: str) -> bool:
    if _escaped_for_cmd(text):
        return True
    # Chrome before 2022 broke lines with carets; Firefox wrote each quote inside twice.
    return _first_quote(text) == '"' and re.search(r"\s\^\r?\n|[{\[,:]\"\"\w", text) is not None


def _escaped_for_cmd(text: str) -> bool:
    """Whether the first quote is written as today's Chrome does for cmd: with a caret before it."""
    return _first_quote(text) == '^"'


def _first_quote(text: str) -> str:
    found = re.search(r"\^?[\"']", text)
    return found[0] if found else ""


def _cmd_words(text: str) -> list[str]:
    text = text.replace("\r\n", "\n")
    if _escaped_for_cmd(text):  # every quote is escaped for cmd, and so is everything special
        text = re.sub(r"\^\n\n", "\x00", text)
        text = re.sub(r"\^\n", "", text)
        text = re.sub(r"\^(.)", r"\1", text, flags=re.S).replace("\x00", "\n")
    else:
        text = re.sub(r"\s\^\n", " ", text)
    words: list[str] = []
    for found in re.finditer(r'(?:[^\s"]|"(?:[^"\\]|\\.|"")*")+', text, re.S):
        bare = re.sub(r'"((?:[^"\\]|\\.|"")*)"', lambda m: _windows(m[1]), found[0], flags=re.S)
        words.append(bare)
    return words


def _windows(text: str) -> str:
    return re.sub(r'\\(["\\])', r"\1", text.replace('""', '"'))
