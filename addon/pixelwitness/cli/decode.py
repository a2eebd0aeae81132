"""`pixelwitness decode`: one pasted request, explained."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixelwitness.cli.common import UsableError, identity_option, personas, regimes_and_rules, rules_option

if TYPE_CHECKING:
    from pixelwitness.exchange import Exchange
    from pixelwitness.pixels.explain import Explanation
    from pixelwitness.rulebook import Rulebook

MOST = 200


@click.command()
@click.argument("source", required=False, metavar="[FILE|-|TEXT]")
@click.option("--url", help="The request's URL: alone an image or script request, with a body where that was sent to.")
@identity_option
@rules_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def decode(source: str | None, url: str | None, identity: Path | None, rules: tuple[Path, ...], as_json: bool) -> None:
    """Explain one request: a body (JSON, base64, form), a URL, a raw HTTP request, or a cURL command.

    Copy it from the browser's developer tools ("Copy as cURL", "Copy as PowerShell", "Copy as fetch", or the request's
    payload) into a file, or pipe it in. A
    saved capture works too: each of its requests to TikTok is explained. Clear text of persons is masked. Exit code 2
    where the input is no request to TikTok.
    """
    from pixelwitness.pixels.explain import explain

    _, book = regimes_and_rules((), rules)
    people = personas(identity, book)
    explained = (explain(x, book, people, timed=timed) for x, timed in _exchanges(source, url, book))
    made = [e for e in explained if e.hits or e.blind_spots]
    if not made:
        raise UsableError(
            "this is no request to TikTok's pixel, and carries no pixel message. Where only the body was pasted, "
            "give the address that it went to with --url"
        )
    if as_json:
        _json(made, book)
        return
    from pixelwitness.report.decoded import render

    for one in made:
        render(one, sys.stdout, {kind: spot.title for kind, spot in book.blind_spots.items()})


def _json(made: list[Explanation], book: Rulebook) -> None:
    import json

    requests = []
    for one in made:
        said = one.model_dump(mode="json")
        for spot in said["blind_spots"]:
            known = book.blind_spots.get(spot["kind"])
            spot["remedy"] = known.remedy if known else None
        requests.append(said)
    click.echo(json.dumps({"requests": requests}, indent=2))


def _exchanges(source: str | None, url: str | None, book: Rulebook) -> Iterator[tuple[Exchange, bool]]:
    """The requests, and of each whether it carries the time at which it was sent."""
    from pixelwitness.sources import CaptureError
    from pixelwitness.sources.pasted import PastedError

    try:
        if source is None and url is None:
            raise UsableError("nothing was given: name a file, - for standard input, or --url URL")
        yield from _read(source, url, book)
    except (PastedError, CaptureError) as error:
        raise UsableError(str(error)) from error
    except OSError as error:
        raise UsableError(f"{source}: cannot be read ({error.strerror or error})") from error


def _read(source: str | None, url: str | None, book: Rulebook) -> Iterator[tuple[Exchange, bool]]:
    from pixelwitness.sources.pasted import Pasted, read_all_pasted

    if source is None:
        yield _placed(Pasted("GET", url or "", (), b"", "URL"), None, book), False
        return
    if source == "-":
        data = sys.stdin.buffer.read(64 * 1024 * 1024 + 1)
    elif _is_file(source):
        if _is_capture(Path(source)):
            yield from ((x, True) for x in _captured(Path(source), book))
            return
        data = Path(source).read_bytes()
    elif source.lstrip().startswith(("{", "[", "curl", "http", "fetch", "$session", "Invoke-")) or len(source) > 200:
        data = source.encode("utf-8", "surrogateescape")
    else:
        raise UsableError(f"{source}: no such file")
    for pasted in read_all_pasted(data):
        yield _placed(pasted, url, book), False


def _is_file(source: str) -> bool:
    try:
        return Path(source).is_file()
    except (OSError, ValueError):
        return False  # a long text is no possible name


def _is_capture(path: Path) -> bool:
    from pixelwitness.sources.files import ENDINGS, FLOW

    with path.open("rb") as stream:
        head = stream.read(4096).lstrip(b"\xef\xbb\xbf \r\n\t")
    har = head.startswith(b"{") and b'"log"' in head[:200]
    return har or FLOW.match(head) is not None or path.name.lower().endswith(ENDINGS)


def _captured(path: Path, book: Rulebook) -> Iterator[Exchange]:
    from itertools import islice

    from pixelwitness.classify import classify
    from pixelwitness.exchange import Exchange
    from pixelwitness.sources.files import read_capture

    said = (x for x in read_capture(path, client="pasted") if isinstance(x, Exchange))
    pixels = (x for x in said if classify(x, book).endpoint is not None)
    found = list(islice(pixels, MOST + 1))
    if len(found) > MOST:
        click.echo(f"pixelwitness: only the first {MOST} requests are explained; replay reads all", err=True)
    yield from found[:MOST]


def _placed(pasted: Any, url: str | None, book: Rulebook) -> Exchange:
    from pixelwitness.pixels.explain import likely_url
    from pixelwitness.run import now
    from pixelwitness.sources.pasted import exchange_of

    at = now()
    if pasted.url or url:
        return exchange_of(pasted, url or pasted.url, at)
    # Only a body: where it went is told by its shape.
    guess = exchange_of(pasted, "https://unknown.invalid/", at)
    click.echo(
        "pixelwitness: only a body was given; where it was sent to is told by its shape (--url says it)", err=True
    )
    return exchange_of(pasted, likely_url(guess, book), at)
