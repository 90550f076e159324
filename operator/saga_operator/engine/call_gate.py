"""What every call to any participant passes: the bound on all of them together, and the Lease."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Protocol

from saga_operator.process.absences import Absences

STALE_EPOCH_PAUSE: Final = 1.0
"""Seconds before a call is made again whose epoch could not be raised."""


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
        """Raise the epoch above the one that a participant refused; end the process if the Lease is lost."""


class CallGate:
    """Lets at most `max_calls` calls through at once, and none unless this process surely holds the Lease."""

    def __init__(self, epochs: Epochs, *, max_calls: int) -> None:
        self._epochs = epochs
        self._max_calls = max_calls
        self._bound = asyncio.Semaphore(max_calls)
        self._callers = 0

    @property
    def epoch(self) -> int:
        """The Lease's epoch, for the call."""
        return self._epochs.epoch

    def absences(self, now: float) -> Absences:
        """When no operator worked, up to now (seconds since the epoch)."""
        return self._epochs.absences(now)

    @property
    def is_busy(self) -> bool:
        """Whether live sagas need the machine and the API server more than housekeeping does."""
        return self._callers > self._max_calls // 8

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Around each call. A process that was paused must not go on where it stopped before it has looked again."""
        self._callers += 1
        try:
            async with self._bound:
                await self._epochs.held()
                yield
        finally:
            self._callers -= 1

    async def epoch_was_refused(self, epoch: int) -> None:
        """Raise the epoch that a participant refused; wait a little if the API server is away and it stays as it is."""
        await self._epochs.raise_epoch(epoch)
        if self.epoch <= epoch:
            await asyncio.sleep(STALE_EPOCH_PAUSE)
