"""Gathers what proves one violation, and writes it as a zip file."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any

from pixelwitness.exchange import iso
from pixelwitness.ledger import timestamps
from pixelwitness.ledger.chain import Part, Row, body_hash, document, unpacked, whole
from pixelwitness.ledger.commit import never, tree, values
from pixelwitness.ledger.sharing import taken_from
from pixelwitness.ledger.store import Ledger, LedgerError
from pixelwitness.ledger.verify import facts_of
from pixelwitness.ledger.walk import leaf_of, salts_of
from pixelwitness.report.proof.check import request_text

SHOWN = frozenset({"observed", "meta"})
"""Parts of other requests (those that showed the consent state) that are shown; of the rest only the digests."""

README = """\
Evidence of one violation, written by {program}
{line}
Violation {id}: {rule} under {regime}, {severity}
Property   {property}
When       {occurred_at}
{explanation}

evidence.json  the violation, the decoded message, the signals of consent it rests on in order of time, hashes
request.http   the request as it is stored (masked unless the audit kept clear text)
request.har    the same for tools that read HAR
chain.json     the observations, and the hash chain from the first of them to its head
check.py       python check.py [HEAD]: checks all of it with Python's standard library alone

Chain head of the run when this was written:
{heads}
Ask the auditor for the head that the audit printed, and give it to check.py. What it proves: that request, message and
signals are what was recorded before that head was known to others. The verdict itself is a judgement of these facts.
"""

STAMPED = """
Timestamps (RFC 3161): a timestamp authority signed a head of this chain, so that all that stands before it was there by
then. timestamp-1.txt holds that head, timestamp-1.tsr the authority's answer; check.py says whether the head is one of
this chain. With OpenSSL and the root certificate of the authority, from the authority itself:

  openssl ts -verify -data timestamp-1.txt -in timestamp-1.tsr -CAfile root.pem
  openssl ts -reply -in timestamp-1.tsr -text        (the time)

Where the authority's certificate has expired since, add -attime SECONDS (of the time of the timestamp).
"""


def export(ledger: Ledger, violation_id: str, out: Path) -> Path:
    """Writes the evidence of a violation, readable by its owner only. Raises LedgerError."""
    rows = list(ledger.db.query("select * from violations where id = ?", [violation_id]))
    if not rows:
        raise LedgerError(f"{ledger.path}: has no violation {violation_id}. `report --json` shows their ids")
    violation = rows[0]
    hit = next(iter(ledger.db.query("select * from hits where id = ?", [violation["hit_id"]])))
    chain, signals, decoded = _chain(ledger, hit, {*json.loads(violation["signals"]), *json.loads(hit["set_aside"])})
    request = next(r for r in chain["observations"] if r["kind"] == "request" and r["id"] == hit["exchange_id"])
    run = next(iter(ledger.db.query("select * from runs where id = ?", [hit["run_id"]])))
    heads = "\n".join(f"  run {r['run_id']}: {r['head']}" for r in chain["runs"])
    raw = request_text(request)
    evidence = {
        "violation": violation, "exchange_id": hit["exchange_id"], "decoded": decoded, "signals": signals,
        "timeline": _timeline(violation, signals), "run": {k: v for k, v in run.items() if k != "secret"},
        "hashes": {"request.http": hashlib.sha256(raw).hexdigest(), "body_sha256": hit["body_sha256"]},
    }  # fmt: skip
    stamped = _stamps(ledger, chain)
    line = "=" * 60
    files = {
        "README.txt": README.format(**violation, program=run["program"], heads=heads, line=line).encode(),
        "evidence.json": _json(evidence),
        "request.http": raw,
        "request.har": _json(_har(request, run["program"])),
        "chain.json": _json(chain),
        "check.py": Path(__file__).with_name("check.py").read_bytes(),
        **stamped,
    }
    if stamped:
        files["README.txt"] += STAMPED.encode()
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
    _write(out, {**files, "SHA256SUMS": sums.encode()})
    return out


def _stamps(ledger: Ledger, chain: dict[str, Any]) -> dict[str, bytes]:
    """The timestamps of heads that stand in the chain as it is shown: each head, and the authority's answer."""
    files: dict[str, bytes] = {}
    for run in chain["runs"]:
        query = "select 1 from observations where run_id = ? and hash = ? and seq >= ?"
        try:
            for stamp in timestamps.stamps(facts_of(ledger, "timestamp", run["run_id"])):
                if list(ledger.db.query(query, [run["run_id"], stamp.head, run["first_seq"]])):
                    number = len(files) // 2 + 1
                    files[f"timestamp-{number}.txt"] = stamp.head.encode()
                    files[f"timestamp-{number}.tsr"] = stamp.token
        except timestamps.StampError as error:
            raise LedgerError(f"{ledger.path}: {error}. `pixelwitness verify {ledger.path}` names what else") from error
    return files


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()


def _write(out: Path, files: dict[str, bytes]) -> None:
    try:
        handle = os.open(out, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(handle, "wb") as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    except OSError as error:
        raise LedgerError(f"{out}: cannot be written ({error.strerror}). Choose another --out") from error


def _chain(
    ledger: Ledger, hit: dict[str, Any], signal_ids: set[str]
) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    """The observations of the hit and of the signals that it rests on, and the chain from the first of them on."""
    wanted: dict[tuple[str, int], bool] = {}
    signals: dict[str, dict[str, Any]] = {}
    decoded: dict[str, Any] = {}
    exchanges = {r["exchange_id"] or r["id"] for r in _in(ledger, "signals", "id", signal_ids)}
    for row in _in(ledger, "observations", "id", exchanges | {hit["exchange_id"]}):
        said = json.loads(unpacked(_part_of(ledger, row, "observed")))
        own = row["id"] == hit["exchange_id"]
        mine = [s for s in said.get("signals", []) if s["id"] in signal_ids]
        if own or mine:
            wanted[row["run_id"], row["seq"]] = own
        signals.update({s["id"]: s for s in mine})
        decoded = next((h for h in said.get("hits", []) if h["id"] == hit["id"]), decoded)
    made: dict[str, Any] = {"observations": [], "runs": [], "salts": {}}
    for run in ledger.db.query("select id, secret from runs order by rowid"):
        seqs = {seq: own for (run_id, seq), own in wanted.items() if run_id == run["id"]}
        if seqs:
            _chain_of(ledger, run, seqs, made)
    ordered = sorted(signals.values(), key=lambda s: (s["observed_at"], s["id"]))
    return made, ordered, decoded


def _in(ledger: Ledger, table: str, column: str, keys: set[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for key in sorted(keys):
        rows += ledger.db.query(f"select * from {table} where {column} = ?", [key])  # noqa: S608  fixed names
    return rows


def _part_of(ledger: Ledger, row: dict[str, Any], name: str) -> bytes:
    query = "select content from observation_parts where run_id = ? and seq = ? and name = ?"
    found = list(ledger.db.query(query, [row["run_id"], row["seq"], name]))
    if not found or found[0]["content"] is None:
        raise LedgerError(f"{ledger.path}: observation {row['seq']} of run {row['run_id']} lacks its part {name}")
    return bytes(found[0]["content"])


def _chain_of(ledger: Ledger, run: dict[str, Any], seqs: dict[int, bool], made: dict[str, Any]) -> None:
    leaf, salt = leaf_of(ledger.db, run["secret"]), salts_of(ledger.db, run["secret"])
    names = ", ".join(Part.__slots__)
    query = f"select {names} from observation_parts where run_id = ? and seq = ? order by name"  # noqa: S608  fixed names
    first, prev, head, bodies = min(seqs), "", "", []

    def disclose(said: Any, taken: Any) -> None:
        for tagged in values(said, taken):
            made["salts"][hashlib.sha256(tagged).hexdigest()] = salt(tagged).hex()

    rows = ledger.db.query("select * from observations where run_id = ? and seq >= ? order by seq", [run["id"], first])
    for cells in rows:
        parts = [Part(**p) for p in ledger.db.query(query, [run["id"], cells["seq"]])]
        if any(p.stored is None for p in parts):
            raise LedgerError(
                f"{ledger.path}: run {run['id']} was recorded by an older version, which cannot be proven part by "
                "part. Replay the captures into a new ledger"
            )
        row = Row(**{name: cells[name] for name in Row.__slots__})
        copy = not run["secret"]
        bodies.append(body_hash(row, parts, leaf, copy=copy))
        prev, head = prev or cells["prev_hash"], cells["hash"]
        if cells["seq"] not in seqs:
            continue
        client = tree(row.client, leaf, whole if copy else never).hex()
        disclose(row.client, whole if copy else never)
        shown = []
        for part in parts:
            raw = unpacked(part.content) if part.content is not None else None
            if raw is not None and (seqs[cells["seq"]] or part.name in SHOWN):
                said = document(part.name, raw)
                disclose(said, taken_from(part.name, said) if "+" in part.form else never)
            else:
                raw = None
            content = base64.b64encode(raw).decode() if raw is not None else None
            named = {n: getattr(part, n) for n in ("name", "form", "size", "digest", "stored")}
            shown.append({**named, "content": content})
        made["observations"].append({**{n: cells[n] for n in Row.__slots__}, "client_digest": client, "parts": shown})
    made["runs"].append({"run_id": run["id"], "first_seq": first, "prev_hash": prev, "bodies": bodies, "head": head})


def _timeline(violation: dict[str, Any], signals: list[dict[str, Any]]) -> list[dict[str, Any]]:
    made = [
        {
            "at": iso(s.get("effective_at") or s["observed_at"]), "observed_at": iso(s["observed_at"]),
            "what": f"{s['source']} {s['name']}", "cmp": s.get("cmp"), "state": s.get("state"),
            "opt_out": s.get("opt_out"), "decided": s["id"] in json.loads(violation["signals"]),
        }
        for s in signals
    ]  # fmt: skip
    made.append({"at": violation["occurred_at"], "observed_at": violation["occurred_at"],
                 "what": f"the request ({violation['event'] or violation['tier']})", "decided": True})  # fmt: skip
    return sorted(made, key=lambda t: t["at"])


def _har(row: dict[str, Any], program: str) -> dict[str, Any]:
    parts = {p["name"]: base64.b64decode(p["content"]) for p in row["parts"] if p["content"] is not None}
    method, _, url = parts["request_line"].decode().partition(" ")
    headers = [{"name": n, "value": v} for n, v in json.loads(parts.get("request_headers", b"[]"))]
    request: dict[str, Any] = {
        "method": method, "url": url, "httpVersion": "HTTP/1.1", "cookies": [], "queryString": [], "headers": headers,
        "headersSize": -1, "bodySize": -1,
    }  # fmt: skip
    if "request_body" in parts:
        kind = next((h["value"] for h in headers if h["name"].lower() == "content-type"), "")
        request["postData"] = {"mimeType": kind, "text": parts["request_body"].decode("utf-8", "replace")}
    response = {
        "status": 0, "statusText": "", "httpVersion": "", "cookies": [], "headers": [], "redirectURL": "",
        "content": {"size": 0, "mimeType": ""}, "headersSize": -1, "bodySize": -1,
    }  # fmt: skip
    entry = {
        "startedDateTime": iso(row["at"]), "time": 0, "request": request, "response": response, "cache": {},
        "timings": {"send": 0, "wait": 0, "receive": 0},
    }  # fmt: skip
    name, _, version = program.partition(",")[0].partition(" ")
    return {"log": {"version": "1.2", "creator": {"name": name, "version": version}, "entries": [entry]}}
