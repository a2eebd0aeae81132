"""Pages of which nothing but the document was seen: whether silence about them says anything."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from pixelwitness.audit.coverage import is_view
from pixelwitness.audit.session import Session
from pixelwitness.observations import NEVER_SENT, PageView, Signal

type CookieName = tuple[str, str]
"""A property, and the name of a cookie of its."""


def bare_views(session: Session, answered: Collection[CookieName]) -> frozenset[str]:
    """Ids of the documents after which, up to the next one, no other request of the session's pages was seen, so that
    nothing shows that a send would have been: a recording of documents only would be as silent. What was blocked shows
    nothing, since a page of which all else is blocked sends nothing either.

    One whose own text names nothing to fetch is not bare where a script is shown to have run without any other request:
    what the visitor chose was written between two documents and nothing else. `answered` are the cookies that answers
    set.
    """
    documents = [v for v in session.page_views if not v.prerender]
    bare, alone = _alone(session, documents), _alone(session, documents, surely=True)
    if not _chosen_by_script(session, documents, alone, answered):
        return bare
    return bare - {v.id for v in documents if v.names_others is False}


def _alone(session: Session, documents: Sequence[PageView], *, surely: bool = False) -> frozenset[str]:
    """Ids of the documents up to the next one of which nothing else was seen. Of several browsers behind one client a
    request that names none may be another's: it counts as seen only where that is asked for `surely`."""
    ids = {v.id for v in session.page_views}
    own = {session.agent} if session.agent and not surely else None
    other = [f.at for f in session.first_party if not f.document and (own is None or f.agent in own)]
    other += [h.occurred_at for h, _ in session.hits]
    other += [
        s.observed_at for s in session.signals
        if s.exchange_id not in ids and NEVER_SENT not in s.detail and (own is None or s.agent in own)
    ]  # fmt: skip
    other.sort()
    ends = [*(v.at for v in documents[1:]), 2**62]
    return frozenset(
        v.id for v, end in zip(documents, ends, strict=False) if bisect_left(other, v.at) >= bisect_left(other, end)
    )


def cookies_answered(sessions: Iterable[Session]) -> frozenset[CookieName]:
    """The cookies that answers set, on any visitor."""
    sessions = list(sessions)
    set_there = {(s.property, name) for s in sessions for f in s.first_party for name in f.set_cookie_names}
    return frozenset(
        set_there | {(s.property, g.name) for s in sessions for g in s.signals if g.source == "set_cookie"}
    )


def _chosen_by_script(
    session: Session, documents: Sequence[PageView], bare: Collection[str], answered: Collection[CookieName]
) -> bool:
    """Whether a consent system's cookie tells of a choice that no earlier document of the origin showed, with nothing
    else seen since that one, although no answer set it. Where it is dated, its date must lie between the two."""
    by_document: dict[str | None, list[Signal]] = defaultdict(list)
    for s in session.signals:
        if s.source == "cookie" and s.cmp is not None and s.choice_made:
            by_document[s.exchange_id].append(s)
    shows_jar = {f.id for f in session.first_party if f.authoritative or f.cookie_names is not None}
    clock = session.clock.whole
    without: dict[tuple[str, ...], int] = {}
    """By origin, the last page that showed a jar without a choice."""
    for view in documents:
        origin = tuple(view.url.split("/", 3)[:3])
        asked = without.get(origin)
        chosen = [s for s in by_document[view.id] if (session.property, s.name) not in answered]
        if asked is not None and any(s.effective_at is None or asked <= clock.latest(s.effective_at) for s in chosen):
            return True
        if view.id not in bare:
            without.clear()
        elif by_document[view.id] or view.id not in shows_jar:
            without.pop(origin, None)
        elif view.is_page and is_view(view.status, prerender=view.prerender):
            without[origin] = view.at
    return False
