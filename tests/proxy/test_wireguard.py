"""A real WireGuard client behind the proxy: what goes through the tunnel is audited under the phone's name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pixelwitness.ledger.store import read_ledger
from pixelwitness.ledger.verify import verify
from support import BOOK, body

TOOLS = ("unshare", "nsenter", "ip", "wg", "wireguard-go", "curl")


def cannot() -> str | None:
    """Why a tunnel cannot be made here; None where it can."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"no {', '.join(missing)} on the path"
    if not Path("/dev/net/tun").exists():
        return "no /dev/net/tun"
    tried = subprocess.run(["unshare", "-n", "true"], capture_output=True, text=True, check=False, timeout=10)
    return f"no network namespace can be made: {tried.stderr.strip()[:100]}" if tried.returncode else None


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are a matter of Linux")
def test_a_phone_in_a_tunnel(tmp_path: Path) -> None:
    reason = cannot()
    if reason:
        pytest.skip(reason)
    message = body("AddToCart", url="http://www.shop.example/", user={"email": "a" * 64})
    (tmp_path / "message.json").write_text(json.dumps(message))
    script = Path(__file__).with_name("tunnel.py")
    command = ["unshare", "-n", sys.executable, str(script), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == {"page": "200 10.0.0.1", "sent": "200 10.0.0.1"}, "from the tunnel's own address"
    ledger = read_ledger(tmp_path / "a.db")
    assert verify(ledger, BOOK).faults == []
    hits = list(ledger.db.query("select client, property, event, tier from hits"))
    assert hits == [
        {"client": "pixel-8", "property": "shop.example", "event": "AddToCart", "tier": "advanced_matching"}
    ]
    assert [r["client"] for r in ledger.db.query("select distinct client from exchanges")] == ["pixel-8"]
