"""Sagas that call one participant as workers do, on a clock that jumps to whatever comes next."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from saga_operator.engine.calls.breaker import CircuitBreaker
from saga_operator.process import reasons
from saga_operator.process.events import NoUsableAnswer, Outcome, Paused, Succeeded

HANG = 5.0
"""Seconds after which the operator gives up a call."""


class _JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting for so long, it is so much later."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("everybody waits for ever")
        self.now += max(0.0, timeout)
        return super().select(0)


class _JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def jump(self, seconds: float) -> None:
        self._jumping.now += seconds


def stand_still(seconds: float) -> None:
    """Let the process of a `simulated` story stand still for so long, as between SIGSTOP and SIGCONT."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, _JumpingLoop)
    loop.jump(seconds)


def simulated(main: Coroutine[Any, Any, None]) -> None:
    """Run it on a clock of its own: an hour takes no time."""
    with asyncio.Runner(loop_factory=_JumpingLoop) as runner:
        runner.run(main)


@dataclass
class Saga:
    """One saga; `behaves(now)` says of a call that begins now what comes of it: an outcome, and after which time."""

    name: str
    behaves: Callable[[float], tuple[str, float]]
    arrives: float = 0.0
    undo: bool = False
    leaves: float | None = None
    """A person suspends it then."""
    deaf: bool = False
    """Its worker is busy with something else for ever."""
    calls: list[float] = field(default_factory=list)
    attempts: int = 0
    """Calls that cost it an attempt."""
    answered: float | None = None


def always(outcome: str, seconds: float = 0.05) -> Callable[[float], tuple[str, float]]:
    """`answer`, `nothing` (no answer), `unsent`, or how many seconds it asks for (`503 20`), after so many seconds."""
    return lambda _: (outcome, seconds)


def from_then_on(well: float, *, down_for: float = 0.0, seconds: float = 0.05) -> Callable[[float], tuple[str, float]]:
    """Answered from `well` on; before that no answer after `down_for` seconds (0: the connection is refused)."""
    return lambda now: ("answer", seconds) if now >= well else ("nothing", down_for)


class Network:
    """The breaker of one participant and its sagas."""

    def __init__(self, *, concurrency: int = 32, rate: float = 0.0) -> None:
        self.breaker = CircuitBreaker("payment", now=self.now, concurrency=concurrency, rate=rate)
        self.in_flight = self.most_in_flight = 0
        self.openings = 0
        self.down_seconds = 0.0

    @staticmethod
    def now() -> float:
        return asyncio.get_running_loop().time()

    async def run(self, sagas: list[Saga], *, until: float) -> None:
        """Let them all arrive and call; stop at that time, or when all that can be answered are."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._live(saga)) for saga in sagas]
            watch = group.create_task(self._watch())
            await asyncio.wait(tasks, timeout=until - self.now())
            for task in (*tasks, watch):
                task.cancel()

    async def _watch(self) -> None:
        was = False
        while True:
            if self.breaker.is_open:
                self.openings += not was
                self.down_seconds += 0.1
            was = self.breaker.is_open
            await asyncio.sleep(0.1)

    async def _live(self, saga: Saga) -> None:
        await asyncio.sleep(saga.arrives - self.now())
        try:
            async with asyncio.timeout_at(saga.leaves):
                await self._call_until_answered(saga)
        except TimeoutError:
            pass
        finally:
            self.breaker.forget(saga.name)

    async def _call_until_answered(self, saga: Saga) -> None:
        breaker, woken = self.breaker, asyncio.Event()
        while saga.answered is None:
            woken.clear()
            if not breaker.take(saga.name, woken.set, undo=saga.undo):
                await woken.wait()
                if saga.deaf:
                    await asyncio.Event().wait()
                continue
            with breaker.call(saga.name):
                outcome = await self._one_call(saga)
                event = breaker.record_outcome(saga.name, outcome)
            if isinstance(event, Paused):
                await asyncio.sleep(event.until - self.now())
                continue
            saga.attempts += 1
            if isinstance(event, NoUsableAnswer):
                await asyncio.sleep(max(min(2.0**saga.attempts, 30.0), event.retry_after or 0.0))

    async def _one_call(self, saga: Saga) -> Outcome:
        saga.calls.append(self.now())
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        what, seconds = saga.behaves(self.now())
        try:
            await asyncio.sleep(seconds)
        finally:
            self.in_flight -= 1
        if what == "answer":
            saga.answered = self.now()
            return Succeeded(step="payment", started=0, at=0)
        kind, _, asked = what.partition(" ")
        reason = {"unsent": reasons.NOT_SENT, "503": reasons.UNAVAILABLE}.get(kind, reasons.NO_ANSWER)
        retry_after = float(asked) if asked else None
        return NoUsableAnswer(step="payment", started=0, at=0, undo=saga.undo, reason=reason, retry_after=retry_after)
