"""The workers of all live sagas of one namespace: when one starts, what it is told, and what follows its end.

The API server is the only source of truth. Everything in here can be lost at any moment.
"""

import asyncio
import gc
import logging
import sys
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from saga_operator import metrics
from saga_operator.engine.admission import Admission
from saga_operator.engine.records.finalizers import FinalizerQueue
from saga_operator.engine.shared import Shared
from saga_operator.engine.supervised import SupervisedWorker
from saga_operator.engine.tasks import Tasks
from saga_operator.engine.timetable import Timetable
from saga_operator.engine.waiting_room import FIRST
from saga_operator.process.saga import FINISHED, Phase, Saga
from saga_operator.resource.about import about
from saga_operator.resource.body import Resource

log = logging.getLogger(__name__)

REMEMBERED: Final = 50_000
"""Finished sagas whose last version is kept against late events: about 10 MB, hours of a busy shop."""

COLLECT_EVERY: Final = 1_000
"""Sagas taken up, after which garbage is collected. After a start they come by the thousand, each with an event that
kopf has unpacked: 8 KB that refer to themselves. Python would take most of them for old, and look at those much later.
"""


@dataclass(frozen=True, slots=True)
class Listing:
    """What was known when a consistent list of the resources began: no version in it may be lower."""

    began: float
    """Monotonic seconds."""
    versions: Mapping[str, int]
    """Of the resources that were worked on, by uid."""
    highest: int
    """The highest version of any resource."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The last version that was seen of a finished saga, and when (monotonic seconds)."""

    version: int
    at: float


class Engine:
    """A worker for each live saga. Usable inside one event loop."""

    def __init__(
        self, shared: Shared, finalizers: FinalizerQueue, expiries: Timetable | None = None, *, most: int = sys.maxsize
    ) -> None:
        """`expiries`: where the names of sagas that end are noted, and when their time to live is over.

        `most`: sagas that are worked on at once.
        """
        self._shared = shared
        self._expiries = Timetable() if expiries is None else expiries
        self._finalizers = finalizers
        self._tasks = Tasks()
        self._workers: dict[str, SupervisedWorker] = {}
        self._admission = Admission(
            self._workers,
            most,
            self._tasks,
            read=shared.writer.read,
            take_in=lambda resource, place: self.resource_seen(resource, place=place),
            put_out=self._end,
        )
        self._stopped = False
        metrics.SAGA_CALLS.set_function(self._most_calls)
        metrics.LIVE.look = lambda: (shared.clock.now(), [worker.seen() for worker in list(self._workers.values())])
        self._finished: OrderedDict[str, Remembered] = OrderedDict()
        self._highest = 0
        self._taken_up = 0
        self.taken_up_at = float("-inf")
        """When a saga was last taken up (monotonic seconds)."""
        self.restorations = 0
        """How often etcd was found to be restored to an older state: a watch has to begin anew then."""

    async def stop(self) -> None:
        """Stop all workers at once: the next operator makes the calls that are in flight again, with the same keys."""
        self._stopped = True
        self._admission.close()
        for _ in range(2):  # some come to rest just now, or are woken by the end of others
            for worker in list(self._workers.values()):
                if worker.task is None:
                    self._end(worker)
            await self._tasks.stop()

    def _most_calls(self) -> int:
        """Of the saga that has made the most calls within the last minute."""
        return max((worker.pace.within_a_minute() for worker in list(self._workers.values())), default=0)

    @property
    def workers(self) -> Mapping[str, str]:
        """The names of the sagas that are worked on, by uid."""
        return {uid: worker.name for uid, worker in self._workers.items()}

    def unfinished(self) -> Mapping[str, Saga | None]:
        """The sagas that are worked on, by name; None for one whose resource can't be read."""
        return {worker.name: worker.saga for worker in self._workers.values()}

    def end_all(self) -> None:
        """Treat every saga as if its deletion was requested: the namespace is deleted with its operator."""
        self._shared.namespace_ends.set()
        self._admission.open()  # the resync finds those that wait
        for worker in list(self._workers.values()):
            worker.look()

    def before_list(self) -> Listing:
        """To be called before a consistent list begins, and passed on with each resource of that list."""
        versions = {uid: worker.version for uid, worker in self._workers.items()}
        self._highest = max(self._highest, *versions.values(), 0)
        return Listing(time.monotonic(), versions, self._highest)

    def etcd_was_restored(self, version: int) -> None:
        """Forget what was known of versions: a consistent list was at this one, below what was seen before."""
        log.warning("the API server is at version %d, and was at %d: etcd was restored", version, self._highest)
        self._highest = version
        self._finished.clear()
        self.restorations += 1

    def is_known(self, listed: Resource, listing: Listing) -> bool:
        """Whether a live saga is as it is known here, by its metadata alone, which is all of it that was listed."""
        uid = listed.uid
        if uid in self._admission:
            return not self._admission.has_changed(listed)
        worker = self._workers.get(uid)
        return worker is not None and listing.versions.get(uid, 0) <= listed.version <= worker.version

    def resource_seen(self, resource: Resource, listing: Listing | None = None, *, place: float | None = None) -> bool:
        """Take note of a resource from the watch or, with `listing`, from a consistent list; never awaits.

        Stale news is ignored: of a saga that is worked on by its version, of a finished one by the version that was
        remembered. In a list, a version below the one that was known when the list began means that etcd was restored
        to an older state, and is believed; so does a saga that had ended before and is live.

        A resource that can't be read is left alone, and counted. `place`: of one that waited, if not by its age.

        Returns:
            Whether a worker was started.
        """
        try:
            return not self._stopped and self._take_note(resource, listing, place)
        except Exception as error:
            _note_unreadable(error)
            return False

    def _take_note(self, resource: Resource, listing: Listing | None, place: float | None) -> bool:
        uid = resource.uid
        self._highest = max(self._highest, resource.version)
        if uid in self._workers:
            worker = self._workers[uid]
            if listing is not None and resource.version < listing.versions.get(uid, 0):
                log.warning("an older version of a saga is listed: etcd was restored", extra=about(resource))
                self.restorations += 1
                worker.restored(resource)
            else:
                worker.notify(resource)
            return False
        if uid in self._admission:
            if self._admission.has_changed(resource):
                place = FIRST
            elif not resource.finished:
                return False
            self._admission.leave(uid)
        if resource.finished:
            if resource.has_finalizer:
                self._finalizers.add(resource.name, uid, urgent=resource.deleting)
            self._note_expiry(resource)
            return False
        known = self._finished.get(uid)
        if known is not None and resource.version <= known.version:
            if listing is None or listing.began < known.at:
                return False
            log.warning("an older version of a finished saga is listed: etcd was restored", extra=about(resource))
            self.restorations += 1
            del self._finished[uid]
        if resource.deleting and not resource.has_finalizer:
            return False
        admitted = self._admission.admits(resource, place)
        if admitted is None:
            return False
        self._take_up(resource, admitted)
        return True

    def _take_up(self, resource: Resource, place: float) -> None:
        self.taken_up_at = time.monotonic()
        self._taken_up += 1
        if self._taken_up % COLLECT_EVERY == 0:
            gc.collect()
        worker = self._workers[resource.uid] = SupervisedWorker(resource, self._shared, self._run, place=place)
        self._admission.taken_in(worker)
        self._run(worker)

    def _run(self, worker: SupervisedWorker) -> None:
        """Begin, also after a rest. One that is woken before its task has quite ended is begun when it has."""
        self._admission.woken(worker)
        if worker.task is None and not self._stopped:
            worker.task = self._tasks.start(worker.run(), f"saga {worker.name}", worker.about)
            worker.task.add_done_callback(partial(self._has_run, worker))

    def resource_deleted(self, resource: Resource) -> None:
        """Take note of a DELETED event: the resource is gone, or left the watch's selector because its saga ended.

        The event alone doesn't tell: a resource without finalizers goes without a deletionTimestamp. Its worker reads
        it before it does anything else.
        """
        try:
            uid, gone = resource.uid, resource.deleting and not resource.finalizers
        except Exception as error:
            _note_unreadable(error)
            return
        self._admission.leave(uid)
        if uid in self._workers and gone:
            self.stop_worker(uid)
        elif uid in self._workers:
            self._workers[uid].doubt()

    def stop_worker(self, uid: str) -> None:
        """End the worker of a resource that is gone."""
        worker = self._workers[uid]
        log.warning("resource %s is gone: its saga can't be recorded any more", worker.name, extra=worker.about())
        if worker.task is None or worker.task.done():
            self._end(worker)
            self._admission.call_in()
        else:
            worker.task.cancel()

    def _end(self, worker: SupervisedWorker) -> None:
        del self._workers[worker.uid]
        self._admission.woken(worker)
        worker.end()

    def _has_run(self, worker: SupervisedWorker, task: asyncio.Task[None]) -> None:
        worker.task = None
        if self._workers.get(worker.uid) is not worker:
            return
        if task.cancelled() and not worker.has_ended:  # before it had begun
            self._end(worker)
            self._admission.call_in()
        elif worker.has_ended:
            del self._workers[worker.uid]
            self._worker_ended(worker, task)
            self._admission.call_in()
        elif not worker.is_resting:
            self._run(worker)
        else:
            self._admission.came_to_rest(worker)

    def _worker_ended(self, worker: SupervisedWorker, task: asyncio.Task[None]) -> None:
        saga = worker.saga
        if task.cancelled() or task.exception() is not None or saga is None or saga.phase not in FINISHED:
            return
        resource = worker.resource
        for told in self._shared.on_end:
            told(resource)
        self._note_expiry(resource)
        self._finished[worker.uid] = Remembered(resource.version, time.monotonic())
        while len(self._finished) > REMEMBERED:
            self._finished.popitem(last=False)
        if resource.has_finalizer:
            traces = self._shared.traces
            is_traced = traces is not None and traces.ended(resource, saga, worker.history, worker.began)
            self._finalizers.add(worker.name, worker.uid, urgent=saga.deleting or is_traced, resource=resource)
        reason = "" if saga.phase is Phase.COMPLETED or saga.failure is None else f" ({saga.failure.reason})"
        log.info("saga finished: %s%s", saga.phase, reason, extra=about(resource))

    def _note_expiry(self, resource: Resource) -> None:
        try:
            if (expires := resource.expires) is not None:
                self._expiries.add(resource.name, expires)
        except Exception as error:
            _note_unreadable(error)


def _note_unreadable(error: Exception) -> None:
    metrics.UNREADABLE.inc()
    log.error("a resource can't be read: %r", error)
