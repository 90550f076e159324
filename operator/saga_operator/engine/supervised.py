"""A worker that dies of an unexpected error costs its own saga alone: its resource says so, and it is begun again."""

import asyncio
import logging
import random
from typing import Final

from common.kube import KubeError, ObjectNotFound
from saga_operator import metrics
from saga_operator.engine.calls.call_pace import CallPace
from saga_operator.engine.worker import Shared, Worker
from saga_operator.process import reasons
from saga_operator.process.saga import Saga
from saga_operator.resource.body import Resource
from saga_operator.resource.kube_events import KubernetesEvent
from saga_operator.resource.status import with_worker_failure

log = logging.getLogger(__name__)

LONGEST: Final = 300.0
"""Seconds between two attempts at the most. A change of the resource ends the pause, since it may be the repair."""
SHORTEST: Final = 1.0
HEALTHY: Final = 300.0
"""Seconds. A failure after so long a time of work is the first of its row: what ailed the saga before was repaired."""


class SupervisedWorker:
    """One saga, worked on for as long as it takes."""

    def __init__(self, resource: Resource, shared: Shared) -> None:
        self._shared = shared
        self._newest = resource
        self._worker: Worker | None = None
        self._changed = asyncio.Event()
        self._failures = 0
        self.name = resource.name
        self.uid = resource.uid
        self.began = shared.clock.now()
        """Seconds since the epoch."""
        self.pace = CallPace()
        """How fast it calls."""

    @property
    def saga(self) -> Saga | None:
        """As it is known now; None while its resource can't be worked on."""
        return None if self._worker is None else self._worker.saga

    @property
    def resource(self) -> Resource:
        """The resource as it was last read or written."""
        return self._newest if self._worker is None else self._worker.resource

    def notify(self, resource: Resource) -> None:
        """Take note of the resource as a watch event or a list shows it. An older version than the known is ignored."""
        if self._worker is not None:
            self._worker.notify(resource)
        elif resource.version > self._newest.version:
            self._newest = resource
            self._changed.set()

    def restored(self, resource: Resource) -> None:
        """Go on from this version, though it is older than the known one: etcd was restored to an older state."""
        if self._worker is not None:
            self._worker.restored(resource)
        else:
            self._newest = resource
            self._changed.set()

    def look(self) -> None:
        """Decide again."""
        if self._worker is not None:
            self._worker.look()
        else:
            self._changed.set()

    def doubt(self) -> None:
        """Read the resource before anything else is done for it: it may be gone."""
        if self._worker is not None:
            self._worker.doubt()
        else:
            self._changed.set()

    async def run(self) -> None:
        """Work until the saga has ended and is recorded as such, or its resource is gone."""
        while True:
            worker, now = None, asyncio.get_running_loop().time
            began = now()
            try:
                worker = Worker(self._newest, self._shared)
                worker.pace = self.pace
                await self._run(worker)
                return
            except (Exception, asyncio.CancelledError) as error:
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise  # a cancellation that nobody asked for leaks from a task that was waited for
                self._failures = 0 if now() - began > HEALTHY else self._failures
                if worker is not None:
                    self._newest = worker.resource
                self._worker = None
                if not await self._contain(error):
                    return

    async def _run(self, worker: Worker) -> None:
        metrics.worker_started(worker.saga)
        self._worker = worker
        try:
            await worker.run()
        finally:
            metrics.worker_ended(worker.saga, self._shared.clock.now())

    async def _contain(self, error: Exception | asyncio.CancelledError) -> bool:
        """Say what happened, wait, and read the resource again. False if it is gone."""
        self._failures += 1
        seconds = max(SHORTEST, min(LONGEST, 2.0 ** min(self._failures, 10)) * (0.5 + random.random() / 2))  # noqa: S311
        fields = {"order": self.name}
        log.error("saga %s stopped, again in %.0f s: %r", self.name, seconds, error, exc_info=error, extra=fields)
        metrics.WORKER_FAILURES.inc()
        said = f"the operator could not work on this saga: {error!r}. It tries again"
        if self._failures == 1:
            self._shared.events.add(self._newest, KubernetesEvent("Warning", reasons.WORKER_FAILED, said))
        await self._say(f"{said} (failures in a row: {self._failures})")
        self._changed.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
            await asyncio.sleep(SHORTEST)  # also if somebody changes it all the time
        except TimeoutError:
            pass
        try:
            self._newest = await self._shared.writer.read(self.name)
        except ObjectNotFound:
            return False
        return self._newest.uid == self.uid

    async def _say(self, message: str) -> None:
        """In a condition, if that can be written: what ails the saga may be its status."""
        try:
            patch = with_worker_failure(self._newest, message, self._shared.clock.now())
            self._newest = await self._shared.writer.write("status", self.name, patch)
        except KubeError as error:
            log.info("saga %s: its condition was not written: %s", self.name, error, extra={"order": self.name})
        except Exception as error:
            log.info("saga %s: its conditions can't be read: %r", self.name, error, extra={"order": self.name})
