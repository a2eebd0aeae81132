"""What the add-on loads when it starts: counted in modules, which no busy machine changes."""

from __future__ import annotations

import json
import subprocess
import sys

CODE = """
import json, sys
import mitmproxy.tools.main, mitmproxy.tools.dump
before = set(sys.modules)
import pixelwitness.proxy.script
print(json.dumps(sorted(set(sys.modules) - before)))
"""
ONLY_WHEN_USED = {"rich", "phonenumbers", "numpy", "pandas", "dask", "jinja2"}
OURS_ONLY_WHEN_USED = {"report.html", "report.summary", "report.terminal", "workers", "replay", "capture", "cli"}
MOST = 275
"""Modules that mitmproxy itself has not loaded; 245 when this was written."""


def test_the_add_on_loads_what_is_heavy_only_when_it_is_used() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert {name.partition(".")[0] for name in loaded} & ONLY_WHEN_USED == set()
    assert {name.removeprefix("pixelwitness.") for name in loaded} & OURS_ONLY_WHEN_USED == set()
    assert len(loaded) <= MOST, sorted(loaded)
