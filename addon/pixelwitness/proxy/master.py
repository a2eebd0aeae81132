"""`pixelwitness proxy`: mitmproxy's own programs, with the add-on in them from the start."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from mitmproxy import options
from mitmproxy.tools import cmdline, main

from pixelwitness.proxy.addon import PixelWitness

PARSERS = {"dump": cmdline.mitmdump, "web": cmdline.mitmweb, "console": cmdline.mitmproxy}


def _with_addon(base: Any, settings: dict[str, Any]) -> Any:
    """A master with the add-on where a script would be: before what saves and shows flows, so that it comes first."""

    class AuditMaster(base):  # type: ignore[misc]
        def __init__(self, opts: options.Options, *args: Any, **kwargs: Any) -> None:
            super().__init__(opts, *args, **kwargs)
            addon = PixelWitness()
            self.addons.add(addon)
            chain = self.addons.chain
            chain.insert(chain.index(self.addons.get("scriptloader")) + 1, chain.pop())
            opts.update(**settings)

    return AuditMaster


def run(ui: str, settings: dict[str, Any], more: Sequence[str]) -> int:
    """Runs the proxy until it is stopped; returns its exit code."""
    _say(settings)
    master = _with_addon(_master(ui), settings)
    try:
        main.run(master, PARSERS[ui], list(more), None)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    return 0


def _master(ui: str) -> Any:
    if ui == "web":
        from mitmproxy.tools.web.master import WebMaster

        return WebMaster
    if ui == "console":
        from mitmproxy.tools.console.master import ConsoleMaster

        return ConsoleMaster
    from mitmproxy.tools.dump import DumpMaster

    return DumpMaster


def _say(settings: dict[str, Any]) -> None:
    where = f"{settings['listen_host']}:{settings['listen_port']}"
    lines = [
        f"pixelwitness records into {settings['pixelwitness_db']}",
        f"  1. Set the browser's HTTP and HTTPS proxy to {where}",
        "  2. In that browser open http://mitm.it and install the certificate authority (or take",
        "     mitmproxy-ca-cert.pem from ~/.mitmproxy)",
        "  3. Open http://pixelwitness.local/ in it: what is still to be seen, and buttons to say what you click",
        f'     (or in another terminal: pixelwitness mark "clicked reject" --db {settings["pixelwitness_db"]})',
        f"  Ctrl-C stops and judges; then: pixelwitness report {settings['pixelwitness_db']}",
    ]
    if not settings["pixelwitness_scope"]:
        lines.append("  Everything that the device sends is recorded: --scope shop.example keeps the rest out.")
    if settings["pixelwitness_gpc"] or settings["pixelwitness_probe"]:
        lines.append("  --gpc and --probe change requests and pages; what they change is on the record.")
    if settings["listen_host"] not in ("127.0.0.1", "localhost", "::1"):
        lines.append("  Everybody who reaches this address can use the proxy: add --proxyauth any, or a firewall.")
    print("\n".join(lines), file=sys.stderr)
