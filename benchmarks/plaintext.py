"""How often the search for clear text is wrong: every finding in every string of captures, for a person to judge.

    python benchmarks/plaintext.py CAPTURE...

Reads URLs, request and response headers and bodies, of all hosts, and prints how many strings were searched, and each
different finding once, masked, with the host and place where it first stood and how often.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pixelwitness.exchange import Exchange
from pixelwitness.identity import plaintext
from pixelwitness.sources.files import captures_in, read_capture

MAX_TEXT = 2_000_000


def main() -> None:
    """Prints the findings and the figures."""
    searched = characters = 0
    seen: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], str] = {}
    for place, text in texts([Path(a) for a in sys.argv[1:]]):
        for path, string, layers in plaintext.strings(text, place):
            searched += 1
            characters += len(string)
            for kind, start, end in plaintext.spans(string, path):
                said = string[start:end]
                seen[kind, said] += 1
                around = " ".join(string[max(0, start - 40) : end + 20].split()).replace(said, "<HERE>")
                first.setdefault((kind, said), f"{path[:90]} {layers} ...{around}")
    for (kind, said), count in seen.most_common():
        print(f"{kind:6} {plaintext.hint(kind, said):24} x{count:<4} {first[kind, said]}")
    print(
        f"{searched} strings, {characters} characters searched; {len(seen)} different findings, {seen.total()} in all"
    )


def texts(captures: list[Path]) -> Iterator[tuple[str, str]]:
    """Every text in the captures, with where it stood."""
    for capture in captures_in(captures):
        for exchange in read_capture(capture, client="c"):
            if not isinstance(exchange, Exchange):
                continue
            yield f"{exchange.host} url", exchange.url
            heads = exchange.headers + (exchange.response.headers if exchange.response else ())
            for name, value in heads:
                yield f"{exchange.host} header {name}", value
            for where, body in (("request", exchange.body), ("response", exchange.response and exchange.response.body)):
                if body:
                    yield f"{exchange.host} {where}", body[:MAX_TEXT].decode("utf-8", "replace")


if __name__ == "__main__":
    main()
