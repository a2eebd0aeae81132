"""What a long run still holds in memory to be judged while it goes on: the sites seen last, each with all of its rows.

What is left out here is in the ledger, and judged when the run ends. A site of which anything was left out is said
nothing of until then: by half of its history a verdict could be wrong.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pixelwitness.audit.judge import judge
from pixelwitness.audit.model import Judgement, Rows
from pixelwitness.ledger.store import Ledger
from pixelwitness.observations import Observed
from pixelwitness.property import property_of, registrable_domain
from pixelwitness.rulebook import Rulebook
from pixelwitness.rulebook.law import Regime

MOST_ROWS = 20_000
"""Observations that are held at most."""
MOST_COMMON = 2_000
MOST_CUT = 100_000
MOST_TOLD = 10_000
"""Verdicts, violations and rows of coverage that are remembered of sites that were judged before."""

type Key = tuple[str, str]
"""A client, and a site as its pages name it; '' for what names no page."""


class Recent:
    """The rows of one run that are held, by client and site; those that were touched last are kept longest."""

    def __init__(self, most: int = MOST_ROWS) -> None:
        self._most = most
        self._groups: OrderedDict[Key, list[Observed]] = OrderedDict()
        self._common: deque[Observed] = deque(maxlen=MOST_COMMON)
        self._count = 0
        self._cut: OrderedDict[Key, None] = OrderedDict()
        self._touched: set[Key] = set()
        self._framed: dict[str, set[str]] = {}
        """By a site that was seen in frames: the sites of the pages around them, where its messages may belong."""
        self._loud: set[str] = set()
        """Sites whose documents sent messages."""
        self._seq = 0

    def __len__(self) -> int:
        return self._count

    def follow(self, ledger: Ledger, run_id: str) -> None:
        """Takes in what was written since the last time."""
        for seq, said in ledger.since(run_id, self._seq):
            self.add(said)
            self._seq = seq

    def add(self, said: Observed) -> None:
        """Takes in one observation."""
        key = key_of(said)
        if key is None:
            if said.signals or said.blind_spots:
                self._common.append(said)
            if said.signals:  # an auditor's mark may speak of every site
                self._touched.update(self._groups)
            return
        if said.hits:
            self._loud.add(key[1])
        if said.frame and (inner := property_of(said.frame.url)) and inner != key[1]:
            self._framed.setdefault(inner, set()).add(key[1])
        self._groups.setdefault(key, []).append(said)
        self._groups.move_to_end(key)
        self._touched.add(key)
        self._count += 1
        while self._count > self._most:
            self._leave_out()

    def _leave_out(self) -> None:
        key, rows = next(iter(self._groups.items()))
        if len(self._groups) > 1:
            del self._groups[key]
            self._touched.discard(key)
            left = len(rows)
        else:
            left = len(rows) // 2
            del rows[:left]
        self._count -= left
        self._cut[key] = None
        while len(self._cut) > MOST_CUT:
            self._cut.popitem(last=False)

    def judged(self, regimes: Sequence[Regime], book: Rulebook, named: Iterable[str]) -> Judgement:
        """The judgement of all sites on which anything happened since this was last asked."""
        chosen = self._chosen()
        self._touched.clear()
        groups = [self._groups[key] for key in chosen]
        rows = rows_of([*self._common, *(said for group in groups for said in group)])
        return self._whole(judge(rows, regimes, book, frozenset(named)), rows)

    def _chosen(self) -> list[Key]:
        """Whose rows are needed: a site's of all clients, and all of a client of whom something names no page."""
        pageless = {client for client, site in self._groups if not site}
        sites = {site for client, site in self._touched if client not in pageless}
        clients = {client for client, _ in self._touched if client in pageless}
        sites |= {site for client, site in self._groups if client in clients and site}
        self._add_frames(sites)
        clients |= {client for client, site in self._groups if site in sites and client in pageless}
        return [(client, site) for client, site in self._groups if site in sites or client in clients]

    def _add_frames(self, sites: set[str]) -> None:
        """Adds sites of frames that sent messages, and of all pages around them: neither can be placed alone."""
        before = -1
        while len(sites) > before:
            before = len(sites)
            for inner, outer in self._framed.items():
                if inner in self._loud and (inner in sites or outer & sites):
                    sites |= {inner, *outer}

    def _whole(self, judgement: Judgement, rows: Rows) -> Judgement:
        """Without what was judged by a part of its history."""
        clients = {h.id: h.client for h in rows.hits}
        cut_sites = {site for _, site in self._cut}
        cut_frames = {inner for inner, outer in self._framed.items() if outer & cut_sites}
        cut_clients = {client for client, site in self._cut if not site}

        def is_whole(hit_id: str, prop: str | None) -> bool:
            client = clients.get(hit_id, "")
            return (client, prop or "") not in self._cut and prop not in cut_frames and client not in cut_clients

        return judgement.model_copy(
            update={
                "verdicts": tuple(v for v in judgement.verdicts if is_whole(v.hit_id, v.property)),
                "violations": tuple(v for v in judgement.violations if is_whole(v.hit_id, v.property)),
                "coverage": tuple(c for c in judgement.coverage if c.property not in cut_sites),
                "page_states": {},
                "signal_properties": {},
            }
        )


def rows_of(all_said: Iterable[Observed]) -> Rows:
    """Observations as judging takes them."""
    found: dict[str, list[Any]] = {name: [] for name in Rows.model_fields}
    for said in all_said:
        for name, rows in found.items():
            if name == "page_views":
                rows += [said.page_view] if said.page_view else []
            elif name == "frames":
                rows += [said.frame] if said.frame else []
            elif name == "first_party":
                rows += [said.first_party] if said.first_party else []
            else:
                rows += getattr(said, name)
    return Rows.model_construct(None, **{name: tuple(rows) for name, rows in found.items()})


def key_of(said: Observed) -> Key | None:
    """Whose observation it is, and on which site; None for what belongs to no client (marks of all, the traffic)."""
    return next(_keys(said), None)


def _keys(said: Observed) -> Iterator[Key]:
    # By the page before the host: what others say of a page belongs to the page.
    for hit in said.hits:
        yield hit.client, hit.app_id or property_of(hit.page_url or hit.referer or hit.origin) or ""
    if said.page_view:
        yield said.page_view.client, registrable_domain(said.page_view.host)
    for signal in said.signals:
        if signal.client is not None and (site := signal.property or property_of(signal.page)):
            yield signal.client, site
    if said.frame:
        yield said.frame.client, property_of(said.frame.parent) or ""
    if said.first_party:
        yield said.first_party.client, registrable_domain(said.first_party.host)
    for script in said.hosted:
        yield script.client, property_of(script.page) or ""
    for settings in said.settings:
        yield settings.client, property_of(settings.page) or ""
    for other in said.signals:
        if other.client is not None and other.source != "mark":
            yield other.client, ""
    for spot in said.blind_spots:
        if spot.client is not None:
            yield spot.client, spot.property or property_of(spot.page) or ""


def merged(before: Judgement | None, new: Judgement) -> Judgement:
    """A judgement of some sites together with what was last said of the others, of which the oldest is forgotten."""
    if before is None:
        return new
    hits, sites = {v.hit_id for v in new.verdicts}, {c.property for c in new.coverage}
    return new.model_copy(
        update={
            "verdicts": _both((v for v in before.verdicts if v.hit_id not in hits), new.verdicts),
            "violations": _both((v for v in before.violations if v.hit_id not in hits), new.violations),
            "coverage": _both((c for c in before.coverage if c.property not in sites), new.coverage),
        }
    )


def _both[T](old: Iterable[T], new: tuple[T, ...]) -> tuple[T, ...]:
    return (*old, *new)[-MOST_TOLD:]
