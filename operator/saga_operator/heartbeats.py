"""What the process is for, and whether it is still done: each part says by when it will be heard again."""

import time
from collections.abc import Callable


class Heartbeats:
    """The parts that are due and the time by which each has to be heard. Time that the machine sleeps doesn't count."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._due: dict[str, float] = {}

    def beat(self, part: str, *, again_within: float) -> None:
        """This part lives; `again_within`: seconds until it must be heard again."""
        self._due[part] = self._now() + again_within

    def expect(self, part: str, *, within: float) -> None:
        """This part has something to do now, unless that is known already; see `forget`."""
        self._due.setdefault(part, self._now() + within)

    def forget(self, *parts: str) -> None:
        """Nothing is expected of them any more; without a name, of none."""
        for part in parts or tuple(self._due):
            self._due.pop(part, None)

    def overdue(self) -> dict[str, float]:
        """The parts that should have been heard, and how many seconds ago."""
        now = self._now()
        return {part: round(now - due, 1) for part, due in self._due.items() if now > due}
