"""The circuit breaker of one participant, with the bounds on its calls: how many at once, and how many a second.

A participant that is down must neither use up the retry budgets of thousands of sagas nor be overrun when it returns.
`verdict` says when it counts as down and how many calls it may get, `turns` says whose call is next; in here they meet
the clock. Each call needs a turn. A saga that gets none waits for one, looks after itself meanwhile (a cancel, its
deadline), and leaves the line when it has nothing to call any more. The resource shows the waiting while the
participant counts as down (reason WaitingForDownstream). docs/adr/0011 has the reasons.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Final

from saga_operator import metrics
from saga_operator.engine.calls.turns import Turns
from saga_operator.engine.calls.verdict import Verdict
from saga_operator.process import reasons
from saga_operator.process.events import NoUsableAnswer, Outcome, Paused

log = logging.getLogger(__name__)

CLAIM_WITHIN: Final = 1.0
"""Seconds in which a saga has to use its turn. One that can't (its worker waits for the API server) loses it."""
WAIT_AT_MOST: Final = 600.0
"""Seconds. A waiting saga is woken as soon as it is its turn; this is for wake-ups that are lost. With tens of
thousands of waiting sagas, looking more often would be most of what the operator does.
"""
TELL_AT_ONCE: Final = 100
"""Waiting sagas that are told at once that the participant is down: all at once would hold up the event loop."""
TELL_EVERY: Final = 0.05
"""Seconds between two such lots."""
CATCH_UP: Final = 0.05
"""Seconds that a rate may lag behind: timers of the event loop are late by some milliseconds."""
DOWN: Final = frozenset({reasons.NO_ANSWER, reasons.UNAVAILABLE, reasons.NOT_AUTHORIZED})
"""What says something about the participant, as opposed to the call."""


class CircuitBreaker:
    """The breaker, the bound and the rate limit of one participant. Usable inside one event loop."""

    def __init__(self, name: str, *, now: Callable[[], float], concurrency: int, rate: float) -> None:
        """`now`: seconds since the epoch, for events. `rate`: calls a second, or 0 for no limit."""
        self._name = name
        self._now = now
        self._interval = 1.0 / rate if rate > 0 else 0.0
        self._next_slot = 0.0
        self._turns = Turns()
        self._wakes: dict[str, Callable[[], None]] = {}
        self._granted: dict[str, asyncio.TimerHandle] = {}
        self._calls: dict[str, float] = {}
        """When each call in flight has started (of the event loop's clock)."""
        self._verdict = Verdict(concurrency, lambda: len(self._calls) + len(self._turns))
        self._was_down = False
        self._timer: asyncio.TimerHandle | None = None
        self._unaware: dict[str, None] = {}
        """Those who have begun to wait while it was up, in their order."""
        self._telling: asyncio.TimerHandle | None = None
        metrics.BREAKER.labels(name).set(0)

    @property
    def is_open(self) -> bool:
        """Whether the participant counts as down (also while it is probed)."""
        return self._verdict.is_down

    def take(self, saga: str, wake: Callable[[], None], *, undo: bool) -> bool:
        """Take a turn: True if the saga is to call now, inside `call`. Else it waits for its turn until it leaves.

        `wake` is called when it is its turn, for it to ask again within `CLAIM_WITHIN`, and when the participant goes
        down. An undo goes first: it holds money or goods.
        """
        now = self._time()
        if saga not in self._granted and saga not in self._turns:
            due = self._verdict.due(tried=self._verdict.failures(saga) > 0)
            if not len(self._turns) and self._has_room(now) and now >= due:  # the usual case: nobody waits
                self._use_slot(now)
                self._calls[saga] = now
                return True
            self._turns.join(saga, undo=undo, failures=self._verdict.failures(saga))
            self._wakes[saga] = wake
            if not self.is_open:
                self._unaware[saga] = None
            self._settle()
        if (timer := self._granted.pop(saga, None)) is None:
            return False
        timer.cancel()
        self._calls[saga] = now
        return True

    def leave(self, saga: str) -> None:
        """Give up a place in the line, or a turn that isn't used, which is the next one's at once."""
        self._turns.leave(saga)
        self._wakes.pop(saga, None)
        self._unaware.pop(saga, None)
        if (timer := self._granted.pop(saga, None)) is not None:
            timer.cancel()
            self._settle()

    def forget(self, saga: str) -> None:
        """This saga makes no calls any more."""
        self.leave(saga)
        self._verdict.forget(saga)

    @contextmanager
    def call(self, saga: str) -> Iterator[None]:
        """Around a call for which a turn was taken, and around the record of its outcome."""
        try:
            yield
        finally:
            self._calls.pop(saga, None)
            self._settle()

    def record_outcome(self, saga: str, outcome: Outcome) -> Outcome | Paused:
        """Count the outcome and return it, or a `Paused` in its place: while the participant counts as down, a call
        without a usable answer does not use up the saga's attempts. The saga takes its next turn when that is over.
        """
        if isinstance(outcome, NoUsableAnswer) and outcome.reason == reasons.NOT_SENT:
            return outcome
        if not isinstance(outcome, NoUsableAnswer) or outcome.reason not in DOWN:
            self.record_answer(saga)
            return outcome
        now, asked = self._time(), outcome.retry_after
        started = self._calls.get(saga, now)
        own = self._verdict.failed(saga, started=started, now=now, retry_after=asked)
        self._settle()
        if own or not self.is_open:
            return outcome
        seconds = self._verdict.pause_of(saga, asked)
        return self._paused(outcome.step, outcome.started, seconds, undo=outcome.undo, cause=outcome.message)

    def record_answer(self, saga: str) -> None:
        """Count an answer that is no outcome of the step: it shows that the participant is there."""
        self._verdict.answered(saga, now=self._time())
        self._settle()

    def pause(self, step: str, *, undo: bool, started: float) -> Paused:
        """The event of a call that is not made, since the participant is down: the saga waits for its turn."""
        return self._paused(step, started, WAIT_AT_MOST, undo=undo)

    def probe_now(self) -> None:
        """Probe at once, although the participant asked for time: a person says so."""
        self._verdict.probe_now(self._time())
        self._settle()

    def _paused(self, step: str, started: float, seconds: float, *, undo: bool, cause: str = "") -> Paused:
        now = self._now()
        text = f"{self._name} is down; its calls wait and single ones probe. {cause}".strip()
        return Paused(step=step, started=started, at=now, undo=undo, until=now + seconds, message=text)

    @staticmethod
    def _time() -> float:
        return asyncio.get_running_loop().time()

    def _has_room(self, now: float) -> bool:
        return len(self._calls) + len(self._granted) < self._verdict.limit and now >= self._next_slot

    def _use_slot(self, now: float) -> None:
        if self._interval:
            self._next_slot = max(self._next_slot, now - CATCH_UP) + self._interval

    def _settle(self) -> None:
        """Give the turns that are free now, and look again when the next one is."""
        now = self._time()
        self._verdict.look(now)
        self._show()
        if not len(self._turns) and self._timer is None and not self.is_open:  # the usual case: nobody waits
            return
        while self._has_room(now):
            saga = self._turns.next(
                untried=now >= self._verdict.due(tried=False), tried=now >= self._verdict.due(tried=True)
            )
            if saga is None:
                break
            self._use_slot(now)
            loop = asyncio.get_running_loop()
            self._granted[saga] = loop.call_later(CLAIM_WITHIN, self._lapsed, saga)
            self._unaware.pop(saga, None)
            self._wakes.pop(saga)()
        self._look_again(now)

    def _lapsed(self, saga: str) -> None:
        self._granted.pop(saga, None)
        self._settle()

    def _look_again(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        times = [time for time in (self._verdict.calm_at(),) if time is not None]
        if len(self._turns) and len(self._calls) + len(self._granted) < self._verdict.limit:
            dues = (self._verdict.due(tried=kind) for kind in (False, True) if self._turns.has(tried=kind))
            times.append(max(self._next_slot, min(dues)))
        if times:
            # a timer may come a little early: a loop of turns that aren't due yet would be a busy one
            self._timer = asyncio.get_running_loop().call_at(max(min(times), now + 0.001), self._settle)

    def _show(self) -> None:
        """Log and count a change, and tell those who wait that the participant is down."""
        if self._was_down == self.is_open:
            return
        self._was_down = self.is_open
        metrics.BREAKER.labels(self._name).set(self.is_open)
        if not self.is_open:
            log.info("%s is back", self._name)
            return
        log.warning("%s is down: several sagas in a row got no usable answer", self._name)
        if self._telling is None:
            self._tell()

    def _tell(self) -> None:
        self._telling = None
        for saga in list(islice(self._unaware, TELL_AT_ONCE)):
            del self._unaware[saga]
            self._wakes[saga]()
        if self._unaware:
            self._telling = asyncio.get_running_loop().call_later(TELL_EVERY, self._tell)
