"""How often something may be done: some at once, then at a steady rate."""

import time
from collections.abc import Callable


class Allowance:
    """A token bucket, full at first: `burst` tokens, and `per_second` come back."""

    def __init__(self, burst: int, per_second: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._burst = float(burst)
        self._per_second = per_second
        self._monotonic = monotonic
        self._tokens = self._burst
        self._at = monotonic()

    def take(self) -> bool:
        """Whether it may be done now; then it counts as done."""
        if self.pause() > 0:
            return False
        self.spend()
        return True

    def spend(self) -> None:
        """It is done now, whether it may be or not."""
        self._tokens -= 1.0

    def pause(self) -> float:
        """Seconds until it may be done; 0 if now."""
        now = self._monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        return max(0.0, (1.0 - self._tokens) / self._per_second)
