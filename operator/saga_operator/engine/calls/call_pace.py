"""How fast one saga may call. Back-off and Retry-After pace its calls; this holds also if they fail to."""

import time
from collections.abc import Callable
from typing import Final

BURST: Final = 30
"""Calls at once. A saga that does all its steps and undoes them again, all answered at once, makes eleven."""
PER_SECOND: Final = 0.5
"""Calls a second that it may go on with. Polls and retries end up at one in 15 to 30 s."""
MINUTE: Final = 60.0
MOST_PER_MINUTE: Final = BURST + int(PER_SECOND * MINUTE)
"""No saga makes more calls in any minute."""


class CallPace:
    """A token bucket: full at first, one token for each call."""

    __slots__ = ("_at", "_calls", "_monotonic", "_tokens")

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._tokens = float(BURST)
        self._at = monotonic()
        self._calls: list[float] = []

    def pause(self) -> float:
        """Seconds until the next call may be made; 0 if now."""
        self._refill()
        return max(0.0, (1.0 - self._tokens) / PER_SECOND)

    def note(self) -> None:
        """A call is made now."""
        self._refill()
        self._tokens -= 1.0
        self._calls.append(self._at)
        del self._calls[: -MOST_PER_MINUTE - 1]

    def within_a_minute(self) -> int:
        """How many calls were made within the last minute."""
        since = self._monotonic() - MINUTE
        self._calls = [at for at in self._calls if at > since]
        return len(self._calls)

    def _refill(self) -> None:
        now = self._monotonic()
        self._tokens = min(float(BURST), self._tokens + (now - self._at) * PER_SECOND)
        self._at = now
