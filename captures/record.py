"""Records the demo scenarios with a real browser through the real add-on.

Usage: uv run python captures/record.py [NAME...]
       uv run python captures/record.py --expected    (no browser: only the findings, of every capture here)

Writes demo/NAME.mitm and demo/NAME.har (mitmproxy's own writers, from the same flows) and demo/NAME.expected.json
(what the audit of the flow file finds).
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from click.testing import CliRunner  # noqa: E402

from demo.browser import visit  # noqa: E402
from demo.scenarios import SCENARIOS  # noqa: E402
from demo.sites import DemoSites  # noqa: E402
from pixelwitness.cli import cli  # noqa: E402


def expected(capture: Path) -> dict:
    """What an audit of a capture finds, without what differs between runs of the program."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["replay", str(capture), "--db", f"{folder}/a.db", "--json"]
        done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
        summary = json.loads(done.stdout)
    found = []
    for one in summary["properties"]:
        violations = [
            {"id": v["id"], "rule": g["rule"], "regime": g["regime"], "severity": v["severity"], "event": v["event"],
             "consent_state": v["consent_state"]}
            for g in one["groups"] for v in g["violations"]
        ]  # fmt: skip
        results = {r: {c["state"]: c["result"] for c in rows} for r, rows in one["coverage"].items()}
        found.append({"property": one["property"], "hits": one["hits"], "verdicts": one["verdicts"],
                      "coverage": results, "violations": sorted(violations, key=lambda v: v["id"])})  # fmt: skip
    return {"properties": found, "blind_spots": sorted({b["kind"] for b in summary["blind_spots"]})}


def write_expected(capture: Path) -> None:
    """Puts the findings of a capture beside it."""
    path = capture.with_name(f"{capture.stem}.expected.json")
    path.write_text(json.dumps(expected(capture), indent=1) + "\n")


def record(name: str) -> None:
    """Records one scenario."""
    from mitmproxy.addons.savehar import SaveHar
    from mitmproxy.io import FlowWriter

    scenario = next(s for s in SCENARIOS if s.name == name)
    out = ROOT / "captures" / "demo"
    out.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as confdir:
        with visit([DemoSites()], Path(confdir), gpc=scenario.gpc) as (page, tape):
            scenario.steps(page, scenario, tape)
        flows = tape.flows
    with (out / f"{name}.mitm").open("wb") as stream:
        writer = FlowWriter(stream)
        for flow in flows:
            # A certificate chain and a key exchange are in every flow, and say nothing here.
            flow.client_conn.certificate_list = flow.server_conn.certificate_list = []
            flow.client_conn.mitmcert = None
            writer.add(flow)
    (out / f"{name}.har").write_text(json.dumps(SaveHar().make_har(flows), indent=1))
    write_expected(out / f"{name}.mitm")
    print(f"{name}: {len(flows)} exchanges")


if __name__ == "__main__":
    if sys.argv[1:] == ["--expected"]:
        found = sorted((ROOT / "captures").rglob("*.mitm"))
        alone = [h for h in sorted((ROOT / "captures").rglob("*.har")) if not h.with_suffix(".mitm").exists()]
        for capture in (*found, *alone):
            write_expected(capture)
    else:
        for wanted in sys.argv[1:] or [s.name for s in SCENARIOS]:
            record(wanted)
