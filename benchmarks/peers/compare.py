"""What pixelwitness and its peers read out of the same requests to TikTok.

    python benchmarks/peers/compare.py CAPTURE... [--packages DIR] [--omnibug DIR [--only-omnibug]]

The peers' code is not in this repository. Blacklight and TrackHAR are installed from their npm packages into
`--packages` (a temporary folder, deleted afterwards, where none is given); Omnibug is no package: `--omnibug` names a
checkout of it, or a folder with its BaseProvider.js and TikTok.js. Every tool gets each request by itself. A leaf of a
message counts as read if its value stands in what the tool makes of the request; leaves shorter than four characters
are left out, since they would be found by chance.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pixelwitness.classify import classify
from pixelwitness.exchange import Exchange
from pixelwitness.identity.people import NOBODY
from pixelwitness.pixels.explain import explain
from pixelwitness.pixels.tiktok.paths import leaves
from pixelwitness.pixels.tiktok.transport import message
from pixelwitness.rulebook import load_rulebook
from pixelwitness.sources.files import captures_in, read_capture

HERE = Path(__file__).parent
PACKAGES = ("@themarkup/blacklight-collector@3.11.0", "trackhar@1.0.0")
LEAST = 4
ROWS = (
    "recognised", "event or action named", "automatic actions read", "identity fields read", "all fields read",
    "fields said in words",
)  # fmt: skip


def main() -> None:
    """Prints the table as Markdown."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("captures", nargs="+", type=Path)
    options.add_argument("--packages", type=Path, help="A folder to install the peers into, or where they are.")
    options.add_argument("--omnibug", type=Path, help="A checkout of Omnibug, or the folder of its providers.")
    options.add_argument("--only-omnibug", action="store_true", help="Without the peers from npm.")
    given = options.parse_args()
    if given.omnibug and not any((given.omnibug / at / "TikTok.js").is_file() for at in ("src/providers", ".")):
        sys.exit(f"compare.py: {given.omnibug} has no src/providers/TikTok.js: --omnibug takes a checkout of Omnibug")
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        sys.exit("compare.py: needs node and npm")
    found = list(requests(given.captures))
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.packages or Path(scratch)
        if not given.only_omnibug and not (folder / "node_modules" / "trackhar").is_dir():
            install = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder)]
            subprocess.run([*install, *PACKAGES], check=True, stdout=subprocess.DEVNULL)
        packages = "" if given.only_omnibug else str(folder.resolve())
        made = peers(node, packages, given.omnibug, found, Path(scratch))
    made = {"pixelwitness": [ours(exchange) for exchange, _ in found], **made}
    print(table(found, made))


def requests(captures: list[Path]) -> Iterator[tuple[Exchange, Any]]:
    """Every message to TikTok in the captures, with its decoded JSON; scripts and configuration are none."""
    for path in captures_in(captures):
        for exchange in read_capture(path, client="c"):
            if not isinstance(exchange, Exchange) or exchange.method == "OPTIONS":
                continue
            endpoint = classify(exchange, BOOK).endpoint
            if endpoint is not None and endpoint.decoder != "query":
                parsed = message(exchange)
                if parsed is not None:
                    yield exchange, parsed.value


def peers(node: str, packages: str, omnibug: Path | None, found: list[Any], scratch: Path) -> dict[str, list[Any]]:
    """What each peer makes of each request."""
    rows = [
        {
            "method": e.method, "url": e.url, "headers": [{"name": k, "value": v} for k, v in e.headers],
            "body": (e.body or b"").decode("utf-8", "replace"), "page": e.fields.get("referer", "https://unknown.invalid/"),
        }
        for e, _ in found
    ]  # fmt: skip
    file = scratch / "requests.json"
    file.write_text(json.dumps(rows), "utf-8")
    command = [node, str(HERE / "peers.cjs"), str(file), packages] + ([str(omnibug)] if omnibug else [])
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        said = next((line for line in done.stderr.splitlines() if "Error" in line), done.stderr[-300:])
        sys.exit(f"compare.py: the peers could not be run: {said}")
    return json.loads(done.stdout)


def ours(exchange: Exchange) -> Any:
    """What `pixelwitness decode --json` says of a request; None where it is none to TikTok."""
    said = explain(exchange, BOOK, NOBODY)
    return said.model_dump(mode="json", include={"hits": {"__all__": {"fields", "hit"}}}) if said.hits else None


def table(found: list[tuple[Exchange, Any]], made: dict[str, list[Any]]) -> str:
    """Counts by tool."""
    named = [[v for k in ("event", "action", "metric_name") if isinstance(v := body.get(k), str)] for _, body in found]
    acts = [isinstance(body.get("auto_collected_properties"), dict) and body.get("action") != "Pf" for _, body in found]
    every = [_values(body) for _, body in found]
    users = [_values((body.get("context") or {}).get("user")) for _, body in found]
    content = [
        _values(body.get("auto_collected_properties")) if act else set()
        for act, (_, body) in zip(acts, found, strict=True)
    ]
    lines = [f"| {len(found)} messages | " + " | ".join(made) + " |", "|---|" + "---|" * len(made)]
    cells: dict[str, list[str]] = {row: [] for row in ROWS}
    for said in made.values():
        texts = [_flat(one) for one in said]
        cells[ROWS[0]].append(f"{sum(one is not None for one in said)}")
        hit = sum(bool(n) and all(v in t for v in n) for n, t in zip(named, texts, strict=True))
        cells[ROWS[1]].append(f"{hit} of {sum(map(bool, named))}")
        read = sum(bool(c) and c <= t for c, t in zip(content, texts, strict=True))
        cells[ROWS[2]].append(f"{read} of {sum(map(bool, content))}")
        for row, wanted in ((ROWS[3], users), (ROWS[4], every)):
            got = sum(len(w & t) for w, t in zip(wanted, texts, strict=True))
            cells[row].append(f"{got} of {sum(map(len, wanted))}")
        worded = sum(len(w & _worded(one)) for w, one in zip(every, said, strict=True))
        cells[ROWS[5]].append(f"{worded} of {sum(map(len, every))}")
    lines += [f"| {row} | " + " | ".join(cells[row]) + " |" for row in ROWS]
    return "\n".join(lines)


def _worded(said: Any) -> set[str]:
    """Values beside which a tool puts another name than that of the field, or says what the field means."""
    if isinstance(said, dict):  # ours
        return {_text(f["value"]) for hit in said.get("hits", ()) for f in hit["fields"] if f["means"]}
    rows = said if isinstance(said, list) else []
    return {
        _text(row.get("value"))
        for row in rows
        if isinstance(row, dict) and row.get("field", row.get("key")) != row.get("key")
    }


def _flat(said: Any) -> set[str]:
    """Every value that a tool shows of a request, also of JSON in a text."""
    values: set[str] = set()
    for path, value in leaves(said):
        values.add(_text(value))
        values.update(path.split("."))
        if isinstance(value, str) and value[:1] in ("{", "["):
            try:
                values |= _flat(json.loads(value))
            except ValueError:
                continue  # a text that only begins like JSON
    return values


def _values(value: Any) -> set[str]:
    """The values in a message that are long enough not to be found by chance."""
    return {text for _, leaf in leaves(value) if len(text := _text(leaf)) >= LEAST}


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool | dict | list):
        return ""
    return value if isinstance(value, str) else json.dumps(value)


BOOK = load_rulebook()

if __name__ == "__main__":
    main()
