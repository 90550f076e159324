"""The circuit breaker of one participant, with the bounds on its calls: how many at once, and how many a second.

A participant that is down must neither use up the retry budgets of thousands of sagas nor be overrun when it returns.
So the breaker opens when several different sagas in a row got no usable answer. Calls then wait, which the resource
shows (reason WaitingForDownstream), and single ones probe. When a probe succeeds, the number of calls at once doubles
with each round of which at least half were answered, until it is back to normal; the sagas that still wait then are
woken in turn. A single saga in trouble never opens the breaker, and one lost answer among many does not keep it open:
retry budgets are for those.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from saga_operator import metrics
from saga_operator.process import reasons
from saga_operator.process.events import NoUsableAnswer, Outcome, Paused

log = logging.getLogger(__name__)

SAGAS_TO_OPEN: Final = 5
"""Different sagas in a row without a usable answer; with fewer, the orders themselves may be the reason."""
FIRST_PROBE: Final = 1.0
"""Seconds; a restart of a service takes about this long."""
LAST_PROBE: Final = 15.0
"""Seconds between probes of a participant that stays away."""
LOOK_AGAIN: Final = 1.0
"""Seconds after which others are woken while it closes again: a saga that was woken may have nothing left to call."""
WAIT_AT_MOST: Final = 600.0
"""Seconds. A waiting saga is woken as soon as there is capacity for its call; this is for wake-ups that are lost. With
tens of thousands of waiting sagas, looking more often would be most of what the operator does.
"""


class CircuitBreaker:
    """The breaker, the bound and the rate limit of one participant. Usable inside one event loop."""

    def __init__(self, name: str, *, now: Callable[[], float], concurrency: int, rate: float) -> None:
        self._name = name
        self._now = now
        self._capacity = asyncio.Semaphore(concurrency)
        self._concurrency = concurrency
        self._interval = 1.0 / rate if rate > 0 else 0.0
        self._next_slot = 0.0
        self._failing: set[str] = set()
        self._limit: int | None = None
        """None: closed, the normal state. 0: open, no call is made. Else: so many at once while it closes again."""
        self._in_flight = 0
        self._round: list[bool] = []
        """For each outcome since the limit was set, whether there was an answer."""
        self._probe_after = FIRST_PROBE
        self._waiting: OrderedDict[str, Callable[[], None]] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        metrics.BREAKER.labels(name).set(0)

    @property
    def is_open(self) -> bool:
        """Whether the participant counts as down (also while it is probed)."""
        return self._limit is not None

    def allows(self) -> bool:
        """Whether a call may be made now."""
        if self._limit is None:
            # a new call doesn't overtake those that wait
            return not self._waiting or self._in_flight < self._concurrency
        return self._in_flight < self._limit

    def wait(self, saga: str, wake: Callable[[], None], *, undo: bool) -> None:
        """Call `wake` once there is capacity for this saga's call. An undo goes first: it holds money or goods."""
        self._waiting[saga] = wake
        if undo:
            self._waiting.move_to_end(saga, last=False)

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Around each call: bounded concurrency, and the rate limit if there is one."""
        self._in_flight += 1
        try:
            async with self._capacity:
                await self._wait_for_slot()
                yield
        finally:
            self._in_flight -= 1
            if self._limit is None:
                self._wake()

    def record_outcome(self, saga: str, outcome: Outcome) -> Outcome | Paused:
        """Count the outcome and return it, or a `Paused` in its place: while the participant counts as down, a call
        without a usable answer does not use up the saga's attempts.
        """
        down = isinstance(outcome, NoUsableAnswer) and outcome.reason in (reasons.NO_ANSWER, reasons.UNAVAILABLE)
        if down:
            self._failed(saga)
        else:
            self._answered()
        if not down or not self.is_open or not isinstance(outcome, NoUsableAnswer):
            return outcome
        return self.pause(outcome.step, undo=outcome.undo, started=outcome.started, cause=outcome.message)

    def pause(self, step: str, *, undo: bool, started: float, cause: str = "") -> Paused:
        """The event of a call that is not made, or that did not count."""
        now = self._now()
        state = "is down; its calls wait and single ones probe" if self.is_open else "was down; its calls come in turn"
        text = f"{self._name} {state}. {cause}".strip()
        return Paused(step=step, started=started, at=now, undo=undo, until=now + WAIT_AT_MOST, message=text)

    async def _wait_for_slot(self) -> None:
        if not self._interval:
            return
        now = asyncio.get_running_loop().time()  # the other clock may be set, and nobody would be called for so long
        slot = max(now, self._next_slot)
        self._next_slot = slot + self._interval
        await asyncio.sleep(slot - now)

    def _failed(self, saga: str) -> None:
        if self._limit is None:
            self._failing.add(saga)
            if len(self._failing) >= SAGAS_TO_OPEN:
                log.warning("%s is down: %d sagas in a row got no usable answer", self._name, len(self._failing))
                self._probe_after = FIRST_PROBE
                self._open()
        elif self._limit > 0:  # else: a call from before it opened
            self._count(answered=False)

    def _answered(self) -> None:
        self._failing.clear()
        if self._limit:
            self._count(answered=True)

    def _count(self, *, answered: bool) -> None:
        """Count one more outcome while it closes again. As many as the limit decide the next limit."""
        assert self._limit is not None  # noqa: S101 - for the type checker
        self._round.append(answered)
        if len(self._round) >= self._limit:
            if 2 * sum(self._round) < len(self._round):
                self._probe_after = min(self._probe_after * 2, LAST_PROBE)
                self._open()
                return
            self._probe_after = FIRST_PROBE
            self._limit, self._round = self._limit * 2, []
        if self._limit >= self._concurrency:
            log.info("%s is back", self._name)
            self._limit = None
            metrics.BREAKER.labels(self._name).set(0)
        self._wake()

    def _open(self) -> None:
        self._limit, self._round = 0, []
        metrics.BREAKER.labels(self._name).set(1)
        self._call_later(self._probe_after)

    def _probe(self) -> None:
        if self._limit == 0:
            self._limit = 1
        self._wake()
        self._call_later(LOOK_AGAIN if self.is_open or self._waiting else None)

    def _call_later(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else asyncio.get_running_loop().call_later(seconds, self._probe)

    def _wake(self) -> None:
        """Wake as many as there is capacity for. All at once would hold up the event loop, and with it the Lease."""
        free = max(0, (self._concurrency if self._limit is None else self._limit) - self._in_flight)
        for _ in range(min(free, len(self._waiting))):
            _, wake = self._waiting.popitem(last=False)
            wake()
