"""Consent signals out of an exchange: cookies, calls, scripts that load, query strings, Sec-GPC; and out of marks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from pixelwitness.consent.calls import read_call
from pixelwitness.consent.configs import read_config, read_gpc_file
from pixelwitness.consent.cookies import MAX_COOKIES, claimed_cookies, read_cookies
from pixelwitness.consent.decoders import DECODERS
from pixelwitness.consent.index import index_of, system
from pixelwitness.consent.reading import Reading, as_signal
from pixelwitness.consent.wire import in_body, in_query
from pixelwitness.exchange import Exchange, header_values
from pixelwitness.hostname import ascii_host
from pixelwitness.observations import Signal, Source, State
from pixelwitness.property import property_of, registrable_domain
from pixelwitness.rulebook import Rulebook

__all__ = ["claimed_cookies", "mark_signal", "read_cookies", "request_signals", "response_signals", "system"]

REFUSED = {"state": "denied", "reason": None}
MARK_STATES: dict[str, State] = {
    "fresh_profile": "unanswered",
    "nothing_clicked": "unanswered",
    "clicked_accept": "granted",
    "clicked_reject": "denied",
}


def request_signals(
    exchange: Exchange, book: Rulebook, *, category: str, document: bool, own_site: bool = False
) -> tuple[Signal, ...]:
    """The consent signals of a request.

    `document`: it asks for a top-level page. `own_site`: it went to the site's own host, where its cookies are the
    site's whatever it carries (a first-party copy of a pixel message).
    """
    found: list[Signal] = []
    pixel = category.startswith("pixel_") or category == "app_sdk"
    header = exchange.fields.get("cookie")
    if header and (own_site or not pixel) and category != "cmp":
        for name, cmp, reading in read_cookies(header, book):
            found.append(_signal(exchange, "cookie", name, cmp, reading, len(found), own_host=True))
    if exchange.fields.get("sec-gpc", "").strip() == "1" and (document or pixel):
        by_proxy = "sec-gpc" in exchange.added_headers
        reading = Reading(opt_out_kind="gpc", opt_out=True, detail={"added_by_proxy": by_proxy})
        found.append(_signal(exchange, "header", "Sec-GPC", None, reading, len(found), own_host=document))
    if document and exchange.fields.get("dnt", "").strip() == "1":
        # On the record only: no law that we know of makes Do Not Track an opt-out.
        found.append(_signal(exchange, "header", "DNT", None, Reading(detail={"dnt": True}), len(found), own_host=True))
    calls = _calls_and_loads(exchange, book, len(found))
    strings = _strings(exchange, book, category, len(found) + len(calls), chosen=any(s.choice_made for s in calls))
    if any(s.source == "body" and s.state == "denied" for s in strings):
        # The system's own string, at its own click, says what the call did not.
        calls = [s.model_copy(update=REFUSED) if s.choice_made and s.state is None else s for s in calls]
    found += [*calls, *strings]
    return tuple(found)


def response_signals(
    exchange: Exchange, book: Rulebook, *, category: str, own_site: bool = False
) -> tuple[Signal, ...]:
    """The consent signals of a response: cookies that the site itself sets, headers, configurations."""
    response = exchange.response
    pixel = category.startswith("pixel_") and not own_site
    if response is None or pixel or category == "app_sdk":
        return ()
    found = [s.model_copy(update={"observed_at": response.at}) for s in _configs(exchange, book)]
    if category == "cmp":
        for name, rule, reading in in_body(response.body):
            # What a consent system's server answers may be its default: it is shown, and decides nothing.
            shown = Reading(opt_out_kind=reading.opt_out_kind, detail={**reading.detail, "in": "response"})
            signal = _signal(exchange, "body", name, rule, shown, 1000 + len(found))
            found.append(signal.model_copy(update={"observed_at": response.at}))
        return tuple(found)
    found += [s.model_copy(update={"observed_at": response.at}) for s in _headers(exchange, book)]
    for name, cmp, reading in _set_cookies(exchange, book):
        signal = _signal(exchange, "set_cookie", name, cmp, reading, 1000 + len(found), own_host=True)
        found.append(signal.model_copy(update={"observed_at": response.at}))
    return tuple(found)


def _set_cookies(exchange: Exchange, book: Rulebook) -> Iterator[tuple[str, str | None, Reading]]:
    """What the cookies say that a response sets: each within the jar that is then there, since some systems keep the
    answer in one cookie and that there was one in another."""
    response = exchange.response
    lines = header_values(response.headers, "set-cookie")[:MAX_COOKIES] if response is not None else []
    named: dict[str, str | None] = {}
    """In the order in which they were last written; None: deleted."""
    written: list[str] = []
    for line in lines:
        first, _, attributes = line.partition(";")
        name, _, value = first.partition("=")
        name = name.strip()
        named.pop(name, None)
        gone = re.search(r"max-age\s*=\s*(0|-)|expires=[^;]*19[67]0", attributes, re.I)
        named[name] = None if gone else value.strip()
        if not gone:
            written.append(name)
    kept = {name: value for name, value in named.items() if value is not None}
    speaking = [n for n in dict.fromkeys(written) if n in kept and read_cookies(f"{n}={kept[n]}", book)]
    if not speaking:
        return
    jar: dict[str, str] = {}
    for pair in exchange.fields.get("cookie", "").split(";"):
        name, equals, value = pair.partition("=")
        if equals and (name := name.strip()) not in named:
            jar.setdefault(name, value.strip())
    jar |= kept
    # Those that were set stand first: of a jar only so many cookies are read.
    header = "; ".join(f"{name}={jar[name]}" for name in (*speaking, *(n for n in jar if n not in speaking)))
    for name, cmp, reading in read_cookies(header, book):
        if name in speaking:
            yield name, cmp, reading


def _calls_and_loads(exchange: Exchange, book: Rulebook, count: int) -> list[Signal]:
    found: list[Signal] = []
    index = index_of(book)
    if not exchange.path.startswith(index.paths(exchange.host)):
        return found
    seen: set[str] = set()
    for rule, call in index.calls.lookup(exchange.host):
        reading = read_call(exchange, call) if rule.id not in seen else None
        if reading is not None:
            seen.add(rule.id)
            found.append(_signal(exchange, "cmp_call", call.path, rule.id, reading, count + len(found)))
    if found or exchange.method != "GET" or exchange.fields.get("sec-fetch-dest") in ("image", "style", "font"):
        return found
    for rule, load in index.loads.lookup(exchange.host):
        if not load.paths or any(exchange.path.startswith(p) for p in load.paths):
            reading = Reading(detail={"store": rule.store})
            return [_signal(exchange, "cmp_loaded", exchange.host, rule.id, reading, count)]
    return found


def _configs(exchange: Exchange, book: Rulebook) -> list[Signal]:
    """What a consent system's configuration says of TikTok, and the site's own word on GPC."""
    index = index_of(book)
    found: list[Signal] = []
    for rule, config in index.configs.lookup(exchange.host):
        detail = read_config(exchange, config, index.lists)
        if detail is not None:
            signal = _signal(exchange, "cmp_config", exchange.path, rule.id, Reading(detail=detail), 2000 + len(found))
            found.append(signal)
    gpc = read_gpc_file(exchange)
    if gpc is not None:
        found.append(_signal(exchange, "body", "gpc.json", None, Reading(detail=gpc), 2000 + len(found), own_host=True))
    return found


def _headers(exchange: Exchange, book: Rulebook) -> list[Signal]:
    """Response headers in which a consent system writes its state."""
    index = index_of(book)
    found: list[Signal] = []
    for name, rules in index.headers.items():
        for line in header_values(exchange.response.headers, name)[:20] if exchange.response else []:
            for rule, header in rules:
                match = re.search(header.pattern, line[:4096])
                said = (
                    DECODERS[header.decoder](match[1], {}, {**header.params, "lists": index.lists}) if match else None
                )
                for reading in said or ():
                    signal = _signal(exchange, "header", name, rule.id, reading, 3000 + len(found), own_host=True)
                    found.append(signal)
    return found


def _strings(exchange: Exchange, book: Rulebook, category: str, count: int, *, chosen: bool) -> list[Signal]:
    """Standard strings that travel: in any query, and in the bodies of consent systems. `chosen`: it is a call that
    shows a choice; what is sent otherwise (when a page loads) may be a default, which decides nothing."""
    index = index_of(book)
    found: list[Signal] = []
    for name, rule, reading in in_query(exchange, index):
        source: Source = "google" if rule == "google" else "query"
        found.append(_signal(exchange, source, name, rule, reading, count + len(found)))
    for name, rule, said in in_body(exchange.body) if category == "cmp" else ():
        reading = said if chosen or said.opt_out_kind is not None else Reading(detail={**said.detail, "in": "request"})
        found.append(_signal(exchange, "body", name, rule, reading, count + len(found)))
    return found


def _signal(
    exchange: Exchange,
    source: Source,
    name: str,
    cmp: str | None,
    reading: Reading,
    ordinal: int,
    *,
    own_host: bool = False,
) -> Signal:
    page = exchange.fields.get("referer") or exchange.fields.get("origin")
    page = None if page == "null" else page
    same_site = bool(page) and property_of(page) == registrable_domain(exchange.host)
    return as_signal(
        exchange, source, name, cmp, reading, f"{source}|{name}|{ordinal}",
        host=exchange.host if own_host or same_site else None, page=page,
    )  # fmt: skip


def mark_signal(at: int, text: str, *, client: str | None, property: str | None, book: Rulebook) -> Signal:
    """An auditor's mark as a signal. A text that the rules do not know is kept as a note and decides nothing."""
    words = " ".join(text.lower().split())
    meaning = next((k for k, texts in system(book, "marks").phrases.items() if words in texts), "note")
    digest = hashlib.sha256(f"mark|{at}|{text}|{client}|{property}".encode("utf-8", "replace")).hexdigest()
    resolution = 1000 if at % 1000 == 0 else 1
    return Signal(
        id=digest[:24],
        exchange_id=None,
        client=client,
        property=ascii_host(property) if property else None,
        observed_at=at,
        source="mark",
        name=meaning,
        level="advertising",
        state=MARK_STATES.get(meaning),
        choice_made=meaning.startswith("clicked") or None,
        detail={"text": text[:500], "resolution_ms": resolution},
    )
