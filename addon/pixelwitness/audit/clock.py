"""The two clocks: how far a client's stamps can be from the recorder's time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pixelwitness.rulebook.law import Judging


@dataclass(frozen=True)
class Clock:
    """A client's clock against the recorder's, in milliseconds.

    A stamp `s` of the client lies, in the recorder's time, between `earliest(s)` and `latest(s)`.
    """

    offset: int = 0
    uncertainty: int = 0
    """How much later than its corrected stamp something may have happened, beyond the least error."""
    error: int = 1000

    def earliest(self, stamp: int, resolution: int = 0) -> int:
        return stamp - self.offset - max(self.error, resolution)

    def latest(self, stamp: int, resolution: int = 0) -> int:
        return stamp - self.offset + self.uncertainty + max(self.error, resolution)


def clock_of(payload_lags: Iterable[int], stamp_leads: Iterable[int], rules: Judging, *, one_clock: bool) -> Clock:
    """The clock of one client.

    `payload_lags`: payload time minus arrival of its hits; queues only delay, so the largest is a lower bound of the
    offset. `stamp_leads`: stamp minus the time of the request that showed it; none can be above the offset. In a HAR
    (`one_clock`) the browser made both times. Values beyond the largest credible offset are no clock and are dropped.
    """
    error = rules.least_clock_error_ms
    if one_clock:
        return Clock(error=error)
    credible = rules.largest_clock_offset_ms
    bounds = [lag for lag in payload_lags if abs(lag) <= credible]
    leads = [lead for lead in stamp_leads if 0 < lead <= credible]
    if not bounds and not leads:
        return Clock(error=error)
    bound = max([*bounds, *leads])
    if bound > 0:
        return Clock(offset=bound, error=error)
    return Clock(uncertainty=-bound, error=error)
