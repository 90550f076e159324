"""How many requests each client may make: a bucket for each, which fills again at its rate. Pure: the clock is given.

Each replica has buckets of its own: with two replicas behind a Service a client gets up to twice as much.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

CLIENTS: Final = 10_000
"""Buckets that are kept, those of the clients that came last. One that is dropped was idle the longest, and is full
when it is made again.
"""


class Allowance:
    """`rate` requests a second for each client, and `burst` at once after a pause."""

    def __init__(self, rate: float, burst: int, *, clock: Callable[[], float]) -> None:
        """`clock`: seconds that never go back."""
        self._rate, self._burst, self._clock = rate, float(burst), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By client: how much was left at which time."""

    def wait(self, client: str) -> float:
        """Seconds until this client may make a request; 0 if it may now."""
        return max(0.0, (1.0 - self._left(client, self._clock())) / self._rate)

    def take(self, client: str) -> float:
        """The same, and if it may now, that request is counted."""
        now = self._clock()
        left = self._left(client, now)
        if left < 1.0:
            return (1.0 - left) / self._rate
        self._buckets[client] = (left - 1.0, now)
        self._buckets.move_to_end(client)
        if len(self._buckets) > CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0

    def _left(self, client: str, now: float) -> float:
        left, at = self._buckets.get(client, (self._burst, now))
        return min(self._burst, left + (now - at) * self._rate)
