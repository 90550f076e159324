"""The circuit breaker of one participant, with the bounds on its calls: how many at once, and how many a second.

A participant that is down must neither use up the retry budgets of thousands of sagas nor be overrun when it returns.
`verdict` says when it counts as down and how many calls it may get, `turns` says whose call is next; in here they meet
the clock. Each call needs a turn. A saga that gets none waits for one, looks after itself meanwhile (a cancel, its
deadline), and leaves the line when it has nothing to call any more. The resource shows the waiting while the
participant counts as down (reason WaitingForDownstream). docs/adr/0011 has the reasons. A person may pause the
participant as well: then nobody gets a turn, and to the sagas it is as if it were down.
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
from saga_operator.resource.participant import Availability

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
        self._held = ""
        """What is said of calls that are held since it is paused; empty: it isn't."""
        self._was = (False, False)
        """Whether it was down, and paused, when that was said for the last time."""
        self._has_answered = False
        self._cause = ("", "")
        """Why the last call got no usable answer: reason and message."""
        self.on_change: Callable[[], None] = lambda: None
        """Called when it goes down or is back, is paused or isn't, and when a first call is answered."""
        self._timer: asyncio.TimerHandle | None = None
        self._unaware: dict[str, None] = {}
        """Those who have begun to wait before it became as it is, in their order."""
        self._telling: asyncio.TimerHandle | None = None
        metrics.BREAKER.labels(name).set(0)
        metrics.PAUSED.labels(name).set(0)
        metrics.IN_FLIGHT.labels(name).set_function(lambda: len(self._calls))
        metrics.WAITING.labels(name).set_function(lambda: len(self._turns))

    @property
    def is_open(self) -> bool:
        """Whether calls are held back: the participant counts as down (also while it is probed), or is paused."""
        return self._verdict.is_down or bool(self._held)

    @property
    def reason(self) -> str:
        """What is said of calls that are held back."""
        return reasons.PARTICIPANT_PAUSED if self._held else reasons.WAITING_FOR_DOWNSTREAM

    @property
    def availability(self) -> Availability:
        """What is known of the participant now."""
        reason, message = self._cause if self._verdict.is_down else ("", "")
        return Availability(
            is_paused=bool(self._held),
            is_down=self._verdict.is_down,
            has_answered=self._has_answered,
            in_flight=len(self._calls),
            waiting=len(self._turns),
            reason=reason,
            message=message,
        )

    def bound(self, *, concurrency: int, rate: float) -> None:
        """Other bounds from now on; as in the constructor."""
        self._interval = 1.0 / rate if rate > 0 else 0.0
        self._next_slot = min(self._next_slot, self._time() + self._interval)
        self._verdict.concurrency = concurrency
        self._settle()

    def pause(self, why: str) -> None:
        """Give no more turns until `resume`: a person has paused the participant. `why` is for people, or empty."""
        self._held = f"{self._name} is paused{f' ({why})' if why else ''}; its calls wait until it is Active again"
        self._unaware = dict.fromkeys(self._wakes)
        self._settle()

    def resume(self) -> None:
        """Give turns again."""
        if self._held:
            self._held, self._has_answered = "", False
            self._unaware = dict.fromkeys(self._wakes)  # if it is down still, that is what they wait for now
            self._settle()

    def take(self, saga: str, wake: Callable[[], None], *, undo: bool) -> bool:
        """Take a turn: True if the saga is to call now, inside `call`. Else it waits for its turn until it leaves.

        `wake` is called when it is its turn, for it to ask again within `CLAIM_WITHIN`, and when the participant goes
        down. An undo goes first: it holds money or goods.
        """
        now = self._time()
        if self._held and (timer := self._granted.pop(saga, None)) is not None:  # it came too late for its turn
            timer.cancel()
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
        self._cause = (outcome.reason, outcome.message)
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
        if not self._has_answered:
            self._has_answered = True
            self.on_change()

    def hold(self, step: str, *, undo: bool, started: float) -> Paused:
        """The event of a call that is not made, since calls are held back: the saga waits for its turn."""
        return self._paused(step, started, WAIT_AT_MOST, undo=undo)

    def probe_now(self) -> None:
        """Probe at once, although the participant asked for time: a person says so."""
        self._verdict.probe_now(self._time())
        self._settle()

    def _paused(self, step: str, started: float, seconds: float, *, undo: bool, cause: str = "") -> Paused:
        now = self._now()
        text = self._held or f"{self._name} is down; its calls wait and single ones probe. {cause}".strip()
        return Paused(
            step=step, started=started, at=now, undo=undo, until=now + seconds, message=text, reason=self.reason
        )

    @staticmethod
    def _time() -> float:
        return asyncio.get_running_loop().time()

    def _has_room(self, now: float) -> bool:
        has_room = not self._held and len(self._calls) + len(self._granted) < self._verdict.limit
        return has_room and now >= self._next_slot

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
        if not self._held and len(self._turns) and len(self._calls) + len(self._granted) < self._verdict.limit:
            dues = (self._verdict.due(tried=kind) for kind in (False, True) if self._turns.has(tried=kind))
            times.append(max(self._next_slot, min(dues)))
        if times:
            # a timer may come a little early: a loop of turns that aren't due yet would be a busy one
            self._timer = asyncio.get_running_loop().call_at(max(min(times), now + 0.001), self._settle)

    def _show(self) -> None:
        """Log and count a change, and tell those who wait that calls are held back."""
        before, now = self._was, (self._verdict.is_down, bool(self._held))
        if before == now:
            return
        self._was = now
        (was_down, _), (is_down, _) = before, now
        metrics.BREAKER.labels(self._name).set(is_down)
        metrics.PAUSED.labels(self._name).set(bool(self._held))
        if is_down and not was_down:
            log.warning("%s is down: several sagas in a row got no usable answer", self._name)
        elif was_down and not is_down:
            log.info("%s is back", self._name)
        if any(now) and self._unaware and self._telling is None:
            self._tell()
        self.on_change()

    def _tell(self) -> None:
        self._telling = None
        for saga in list(islice(self._unaware, TELL_AT_ONCE)):
            del self._unaware[saga]
            self._wakes[saga]()
        if self._unaware:
            self._telling = asyncio.get_running_loop().call_later(TELL_EVERY, self._tell)
