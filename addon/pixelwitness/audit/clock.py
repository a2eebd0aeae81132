"""The two clocks: how far a client's stamps can be from the recorder's time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
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


@dataclass(frozen=True)
class ClientClock:
    """The clock of one client over a whole recording, in which it may have been set or may have drifted."""

    whole: Clock = Clock()
    lags: tuple[tuple[int, int], ...] = ()
    window: int = 0

    def near(self, seen: int, stamp: int) -> Clock:
        """The clock by which to read a stamp that was seen at a moment.

        Where the hits around that moment, or around the stamp, allow less than the largest offset, the clock may have
        changed in between: the offset then lies somewhere between the two.
        """
        whole = self.whole
        bounds = [b for at in (seen, stamp - whole.offset) if (b := self._bound(at)) is not None]
        least = max(min(bounds, default=whole.offset), 0)
        if least >= whole.offset - whole.error:
            return whole
        return Clock(whole.offset, whole.offset - least, whole.error)

    def _bound(self, at: int) -> int | None:
        start = bisect_left(self.lags, (at - self.window,))
        end = bisect_right(self.lags, (at + self.window + 1,))
        return max((lag for _, lag in self.lags[start:end]), default=None)


def clock_of(
    payload_lags: Iterable[tuple[int, int]], stamp_leads: Iterable[int], rules: Judging, *, one_clock: bool
) -> ClientClock:
    """The clock of one client.

    `payload_lags`: of its hits, arrival and payload time minus arrival; queues only delay, so the largest is a lower
    bound of the offset. `stamp_leads`: stamp minus the time of the request that showed it; none can be above the
    offset. In a HAR (`one_clock`) the browser made both times. Values beyond the largest credible offset are no clock
    and are dropped.
    """
    error = rules.least_clock_error_ms
    if one_clock:
        return ClientClock(Clock(error=error))
    credible = rules.largest_clock_offset_ms
    lags = sorted((at, lag) for at, lag in payload_lags if abs(lag) <= credible)
    leads = [lead for lead in stamp_leads if abs(lead) <= credible and (lags or lead > 0)]
    if not lags and not leads:
        return ClientClock(Clock(error=error))
    bound = max([*(lag for _, lag in lags), *leads])
    whole = Clock(offset=bound, error=error) if bound > 0 else Clock(uncertainty=-bound, error=error)
    return ClientClock(whole, tuple(lags), rules.clock_window_ms)
