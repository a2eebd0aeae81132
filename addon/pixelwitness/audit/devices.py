"""Several browsers behind one client's name (one address, a shared proxy on one machine): each has its own cookies.

Where requests and sends came from more than one program, by User-Agent, a site's session is taken apart: what
one browser chose says nothing of another. A device that changes its User-Agent within a visit (emulation, "desktop
site") is taken apart as well, and a blind spot says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pixelwitness.audit.clock import ClientClock
from pixelwitness.audit.session import Session
from pixelwitness.observations import Hit, Signal

type ClockOf = Callable[[list[Hit], list[Signal]], ClientClock]


def taken_apart(session: Session, clock_of: ClockOf) -> list[Session]:
    """A session by its browsers; itself where there is one.

    What names no program is evidence for each of them. Of a send, a page or a blocked send that names none nobody can
    say whose cookies counted, nor of those of a program that never asked for anything of the site.
    """
    browsers = {f.agent for f in session.first_party} - {None}
    senders = {h.agent for h, _ in session.hits} | {b.agent for b in session.blocked}
    named = sorted(a for a in browsers | senders if a is not None)
    if len(named) < 2 or session.app:
        return [session]
    made = [_of(session, agent, clock_of, jar_unseen=agent not in browsers) for agent in named]
    nameless = [(h, p) for h, p in session.hits if h.agent is None]
    views = [v for v in session.page_views if v.agent is None]
    if nameless or views:
        made.append(replace(session, agent="?", hits=nameless, page_views=views, blocked=[], jar_unseen=True))
    return made


def _of(session: Session, agent: str, clock_of: ClockOf, *, jar_unseen: bool) -> Session:
    hits = [(h, p) for h, p in session.hits if h.agent == agent]
    signals = [s for s in session.signals if s.agent in (agent, None)]
    return replace(
        session,
        agent=agent,
        clock=clock_of([h for h, _ in hits], signals),
        hits=hits,
        signals=signals,
        embedded=[s for s in session.embedded if s.agent in (agent, None)],
        page_views=[v for v in session.page_views if v.agent == agent],
        first_party=[f for f in session.first_party if f.agent in (agent, None)],
        blocked=[b for b in session.blocked if b.agent in (agent, None)],
        jar_unseen=jar_unseen,
    )
