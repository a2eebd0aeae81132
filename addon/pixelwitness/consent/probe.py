"""The probe's reports as signals: what a page's own script saw of consent, with the client's own time.

A report is a POST to one path on the page's origin, which the add-on answered. It reads the same from a saved capture.
The page could send one itself; it would gain no more than by writing the cookie that it claims to have.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

from pixelwitness.consent.cookies import read_cookies
from pixelwitness.consent.index import index_of
from pixelwitness.consent.reading import Reading, as_signal
from pixelwitness.consent.reports import REPORTED
from pixelwitness.exchange import Exchange
from pixelwitness.observations import FirstParty, Signal
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.probe import ApiRule, ProbeRule, StoreRule

PATH = "/.well-known/pixelwitness/probe"
CATEGORY = "probe"
MAX_REPORT = 512 * 1024
MAX_ITEMS = 100
MAX_COOKIES = 400
MAX_CLOCK = 4_102_444_800_000  # the year 2100


@dataclass(frozen=True)
class Item:
    """One thing that the script saw. `at`: when, on the client's clock; `since`: when at the earliest it can have
    come about; `act`: it changed while the script watched, rather than being there already."""

    kind: Literal["cookie", "storage", "api"]
    name: str
    value: str
    at: int
    since: int
    act: bool
    before: str = ""
    """The value that the script had read before."""
    names: tuple[str, ...] = ()
    """Of a cookie item: all cookies that a script could read."""


def is_report(exchange: Exchange) -> bool:
    """Whether an exchange is a report of the probe."""
    return exchange.method == "POST" and exchange.path == PATH


def items(exchange: Exchange) -> tuple[Item, ...]:
    """What a report says; nothing for what is no report in the probe's own form."""
    body = exchange.body or b""
    if len(body) > MAX_REPORT:
        return ()
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ()
    rows = said.get("items") if isinstance(said, dict) and said.get("pixelwitness") == 1 else None
    if not isinstance(rows, list):
        return ()
    return tuple(item for item in map(_item, rows[:MAX_ITEMS]) if item is not None)


def _item(row: Any) -> Item | None:
    if not isinstance(row, dict) or row.get("kind") not in ("cookie", "storage", "api"):
        return None
    at, since, value, name = row.get("at"), row.get("since"), row.get("value"), row.get("name", "")
    if not _is_time(at) or not _is_time(since) or not isinstance(value, str) or not isinstance(name, str):
        return None
    before = row["before"] if isinstance(row.get("before"), str) else ""
    names = row.get("names")
    listed = tuple(n[:200] for n in names[:MAX_COOKIES] if isinstance(n, str)) if isinstance(names, list) else ()
    return Item(row["kind"], name[:200], value, at, min(since, at), row.get("act") is True, before, listed)


def _is_time(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < MAX_CLOCK


def probe_signals(exchange: Exchange, found: Iterable[Item], book: Rulebook) -> tuple[Signal, ...]:
    """The consent signals of a report."""
    signals: list[Signal] = []
    for item in found:
        # A cookie that is written anew with the same meaning (a date in it changed) is no act.
        before = {_meaning(n, c, r) for n, c, r in read_item(item, item.before, book)} if item.act else set()
        for name, cmp, reading in read_item(item, item.value, book):
            act = item.act and _meaning(name, cmp, reading) not in before
            signals.append(_signal(exchange, item, name, cmp, reading, len(signals), act=act))
    return tuple(signals)


def _meaning(name: str, cmp: str | None, reading: Reading) -> tuple[object, ...]:
    return name, cmp, reading.level, reading.state, reading.reason, reading.opt_out_kind, reading.opt_out


def probe_jar(exchange: Exchange, found: Iterable[Item]) -> FirstParty | None:
    """The site's cookie jar as the script and the report's own Cookie header show it together."""
    seen = next((i for i in found if i.kind == "cookie"), None)
    if seen is None:
        return None
    header = exchange.fields.get("cookie", "")
    sent = [pair.partition("=")[0].strip() for pair in header.split(";") if pair.strip()]
    return FirstParty(
        id=exchange.id,
        client=exchange.client,
        agent=exchange.agent,
        at=exchange.started_at,
        host=exchange.host,
        page_host=exchange.host,
        cookie_names=tuple(dict.fromkeys((*sent, *seen.names)))[:MAX_COOKIES],
        authoritative=True,
        cookies_complete=exchange.cookies_complete,
        gpc=exchange.fields.get("sec-gpc", "").strip() == "1",
    )


def read_item(item: Item, value: str, book: Rulebook) -> list[tuple[str, str | None, Reading]]:
    """What a value of an item's kind and name says, as (name, system, reading)."""
    if item.kind == "cookie":
        return list(read_cookies(value, book))
    lists = index_of(book).lists
    for rule, how in _readers(item, book):
        said = REPORTED[how.decoder](value, {}, {**how.params, "lists": lists}) if value else None
        if said is not None:
            named = f"{item.name} interface" if item.kind == "api" else f"localStorage {item.name}"
            return [(named, rule.cmp, reading) for reading in said]
    return []


def _readers(item: Item, book: Rulebook) -> Iterator[tuple[ProbeRule, ApiRule | StoreRule]]:
    for rule in book.probe:
        if item.kind == "api":
            yield from ((rule, api) for api in rule.apis if api.api == item.name)
        else:
            yield from ((rule, store) for store in rule.storage if store.covers(item.name))


def _signal(
    exchange: Exchange, item: Item, name: str, cmp: str | None, reading: Reading, ordinal: int, *, act: bool
) -> Signal:
    probe = {"at": item.at, "since": item.since, "act": act, "kind": item.kind}
    # A change that was watched needs no stamp of the system's own; a value that was there already may have one.
    stamp = item.at if act else reading.effective_at
    return as_signal(
        exchange, "probe", name, cmp, reading, f"probe|{item.kind}|{name}|{ordinal}",
        host=exchange.host, page=exchange.fields.get("referer"), effective_at=stamp,
        detail={**reading.detail, "probe": probe},
    )  # fmt: skip
