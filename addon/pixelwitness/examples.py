"""Runs the examples that rule files carry, and says where one does not come out as its file claims."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from pixelwitness.classify import classify
from pixelwitness.consent.app import permissions
from pixelwitness.consent.probe import Item, read_item
from pixelwitness.consent.read import mark_signal, read_cookies, request_signals, response_signals
from pixelwitness.consent.reading import Reading
from pixelwitness.exchange import Exchange, Response, from_iso
from pixelwitness.pixels.decode import RELAY, disclosed, hits
from pixelwitness.pixels.hosted import role_of
from pixelwitness.pixels.tiktok.meanings import meaning
from pixelwitness.pixels.vendor import vendor_of
from pixelwitness.rulebook import Rulebook, load_rulebook, model_for
from pixelwitness.rulebook.consent import ConsentExample, ConsentRule
from pixelwitness.rulebook.law import BlindSpots, Finding, Judging, Regime, in_force, severity_of
from pixelwitness.rulebook.load import RuleError, line_of, read_rule, rule_files
from pixelwitness.rulebook.pixels import PixelRule
from pixelwitness.rulebook.places import Contexts, Destinations
from pixelwitness.rulebook.probe import ProbeRule
from pixelwitness.rulebook.traffic import TrafficRule

AT = 1_795_000_000_000
"""When examples happen, in milliseconds: any time would do."""

LOADER = "https://analytics.tiktok.com/i18n/pixel/events.js"
"""Where the loaders of examples come from."""

NO_EXAMPLE = "has no example: a rule without one is not known to work"

type Place = tuple[int | str, ...]
type Wrong = Iterator[tuple[Place, str]]
"""Where in the file (keys and positions), and what is wrong there."""


@dataclass(frozen=True)
class Checked:
    """What came of checking a folder: problems as `file:line: what`, and how much was run."""

    problems: tuple[str, ...]
    files: int
    examples: int


def check_folder(path: Path) -> Checked:
    """Validates a folder of rules (or one file of it) on top of ours, and runs its examples. Raises RuleError."""
    folder, only = (path, None) if path.is_dir() else (_folder_of(path), path)
    files = [(name, file) for name, file in rule_files(folder) if only is None or file.samefile(only)]
    problems: list[str] = []
    rules: list[tuple[Path, BaseModel]] = []
    for name, file in files:
        try:
            rules.append((file, read_rule(file, model_for(name))))
        except RuleError as error:
            problems.append(str(error))
    if problems:
        return Checked(tuple(problems), len(files), 0)
    book = load_rulebook((folder,))
    count = 0
    for file, rule in rules:
        count += len(list(_examples(rule)))
        problems += [f"{file}:{line_of(file, place)}: {what}" for place, what in wrong_in(rule, book)]
    return Checked(tuple(problems), len(files), count)


def _folder_of(file: Path) -> Path:
    """The folder of rules that a single file belongs to, which tells what kind of rule it is."""
    if not file.is_file():
        raise RuleError(f"{file}: no such folder or file of rules")
    for parent in file.resolve().parents:
        if parent.name in ("consent", "probe", "traffic", "regimes", "findings", "pixels"):
            return parent.parent
    raise RuleError(f"{file}: put it into a folder consent/, traffic/, regimes/ or findings/: that says what it is")


def wrong_in(rule: BaseModel, book: Rulebook) -> Wrong:
    """The examples of one rule file that do not come out, and other mistakes that a model cannot see."""
    if isinstance(rule, ConsentRule):
        yield from _consent(rule, book)
    elif isinstance(rule, ProbeRule):
        yield from _probe(rule, book)
    elif isinstance(rule, PixelRule):
        yield from _pixel(rule, book)
    elif isinstance(rule, TrafficRule):
        for i, example in enumerate(rule.examples):
            category = classify(Exchange("c", AT, "GET", example.url), book).category
            yield from _differs(("examples", i), "covered", category == rule.category, example.covered)
    elif isinstance(rule, Regime):
        for i, day in enumerate(rule.examples):
            yield from _differs(("examples", i), "in_force", in_force(rule.periods, day.date) is not None, day.in_force)
    elif isinstance(rule, Finding):
        for i, case in enumerate(rule.examples):
            found = severity_of(rule.severities, case.tier, case.state)
            yield from _differs(("examples", i), "severity", found, case.severity)
    elif isinstance(rule, Judging):
        for i, sent in enumerate(rule.examples):
            yield from _differs(("examples", i), "sent", rule.was_sent(sent.error), sent.sent)
    elif isinstance(rule, BlindSpots):
        for i, kind in enumerate(rule.examples):
            yield from _differs(("examples", i), "exists", kind in book.blind_spots, True)
    elif isinstance(rule, Destinations):
        for i, host in enumerate(rule.examples):
            known = rule.of(host.host)
            yield from _differs(("examples", i), "operator", known.operator if known else None, host.operator)
    elif isinstance(rule, Contexts):
        for i, page in enumerate(rule.examples):
            hint = rule.hinted(page.url)
            yield from _differs(("examples", i), "context", hint[0] if hint else None, page.context)
    if not list(_examples(rule)):
        yield (), NO_EXAMPLE


def _probe(rule: ProbeRule, book: Rulebook) -> Wrong:
    for i, example in enumerate(rule.examples):
        kind: Literal["storage", "api"] = "storage" if example.storage is not None else "api"
        item = Item(kind, example.storage or example.api or "", example.value, AT, AT, False)
        said = [r for _, cmp, r in read_item(item, item.value, book) if cmp == rule.cmp]
        yield from _differs(("examples", i), "ignored", not said, example.ignored)
        states = [r for r in said if r.opt_out_kind is None]
        if example.state or example.reason:
            found = (states[0].state, states[0].reason) if states else None
            yield from _differs(("examples", i), "state and reason", found, (example.state, example.reason))
        if example.level:
            yield from _differs(("examples", i), "level", states[0].level if states else None, example.level)
        if example.opt_out is not None:
            told = example.opt_out in [r.opt_out for r in said if r.opt_out_kind]
            yield from _differs(("examples", i), "opt_out found", told, True)


def _examples(rule: BaseModel) -> Iterator[object]:
    yield from getattr(rule, "examples", ())
    for endpoint in getattr(rule, "endpoints", ()):
        yield from endpoint.examples


def _differs(place: Place, what: str, found: object, expected: object) -> Wrong:
    if found != expected:
        yield place, f"example: {what} is {_word(found)}, and the file says {_word(expected)}"


def _word(value: object) -> str:
    if value is None:
        return "not said"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _consent(rule: ConsentRule, book: Rulebook) -> Wrong:
    for i, example in enumerate(rule.examples):
        for what in _consent_example(rule, example, book):
            yield ("examples", i), f"example: {what}"


def _consent_example(rule: ConsentRule, example: ConsentExample, book: Rulebook) -> Iterator[str]:
    if example.mark is not None:
        state = mark_signal(AT, example.mark, client=None, property=None, book=book).state
        yield from _unlike("state", state, example.state)
        return
    if example.message is not None:
        told = [r.detail["permission"] for _, _, r in permissions(example.message, book)]
        yield from _unlike("says", told[0] if told else None, example.says)
        return
    if example.url is not None and example.answers is not None:
        response = Response(AT + 1, 200, (), example.answers.encode())
        exchange = Exchange("c", AT, example.method, example.url, (), response=response)
        details = [s.detail for s in response_signals(exchange, book, category="cmp") if s.cmp == rule.id]
        found: list[str] = next((d.get("tiktok_categories", []) for d in details if "named" in d), [])
        yield from _unlike("places", " ".join(sorted(found)), " ".join(sorted(example.places)))
        return
    if example.url is not None:
        exchange = Exchange(
            "c", AT, example.method, example.url, (("Referer", "https://shop.example/"),), example.body.encode()
        )
        signals = [s for s in request_signals(exchange, book, category="cmp", document=False) if s.cmp == rule.id]
        if not signals:
            yield "nothing was read from this request"
            return
        if example.opt_out is not None:
            yield from _unlike("opt_out", next((s.opt_out for s in signals if s.opt_out_kind), None), example.opt_out)
        if example.choice_made is not None:
            yield from _unlike("choice_made", signals[0].choice_made, example.choice_made)
        state, region = signals[0].state, signals[0].region
        yield from (*_unlike("state", state, example.state), *_unlike("region", region, example.region))
        return
    jar = {example.cookie or "": example.value, **example.companions}
    header = "; ".join(f"{k}={v}" for k, v in jar.items())
    own = None if rule.id == "generic" else rule.id
    said = [r for name, cmp, r in read_cookies(header, book) if name == example.cookie and cmp == own]
    if example.ignored:
        if said:
            yield f"ignored: it was read all the same (as {said[0].state or said[0].reason or 'an opt-out'})"
        return
    if not said:
        others = [cmp for name, cmp, _ in read_cookies(header, book) if name == example.cookie]
        if example.state or example.reason or example.opt_out is not None:
            yield "the value was not read" + (
                f"; it was taken for {others[0] or 'a consent-like cookie'}" if others else ""
            )
        return
    yield from _consent_readings(said, example)


def _consent_readings(said: list[Reading], example: ConsentExample) -> Iterator[str]:
    states = [r for r in said if r.opt_out_kind is None]
    if example.opt_out is None and (example.state or example.reason) and len(states) != 1:
        yield f"one statement was expected, and there are {len(states)}"
    for reading in states:
        yield from _unlike("state", reading.state, example.state)
        yield from _unlike("reason", reading.reason, example.reason)
        for name in ("choice_made", "effective_default", "region", "level"):
            if getattr(example, name) is not None:
                yield from _unlike(name, getattr(reading, name), getattr(example, name))
        if example.effective_at is not None:
            yield from _unlike("effective_at (milliseconds)", reading.effective_at, from_iso(example.effective_at))
    if example.opt_out is not None:
        found = [r.opt_out for r in said if r.opt_out_kind]
        if example.opt_out not in found:
            yield from _unlike("opt_out", found[0] if found else None, example.opt_out)


def _unlike(what: str, found: object, expected: object) -> Iterator[str]:
    if found != expected:
        yield f"{what} is {_word(found)}, and the file says {_word(expected)}"


def _loader(i: int, case: dict[str, str], book: Rulebook) -> Wrong:
    """A loader's body and what it discloses of the pixel, lists in one text; '' where it does not say."""
    response = Response(AT + 1, 200, (), case["body"].encode())
    exchange = Exchange("c", AT, "GET", LOADER, (), response=response)
    made, _ = hits(exchange, classify(exchange, book), book)
    said = next(iter(disclosed(exchange, made, book)), None)
    for name, expected in case.items():
        if name != "body":
            value = getattr(said, name, None)
            words = value if isinstance(value, tuple) else [_word(value)] if value is not None else []
            yield from _differs(("examples", i), name, " ".join(words), expected)


def _pixel(rule: PixelRule, book: Rulebook) -> Wrong:
    for i, endpoint in enumerate(rule.endpoints):
        for j, example in enumerate(endpoint.examples):
            exchange = Exchange("c", AT, example.method, example.url, (), example.body.encode())
            found = classify(exchange, book)
            covered = found.endpoint is not None and found.endpoint.id == endpoint.id
            if covered and not endpoint.hosts:
                made, spots = hits(exchange, found, book)
                covered = bool(made) or any(spot.kind == RELAY for spot in spots)
            yield from _differs(("endpoints", i, "examples", j), "covered", covered, example.covered)
    for i, case in enumerate(rule.examples):
        if "event" in case:
            yield from _differs(
                ("examples", i), "event", rule.renames.get(case["event"], case["event"]), case["expect"]
            )
        if "path" in case:
            yield from _differs(("examples", i), "means", meaning(case["path"], rule.fields) or "", case["means"])
        if "valid" in case:
            valid = bool(re.fullmatch(rule.pixel_code or "(?!)", case["code"]))
            yield from _differs(("examples", i), "valid", valid, case["valid"] == "yes")
        if "hash" in case:
            digest = hashlib.sha256(case["text"].encode()).hexdigest()
            yield from _differs(("examples", i), "SHA-256", digest, case["hash"])
        if "message_id" in case:
            repeated = vendor_of(book, rule.vendor).repeated_message(case["message_id"]) or ""
            yield from _differs(("examples", i), "repeats", repeated, case["repeats"])
        if "host" in case:
            sends = vendor_of(book, rule.vendor).sends_to(case["host"])
            yield from _differs(("examples", i), "sends", sends, case["sends"] == "yes")
        if "body" in case:
            yield from _loader(i, case, book)
        if "token" in case:
            nothing = vendor_of(book, rule.vendor).placeholders.is_text(case["token"])
            yield from _differs(("examples", i), "nothing", nothing, case["nothing"] == "yes")
        if "script" in case:
            role = role_of(case["script"].encode(), vendor_of(book, rule.vendor)) or ""
            yield from _differs(("examples", i), "role", role, case["role"])
    for digest, text in rule.placeholders.items():
        yield from _differs(("placeholders",), "SHA-256", hashlib.sha256(text.encode()).hexdigest(), digest)
