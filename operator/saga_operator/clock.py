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
CONFIRMED: Final = 10.0
"""Seconds for which all answers have to agree on another time; the Lease alone brings one every two seconds. If a
single one were believed, it could end every open order at once: their deadlines would have passed.
"""
DRIFT: Final = 1e-4
"""Seconds in a second that a computer's clock runs fast or slow at the worst."""


_Interval = tuple[float, float]
"""The least and the most that the API server's time is ahead of `elapsed`."""


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
    milliseconds. One that has nothing in common with those before may come from another clock: of one of several API
    servers, or of a load balancer that answers in their place. The API server's clock was set if for `CONFIRMED`
    seconds every answer says so.
    """

    def __init__(self, *, elapsed: Callable[[], float] = elapsed, wall: Callable[[], float] = time.time) -> None:
        self._elapsed = elapsed
        self._wall = wall
        self._known: _Interval | None = None
        self._other: tuple[_Interval, float] | None = None
        """What the answers say that have nothing in common with what is known, and since when."""
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
        except (ValueError, TypeError, OverflowError, IndexError):  # whatever it says, it is no date
            return
        received = self._elapsed()
        told = (second - received - PRECISION, second + 1.0 - (received - took) + PRECISION)
        if self._known is None:
            self._offset = self._wall() - received
            common: _Interval | None = told
        else:
            common = _common(self._known, told, received - self._heard_at)
            if common is None and self._is_confirmed(told, received):
                common = told
        if common is None:
            return
        self._known, self._heard_at, self._other = common, received, None
        self._offset = min(max(self._offset, common[0]), common[1])
        self._say()

    def _is_confirmed(self, told: _Interval, received: float) -> bool:
        """Whether all answers since `CONFIRMED` seconds ago have this time in common, instead of the known one."""
        since = received
        if self._other is not None:
            common = _common(self._other[0], told, received - self._other[1])
            told, since = (told, received) if common is None else (common, self._other[1])
        self._other = (told, since)
        return received - since >= CONFIRMED

    def _say(self) -> None:
        skew = self.skew
        if abs(skew) > SKEW_SAID and not self._said:
            self._said = True
            which = "ahead of" if skew > 0 else "behind"
            log.warning("this host's clock is %.0f s %s the API server's, which counts", abs(skew), which)
        elif abs(skew) < SKEW_SAID / 2 and self._said:
            self._said = False
            log.info("this host's clock agrees with the API server's again")


def _common(known: _Interval, told: _Interval, age: float) -> _Interval | None:
    """What two intervals have in common, of which the first is so many seconds older; None if nothing."""
    low, high = max(told[0], known[0] - DRIFT * age), min(told[1], known[1] + DRIFT * age)
    return (low, high) if low <= high else None
