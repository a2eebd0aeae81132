"""`decode`: whatever a person can paste, the same explanation of the same request."""

from __future__ import annotations

import base64
import json
import re
import shlex
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from click.testing import CliRunner, Result
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pixelwitness.cli import cli
from pixelwitness.sources.curl import CurlError, parse_curl
from pixelwitness.sources.pasted import PastedError, read_all_pasted, read_pasted
from support import ROOT, body

URL = "https://analytics.tiktok.com/api/v2/pixel"
HASH = "86e0b9e56c17cc4d12387e1949b85053fbe73bc3ce5a1188713a9d300cc6133d"
MESSAGE = body(
    "Purchase", user={"email": HASH}, properties={"shoe_size": 44, "note": 'it\'s "50 %" off; ä^&!$HOME `x` 😀 \n.'}
)
RAW = json.dumps(MESSAGE)
TEXT = json.dumps(MESSAGE, ensure_ascii=False)
PEOPLE = "personas:\n  - {name: Jane, email: jane.doe@example.com}\n"


def run(*words: str, given: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["decode", *words], input=given)


def decoded(*words: str, given: str | bytes | None = None) -> list[dict]:
    result = run(*words, "--json", given=given)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["requests"]


def ansi(text: str) -> str:
    """`$'...'` as Chrome writes it."""
    made = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("!", "\\u0021")
    units = made.encode("utf-16-be", "surrogatepass")
    return "$'" + "".join(c if c.isascii() else "" for c in "") + "".join(
        chr(u) if u < 128 else f"\\u{u:04x}" for u in (int.from_bytes(units[i : i + 2]) for i in range(0, len(units), 2))
    ) + "'"  # fmt: skip


def cmd(text: str) -> str:
    """A word for Windows' cmd, as Chrome has written it since 2022."""
    made = text.replace("\\", "\\\\").replace('"', '\\"')
    made = "".join(c if c.isalnum() or c in " _-:=+~'/.,?;()*`" or c == "\n" else f"^{c}" for c in made)
    return '^"' + made.replace("\n", "^\n\n") + '^"'


def powershell(text: str) -> str:
    """A text for PowerShell, as Chromium writes it."""
    made = re.sub(r'[`$"]', lambda m: "`" + m[0], text)
    units = made.encode("utf-16-le")
    codes = [int.from_bytes(units[i : i + 2], "little") for i in range(0, len(units), 2)]
    return '"' + "".join(chr(c) if 0x20 <= c <= 0x7E else f"$([char]{c})" for c in codes) + '"'


def firefox(text: str) -> str:
    """A word for Windows' cmd as Firefox wrote it until 2023."""
    return '"' + text.replace("\\", "\\\\").replace('"', '""').replace("%", '"%"') + '"'


HEADERS = {
    "content-type": "text/plain;charset=UTF-8",
    "referer": "https://www.shop.example/",
    "user-agent": "Mozilla/5.0",
}
PASTES = {
    "body": RAW,
    "body, not escaped": TEXT,
    "base64": base64.b64encode(RAW.encode()).decode(),
    "form": urlencode({"data": RAW}),
    "curl, bash": f"curl {shlex.quote(URL)} \\\n" + " \\\n".join(f"  -H {shlex.quote(f'{k}: {v}')}" for k, v in HEADERS.items()) + f" \\\n  --data-raw {shlex.quote(TEXT)} \\\n  --compressed",
    "curl, ansi": f"curl '{URL}' -H 'content-type: text/plain' --data-raw {ansi(TEXT)}",
    "curl, cmd": f"curl {cmd(URL)} ^\n  -H {cmd('content-type: text/plain')} ^\n  --data-raw {cmd(TEXT)}",
    "curl, cmd of old": 'curl "' + URL + '" ^\r\n  -H "content-type: text/plain" ^\r\n  --data-binary "' + RAW.replace("\\", "\\\\").replace('"', '\\"') + '" ^\r\n  --compressed',
    "curl, Firefox for cmd": f"curl {firefox(URL)} --compressed -X POST -H {firefox('Accept: */*')} --data-raw {firefox(RAW)}",
    "curl, Safari": f"curl '{URL}' \\\n-X 'POST' \\\n-H 'Content-Type: text/plain;charset=UTF-8' \\\n--data-binary {ansi(TEXT)}",
    "curl, with its prompt": f"me@desk:~$ curl {shlex.quote(URL)} --data-raw {shlex.quote(TEXT)}",
    "PowerShell": "\r\n".join([
        "$session = New-Object Microsoft.PowerShell.Commands.WebRequestSession",
        '$session.UserAgent = "Mozilla/5.0"',
        '$session.Cookies.Add((New-Object System.Net.Cookie("_ttp", "2abc", "/", ".tiktok.com")))',
        f'Invoke-WebRequest -UseBasicParsing -Uri "{URL}" `', '-Method "POST" `', "-WebSession $session `", "-Headers @{",
        '"authority"="analytics.tiktok.com"', '  "sec-ch-ua"="`"Chromium`";v=`"130`""', '  "referer"="https://www.shop.example/"', "} `",
        '-ContentType "text/plain;charset=UTF-8" `', f"-Body ([System.Text.Encoding]::UTF8.GetBytes({powershell(TEXT)}))",
    ]),
    "curl, double quotes": f'curl -X POST {URL} -d "' + RAW.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("`", "\\`") + '"',
    "curl, image": f"curl '{URL}?analytics_message={base64.urlsafe_b64encode(RAW.encode()).decode().rstrip('=')}' -H 'accept: image/*'",
    "raw": f"POST /api/v2/pixel HTTP/1.1\r\nHost: analytics.tiktok.com\r\nContent-Type: text/plain\r\n\r\n{TEXT}",
    "http file": f"### the pixel\nPOST {URL}\nContent-Type: text/plain\n\n{RAW}\n",
    "chunked": f"POST /api/v2/pixel HTTP/1.1\r\nHost: analytics.tiktok.com\r\nTransfer-Encoding: chunked\r\n\r\n{len(RAW):x}\r\n{RAW}\r\n0\r\n\r\n",
    "URL": f"{URL}?analytics_message={quote(base64.b64encode(RAW.encode()).decode(), safe='')}",
    "fetch": f"fetch({json.dumps(URL)}, {json.dumps({'headers': HEADERS, 'referrer': 'https://www.shop.example/', 'body': RAW, 'method': 'POST'}, indent=2)});",
}  # fmt: skip


@pytest.mark.parametrize("way", PASTES)
def test_whatever_was_copied(way: str, tmp_path: Path) -> None:
    path = tmp_path / "pasted.txt"
    path.write_bytes(PASTES[way].encode())
    (request,) = decoded(str(path))
    (one,) = request["hits"]
    assert one["hit"]["payload"] == MESSAGE
    assert one["hit"]["tier"] == "advanced_matching"
    assert request["url"].startswith(URL)
    unknown = {f["path"] for f in one["fields"] if f["means"] is None}
    assert unknown == {"properties.shoe_size", "properties.note"}
    assert decoded("-", given=path.read_bytes())[0]["hits"][0]["hit"]["payload"] == MESSAGE


def test_a_table_with_names_and_whose(tmp_path: Path) -> None:
    people = tmp_path / "people.yaml"
    people.write_text(PEOPLE)
    result = run("-", "--identity", str(people), given=RAW)
    assert result.exit_code == 0
    shown = " ".join(result.stdout.split())
    assert "email of Jane" in shown
    assert "Unknown fields" in shown
    assert "shoe_size" in shown
    assert "advanced matching" in shown


def test_all_requests_that_were_copied_at_once() -> None:
    for between in (" ;\n", " &\r\n", " && "):
        found = decoded("-", given=between.join([f"curl '{URL}' -d '{{\"event\":\"{name}\"}}'" for name in "ABC"]))
        assert [r["hits"][0]["hit"]["event"] for r in found] == ["A", "B", "C"]


def test_powershell_brings_its_cookies_and_headers() -> None:
    pasted = read_pasted(PASTES["PowerShell"].encode())
    assert dict(pasted.headers) == {
        "User-Agent": "Mozilla/5.0", "Cookie": "_ttp=2abc", "sec-ch-ua": '"Chromium";v="130"', "referer": "https://www.shop.example/",
        "Content-Type": "text/plain;charset=UTF-8",
    }  # fmt: skip


def test_a_url_alone() -> None:
    (request,) = decoded(
        "--url", "https://analytics.tiktok.com/i18n/pixel/events.js?sdkid=D0ME9HRC77U4Q9G3Q7A0&lib=ttq"
    )
    assert request["hits"][0]["hit"]["kind"] == "script"
    assert request["hits"][0]["pixels"] == {"D0ME9HRC77U4Q9G3Q7A0": 1747772615000}


def test_a_body_with_its_url() -> None:
    (request,) = decoded("-", "--url", "https://metrics.shop.example/collect", given=RAW)
    assert request["hits"][0]["hit"]["first_party_host"]


@pytest.mark.parametrize(
    ("message", "endpoint"),
    [
        ({"metric_name": "init", "pixel_code": "x"}, "monitor"),
        ({**body(None), "action": "Click"}, "act"),
        ({"tiktok_app_id": 7, "batch": [{"type": "track", "event": "Launch"}, {"event": "Buy"}]}, "app-batch"),
        ({"event_source": "web", "event_source_id": "x", "data": [{"event": "Purchase"}]}, "events-api"),
        ({"event": "Pageview"}, "event"),
    ],
)  # fmt: skip
def test_where_a_bare_body_goes(message: dict, endpoint: str) -> None:
    assert decoded("-", given=json.dumps(message))[0]["endpoint"] == endpoint


def test_a_capture_is_explained_request_by_request() -> None:
    found = decoded(str(ROOT / "captures" / "onetrust-reject.har"))
    assert len(found) > 3
    assert {r["endpoint"] for r in found} >= {"loader", "event"}


def test_clear_text_is_masked_and_hostile_text_harmless() -> None:
    evil = body("\x1b]0;x\x07Buy\u202e", properties={"e": "jane.doe@example.com", "[red]x[/red]": "\x1b[31m"})
    result = run("-", given=json.dumps(evil))
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout
    assert "[red]x" in result.stdout
    assert "jane.doe@" not in result.stdout
    assert "j***@e***.com" in result.stdout


@pytest.mark.parametrize(
    ("words", "given", "complaint"),
    [
        ((), None, "nothing was given"),
        (("-",), "", "nothing was given"),
        (("no-such-file.json",), None, "no such file"),
        (("-",), "curl 'https://analytics.tiktok.com/x' -d 'abc", "not copied to its end"),
        (("-",), "curl 'https://analytics.tiktok.com/x' -d", "not copied to its end"),
        (("-",), "curl 'https://analytics.tiktok.com/x' -d @body.json", "in a file"),
        (("-",), "curl -H 'a: b'", "names no URL"),
        (("-",), 'Invoke-WebRequest -Uri "https://analytics.tiktok.com/x" -Body $body', "in a variable"),
        (("-",), "GET /x HTTP/1.1\n\n", "no Host header"),
        (("--url", "https://www.shop.example/"), None, "no request to TikTok"),
        (("--url", "file:///etc/passwd"), None, "only http and https"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_says_why(words: tuple[str, ...], given: str | None, complaint: str) -> None:
    result = run(*words, given=given)
    assert result.exit_code == 2
    assert complaint in result.output


def test_a_body_that_is_no_message_is_named_as_unread() -> None:
    result = run("-", given="hello there")
    assert result.exit_code == 0
    assert "NOT READ" in result.output


@given(st.text(max_size=200))
def test_any_text_is_taken_apart_or_refused(text: str) -> None:
    for data in (text, f"curl {text}", f"POST {text}\n\n{text}", f'curl ^"{text}', f'fetch("x", {{{text}}})'):
        with suppress(PastedError):
            read_all_pasted(data.encode("utf-8", "replace"))


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=60))
@example('^"')
@example("a ^\n b")
@example("\\\"'$\n\n%^")
def test_every_quoting_gives_the_text_back(text: str) -> None:
    for quoted in (shlex.quote(text), ansi(text)):
        assert parse_curl(f"curl https://x.example --data-raw {quoted}")[3] == text.encode()
    assert parse_curl(f'curl ^"https://x.example^" --data-raw {cmd(text)}')[3] == text.encode()


def test_what_is_no_curl() -> None:
    with pytest.raises(CurlError):
        parse_curl("wget https://x.example")
