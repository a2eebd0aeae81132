"""The public tables, rebuilt from a recording's observations and its judgement. Never the source of anything."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pixelwitness.audit.change import Stand, stand_of, why_changed
from pixelwitness.audit.model import HitVerdict, Judgement, PixelRecord, Violation
from pixelwitness.audit.regions import AUTO
from pixelwitness.exchange import iso
from pixelwitness.ledger.reading import Asked, Recorded
from pixelwitness.ledger.store import Ledger
from pixelwitness.observations import BlindSpot, Hit, Identifier, PageView, PixelSettings, Signal
from pixelwitness.rulebook import Rulebook

BY_RUN = ("hits", "violations", "signals", "page_views", "exchanges")
BY_RECORDING = ("coverage", "blind_spots", "traffic", "pixels", "notices")
ASKED = ("regimes", "named", "proposed")
"""Columns of `runs` that say by what it was judged: the chain says the same."""
BY_HIT = ("identifiers", "collected")


def project(
    ledger: Ledger, run_id: str, recorded: Recorded, judgement: Judgement, book: Rulebook, *,
    named: Iterable[str] = (), provisional: bool, at: int, log: bool = False,
) -> None:  # fmt: skip
    """Writes the public tables of a run's recording anew, in one transaction, and notes by what it was judged.

    `recorded` is what was judged. `log`: the verdicts so far were a live run's provisional ones, and what became of
    them is written down.
    """
    recording = ledger.recording_of(run_id)
    tables = projected(recorded, recording, judgement, book, provisional=provisional)
    asked: dict[str, Any] = {
        "regimes": list(judgement.regimes), "named": sorted(set(named) - {AUTO}), "rules_digest": book.digest,
        "provisional": provisional,
    }  # fmt: skip
    asked["proposed"] = dict(judgement.proposed) or _still_proposed(ledger, recording, asked)
    db = ledger.db
    with ledger.writing():
        revisions: list[dict[str, Any]] = []
        if log:
            revisions = list(_revisions(ledger, recording, recorded, judgement, iso(at)))
        ledger.note_judgement(run_id, asked, revisions, at)
        tables["revisions"] = revisions
        runs = "(select id from runs where recording = ?)"
        own = f"(select id from hits where run_id in {runs})"  # noqa: S608  fixed names
        for table in BY_HIT:
            db.execute(f"delete from {table} where hit_id in {own}", [recording])  # noqa: S608  fixed names
        for table in BY_RUN:
            db.execute(f"delete from {table} where run_id in {runs}", [recording])  # noqa: S608  fixed names
        for table in BY_RECORDING:
            db.execute(f"delete from {table} where recording = ?", [recording])  # noqa: S608  fixed names
        for table, rows in tables.items():
            if rows:
                ledger.insert(table, rows)
        cells = [*(json.dumps(asked[name], ensure_ascii=False) for name in ASKED), recording]
        db.execute("update runs set regimes = ?, named = ?, proposed = ? where recording = ?", cells)


def _still_proposed(ledger: Ledger, recording: str, asked: dict[str, Any]) -> dict[str, str]:
    """The reasons of proposals that an earlier judgement followed, of the regimes that are kept and not named now."""
    rows = ledger.db.query("select proposed from runs where recording = ? and proposed is not null", [recording])
    earlier: dict[str, str] = next((json.loads(r["proposed"]) for r in rows), {})
    return {r: why for r, why in earlier.items() if r in asked["regimes"] and r not in asked["named"]}


def projected(
    recorded: Recorded, recording: str, judgement: Judgement, book: Rulebook, *, provisional: bool
) -> dict[str, list[dict[str, Any]]]:
    """The public tables of a recording, as its observations and their judgement give them."""
    verdicts = {v.hit_id: v for v in judgement.verdicts}
    hits, captures = recorded.hits, recorded.captures
    properties = {hit.exchange_id: verdicts[id_].property for id_, (hit, _) in hits.items() if id_ in verdicts}
    spots = [*recorded.spots, *((s, s.at or 0) for s in judgement.blind_spots)]
    return {
        "exchanges": [
            _exchange(id_, asked, recorded.statuses.get(id_), properties.get(id_))
            for id_, asked in recorded.requests.items()
        ],
        "hits": [_hit(h, verdicts.get(h.id), run) for h, run in hits.values()],
        "identifiers": [_identifier(h.id, i) for h, _ in hits.values() for i in h.identifiers],
        "collected": [_clean({"hit_id": h.id, **c.model_dump()}) for h, _ in hits.values() for c in h.content],
        "pixels": [_pixel(p, recording) for p in judgement.pixels],
        "notices": [
            _clean({"recording": recording, **n.model_dump(), "noticed_at": iso(n.noticed_at)})
            for n in judgement.notices
        ],
        "signals": [_signal(s, judgement.signal_properties.get(s.id), run) for s, run in recorded.signals.values()],
        "page_views": [_view(v, judgement.page_states.get(v.id, {}), run) for v, run in recorded.views.values()],
        "violations": [
            _violation(v, hits[v.hit_id][1], captures.get(v.hit_id, ""), provisional, book.digest)
            for v in judgement.violations
            if v.hit_id in hits
        ],
        "coverage": [
            {"recording": recording, **c.model_dump(), "hits": json.dumps(c.hits)} for c in judgement.coverage
        ],
        "blind_spots": _blind_spots(spots, recording, book),
        "traffic": [
            {"recording": recording, "property": p, "host": h, "category": c, "requests": n}
            for (p, h, c), n in sorted(recorded.traffic.items())
        ],
    }


def _exchange(id_: str, asked: Asked, status: int | None, prop: str | None) -> dict[str, Any]:
    return {
        "id": id_,
        "run_id": asked.run_id,
        "client": asked.client,
        "started_at": iso(asked.at),
        "method": asked.method,
        "url": asked.url,
        "host": asked.host,
        "category": asked.category,
        "status": status,
        "property": prop,
        "cookie_names": json.dumps(asked.cookie_names) if asked.cookie_names is not None else None,
    }


_json = json.JSONEncoder(ensure_ascii=False).encode


def _bool(value: bool | None) -> int | None:
    return None if value is None else int(value)


def _clean(row: dict[str, Any]) -> dict[str, Any]:
    """Text that SQLite and its readers can hold: no lone surrogates, no NUL."""
    return {k: v if not isinstance(v, str) or (v.isascii() and "\0" not in v) else _readable(v) for k, v in row.items()}


def _readable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _hit(hit: Hit, verdict: HitVerdict | None, run: str) -> dict[str, Any]:
    v = verdict
    return _clean(
        {
            "id": hit.id,
            "exchange_id": hit.exchange_id,
            "ordinal": hit.ordinal,
            "run_id": run,
            "vendor": hit.vendor,
            "property": v.property if v else None,
            "client": hit.client,
            "occurred_at": iso(hit.occurred_at),
            "event_time": iso(hit.event_time) if hit.event_time is not None else None,
            "kind": hit.kind,
            "tier": "identifier" if hit.tier == "contact" and hit.sets_identifier else hit.tier,
            "event": hit.event,
            "event_raw": hit.event_raw,
            "action": hit.action,
            "pixel_codes": _json(hit.pixel_codes),
            "message_id": hit.message_id,
            "event_id": hit.event_id,
            "method": hit.method,
            "transport": hit.transport,
            "request_url": hit.request_url,
            "page_url": hit.page_url,
            "referrer": hit.page_referrer,
            "attribution": v.attribution if v else None,
            "consent_state": v.consent_state if v else None,
            "possible_states": _json(v.possible_states) if v else None,
            "effective_default": v.effective_default if v else None,
            "opt_outs": _json(v.opt_outs) if v else None,
            "cmp": v.cmp if v else None,
            "verdicts": _json(v.verdicts) if v else None,
            "reasons": _json(v.reasons) if v else None,
            "mitigations": _json(v.mitigations) if v else None,
            "limited_data_use": _bool(hit.limited_data_use),
            "gpc": int(hit.gpc),
            "partner": hit.partner,
            "library_version": hit.library_version,
            "first_party_host": int(hit.first_party_host),
            "copy_of": v.copy_of if v else None,
            "repeats": v.repeats if v else None,
            "confidence": v.confidence if v else None,
            "signals": _json(v.signals) if v else None,
            "set_aside": _json(v.set_aside) if v else None,
            "shown_by": _json(v.shown_by) if v else None,
            "unknown_because": _json(v.unknown_because) if v else None,
            "collected": _json(hit.collected),
            "plaintext": _json([p.model_dump(exclude_none=True) for p in hit.plaintext]),
            "redactions": _json([r.model_dump() for r in hit.redactions]),
            "body_sha256": hit.body_sha256,
            "payload": _json(hit.payload) if hit.payload is not None else None,
        }
    )


def _identifier(hit_id: str, one: Identifier) -> dict[str, Any]:
    row = one.model_dump()
    row |= {
        "diagnostics": _json(one.diagnostics),
        "created_at": iso(one.created_at) if one.created_at is not None else None,
        "follows_rule": _bool(one.follows_rule),
    }
    return _clean({"hit_id": hit_id, **row})


def _pixel(record: PixelRecord, recording: str) -> dict[str, Any]:
    """One row a pixel: its newest settings, and every change before them."""
    now = record.history[-1] if record.history else None
    return _clean(
        {
            "recording": recording,
            "property": record.property or "",
            "vendor": record.vendor,
            "code": record.code,
            "created_at": iso(record.created_at) if record.created_at is not None else None,
            "first_seen": iso(record.first_seen),
            "last_seen": iso(record.last_seen),
            "hits": record.hits,
            "name": now.name if now else None,
            "partner": now.partner if now else None,
            "setup_mode": now.setup_mode if now else None,
            "status": now.status if now else None,
            "first_party_cookies": _bool(now.first_party_cookies) if now else None,
            "manual_matching": _listed(now.manual_matching if now else None),
            "automatic_matching": _listed(now.automatic_matching if now else None),
            "plugins": _json(now.plugins) if now else None,
            "country": now.country if now else None,
            "matched": int(record.matched),
            "changes": _json([{"at": iso(s.at), **_settings(s)} for s in record.history]),
            "hit_id": now.hit_id or None if now else None,
        }
    )


def _settings(settings: PixelSettings) -> dict[str, Any]:
    return settings.model_dump(exclude={"id", "client", "at", "vendor", "code"}, exclude_none=True)


def _listed(values: tuple[str, ...] | None) -> str | None:
    return None if values is None else _json(values)


def _signal(signal: Signal, prop: str | None, run: str) -> dict[str, Any]:
    return _clean(
        {
            "id": signal.id,
            "exchange_id": signal.exchange_id,
            "run_id": run,
            "property": prop,
            "client": signal.client,
            "observed_at": iso(signal.observed_at),
            "effective_at": iso(signal.effective_at) if signal.effective_at is not None else None,
            "source": signal.source,
            "cmp": signal.cmp,
            "name": signal.name,
            "level": signal.level,
            "state": signal.state,
            "reason": signal.reason,
            "choice_made": _bool(signal.choice_made),
            "effective_default": signal.effective_default,
            "opt_out": _bool(signal.opt_out),
            "opt_out_kind": signal.opt_out_kind,
            "region": signal.region,
            "detail": _json({**signal.detail, "host": signal.host, "page": signal.page}),
        }
    )


def _view(view: PageView, state: dict[str, Any], run: str) -> dict[str, Any]:
    return _clean(
        {
            "id": view.id,
            "run_id": run,
            "client": view.client,
            "property": state.get("property"),
            "viewed_at": iso(view.at),
            "url": view.url,
            "status": view.status,
            "consent_state": state.get("consent_state"),
            "gpc": int(view.gpc),
            "prerendered": int(view.prerender),
        }
    )


def _violation(violation: Violation, run: str, capture: str, provisional: bool, digest: str) -> dict[str, Any]:
    row = violation.model_dump()
    for name in ("pixel_codes", "opt_outs", "sent", "mitigations", "signals"):
        row[name] = _json(row[name])
    row |= {
        "occurred_at": iso(violation.occurred_at),
        "run_id": run,
        "capture": capture,
        "provisional": int(provisional),
        "rules_digest": digest,
    }
    return _clean(row)


def _blind_spots(spots: list[tuple[BlindSpot, int]], recording: str, book: Rulebook) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for spot, seen in spots:
        at = iso(spot.at if spot.at is not None else seen)
        what = _json([recording, spot.property, spot.client, spot.kind, spot.detail])
        key = hashlib.sha256(what.encode("utf-8", "replace")).hexdigest()[:24]
        known = rows.get(key)
        if known is not None:
            known["first_at"], known["last_at"] = min(known["first_at"], at), max(known["last_at"], at)
            known["count"] += 1
            continue
        rule = book.blind_spots.get(spot.kind)
        rows[key] = _clean(
            {
                "id": key,
                "recording": recording,
                "property": spot.property,
                "client": spot.client,
                "kind": spot.kind,
                "detail": spot.detail,
                "remedy": rule.remedy if rule else "",
                "first_at": at,
                "last_at": at,
                "count": 1,
            }
        )
    return list(rows.values())


def _revisions(
    ledger: Ledger, recording: str, recorded: Recorded, judgement: Judgement, at: str
) -> Iterable[dict[str, Any]]:  # fmt: skip
    query = "select * from hits where verdicts is not null and run_id in (select id from runs where recording = ?)"
    before = {r["id"]: stand_of_row(r) for r in ledger.db.query(query, [recording])}
    signals: dict[str, Signal] = {}
    for verdict in judgement.verdicts:
        was, now = before.get(verdict.hit_id), stand_of(verdict)
        if was is None or was.verdicts == now.verdicts:
            continue
        signals = signals or {s.id: s for s in recorded.rows.signals}
        why = why_changed(was, now, signals)
        for regime, word in was.verdicts.items():
            became = now.verdicts.get(regime)
            if became is not None and became != word:
                yield _clean(
                    {
                        "hit_id": verdict.hit_id,
                        "regime": regime,
                        "revised_at": at,
                        "was": word,
                        "became": became,
                        "reason": why,
                    }
                )


def stand_of_row(row: Mapping[str, Any]) -> Stand:
    """What a stored verdict rests on: of a row of the table `hits`."""
    return Stand(
        json.loads(row["verdicts"] or "{}"),
        row["property"],
        row["attribution"],
        tuple(json.loads(row["possible_states"] or "[]")),
        tuple(json.loads(row["opt_outs"] or "[]")),
        tuple(json.loads(row["signals"] or "[]")),
    )
