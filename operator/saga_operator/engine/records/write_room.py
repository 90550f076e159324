"""Whether the API server has room for writes that can wait, measured by how long it takes to answer others.

A write takes the longer the more there is to do, for the API server and on the way to it. The shortest time that was
seen lately is what it takes when nothing else is to be done; what comes on top of it is queueing. As in LEDBAT (RFC
6817) and TCP Vegas, whoever can wait begins while there is next to no queueing, and leaves the room to the others else.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

GATHER: Final = 0.1
"""Seconds in which more may happen to a saga that is then written with the first: no person sees them. A saga whose
participants answer at once ends within a few of them, and needs no other write than its last.
"""
LATEST: Final = 10.0
"""Seconds for which a write waits at the most: so much a person sees late, and a successor calls again after a crash,
whatever the load. Several times what a saga takes from its creation to its end under as much load as two cores can do.
"""
AT_ONCE: Final = 4
"""Writes that could wait, in flight together: what others find in their way is answered soon."""
NEAR: Final = 2.0
"""Queueing takes as long as the write itself: from there on it is others' turn."""
QUIET: Final = 0.1
"""Seconds without any write, after which the last answers say nothing of now: one write finds out. Below the 250 ms
within which a step is to be seen, together with `GATHER`. It is so much for each `AT_ONCE` writes that wait: where many
sagas are at work, others' calls leave no room either, and required writes that tell will soon follow.
"""
WEIGHT: Final = 0.25
"""Of one answer in the moving average: four in a row count, one that met a garbage collection does not."""
REMEMBERED: Final = 10
MINUTE: Final = 60.0
"""The shortest time is that of so many minutes, as in LEDBAT: the API server may have been moved to a slower machine.
"""

Begin = Callable[[Callable[[], None]], None]
"""Begins a write. What it is passed is to be called once the write was answered, however, or isn't needed."""


class WriteRoom:
    """Measures the writes of one process, and begins those that can wait. Usable inside one event loop."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[int, tuple[float, Begin]] = OrderedDict()
        self._last_ticket = 0
        self._begun = 0
        self._in_flight = 0
        self._ended_at = float("-inf")
        self._average = 0.0
        self._minutes: deque[tuple[float, float]] = deque(maxlen=REMEMBERED)
        """When each began, and its shortest time."""
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether a write that can wait would be in nobody's way now."""
        if self._in_flight == 0 and self._begun == 0 and _now() >= self._quiet_from:
            return True
        return self._average <= NEAR * min((shortest for _, shortest in self._minutes), default=0.0)

    @property
    def _quiet_from(self) -> float:
        """When it will have been quiet for long enough, unless another write begins."""
        return self._ended_at + QUIET * max(1.0, len(self._waiting) / AT_ONCE)

    def sent(self) -> None:
        """A write, whichever, is on its way: `ended` follows."""
        self._in_flight += 1

    def ended(self, seconds: float | None) -> None:
        """A write was done, and took so long; None if it was not done, which says nothing about others."""
        self._in_flight -= 1
        self._ended_at = _now()
        if seconds is not None:
            self._measure(seconds)
        if self._waiting:
            self._look()

    def _measure(self, seconds: float) -> None:
        if not self._minutes:
            self._average = seconds
        self._average += WEIGHT * (seconds - self._average)
        if not self._minutes or self._ended_at >= self._minutes[-1][0] + MINUTE:
            self._minutes.append((self._ended_at, seconds))
        elif seconds < self._minutes[-1][1]:
            self._minutes[-1] = (self._minutes[-1][0], seconds)

    def ask(self, begin: Begin) -> int:
        """Have `begin` called when there is room, but not at once: see `GATHER` and `LATEST`. Returns a ticket."""
        self._last_ticket += 1
        self._waiting[self._last_ticket] = (_now(), begin)
        if self._timer is None:
            self._look()
        return self._last_ticket

    def withdraw(self, ticket: int) -> None:
        """It isn't needed any more."""
        self._waiting.pop(ticket, None)

    def _look(self) -> None:
        """Begin what may begin, and look again when that can have changed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now, again = _now(), None
        while self._waiting:
            ticket, (asked, begin) = next(iter(self._waiting.items()))
            if now < asked + GATHER:
                again = asked + GATHER
                break
            if self._begun >= AT_ONCE:
                break
            if now < asked + LATEST and not self.is_open:
                again = min(asked + LATEST, asked + LATEST if self._in_flight or self._begun else self._quiet_from)
                break
            del self._waiting[ticket]
            self._begin(begin)
        if again is not None:
            self._timer = asyncio.get_running_loop().call_at(again, self._look)

    def _begin(self, begin: Begin) -> None:
        counts = True

        def ended() -> None:
            nonlocal counts
            if counts:
                counts = False
                self._begun -= 1
                if self._waiting:
                    asyncio.get_running_loop().call_soon(self._look)

        self._begun += 1
        begin(ended)


def _now() -> float:
    return asyncio.get_running_loop().time()
