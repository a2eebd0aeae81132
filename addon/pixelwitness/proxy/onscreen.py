"""What `pixelwitness proxy` says when it starts and when it stops."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from pixelwitness.proxy.authority import Authority

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def greeting(settings: dict[str, Any], more: Sequence[str], authority: Authority | None) -> str:
    """How to go on, and what to know. `more` are mitmproxy's own options."""
    where = f"{settings['listen_host']}:{settings['listen_port']}"
    lines = [
        f"pixelwitness records into {settings['pixelwitness_db']}",
        f"  1. Set the browser's HTTP and HTTPS proxy to {where}",
        "  2. In that browser open http://mitm.it and install the certificate authority (or take",
        f"     {authority.certificate if authority else 'mitmproxy-ca-cert.pem from ~/.mitmproxy'})",
        "  3. Open http://pixelwitness.local/ in it: what is still to be seen, and buttons to say what you click",
        f'     (or in another terminal: pixelwitness mark "clicked reject" --db {settings["pixelwitness_db"]})',
        f"  Ctrl-C stops and judges; then: pixelwitness report {settings['pixelwitness_db']}",
    ]
    if authority is not None:
        lines += [
            f'  The authority is for this run alone: "{authority.name}", SHA-256',
            f"     {authority.fingerprint}",
            "     On a phone open http://mitm.it and install the profile; on iOS also switch it on under Settings,",
            "     General, About, Certificate Trust Settings. When the proxy stops, the key is deleted and you remove",
            "     the certificate from the device.",
        ]
    if not settings["pixelwitness_scope"]:
        lines.append("  Everything that the device sends is recorded: --scope shop.example keeps the rest out.")
    if settings["pixelwitness_gpc"] or settings["pixelwitness_probe"]:
        lines.append("  --gpc and --probe change requests and pages; what they change is on the record.")
    if is_wide(settings["listen_host"], more):
        lines += [
            "  NOT ONLY THIS MACHINE: everybody who reaches this address can send traffic through the proxy, and what",
            "     they send is recorded. Use a network of your own, and --proxyauth user:password or a firewall.",
        ]
    return "\n".join(lines)


def farewell(authority: Authority) -> str:
    """What is left to do when a throw-away authority is gone."""
    return (
        f'pixelwitness: the authority\'s key is deleted. Now remove "{authority.name}" from the device.\n'
        "  iOS: Settings, General, VPN & Device Management; Android: Settings, Security, Encryption & credentials,\n"
        "  User credentials; a browser: its settings, Certificates, Authorities, or delete the profile of the audit."
    )


def is_wide(host: str, more: Sequence[str]) -> bool:
    """Whether others than this machine can reach the proxy, by our option or by one of mitmproxy's own."""
    hosts = [host]
    for word, after in pairwise((*more, "")):
        name, equals, value = word.partition("=")
        if name in ("--listen-host", "listen_host"):
            hosts.append(value if equals else after)
        elif name in ("--mode", "-m", "mode"):
            # mitmproxy writes a listener of its own as MODE@HOST:PORT.
            where = (value if equals else after).rpartition("@")[2]
            hosts += [where.rpartition(":")[0].strip("[]")] if "@" in (value or after) and ":" in where else []
    return any(h not in LOOPBACK for h in hosts)
