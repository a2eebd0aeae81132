"""Rule files as plain data, kept between runs by the digest of their content: YAML is slow to read.

Only what the YAML says is kept. It is validated on every start, so that a kept file can go stale, vanish or be damaged
without harm.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pixelwitness.rulebook.load import read_yaml

FORMAT = 1
"""To be raised when `read_yaml` gives other data for the same text."""
MOST = 600
MAX_KEPT_BYTES = 20_000_000
OFF = "PIXELWITNESS_NO_CACHE"


def parsed_rules(files: Mapping[str, Path]) -> dict[str, Any]:
    """The plain data of rule files, by the names given. Raises RuleError for a file that cannot be read."""
    kept = _kept()
    digests = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    found = {
        name: kept[digest] if digest in kept else _plain(read_yaml(files[name])) for name, digest in digests.items()
    }
    new = {digests[name]: data for name, data in found.items() if digests[name] not in kept}
    if new:
        _keep({**dict(list(kept.items())[-MOST:]), **new})
    return found


def cache_dir() -> Path:
    """Where this system keeps what can be made again."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "pixelwitness"


def _plain(value: Any) -> Any:
    """The data as JSON can hold it: dates as ISO text, which the models read the same."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value.isoformat() if isinstance(value, date) else value


def _kept() -> dict[str, Any]:
    if os.environ.get(OFF):
        return {}
    try:
        path = cache_dir() / "rules.json"
        if path.stat().st_size > MAX_KEPT_BYTES:
            return {}
        held = json.loads(path.read_bytes())
    except (OSError, ValueError, RuntimeError, RecursionError):
        return {}  # nothing kept yet, or not by us: the files themselves are read
    fits = isinstance(held, dict) and held.get("format") == FORMAT and isinstance(held.get("parsed"), dict)
    return held["parsed"] if fits else {}


def _keep(parsed: dict[str, Any]) -> None:
    if os.environ.get(OFF) or not all(_has_text_keys(data) for data in parsed.values()):
        return
    try:
        text = json.dumps({"format": FORMAT, "parsed": parsed})
    except ValueError:
        return  # a number of thousands of digits: the models say what is wrong with it
    with contextlib.suppress(OSError, RuntimeError):  # a home that cannot be written to only costs the time again
        folder = cache_dir()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".json", delete=False, encoding="utf-8") as out:
            out.write(text)
        Path(out.name).replace(folder / "rules.json")


def _has_text_keys(value: Any) -> bool:
    """Whether JSON gives the same mapping back: a number as a key would come back as text."""
    if isinstance(value, dict):
        return all(isinstance(k, str) and _has_text_keys(v) for k, v in value.items())
    return all(map(_has_text_keys, value)) if isinstance(value, list) else True
