"""The add-on's options: declared with type and help, checked at every change, read as one frozen value."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mitmproxy import exceptions, optmanager
from mitmproxy.addonmanager import Loader

from pixelwitness.identity.people import load_people
from pixelwitness.ledger.parts import MAX_BODY
from pixelwitness.proxy.clients import Chosen, Names
from pixelwitness.rulebook import RuleError, load_rulebook
from pixelwitness.rulebook.law import Regime
from pixelwitness.run import Lens, Scope, chosen_regimes
from pixelwitness.statements import read_statements

logger = logging.getLogger(__name__)
PREFIX = "pixelwitness_"
OPTIONS: tuple[tuple[str, Any, Any, str], ...] = (
    ("db", str, "audit.db", "The ledger: a SQLite file, made where there is none. Fixed once the proxy runs."),
    (
        "regimes",
        Sequence[str],
        [],
        "Bodies of law, e.g. eu; auto: those that the traffic proposes. Default: eu and us-ca.",
    ),
    ("rules", Sequence[str], [], "Folders of rules that add to or replace ours."),
    ("scope", Sequence[str], [], "Keep only these hosts, their subdomains and their pages' traffic. Default: all."),
    ("identity", str, "", "A YAML file of test personas, whose values are looked for."),
    ("properties", str, "", "A YAML file of what no traffic shows: sensitive pages, safeguards of transfers."),
    ("keep_plaintext", bool, False, "Store clear text of persons unmasked. Off: masked."),
    ("max_body", int, MAX_BODY, "Bytes of a request's body that are stored at most."),
    ("client_names", Sequence[str], [], "Names for clients: ADDRESS=NAME, PROXYUSER=NAME or MODE=NAME."),
    ("gpc", Sequence[str], [], "Add Global Privacy Control to the requests of these clients ('all': of everyone)."),
    ("probe", Sequence[str], [], "Put the consent probe into the pages of these clients ('all': of everyone)."),
    ("stream", bool, False, "Let pictures, sound, films and fonts that no rule reads pass without keeping them whole."),
)
"""Name without prefix, type, default, help."""


@dataclass(frozen=True)
class Settings:
    """All options, read and checked."""

    db: Path
    regimes: tuple[Regime, ...]
    named: tuple[str, ...]
    """The regimes that were asked for by name."""
    lens: Lens
    keep_plaintext: bool
    max_body: int
    names: Names
    gpc: Chosen
    probe: Chosen
    stream: bool = False
    """Whether responses that no rule reads are streamed."""

    def on_record(self) -> dict[str, object]:
        """What of it the ledger's run says."""
        return {
            "scope": list(self.lens.scope.hosts),
            "identity": self.lens.people.source,
            "statements": sorted(s.id for s in self.lens.statements),
            "keep_plaintext": self.keep_plaintext,
            "client_names": self.names.as_given,
            "gpc_added_for": list(self.gpc.clients),
            "probe_for": list(self.probe.clients),
            "stream": self.stream,
        }


def declare(loader: Loader) -> None:
    """Declares the options; a wrong or misspelt one stops the start (mitmproxy alone would go on without us)."""
    for name, kind, default, text in OPTIONS:
        loader.add_option(PREFIX + name, kind, default, text)
    try:
        loader.master.options.process_deferred()
    except exceptions.OptionsError as error:
        logger.error("pixelwitness: %s", error)
        raise
    refuse_unknown(loader.master.options)


def refuse_unknown(options: optmanager.OptManager) -> None:
    """An error that is logged before the proxy runs stops it: mitmproxy checks for that."""
    unknown = sorted(name for name in options.deferred if name.startswith(PREFIX))
    if unknown:
        known = ", ".join(PREFIX + name for name, *_ in OPTIONS)
        logger.error("pixelwitness: no such option: %s. There are: %s", ", ".join(unknown), known)


def refuse_forged_authority(options: optmanager.OptManager) -> None:
    """Raises OptionsError where mitmproxy is told to sign with the compromised public authority that it ships."""
    forged = [n for n in options.keys() if n.startswith("emudhra") and getattr(options, n)]  # noqa: SIM118
    if forged:
        raise exceptions.OptionsError(
            f"pixelwitness does not run with {forged[0]}: certificates under a compromised public CA prove nothing"
        )


def read(options: optmanager.OptManager) -> Settings:
    """The options as settings. Raises OptionsError with the option's name."""

    def given(name: str) -> Any:
        return getattr(options, PREFIX + name)

    try:
        book = load_rulebook(tuple(Path(p).expanduser() for p in given("rules")))
    except RuleError as error:
        raise exceptions.OptionsError(f"pixelwitness_rules: {error}") from error
    try:
        regimes = chosen_regimes(given("regimes"), book)
    except ValueError as error:
        raise exceptions.OptionsError(f"pixelwitness_regimes: {error}") from error
    try:
        people = load_people(Path(given("identity")).expanduser() if given("identity") else None, book.identity)
    except (RuleError, OSError) as error:
        raise exceptions.OptionsError(f"pixelwitness_identity: {error}") from error
    try:
        said = tuple(read_statements(Path(given("properties")).expanduser(), book)) if given("properties") else ()
    except RuleError as error:
        raise exceptions.OptionsError(f"pixelwitness_properties: {error}") from error
    scope = Scope(tuple(_host(h) for h in given("scope")))
    try:
        client_names = Names.of(given("client_names"))
    except ValueError as error:
        raise exceptions.OptionsError(f"pixelwitness_client_names: {error}") from error
    return Settings(
        db=Path(given("db")).expanduser(),
        regimes=regimes,
        named=tuple(given("regimes")),
        lens=Lens(book, scope, people, said),
        keep_plaintext=given("keep_plaintext"),
        max_body=_size(given("max_body")),
        names=client_names,
        gpc=Chosen.of(given("gpc")),
        probe=Chosen.of(given("probe")),
        stream=given("stream"),
    )


def _size(given: int) -> int:
    if given < 0:
        raise exceptions.OptionsError(f"pixelwitness_max_body: {given} is no number of bytes. Give 0 or more")
    return given


def _host(text: str) -> str:
    host = text.lower().strip().strip(".")
    if not host or any(c in host for c in "/:* @"):
        raise exceptions.OptionsError(
            f"pixelwitness_scope: {text!r} is no host name. Give e.g. shop.example; its subdomains are included"
        )
    return host
