"""All rules, loaded and validated: what changes when the world changes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pixelwitness.rulebook.consent import ConsentRule
from pixelwitness.rulebook.identity import IdentityRules
from pixelwitness.rulebook.law import BlindSpotRule, BlindSpots, Finding, Judging, Regime
from pixelwitness.rulebook.load import RuleError, SourcedRule, as_rule, default_rules_dir, line_of, rule_files
from pixelwitness.rulebook.parsed import parsed_rules
from pixelwitness.rulebook.pixels import PixelRule
from pixelwitness.rulebook.places import Contexts, Destinations
from pixelwitness.rulebook.probe import ProbeRule
from pixelwitness.rulebook.traffic import TrafficRule

__all__ = ["RuleError", "Rulebook", "load_rulebook"]


def model_for(relative: str) -> type[SourcedRule]:
    """Which model a rule file must fit, by its place below `rules/`. Raises RuleError for a stray file."""
    folder = relative.rpartition("/")[0]
    if folder == "traffic":
        return TrafficRule
    if folder == "regimes":
        return Regime
    if folder == "findings":
        return Finding
    if relative == "blind_spots.yaml":
        return BlindSpots
    if relative == "judging.yaml":
        return Judging
    if relative == "identity.yaml":
        return IdentityRules
    if relative == "destinations.yaml":
        return Destinations
    if relative == "contexts.yaml":
        return Contexts
    if folder == "consent":
        return ConsentRule
    if folder == "probe":
        return ProbeRule
    if folder.startswith("pixels/"):
        return PixelRule
    raise RuleError(f"{relative}: no rules belong here; see docs/rules.md for the folders")


@dataclass(frozen=True, eq=False)
class Rulebook:
    """Every rule by kind. Compared by identity, so that it can key caches."""

    traffic: tuple[TrafficRule, ...]
    pixels: tuple[PixelRule, ...]
    consent: tuple[ConsentRule, ...]
    probe: tuple[ProbeRule, ...]
    regimes: dict[str, Regime]
    findings: dict[str, Finding]
    blind_spots: dict[str, BlindSpotRule]
    judging: Judging
    identity: IdentityRules
    destinations: Destinations
    contexts: Contexts
    digest: str
    """SHA-256 over the names and contents of all files."""


def load_rulebook(extra: Sequence[Path] = ()) -> Rulebook:
    """The program's own rules, overlaid by the files of further folders (same relative path: replaced).

    Raises RuleError with file and line for anything that is not a valid rule.
    """
    return _load((default_rules_dir(), *extra))


@cache
def _load(directories: tuple[Path, ...]) -> Rulebook:
    files: dict[str, Path] = {}
    for directory in directories:
        files.update(rule_files(directory))
    digest = hashlib.sha256()
    for relative in sorted(files):
        content = files[relative].read_bytes()
        digest.update(f"{relative}\0{len(content)}\0".encode() + content)
    parsed = parsed_rules(files)
    rules = [as_rule(files[relative], parsed[relative], model_for(relative)) for relative in sorted(files)]
    book = Rulebook(
        traffic=tuple(r for r in rules if isinstance(r, TrafficRule)),
        pixels=tuple(r for r in rules if isinstance(r, PixelRule)),
        consent=tuple(r for r in rules if isinstance(r, ConsentRule)),
        probe=tuple(r for r in rules if isinstance(r, ProbeRule)),
        regimes={r.id: r for r in rules if isinstance(r, Regime)},
        findings={r.id: r for r in rules if isinstance(r, Finding)},
        blind_spots={k: v for r in rules if isinstance(r, BlindSpots) for k, v in r.blind_spots.items()},
        judging=next(r for r in rules if isinstance(r, Judging)),
        identity=next(r for r in rules if isinstance(r, IdentityRules)),
        destinations=next(r for r in rules if isinstance(r, Destinations)),
        contexts=next(r for r in rules if isinstance(r, Contexts)),
        digest=digest.hexdigest(),
    )
    _cross_check(book)
    for relative, rule in zip(sorted(files), rules, strict=True):
        if isinstance(rule, ConsentRule):
            _check_reasons(files[relative], rule, book)
    return book


def _cross_check(book: Rulebook) -> None:
    """References between rules must lead somewhere."""
    for regime in book.regimes.values():
        unknown = [f for f in (*regime.findings, *regime.citations, *regime.severities) if f not in book.findings]
        if unknown:
            raise RuleError(f"regimes/{regime.id}: names findings that do not exist: {', '.join(unknown)}")
        if notices := [f for f in regime.findings if book.findings[f].notice]:
            raise RuleError(f"regimes/{regime.id}: a notice is under no regime: {', '.join(notices)}")
    missing = [i for i in ("services", "marks", "generic") if i not in {r.id for r in book.consent}]
    if missing:
        raise RuleError(f"consent/: no rule has the id {' or '.join(missing)}, which this program needs")


def _check_reasons(path: Path, rule: ConsentRule, book: Rulebook) -> None:
    """What a cookie says where it cannot be read must be a kind of blind spot, which has its remedy."""
    for i, cookie in enumerate(rule.cookies):
        for name in ("reason", "absent"):
            kind = cookie.params.get(name, "unanswered")
            if kind != "unanswered" and kind not in book.blind_spots:
                line = line_of(path, ("cookies", i, "params", name))
                raise RuleError(
                    f"{path}:{line}: cookies.{i}.params.{name}: there is no kind of blind spot {kind!r}. There are: "
                    f"{', '.join(book.blind_spots)} (rules/blind_spots.yaml)"
                )
