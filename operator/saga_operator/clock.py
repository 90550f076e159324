"""What time it is: the API server's time, since every creationTimestamp is its clock's."""

import logging
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

log = logging.getLogger(__name__)

SKEW_SAID: Final = 5.0
"""Seconds by which the two clocks may differ without a word: nothing in here depends on less."""
PRECISION: Final = 0.02
"""Seconds: how exactly the moments of a request and its answer are known in a busy process."""
DRIFT: Final = 1e-4
"""Seconds in a second that a computer's clock runs fast or slow at the worst."""


def elapsed() -> float:
    """Seconds since some moment, also of the time in which the machine slept (CLOCK_MONOTONIC stands still then)."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)  # Linux only
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


class Clock:
    """Seconds since the epoch as the API server counts them, measured from the Date of each of its answers.

    A host whose own clock is wrong, was wrong when the process began, or differs from those of other hosts, is no
    reason to end an order too early or never. Until the first answer there is only the host's clock.

    A Date says in which second an answer was written, and it was written between the request and the answer. Each gives
    an interval in which the difference of the two clocks lies; what all of them have in common is known to a few
    milliseconds. One that has nothing in common with those before says that the API server's clock was set.
    """

    def __init__(self, *, elapsed: Callable[[], float] = elapsed, wall: Callable[[], float] = time.time) -> None:
        self._elapsed = elapsed
        self._wall = wall
        self._known: tuple[float, float] | None = None
        """The least and the most that the API server's time is ahead of `elapsed`."""
        self._offset = 0.0
        self._heard_at = 0.0
        self._said = False

    def now(self) -> float:
        """Seconds since the epoch (UTC)."""
        return self._wall() if self._known is None else self._elapsed() + self._offset

    @property
    def offset(self) -> float:
        """How far this clock is ahead of `elapsed`. It changes if the API server's clock is set."""
        return self.now() - self._elapsed()

    @property
    def skew(self) -> float:
        """Seconds by which this host's clock is ahead of the API server's; 0 until it is known."""
        return self._wall() - self.now()

    def heard(self, date: str, took: float) -> None:
        """Take note of the Date of an answer that has just come, `took` seconds after its request."""
        try:
            second = parsedate_to_datetime(date).timestamp()
        except ValueError:
            return
        received = self._elapsed()
        low, high = second - received - PRECISION, second + 1.0 - (received - took) + PRECISION
        if self._known is None:
            self._offset = self._wall() - received
        else:
            drift = DRIFT * (received - self._heard_at)
            before_low, before_high = self._known[0] - drift, self._known[1] + drift
            if before_low <= high and low <= before_high:
                low, high = max(low, before_low), min(high, before_high)
        self._known, self._heard_at = (low, high), received
        self._offset = min(max(self._offset, low), high)
        self._say()

    def _say(self) -> None:
        skew = self.skew
        if abs(skew) > SKEW_SAID and not self._said:
            self._said = True
            which = "ahead of" if skew > 0 else "behind"
            log.warning("this host's clock is %.0f s %s the API server's, which counts", abs(skew), which)
        elif abs(skew) < SKEW_SAID / 2 and self._said:
            self._said = False
            log.info("this host's clock agrees with the API server's again")
