"""The workers of all live sagas of one namespace: when one starts, what it is told, and what follows its end.

The API server is the only source of truth. Everything in here can be lost at any moment.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from saga_operator import metrics
from saga_operator.engine.finalizers import FinalizerQueue
from saga_operator.engine.tasks import Tasks
from saga_operator.engine.worker import Shared, Worker
from saga_operator.process.saga import FINISHED, Phase
from saga_operator.resource.body import Resource

log = logging.getLogger(__name__)

REMEMBERED: Final = 50_000
"""Finished sagas whose last version is kept against late events: about 10 MB, hours of a busy shop."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The last version that was seen of a finished saga, and when (monotonic seconds)."""

    version: int
    at: float


class Engine:
    """A worker for each live saga. Usable inside one event loop."""

    def __init__(self, shared: Shared, finalizers: FinalizerQueue) -> None:
        self._shared = shared
        self._finalizers = finalizers
        self._tasks = Tasks()
        self._workers: dict[str, tuple[Worker, asyncio.Task[None]]] = {}
        self._stopped = False
        self._finished: OrderedDict[str, Remembered] = OrderedDict()

    async def stop(self) -> None:
        """Stop all workers at once: the next operator makes the calls that are in flight again, with the same keys."""
        self._stopped = True
        await self._tasks.stop()

    @property
    def workers(self) -> Mapping[str, str]:
        """The names of the sagas that are worked on, by uid."""
        return {uid: worker.name for uid, (worker, _) in self._workers.items()}

    def resource_seen(self, resource: Resource, *, listed_at: float | None = None) -> bool:
        """Take note of a resource from the watch or (`listed_at`, monotonic seconds) from a list; never awaits.

        Stale news is ignored: of a saga that is worked on by its version, of a finished one by the version that was
        remembered. Only a list that began after the end and still shows the saga live means that etcd was restored.

        Returns:
            Whether a worker was started.
        """
        if self._stopped:
            return False
        uid = resource.uid
        if uid in self._workers:
            self._workers[uid][0].notify(resource)
            return False
        if resource.finished:
            if resource.has_finalizer:
                self._finalizers.add(resource.name, uid, urgent=resource.deleting)
            return False
        known = self._finished.get(uid)
        if known is not None and resource.version <= known.version:
            if listed_at is None or listed_at < known.at:
                return False
            log.warning("an older version of finished saga %s is listed: etcd was restored", resource.name)
            del self._finished[uid]
        if resource.deleting and not resource.has_finalizer:
            return False
        worker = Worker(resource, self._shared)
        metrics.worker_started(worker.saga)
        task = self._tasks.start(worker.run(), f"saga {worker.name}", order=worker.name)
        self._workers[uid] = (worker, task)
        task.add_done_callback(lambda task: self._worker_ended(worker, task))
        return True

    def resource_deleted(self, resource: Resource) -> None:
        """Take note of a DELETED event. Without a deletionTimestamp the resource only left the watch's selector."""
        uid = resource.uid
        if not resource.deleting:
            if uid in self._workers:
                self._workers[uid][0].notify(resource)
            return
        if uid in self._workers and not resource.has_finalizer:
            self.stop_worker(uid)

    def stop_worker(self, uid: str) -> None:
        """End the worker of a resource that is gone."""
        worker, task = self._workers[uid]
        name = worker.name
        log.warning("resource %s is gone: its saga can't be recorded any more", name, extra={"order": name})
        task.cancel()

    def _worker_ended(self, worker: Worker, task: asyncio.Task[None]) -> None:
        del self._workers[worker.uid]
        saga, resource = worker.saga, worker.resource
        metrics.worker_ended(saga, self._shared.clock.now())
        # A worker that failed is a defect of ours, which is in the log: the next resync starts the saga again.
        if task.cancelled() or task.exception() is not None or saga.phase not in FINISHED:
            return
        self._finished[worker.uid] = Remembered(resource.version, time.monotonic())
        while len(self._finished) > REMEMBERED:
            self._finished.popitem(last=False)
        if resource.has_finalizer:
            self._finalizers.add(worker.name, worker.uid, urgent=saga.deleting, resource=resource)
        reason = "" if saga.phase is Phase.COMPLETED or saga.failure is None else f" ({saga.failure.reason})"
        log.info("saga finished: %s%s", saga.phase, reason, extra={"order": worker.name})
