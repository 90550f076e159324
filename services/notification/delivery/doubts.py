"""Messages that were handed over without a word from the server: each of them may have arrived.

A server that looks for spam and viruses before it answers may take longer than we wait, and deliver all the same. With
the operator's pauses its customer would get the same mail twice a minute for as long as it is slow. So such a message
goes again ever more rarely, and none is lost.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

PAUSES: Final = (0.0, 60.0, 600.0, 3600.0)
"""Seconds after the first, second, … time; the last one stays. The first is most often a connection that broke."""
REMEMBERED: Final = 10_000
"""Messages, 2 MB. One that is forgotten goes again at once, and so does each after a restart."""


class Doubts:
    """When a message may be handed over again."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """`now`: seconds, of any clock."""
        self._now = now
        self._of: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def left(self, message_id: str) -> float:
        """Seconds until it may; 0 if now."""
        _, at = self._of.get(message_id, (0, 0.0))
        return max(0.0, at - self._now())

    def times(self, message_id: str) -> int:
        """How often it was handed over without a word."""
        return self._of.get(message_id, (0, 0.0))[0]

    def rise(self, message_id: str) -> None:
        """It was handed over once more."""
        times = self.times(message_id)
        self._of[message_id] = (times + 1, self._now() + PAUSES[min(times, len(PAUSES) - 1)])
        self._of.move_to_end(message_id)
        if len(self._of) > REMEMBERED:
            self._of.popitem(last=False)

    def end(self, message_id: str) -> None:
        """The server has said what became of it."""
        self._of.pop(message_id, None)
