"""What every call to any participant passes: the Lease and its epoch.

There is no bound on all calls together: one that several slow participants share lets them starve the others. Each has
a bound of its own (`max_calls_per_participant`).
"""

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from saga_operator.process.absences import Absences
from saga_operator.process.events import EpochRefused
from saga_operator.process.order import RetryPolicy

EPOCH_BACK_OFF: Final = RetryPolicy(initial_backoff=0.5, max_backoff=30.0)
"""Before a call is made again whose epoch was refused: one refusal is mended at once, and a participant that goes on
refusing is asked twice a minute.
"""
MAX_EPOCH: Final = 2**63 - 1
"""The highest that participants can read."""
SHORTEST_PAUSE: Final = 0.1
"""Seconds; jitter alone could make it none."""


class Epochs(Protocol):
    """The Lease as the engine sees it."""

    @property
    def epoch(self) -> int:
        """Travels with every call; a participant refuses a lower one than it has seen."""

    def absences(self, now: float) -> Absences:
        """When no operator worked, up to now (seconds since the epoch)."""

    async def held(self) -> None:
        """Return at once while this process surely holds the Lease, else wait until it does."""

    async def raise_epoch(self, above: int) -> None:
        """Raise the epoch above the one that a participant has seen; end the process if the Lease is lost."""


@dataclass(frozen=True, slots=True)
class _Limit:
    """The highest epoch that a participant takes: it is `epoch` at that time, and rises with the time."""

    epoch: int
    at: float


class CallGate:
    """Lets no call through unless this process surely holds the Lease."""

    def __init__(self, epochs: Epochs, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._epochs = epochs
        self._callers = 0
        self._last_call = float("-inf")
        self._monotonic = monotonic
        self._limits: dict[str, _Limit] = {}

    def epoch_for(self, participant: str) -> int:
        """The Lease's epoch for a call; less for a participant whose clock is behind it, since it takes no such epoch.

        So neither a clock that is wrong here or there nor an epoch that somebody wrote into the Lease stops any call.
        """
        epoch = min(self._epochs.epoch, MAX_EPOCH)
        limit = self._limits.get(participant)
        return epoch if limit is None else min(epoch, limit.epoch + int((self._monotonic() - limit.at) * 1000))

    def absences(self, now: float) -> Absences:
        """When no operator worked, up to now (seconds since the epoch)."""
        return self._epochs.absences(now)

    @property
    def quiet_seconds(self) -> float:
        """Since a call was last in flight; 0 while one is."""
        return 0.0 if self._callers else self._monotonic() - self._last_call

    def call(self) -> AbstractAsyncContextManager[None]:
        """Around each call. A process that was paused must not go on where it stopped before it has looked again."""
        return _Call(self)

    async def _begin(self) -> None:
        self._callers += 1
        try:
            await self._epochs.held()
        except BaseException:
            self._end()
            raise

    def _end(self) -> None:
        self._callers -= 1
        self._last_call = self._monotonic()

    async def epoch_was_refused(self, participant: str, epoch: int, refused: EpochRefused) -> None:
        """Find an epoch for the next call that this participant takes; end the process if the Lease is lost."""
        if refused.clock is not None:
            self._limits[participant] = _Limit(refused.clock, self._monotonic())
            return
        seen = epoch if refused.seen is None else refused.seen
        if participant in self._limits and seen < self._epochs.epoch:
            self._limits[participant] = _Limit(max(seen, epoch) + 1, self._monotonic())
        else:
            await self._epochs.raise_epoch(max(seen, epoch))


class _Call(AbstractAsyncContextManager[None]):
    __slots__ = ("_gate",)

    def __init__(self, gate: CallGate) -> None:
        self._gate = gate

    async def __aenter__(self) -> None:
        await self._gate._begin()

    async def __aexit__(self, *_: object) -> None:
        self._gate._end()


def pause_before_the_next(refused: int, jitter: float) -> float:
    """Seconds, after so many refusals of the epoch in a row."""
    return EPOCH_BACK_OFF.delay(refused, jitter=jitter, retry_after=SHORTEST_PAUSE)
