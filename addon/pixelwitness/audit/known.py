"""All that is known of one session when a hit of it is judged; judging and `explain` both ask here."""

from __future__ import annotations

from pixelwitness.audit.consent import ConsentTimeline
from pixelwitness.audit.moment import ConsentAt
from pixelwitness.audit.optouts import OptOutsAt, OptOutTimeline
from pixelwitness.audit.placing import Place
from pixelwitness.audit.session import Session
from pixelwitness.audit.sites import Site, SiteAt, disclosed
from pixelwitness.observations import Hit
from pixelwitness.property import host_of
from pixelwitness.rulebook import Rulebook

NO_SITE = Site()


class Known:
    """The consent and opt-outs of one session in time, and what was said of its property."""

    def __init__(self, session: Session, book: Rulebook, site: Site = NO_SITE) -> None:
        self.consent = ConsentTimeline(session, book)
        self.opt_outs = OptOutTimeline(session, book.judging)
        self.site = site

    def at_hit(self, hit: Hit, place: Place) -> tuple[ConsentAt, OptOutsAt, SiteAt]:
        """What was in force at a hit that was put on a page."""
        return (
            self.consent.at(hit.occurred_at, host_of(place.page), hit.event_time),
            self.opt_outs.at_hit(hit, place.page),
            self.site.at(hit.occurred_at, disclosed(hit)),
        )
