"""Opt-outs at a moment: separate yes/no signals, never merged into the consent state."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pixelwitness.audit.evidence import evidence_of
from pixelwitness.audit.session import Session
from pixelwitness.audit.timeline import Evidence, at_moment, settle
from pixelwitness.observations import Hit, OptOutKind, PageView
from pixelwitness.property import host_of
from pixelwitness.rulebook.law import Judging

YES_NO = frozenset({"yes", "no"})


@dataclass(frozen=True)
class OptOutsAt:
    """What was in force at a hit. Each word is a kind (`gpc`, `usp`, `gpp`, `cmp_sale`)."""

    in_force: tuple[OptOutKind, ...] = ()
    possible: tuple[OptOutKind, ...] = ()
    """In force or not: the evidence leaves both open."""
    earlier: tuple[OptOutKind, ...] = ()
    """Seen earlier from this client on this property, and gone now."""
    signals: tuple[str, ...] = ()
    disputed: tuple[OptOutKind, ...] = ()
    """In force by one source and, with the same certainty, not in force by another of the same kind."""
    by_proxy: bool = False
    """The proxy itself added the Sec-GPC that counts here."""


class OptOutTimeline:
    """Answers which opt-outs were in force at any hit or page view of one session."""

    def __init__(self, session: Session, rules: Judging) -> None:
        self._rules = rules
        shown = sorted((v for v in session.page_views if not v.prerender), key=lambda v: (v.at, v.id))
        self._views = _Latest(shown)
        self._views_by_url = _grouped(shown, lambda v: v.url.split("#")[0])
        self._views_by_host = _grouped(shown, lambda v: v.host)
        self._fresh = sorted(m.observed_at for m in session.marks if m.name == "fresh_profile")
        self._gpc_seen = sorted(
            [v.at for v in session.page_views if v.gpc]
            + [h.occurred_at for h, _ in session.hits if h.gpc]
            + [f.at for f in session.first_party if f.gpc]
            + [s.observed_at for s in session.signals if s.opt_out_kind == "gpc" and s.opt_out]
        )
        self._gpc_ids = {s.exchange_id: s.id for s in session.signals if s.opt_out_kind == "gpc" and s.opt_out}
        streams: dict[tuple[OptOutKind, str], list[Evidence]] = defaultdict(list)
        for s in session.signals:
            if s.opt_out_kind in (None, "gpc") or s.opt_out is None:
                continue
            value = "yes" if s.opt_out else "no"
            evidence = replace(evidence_of(s, session.clock, rules), value=value, expires=None)
            streams[s.opt_out_kind, s.cmp or s.name].append(evidence)
        self._streams = {key: settle(evidence) for key, evidence in streams.items()}

    def at_hit(self, hit: Hit, page: str | None) -> OptOutsAt:
        """The opt-outs in force at a hit, sent from a page (its URL, where it is known)."""
        view = self._view_of(page, hit.occurred_at)
        by_proxy = hit.gpc_added_by_proxy or (not hit.gpc and view is not None and view.gpc_added_by_proxy)
        exchange = hit.exchange_id if hit.gpc else view.id if view else None
        return self._at(hit.occurred_at, hit.gpc or (view is not None and view.gpc), exchange, by_proxy)

    def at_moment(self, at: int, page: str | None) -> OptOutsAt:
        """The opt-outs in force at a moment on a page (its URL, where it is known)."""
        view = self._view_of(page, at)
        return self._at(at, view is not None and view.gpc, view.id if view else None, False)

    def at_view(self, view: PageView) -> OptOutsAt:
        """The opt-outs in force when a page was asked for."""
        return self._at(view.at, view.gpc, view.id, view.gpc_added_by_proxy)

    def _at(self, at: int, gpc: bool, exchange: str | None, by_proxy: bool) -> OptOutsAt:
        in_force: list[OptOutKind] = []
        possible: list[OptOutKind] = []
        earlier: list[OptOutKind] = []
        signals: list[str] = []
        said: dict[OptOutKind, set[str]] = defaultdict(set)
        start = max((f for f in self._fresh if f <= at), default=-(2**62))
        if gpc:
            in_force.append("gpc")
            signals += [self._gpc_ids[exchange]] if exchange in self._gpc_ids else []
        elif bisect_left(self._gpc_seen, start) < bisect_left(self._gpc_seen, at):
            earlier.append("gpc")
        for (kind, _), evidence in self._streams.items():
            stretch = [e for e in evidence if e.seen >= start]
            reading = at_moment(stretch, at, every=YES_NO, fleeting=None, holds=self._rules.unanswered_holds_ms)
            if len(reading.values) == 1 and reading.decided_by:
                said[kind] |= reading.values
            if "yes" not in reading.values or not reading.decided_by:
                continue
            (in_force if reading.values == {"yes"} else possible).append(kind)
            signals += [e.signal for e in reading.decided_by]
        certain = tuple(dict.fromkeys(in_force))
        return OptOutsAt(
            certain,
            tuple(k for k in dict.fromkeys(possible) if k not in certain),
            tuple(earlier),
            tuple(dict.fromkeys(signals)),
            tuple(k for k in certain if said[k] == YES_NO),
            by_proxy and gpc,
        )

    def _view_of(self, page: str | None, at: int) -> PageView | None:
        """The document that a hit was sent from: by its URL, else the property's latest one on the same host."""
        if page is None:
            return self._views.at(at)
        groups = (self._views_by_url.get(page.split("#")[0]), self._views_by_host.get(host_of(page) or ""), self._views)
        return next((view for group in groups if group and (view := group.at(at))), None)


class _Latest:
    """Page views by time, to be asked for the latest one at a moment."""

    def __init__(self, views: Sequence[PageView]) -> None:
        self._views = views
        self._times = [v.at for v in views]

    def at(self, moment: int) -> PageView | None:
        """The latest view up to a moment."""
        index = bisect_right(self._times, moment)
        return self._views[index - 1] if index else None


def _grouped(views: Sequence[PageView], key: Callable[[PageView], str]) -> dict[str, _Latest]:
    groups: dict[str, list[PageView]] = defaultdict(list)
    for view in views:
        groups[key(view)].append(view)
    return {name: _Latest(found) for name, found in groups.items()}
