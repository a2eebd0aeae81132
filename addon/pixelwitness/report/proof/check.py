"""Checks this evidence with Python's standard library alone: python check.py [HEAD]

HEAD is the chain head that the audit printed, from somebody whom you trust. Without it the evidence is only shown to be
consistent in itself. Exit code 0: everything fits; 1: something was changed.
"""

import base64
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TEXTS = ("request_line", "status_line")
BYTES = ("request_body",)
WHOLE = re.compile(r"\[redacted:([0-9a-f]{64})\]")
TAIL = re.compile(r"(.*)\?\[redacted:([0-9a-f]{64})\]", re.S)


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def leaf(tagged: bytes, salts: dict[str, str]) -> bytes:
    salt = bytes.fromhex(salts[hashlib.sha256(tagged).hexdigest()])
    if len(salt) != 16:
        raise ValueError("a salt has 16 bytes")
    return sha(b"\x00" + salt + tagged)


def text(value: str) -> bytes:
    return b"s" + value.encode("utf-8", "surrogatepass")


def commitment(value: object, salts: dict[str, str], redacted: bool) -> bytes:
    """The digest of a value of which any member can be left out (docs/ledger.md of pixelwitness)."""
    if isinstance(value, dict):
        keys = [(k.encode("utf-8", "surrogatepass"), v) for k, v in value.items()]
        return sha(b"\x01d" + b"".join(b"%d:%b" % (len(k), k) + commitment(v, salts, redacted) for k, v in keys))
    if isinstance(value, list):
        return sha(b"\x01l" + b"".join(commitment(v, salts, redacted) for v in value))
    if value is None or isinstance(value, bool):
        return sha(b"\x01" + repr(value).encode())
    if isinstance(value, bytes):
        return leaf(b"b" + value, salts)
    if not isinstance(value, str):
        return leaf(b"n" + json.dumps(value).encode(), salts)
    if redacted and (whole := WHOLE.fullmatch(value)):
        return bytes.fromhex(whole[1])
    if redacted and "://" in value and (tail := TAIL.fullmatch(value)):
        return sha(b"\x01u" + leaf(text(tail[1]), salts) + bytes.fromhex(tail[2]))
    cuts = [at for at in (value.find("?"), value.find("#")) if at >= 0] if "://" in value else []
    if not cuts:
        return leaf(text(value), salts)
    return sha(b"\x01u" + leaf(text(value[: min(cuts)]), salts) + leaf(text(value[min(cuts) :]), salts))


def stored(part: dict[str, Any]) -> bytes | None:
    return None if part["content"] is None else base64.b64decode(part["content"], validate=True)


def document(part: dict[str, Any], raw: bytes) -> object:
    if part["name"] in TEXTS:
        return raw.decode()
    return raw if part["name"] in BYTES else json.loads(raw)


def fits(digest: str, value: object, salts: dict[str, str], redacted: bool) -> bool:
    try:
        return commitment(value, salts, redacted).hex() == digest
    except (KeyError, ValueError, TypeError):
        return False


def part_fits(part: dict[str, Any], salts: dict[str, str]) -> bool:
    raw = stored(part)
    if raw is None:
        return True  # left out: only its digest is here
    try:
        return fits(part["stored"], document(part, raw), salts, "+" in part["form"])
    except ValueError:
        return False


def body(row: dict[str, Any]) -> str:
    """The digest of an observation: its cells, and the digests of its parts."""
    rows = sorted([p["name"], p["form"].partition("+")[0], p["size"], p["digest"], p["stored"]] for p in row["parts"])
    cells = ["pixelwitness-2", row["run_id"], row["seq"], row["id"], row["kind"], row["client_digest"]]
    what = [*cells, row["exchange_id"], row["at"], rows]
    return hashlib.sha256(json.dumps(what, separators=(",", ":")).encode()).hexdigest()


def request_text(row: dict[str, Any]) -> bytes:
    """The request as it is stored, as an .http file."""
    parts = {p["name"]: stored(p) for p in row["parts"]}
    lines = [(parts["request_line"] or b"").decode() + " HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in json.loads(parts.get("request_headers") or b"[]")]
    return "\n".join(lines).encode("utf-8", "replace") + b"\n\n" + (parts.get("request_body") or b"")


def after(row: dict[str, Any], head: "tuple[str, int] | None") -> bool:
    """Whether an observation of the same run stands after a head."""
    return head is not None and row["run_id"] == head[0] and row["seq"] > head[1]


def faults(given: str | None) -> list[str]:
    found = []
    for line in (HERE / "SHA256SUMS").read_text().splitlines():
        digest, _, name = line.partition("  ")
        if "/" in name or "\\" in name or hashlib.sha256((HERE / name).read_bytes()).hexdigest() != digest:
            found.append(f"{name}: is not the file that was written")
    chain = json.loads((HERE / "chain.json").read_text())
    salts, bodies, heads, passed = chain["salts"], {}, [], {}
    for run in chain["runs"]:
        head = run["prev_hash"]
        for seq, digest in enumerate(run["bodies"], run["first_seq"]):
            bodies[run["run_id"], seq] = digest
            head = hashlib.sha256((head + digest).encode()).hexdigest()
            passed[head] = (run["run_id"], seq)
        heads.append(head)
        if head != run["head"]:
            found.append(f"run {run['run_id']}: the chain does not lead to the head {run['head']}")
    for row in chain["observations"]:
        what = f"run {row['run_id']}: observation {row['seq']}"
        if not fits(row["client_digest"], row["client"], salts, True):
            found.append(f"{what}: its client was changed")
        for part in row["parts"]:
            if not part_fits(part, salts):
                found.append(f"{what}: {part['name']} was changed")
        if body(row) != bodies.get((row["run_id"], row["seq"])):
            found.append(f"{what}: does not stand in the chain as it is here")
    evidence = json.loads((HERE / "evidence.json").read_text())
    request = next(r for r in chain["observations"] if r["kind"] == "request" and r["id"] == evidence["exchange_id"])
    if request_text(request) != (HERE / "request.http").read_bytes():
        found.append("request.http is not what was recorded")
    said = [json.loads(stored(p) or b"{}") for r in chain["observations"] for p in r["parts"]
            if p["name"] == "observed" and p["content"] is not None]  # fmt: skip
    if not any(h == evidence["decoded"] for s in said for h in s.get("hits", [])):
        found.append("evidence.json: the decoded hit is not what was recorded")
    known = [s for one in said for s in one.get("signals", [])]
    if not all(signal in known for signal in evidence["signals"]):
        found.append("evidence.json: a signal is not what was recorded")
    later = [r for r in chain["observations"] if given and after(r, passed.get(given.strip().lower()))]
    if given and given.strip().lower() not in passed:
        found.append(f"the chain does not lead to the head that you gave, but to {', '.join(heads)}")
    found += [f"run {r['run_id']}: observation {r['seq']} came after the head that you gave" for r in later]
    for stamp in sorted(HERE.glob("timestamp-*.txt")):
        where = passed.get(stamp.read_text())
        if where is None:
            found.append(f"{stamp.name} is no head of this chain")
            continue
        count = sum(not after(r, where) for r in chain["observations"] if r["run_id"] == where[0])
        print(f"{stamp.name} is a head of this chain; {count} of the observations here stand before it (README.txt)")
    print("Chain heads: " + ", ".join(heads))
    return found


if __name__ == "__main__":
    try:
        wrong = faults(sys.argv[1] if len(sys.argv) > 1 else None)
    except (KeyError, ValueError, TypeError, OSError, StopIteration) as error:
        wrong = [f"cannot be read: {type(error).__name__} {error}"]
    for fault in wrong:
        print(fault)
    print(
        f"{len(wrong)} faults" if wrong else "Everything fits." + ("" if len(sys.argv) > 1 else " (No head was given.)")
    )
    sys.exit(1 if wrong else 0)
