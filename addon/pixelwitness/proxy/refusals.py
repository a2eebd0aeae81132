"""What a proxy cannot read, with what is still known of it: refused, passed through, QUIC. All of it blind spots."""

from __future__ import annotations

from typing import Any

from mitmproxy import connection, tcp, tls, udp

from pixelwitness.observations import BlindSpot
from pixelwitness.proxy.clients import Names
from pixelwitness.run import now


def client_name(client: connection.Client, names: Names) -> str:
    """Mode and address, or the name that the auditor gave."""
    parts = (client.proxy_mode.full_spec, client.peername[0] if client.peername else "")
    return names.name("|".join(part for part in parts if part))


def _host(context: Any, sni: str | None) -> str:
    address = context.server.address or context.server.peername or ("an unknown host",)
    return str(sni or address[0])[:200]


def refused(data: tls.TlsData, names: Names) -> BlindSpot:
    """A client that does not accept the proxy's certificate."""
    host = _host(data.context, data.conn.sni)
    quic = " over QUIC" if data.context.client.transport_protocol == "udp" else ""
    return BlindSpot(
        client=client_name(data.context.client, names), host=host, kind="tls_refused", detail=f"{host}{quic}", at=now()
    )


def quic(context: Any, names: Names, *, http3: bool) -> BlindSpot:
    """A QUIC connection that reached the proxy."""
    host = _host(context, context.client.sni)
    kind = "quic_seen" if http3 else "quic_blocked"
    return BlindSpot(client=client_name(context.client, names), host=host, kind=kind, detail=host, at=now())


def passed_through(flow: tcp.TCPFlow | udp.UDPFlow, names: Names) -> BlindSpot | None:
    """A connection that went through unread (`ignore_hosts` with `show_ignored_hosts`): where to, how many bytes."""
    if not flow.messages and flow.server_conn is None:
        return None
    up = sum(len(m.content) for m in flow.messages if m.from_client)
    down = sum(len(m.content) for m in flow.messages if not m.from_client)
    address = flow.server_conn.address if flow.server_conn else None
    host = str(flow.client_conn.sni or flow.server_conn.sni or (address or ("an unknown host",))[0])[:200]
    return BlindSpot(
        client=client_name(flow.client_conn, names), host=host, kind="passed_through",
        detail=f"{host}: {up} bytes sent, {down} received", at=now(),
    )  # fmt: skip
