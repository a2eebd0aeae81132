"""The tables of a ledger, as migrations. `docs/ledger.md` documents them; a test compares the two."""

from __future__ import annotations

import secrets

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from pixelwitness.ledger.views import VIEWS

migrations = Migrations("pixelwitness")

RUNS = {
    "id": str, "recording": str, "kind": str, "program": str, "mitmproxy": str, "rules_digest": str, "options": str,
    "inputs": str, "regimes": str, "named": str, "started_at": str, "finished_at": str, "chain_head": str,
    "observations": int, "complete": int, "note": str,
}  # fmt: skip
HITS = {
    "id": str, "exchange_id": str, "ordinal": int, "run_id": str, "vendor": str, "property": str, "client": str,
    "occurred_at": str, "event_time": str, "kind": str, "tier": str, "event": str, "event_raw": str, "action": str,
    "pixel_codes": str, "message_id": str, "event_id": str, "method": str, "transport": str, "request_url": str,
    "page_url": str, "referrer": str, "attribution": str, "consent_state": str, "possible_states": str,
    "effective_default": str, "opt_outs": str, "cmp": str, "verdicts": str, "reasons": str, "mitigations": str,
    "limited_data_use": int, "gpc": int, "partner": str, "library_version": str, "first_party_host": int,
    "copy_of": str, "confidence": str, "signals": str, "set_aside": str, "collected": str, "plaintext": str,
    "body_sha256": str, "payload": str,
}  # fmt: skip
VIOLATIONS = {
    "id": str, "rule": str, "severity": str, "regime": str, "vendor": str, "property": str, "client": str,
    "occurred_at": str, "tier": str, "event": str, "pixel_codes": str, "request_url": str, "page_url": str,
    "consent_state": str, "effective_default": str, "opt_outs": str, "cmp": str, "sent": str, "mitigations": str,
    "confidence": str, "applicability": str, "explanation": str, "remedy": str, "citation": str, "hit_id": str,
    "signals": str, "run_id": str, "capture": str, "provisional": int, "rules_digest": str,
}  # fmt: skip
SIGNALS = {
    "id": str, "exchange_id": str, "run_id": str, "property": str, "client": str, "observed_at": str,
    "effective_at": str, "source": str, "cmp": str, "name": str, "level": str, "state": str, "reason": str,
    "choice_made": int, "effective_default": str, "opt_out": int, "opt_out_kind": str, "region": str, "detail": str,
}  # fmt: skip
PAGE_VIEWS = {
    "id": str, "run_id": str, "client": str, "property": str, "viewed_at": str, "url": str, "status": int,
    "consent_state": str, "gpc": int, "prerendered": int,
}  # fmt: skip
EXCHANGES = {
    "id": str, "run_id": str, "client": str, "started_at": str, "method": str, "url": str, "host": str,
    "category": str, "status": int, "property": str, "cookie_names": str,
}  # fmt: skip
COVERAGE = {
    "recording": str, "property": str, "regime": str, "state": str, "page_views": int, "hits": str, "result": str,
    "control_hits": int, "note": str,
}  # fmt: skip
BLIND_SPOTS = {
    "id": str, "recording": str, "property": str, "client": str, "kind": str, "detail": str, "remedy": str,
    "first_at": str, "last_at": str, "count": int,
}  # fmt: skip
TRAFFIC = {"recording": str, "property": str, "host": str, "category": str, "requests": int}
IDENTIFIERS = {
    "hit_id": str, "field": str, "name": str, "form": str, "collected": str, "value": str, "diagnostics": str,
}  # fmt: skip
PIXELS = {
    "recording": str, "property": str, "vendor": str, "code": str, "created_at": str, "first_seen": str,
    "last_seen": str, "hits": int, "name": str, "partner": str, "setup_mode": str, "status": str,
    "first_party_cookies": int, "manual_matching": str, "automatic_matching": str, "plugins": str, "country": str,
    "matched": int, "changes": str, "hit_id": str,
}  # fmt: skip
NOTICES = {
    "id": str, "recording": str, "rule": str, "property": str, "vendor": str, "pixel_code": str, "noticed_at": str,
    "explanation": str, "remedy": str, "hit_id": str,
}  # fmt: skip
COLLECTED = {"hit_id": str, "field": str, "what": str, "size": int, "sample": str}
IDENTIFIERS_2 = {
    "created_at": str, "persona": str, "attribute": str, "variant": str, "follows_rule": int,
}  # fmt: skip
HITS_3 = {"shown_by": str, "unknown_because": str}
HITS_7 = {"repeats": str}
REVISIONS = {
    "hit_id": str, "regime": str, "revised_at": str, "was": str, "became": str, "reason": str,
}  # fmt: skip


@migrations()
def create(db: Database) -> None:
    """Observations first; everything else follows from them."""
    observations = {
        "run_id": str, "seq": int, "id": str, "kind": str, "client": str, "exchange_id": str, "at": int,
        "prev_hash": str, "hash": str,
    }  # fmt: skip
    parts = {
        "run_id": str, "seq": int, "name": str, "digest": str, "salt": str, "size": int, "form": str, "content": bytes,
    }  # fmt: skip
    db.table("observations").create(observations, pk=("run_id", "seq"), strict=True)
    db.table("observations").create_index(["kind", "id"], unique=True)
    db.table("observation_parts").create(parts, pk=("run_id", "seq", "name"), strict=True)
    db.table("runs").create(RUNS, pk="id", strict=True)
    db.table("hits").create(HITS, pk="id", strict=True)
    db.table("violations").create(VIOLATIONS, pk="id", strict=True)
    db.table("violations").create_index(["hit_id", "rule", "regime"], unique=True)
    db.table("signals").create(SIGNALS, pk="id", strict=True)
    db.table("page_views").create(PAGE_VIEWS, pk="id", strict=True)
    db.table("exchanges").create(EXCHANGES, pk="id", strict=True)
    db.table("coverage").create(COVERAGE, pk=("recording", "property", "regime", "state"), strict=True)
    db.table("blind_spots").create(BLIND_SPOTS, pk="id", strict=True)
    db.table("traffic").create(TRAFFIC, pk=("recording", "property", "host", "category"), strict=True)
    db.table("identifiers").create(IDENTIFIERS, strict=True)
    db.table("identifiers").create_index(["hit_id"])
    db.table("revisions").create(REVISIONS, strict=True)


@migrations()
def pixels_and_content(db: Database) -> None:
    """What a loader discloses, what was read off the page, whose value it is."""
    db.table("pixels").create(PIXELS, pk=("recording", "property", "vendor", "code"), strict=True)
    db.table("notices").create(NOTICES, pk="id", strict=True)
    db.table("collected").create(COLLECTED, strict=True)
    db.table("collected").create_index(["hit_id"])
    for name, kind in IDENTIFIERS_2.items():
        db.table("identifiers").add_column(name, kind)
    db.table("hits").add_column("redactions", str)


@migrations()
def views(db: Database) -> None:
    """The documented views, for whoever explores a ledger in SQL."""
    for name, view in VIEWS.items():
        db.create_view(name, view.sql, replace=True)


PINNED = {"observation_parts": {"stored": str}, "runs": {"secret": str}}


@migrations()
def pinned(db: Database) -> None:
    """What is stored is committed to, value by value, so that it can be taken out of a copy for sharing.

    What was recorded before keeps the digests that it had: only the originals of its parts count there.
    """
    for table, columns in PINNED.items():
        for name, kind in columns.items():
            db.table(table).add_column(name, kind)
    db.execute("update runs set secret = ?", [secrets.token_hex(32)])
    db.table("salts").create({"value": str, "salt": str}, pk="value", strict=True)


@migrations()
def what_decided_without_a_signal(db: Database) -> None:
    """Evidence that is an absence, and why a state stayed open."""
    for name, kind in HITS_3.items():
        db.table("hits").add_column(name, kind)


@migrations()
def weight_and_proposals(db: Database) -> None:
    """Why a violation is as grave as it is, and which regimes the traffic itself proposed."""
    db.table("violations").add_column("severity_why", str)
    db.table("runs").add_column("proposed", str)


@migrations()
def events_sent_once_more(db: Database) -> None:
    """The hit whose event another one repeats to another host of the vendor."""
    for name, kind in HITS_7.items():
        db.table("hits").add_column(name, kind)
