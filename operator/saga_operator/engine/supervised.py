"""A worker that dies of an unexpected error costs its own saga alone: its resource says so, and it is begun again.

One that has nothing to do for a while rests: then nothing of it is left but what it remembers, until it is woken by its
time, a change of its resource, or its turn at a participant.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Final

from common.kube import ObjectNotFound
from saga_operator import metrics
from saga_operator.engine.calls.call_pace import CallPace
from saga_operator.engine.mishaps import tell
from saga_operator.engine.resting import Rest, seen_of
from saga_operator.engine.shared import Shared
from saga_operator.engine.worker import Worker
from saga_operator.live_sagas import LiveSaga
from saga_operator.process.saga import Phase, Saga
from saga_operator.resource.about import about
from saga_operator.resource.attempts import History
from saga_operator.resource.body import Resource

log = logging.getLogger(__name__)

LONGEST: Final = 300.0
"""Seconds between two attempts at the most. A change of the resource ends the pause, since it may be the repair."""
SHORTEST: Final = 1.0
HEALTHY: Final = 300.0
"""Seconds. A failure after so long a time of work is the first of its row: what ailed the saga before was repaired."""


class SupervisedWorker:
    """One saga, worked on for as long as it takes."""

    __slots__ = (
        "_alarm",
        "_changed",
        "_failures",
        "_newest",
        "_on_wake",
        "_rest",
        "_shared",
        "_since",
        "_worker",
        "began",
        "has_ended",
        "name",
        "pace",
        "place",
        "task",
        "uid",
    )

    def __init__(
        self,
        resource: Resource,
        shared: Shared,
        on_wake: Callable[["SupervisedWorker"], None] = lambda _: None,
        *,
        place: float = 0.0,
    ) -> None:
        """`on_wake` is called when it is to `run` again after a rest."""
        self._shared = shared
        self._newest: Resource | None = resource
        self._worker: Worker | None = None
        self._rest: Rest | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._changed: asyncio.Event | None = None
        self._failures = 0
        self._since = 0.0
        """When the worker has begun, in seconds of the event loop's clock."""
        self._on_wake = on_wake
        self.has_ended = False
        """There is nothing left to do."""
        self.task: asyncio.Task[None] | None = None
        """Whoever runs it keeps the task here."""
        self.name = resource.name
        self.uid = resource.uid
        self.began = shared.clock.now()
        """Seconds since the epoch."""
        self.pace = CallPace()
        """How fast it calls."""
        self.place = place
        """Lower for older sagas: those with high ones make room first."""

    @property
    def saga(self) -> Saga | None:
        """As it is known now; None while its resource can't be worked on."""
        if self._rest is not None:
            return self._rest.saga
        return None if self._worker is None else self._worker.saga

    @property
    def history(self) -> History:
        """Of each step: its last attempts, as far as they are known while it is at work."""
        return {} if self._worker is None else self._worker.history

    @property
    def is_resting(self) -> bool:
        """Whether there is nothing to do for a while."""
        return self._rest is not None

    @property
    def waits_for_a_person(self) -> bool:
        """Whether only a change of its resource wakes it."""
        return self._rest is not None and self._rest.until is None and not self._rest.places.waits

    @property
    def phase(self) -> Phase:
        """Pending also while its resource can't be worked on."""
        if self._rest is not None:
            return self._rest.seen.phase
        return Phase.PENDING if self._worker is None else self._worker.saga.phase

    def seen(self) -> LiveSaga:
        """What is shown of it beside all others; nothing is unpacked for that."""
        if self._rest is not None:
            return self._rest.seen
        if self._worker is None:  # its resource can't be worked on
            return LiveSaga(Phase.PENDING, self.began, self.began)
        return seen_of(self._worker.saga)

    @property
    def version(self) -> int:
        """Of the resource as it was last read or written."""
        if self._rest is not None:
            return self._rest.version
        return 0 if self._knows_nothing else self.resource.version

    @property
    def _knows_nothing(self) -> bool:
        """Whether its resource has to be read before anything else."""
        return self._rest is None and self._worker is None and self._newest is None

    @property
    def resource(self) -> Resource:
        """The resource as it was last read or written."""
        if self._rest is not None:
            return self._rest.resource
        if self._worker is not None:
            return self._worker.resource
        assert self._newest is not None  # noqa: S101 - for the type checker
        return self._newest

    def about(self) -> dict[str, str]:
        """The fields of a log line about its saga."""
        return {"order": self.name} if self._knows_nothing else about(self.resource)

    def notify(self, resource: Resource) -> None:
        """Take note of the resource as a watch event or a list shows it. An older version than the known is ignored."""
        if self._rest is not None and resource.version <= self._rest.version:
            return
        if (worker := self._awake()) is not None:
            worker.notify(resource)
        elif resource.version > self.version:
            self._newest = resource
            self._change()

    def restored(self, resource: Resource) -> None:
        """Go on from this version, though it is older than the known one: etcd was restored to an older state."""
        if (worker := self._awake()) is not None:
            worker.restored(resource)
        else:
            self._newest = resource
            self._change()

    def look(self) -> None:
        """Decide again."""
        if (worker := self._awake()) is not None:
            worker.look()
        else:
            self._change()

    def doubt(self) -> None:
        """Read the resource before anything else is done for it: it may be gone."""
        if (worker := self._awake()) is not None:
            worker.doubt()
        else:
            self._change()

    def _change(self) -> None:
        if self._changed is not None:
            self._changed.set()

    def _awake(self) -> Worker | None:
        """The worker; if it rests, it begins again."""
        if self._rest is not None:
            rest, self._rest = self._rest, None
            if self._alarm is not None:
                self._alarm.cancel()
                self._alarm = None
            try:
                self._worker = Worker.resumed(rest, self._shared)
                self._worker.pace = self.pace
            except Exception as error:  # of memory, say: it begins anew, as after any unexpected error
                log.error("saga %s begins anew: %r", self.name, error, exc_info=error, extra=about(rest.resource))
                metrics.WORKER_FAILURES.inc()
                rest.places.forget()
                metrics.worker_left(rest.seen.phase)
            self._on_wake(self)
        return self._worker

    def _turn_came(self, step: str) -> None:
        if (worker := self._awake()) is not None:
            worker.woken(step)

    def end(self) -> None:
        """End it though no task runs it: its resource is gone, or the operator stops."""
        self.has_ended = True
        if self._alarm is not None:
            self._alarm.cancel()
        if self._rest is not None:
            phase, places, self._rest = self._rest.seen.phase, self._rest.places, None
            places.forget()
            metrics.worker_left(phase)
        elif self._worker is not None:
            self._worker.forget()
            metrics.worker_left(self._worker.saga.phase)
        self._worker = None

    async def run(self) -> None:
        """Work until the saga has ended and is recorded as such, or its resource is gone: then it `has_ended`.

        It returns as well when there is nothing to do for a while. `on_wake` says when to call this again.
        """
        self._shared.awake.count += 1
        try:
            await self._run_again_and_again()
        except BaseException:
            self.has_ended = True
            raise
        finally:
            self._shared.awake.count -= 1

    async def _run_again_and_again(self) -> None:
        while True:
            worker, now = None, asyncio.get_running_loop().time
            if self._worker is None:
                self._since = now()
            began = self._since
            try:
                if self._knows_nothing and not await self._find():
                    self.has_ended = True
                    return
                worker = self._worker or self._begin()
                if (rest := await self._run(worker)) is not None:
                    self._go_to_rest(rest)
                else:
                    self.has_ended = True
                return
            except (Exception, asyncio.CancelledError) as error:
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise  # a cancellation that nobody asked for leaks from a task that was waited for
                self._failures = 0 if now() - began > HEALTHY else self._failures
                if worker is not None:
                    self._newest = worker.resource
                self._worker = None
                if not await self._contain(error):
                    self.has_ended = True
                    return

    def _begin(self) -> Worker:
        worker = Worker(self.resource, self._shared)
        worker.pace = self.pace
        metrics.worker_started(worker.saga)
        self._worker, self._newest = worker, None
        return worker

    async def _run(self, worker: Worker) -> Rest | None:
        rest: Rest | None = None
        try:
            rest = await worker.run()
        finally:
            if rest is None:
                metrics.worker_ended(worker.saga, self._shared.clock.now(), trace_id=worker.kept_trace)
        return rest

    def _go_to_rest(self, rest: Rest) -> None:
        self._rest, self._worker = rest, None
        rest.places.on_turn = self._turn_came
        if rest.until is not None:
            seconds = max(0.0, rest.until - self._shared.clock.now())
            self._alarm = asyncio.get_running_loop().call_later(seconds, self._awake)

    async def _contain(self, error: Exception | asyncio.CancelledError) -> bool:
        """Say what happened, wait, and read the resource again. False if it is gone."""
        self._failures += 1
        seconds = max(SHORTEST, min(LONGEST, 2.0 ** min(self._failures, 10)) * (0.5 + random.random() / 2))  # noqa: S311
        self._newest = await tell(error, self.resource, self._shared, failures=self._failures, seconds=seconds)
        changed = self._changed = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                await changed.wait()
            await asyncio.sleep(SHORTEST)  # also if somebody changes it all the time
        except TimeoutError:
            pass
        return await self._find()

    async def _find(self) -> bool:
        """Read the resource. False if it is gone."""
        try:
            self._newest = await self._shared.writer.read(self.name)
        except ObjectNotFound:
            return False
        return self._newest.uid == self.uid
