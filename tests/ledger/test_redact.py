"""A copy for sharing: verifies with the original's head, shows nothing that was taken out, and hides no forgery."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

from filled import VISIT, fill
from pixelwitness.ledger.redact import share
from pixelwitness.ledger.store import Ledger, LedgerError, open_ledger, read_ledger
from pixelwitness.ledger.verify import verify
from pixelwitness.run import mark_record, write
from support import BOOK, SHOP, asset, hit, mark, onetrust, page

LOOKS = "[redacted:" + "ab" * 32 + "]"
MORE = [
    page(10_000, f"{SHOP}?order=778899#frag", cookie=onetrust(False, at=-5000), client="10.11.12.13"),
    hit(11_000, "Purchase", url=f"{SHOP}?order=778899", event_id="order-778899", client="10.11.12.13",
        user={"external_id": "c0ffee" * 10 + "abcd"}, headers=[("Cookie", "_ttp=2visitor0Key")],
        properties={"title": LOOKS, "value": 12.5, "odd": f"{SHOP}?{LOOKS}"}),
    asset(12_000, cookie=onetrust(False, at=-5000), client=LOOKS),
]  # fmt: skip
GONE = ("778899", "10.11.12.13", "c0ffee", "2visitor0Key", "M815YN9JZW0KVGPPSCF7FDMT")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = open_ledger(tmp_path / "audit.db")
    fill(made, [*VISIT, *MORE])
    return made


def stored(ledger: Ledger) -> str:
    parts = [zlib.decompress(r["content"]).decode() for r in
             ledger.db.query("select content from observation_parts where content is not null")]  # fmt: skip
    rows = [json.dumps(r) for t in ledger.db.table_names() if t not in ("observation_parts",)
            for r in ledger.db.table(t).rows]  # fmt: skip
    return "\n".join(parts + rows)


def test_a_copy_verifies_with_the_head_of_the_original(ledger: Ledger, tmp_path: Path) -> None:
    assert verify(ledger, BOOK).faults == []
    assert all(word in stored(ledger) for word in GONE[:3])
    done = share(ledger, tmp_path / "copy.db", BOOK)
    assert all(done.taken[kind] for kind in ("bodies", "cookies", "clients", "urls", "identifiers", "content", "files"))
    copy = read_ledger(tmp_path / "copy.db")
    run = next(iter(copy.db.query("select id from runs")))["id"]
    found = verify(copy, BOOK, head=ledger.head(run))
    assert (found.faults, found.unchecked) == ([], [])
    assert found.removed > 0 < found.redacted
    shown = stored(copy)
    assert not [word for word in GONE if word in shown]
    raw = (tmp_path / "copy.db").read_bytes()
    assert not [word for word in GONE if word.encode() in raw]
    for table in ("violations", "coverage", "hits", "signals"):
        assert copy.db.table(table).count == ledger.db.table(table).count
    columns = "rule, severity, regime, consent_state, property, occurred_at"
    query = f"select {columns} from violations order by 1, 2, 3, 4, 5, 6"
    assert list(copy.db.query(query)) == list(ledger.db.query(query))


def test_equal_clients_stay_equal(ledger: Ledger, tmp_path: Path) -> None:
    share(ledger, tmp_path / "copy.db", BOOK)
    copy = read_ledger(tmp_path / "copy.db")
    query = "select count(distinct client) as n from observations where client is not null"
    assert list(copy.db.query(query)) == list(ledger.db.query(query))


@pytest.mark.parametrize("kind", ["bodies", "cookies", "clients", "urls", "identifiers", "content", "files"])
def test_what_is_kept_verifies_too(ledger: Ledger, tmp_path: Path, kind: str) -> None:
    done = share(ledger, tmp_path / "copy.db", BOOK, [kind])
    copy = read_ledger(tmp_path / "copy.db")
    assert verify(copy, BOOK).faults == []
    assert done.taken[kind] == 0


def test_a_forged_copy_is_found(ledger: Ledger, tmp_path: Path) -> None:
    share(ledger, tmp_path / "copy.db", BOOK)
    copy = open_ledger(tmp_path / "copy.db")
    rows = list(copy.db.query("select rowid as place, content from observation_parts where name = 'observed'"))
    tried = 0
    for row in rows:
        said = json.loads(zlib.decompress(row["content"]))
        forged = [
            ("state", "granted", said.get("signals", [{}])[0:1]),
            ("name", "other", said.get("signals", [{}])[0:1]),
            ("tier", LOOKS, said.get("hits", [])[0:1]),
            ("page_url", LOOKS, said.get("hits", [])[0:1]),
            ("client", LOOKS, said.get("hits", [])[0:1]),
        ]
        for name, value, places in forged:
            for place in places:
                if name not in place:
                    continue
                before, place[name] = place[name], value
                with pytest.raises(ZeroDivisionError), copy.db.atomic():
                    content = zlib.compress(json.dumps(said).encode())
                    copy.db.execute("update observation_parts set content = ? where rowid = ?", [content, row["place"]])
                    assert any("observed was changed" in f for f in verify(copy, BOOK).faults), (name, value)
                    tried += 1
                    raise ZeroDivisionError
                place[name] = before
    assert tried > 10


def test_nothing_can_be_added_to_a_copy(ledger: Ledger, tmp_path: Path) -> None:
    share(ledger, tmp_path / "copy.db", BOOK)
    copy = open_ledger(tmp_path / "copy.db")
    run = next(iter(copy.db.query("select id from runs")))["id"]
    with pytest.raises(LedgerError, match="copy for sharing"):
        write(copy, run, [mark_record(mark(1, "x"))], BOOK, keep_plaintext=False)
    with pytest.raises(LedgerError, match="copy for sharing"):
        fill(copy, VISIT, "b")
    with pytest.raises(LedgerError, match="already"):
        share(copy, tmp_path / "again.db", BOOK)
    assert not (tmp_path / "again.db").exists()
    with pytest.raises(LedgerError, match="exists already"):
        share(ledger, tmp_path / "copy.db", BOOK)
