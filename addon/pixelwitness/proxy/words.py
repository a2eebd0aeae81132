"""An event in words: the console's line, and the explanation that the content view and `explain` show."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any

from pixelwitness.audit.words import sent, what
from pixelwitness.observations import Hit
from pixelwitness.proxy.backlog import Counts
from pixelwitness.proxy.marking import Told
from pixelwitness.report.harmless import safe
from pixelwitness.rulebook import Rulebook

HASHED = frozenset({"sha256_hex", "sha256_base64url", "md5", "sha1"})
MAX_PAYLOAD = 60_000
WIDTH = 76


def vendor_name(vendor: str, book: Rulebook) -> str:
    """The vendor's name as people write it."""
    return next((p.name for p in book.pixels if p.vendor == vendor and p.name), vendor)


def line(told: Told, book: Rulebook) -> str:
    """One line: `AddToCart to TikTok, 3 hashed identifiers, after Reject: violation (eu, us-ca)`."""
    hit = told.hit
    named = hit.event or hit.action or what(hit)
    parts = [f"{safe(named, 60)} to {vendor_name(hit.vendor, book)}", *_carried(hit), after(told)]
    if told.verdict.property:
        parts[0] += f" on {safe(told.verdict.property, 60)}"
    return f"{', '.join(parts)}: {_verdict(told)}"


def _verdict(told: Told) -> str:
    by_word: dict[str, list[str]] = {}
    for regime, word in told.verdict.verdicts.items():
        by_word.setdefault(word, []).append(regime)
    said = [f"{word.replace('_', ' ')} ({', '.join(by_word[word])})" for word in sorted(by_word, reverse=True)]
    revised = f" [was: {told.was}]" if told.was else ""
    return ("; ".join(said) or "not judged") + revised


def _carried(hit: Hit) -> list[str]:
    hashed = {i.field for i in hit.matching if i.form in HASHED}
    clear = {(p.kind, p.where) for p in hit.plaintext}
    words = []
    if hashed:
        words.append(f"{len(hashed)} hashed identifier{'s' if len(hashed) != 1 else ''}")
    if clear:
        words.append(f"{len(clear)} value{'s' if len(clear) != 1 else ''} in CLEAR TEXT")
    return words


def after(told: Told) -> str:
    """What had been chosen then, in the shortest words."""
    verdict = told.verdict
    withdrawn = any(v.rule == "fired-after-withdrawal" for v in told.violations)
    state = {
        "denied": "after Withdrawal" if withdrawn else "after Reject",
        "granted": "after Accept",
        "unanswered": "before any choice",
        "unknown": "consent unknown",
    }[verdict.consent_state]
    if verdict.consent_state == "unknown" and set(verdict.possible_states) == {"unanswered", "denied"}:
        state = "without consent"
    return state + (", with GPC on" if "gpc" in verdict.opt_outs else "")


def explain(hits: Sequence[Hit], meta: dict[str, Any] | None, book: Rulebook) -> Iterator[str]:
    """What a request to a pixel vendor is, about whom, and what was judged of it (`meta`: the flow's metadata)."""
    for row in _explained(hits, meta, book):
        prose = len(row) > WIDTH and not row.lstrip().startswith('"')
        yield from wrap(row, WIDTH, subsequent_indent="    ", break_long_words=False) if prose else (row,)


def _explained(hits: Sequence[Hit], meta: dict[str, Any] | None, book: Rulebook) -> Iterator[str]:
    for number, hit in enumerate(hits, 1):
        if len(hits) > 1:
            yield f"--- message {number} of {len(hits)} ---"
        yield f"what:     {what(hit)}, to {vendor_name(hit.vendor, book)} ({hit.tier.replace('_', ' ')})"
        if hit.pixel_codes:
            yield f"pixel:    {', '.join(safe(c, 60) for c in hit.pixel_codes)}"
        page = hit.page_url or hit.referer or hit.origin
        if page or hit.app_id:
            yield f"from:     {safe(hit.app_id or page, 300)}"
        carried = sent(hit)
        yield (
            f"about whom: {len(carried)} things that identify or describe the person"
            if carried
            else ("about whom: nothing that identifies a person was found")
        )
        for word in carried[:60]:
            yield f"  - {safe(word, 300)}"
        if len(carried) > 60:
            yield f"  - and {len(carried) - 60} more"
    yield ""
    yield from _judged(meta)
    for number, hit in enumerate(hits, 1):
        if hit.payload is not None:
            yield ""
            yield f"decoded (clear text of persons is masked here){f', message {number}' if len(hits) > 1 else ''}:"
            yield from _pretty(hit.payload)


def _judged(meta: dict[str, Any] | None) -> Iterator[str]:
    if not meta or "verdict" not in meta:
        yield "verdict:  not judged yet (or not in this session)"
        return
    consent = ", ".join(meta.get("consent", ())) or "unknown"
    opted = ", ".join(meta.get("opt_outs", ()))
    yield f"consent then: {consent}" + (f"; opted out by: {opted}" if opted else "")
    for regime, word in meta.get("verdicts", {}).items():
        yield f"verdict ({regime}): {word}"
        for reason in dict.fromkeys(meta.get("reasons", {}).get(regime, ())):
            yield f"  {safe(reason, 600)}"
    if meta.get("rules"):
        yield f"broken:   {', '.join(meta['rules'])} (worst: {meta.get('severity')})"
    for finding in dict.fromkeys(meta.get("findings", ())):
        yield f"  {safe(finding, 600)}"
    for remedy in meta.get("remedies", ()):
        yield f"what to do: {remedy.strip()}"


def _pretty(payload: Any) -> Iterator[str]:
    try:
        text = json.dumps(payload, indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = str(type(payload))
    for row in text[:MAX_PAYLOAD].splitlines():
        yield safe(row, 2000)
    if len(text) > MAX_PAYLOAD:
        yield f"... {len(text) - MAX_PAYLOAD} more characters"


def backlog_words(counts: Counts) -> str:
    """How the recorder's queue fares."""
    said = [
        f"{counts.rows} exchanges ({counts.bytes / 1e6:.1f} MB) wait to be written, {counts.most_rows} "
        f"({counts.most_bytes / 1e6:.1f} MB) at most"
    ]
    if counts.bodies_left_out:
        said.append(f"{counts.bodies_left_out} response bodies left out")
    if counts.held:
        said.append(f"{counts.held} held back (the longest {counts.longest:.1f} s)")
    if counts.passed:
        said.append(f"{counts.passed} NOT recorded")
    return ", ".join(said)
