"""`pixelwitness proxy`: mitmproxy's own programs, with the add-on in them from the start."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from mitmproxy import options
from mitmproxy.tools import cmdline, main

from pixelwitness.proxy.addon import PixelWitness
from pixelwitness.proxy.authority import Authority, fresh_authority
from pixelwitness.proxy.onscreen import farewell, greeting

UNUSABLE = 2
LARGEST = "40m"
PARSERS = {"dump": cmdline.mitmdump, "web": cmdline.mitmweb, "console": cmdline.mitmproxy}


def _with_addon(base: Any, settings: dict[str, Any], addon: PixelWitness) -> Any:
    """A master with the add-on where a script would be: before what saves and shows flows, so that it comes first."""

    class AuditMaster(base):  # type: ignore[misc]
        def __init__(self, opts: options.Options, *args: Any, **kwargs: Any) -> None:
            super().__init__(opts, *args, **kwargs)
            self.addons.add(addon)
            chain = self.addons.chain
            chain.insert(chain.index(self.addons.get("scriptloader")) + 1, chain.pop())
            opts.update(**settings)

    return AuditMaster


def run(ui: str, settings: dict[str, Any], more: Sequence[str], *, fresh_ca: bool = False) -> int:
    """Runs the proxy until it is stopped; returns its exit code: 2 for what cannot be used (options, ledger, disk).

    `fresh_ca`: with an authority of its own.
    """
    if not fresh_ca:
        return _run(ui, settings, more, None)
    with fresh_authority() as authority:
        code = _run(ui, {**settings, "confdir": str(authority.folder)}, more, authority)
    print(farewell(authority), file=sys.stderr)
    return code


def _run(ui: str, settings: dict[str, Any], more: Sequence[str], authority: Authority | None) -> int:
    print(greeting(settings, more, authority), file=sys.stderr)
    # What is larger passes through unread, and so does a body that never ends: no stranger's body fills the memory.
    addon = PixelWitness()
    master = _with_addon(_master(ui), {"stream_large_bodies": LARGEST, **settings}, addon)
    try:
        main.run(master, PARSERS[ui], list(more), None)
    except SystemExit as error:
        if error.code:
            return UNUSABLE  # mitmproxy's own code for all of that is 1
    return UNUSABLE if addon.failed else 0


def _master(ui: str) -> Any:
    if ui == "web":
        from mitmproxy.tools.web.master import WebMaster

        return WebMaster
    if ui == "console":
        from mitmproxy.tools.console.master import ConsoleMaster

        return ConsoleMaster
    from mitmproxy.tools.dump import DumpMaster

    return DumpMaster
