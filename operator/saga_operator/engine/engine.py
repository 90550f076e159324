"""The table of running sagas and what they share: connections, bounds, the epoch. Also where events come in.

The API server is the only source of truth; everything in here can be lost at any moment.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from common.kube import FINALIZER, ApiUnavailable, Events, KubeError, OrderSagas
from common.wire import Json
from saga_operator import metrics
from saga_operator.engine.breaker import Downstream
from saga_operator.engine.finalizers import FinalizerQueue
from saga_operator.engine.participants import Participants
from saga_operator.engine.recorder import version_of
from saga_operator.engine.worker import SagaRun
from saga_operator.measure import measure_end, measure_start
from saga_operator.process.saga import FINISHED, Phase
from saga_operator.process.steps import ORDER_SAGA
from saga_operator.resource.kube_events import KubernetesEvent
from saga_operator.resource.times import Clock
from saga_operator.settings import Settings

log = logging.getLogger(__name__)


LIVE: Final = ",".join(f"status.phase!={phase}" for phase in sorted(FINISHED))
"""Field selector: finished sagas are left out on the server side, so that they cost nothing."""
REMEMBERED: Final = 50_000
"""Finished sagas whose last version is kept against late events: about 10 MB, hours of a busy shop."""
EVENT_QUEUE: Final = 1_000
"""Kubernetes Events that may wait; they are a courtesy, so more of them are dropped and counted."""
WRITE_BACKOFF_MAX: Final = 10.0
"""Seconds between two tries to write while the API server is away."""
STALE_EPOCH_PAUSE: Final = 1.0
"""Seconds before a call is made again whose epoch could not be raised."""


class Epochs(Protocol):
    """The Lease as the engine sees it."""

    @property
    def epoch(self) -> int:
        """Goes with every call; participants refuse a lower one than they have seen."""

    async def held(self) -> None:
        """Return at once while the Lease is surely ours, else wait for it."""

    async def raise_epoch(self, above: int) -> None:
        """Called when a participant refused the epoch: raise it if we still hold the Lease, else end the process."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The last version that was seen of a finished saga, and when (monotonic seconds)."""

    version: int
    at: float


class Engine:
    """All sagas of one namespace at work. Made inside a running event loop."""

    def __init__(self, settings: Settings, sagas: OrderSagas, events: Events, epochs: Epochs) -> None:
        self.clock = Clock()
        self.settings = settings
        self.sagas = sagas
        self.participants = Participants(settings, self.clock.now)
        self.downstream = {
            name: Downstream(
                name,
                now=self.clock.now,
                concurrency=settings.max_calls_per_participant,
                rate=settings.participant_rates.get(name, 0.0),
            )
            for name in {step.participant for step in ORDER_SAGA}
        }
        self._calls = asyncio.Semaphore(settings.max_calls)
        self._calling = 0
        self.writes = asyncio.Semaphore(settings.max_writes)
        self.finalizers = FinalizerQueue(self.write, sagas, self.is_busy)
        self._epochs = epochs
        self._events = events
        self._runs: dict[str, tuple[SagaRun, asyncio.Task[None]]] = {}
        self._closed = False
        self._finished: OrderedDict[str, Remembered] = OrderedDict()
        self._announcements: asyncio.Queue[tuple[Json, KubernetesEvent]] = asyncio.Queue(EVENT_QUEUE)
        self._helpers = [
            asyncio.create_task(self.finalizers.work(), name="finalizers"),
            asyncio.create_task(self._send_announcements(), name="announcements"),
        ]

    async def aclose(self) -> None:
        """Stop at once: whatever is in flight is asked again by whoever comes next."""
        self._closed = True
        tasks = [task for _, task in self._runs.values()] + self._helpers
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.participants.aclose()

    @property
    def running(self) -> dict[str, SagaRun]:
        """The workers, by uid."""
        return {uid: run for uid, (run, _) in self._runs.items()}

    def is_busy(self) -> bool:
        """Whether live sagas need the API server more than housekeeping does."""
        return self._calling > self.settings.max_calls // 8

    # events

    def submit(self, resource: Json, *, listed_at: float | None = None) -> bool:
        """A resource was seen, by the watch or (`listed_at`, monotonic seconds) by a list. True if a worker started.

        Never awaits. Stale news is dropped: of a running saga by its version, of a finished one by the version that was
        remembered. Only a list from after the finish that still shows it live says that etcd was restored.
        """
        metadata = resource["metadata"]
        uid = metadata["uid"]
        if self._closed:
            return False
        if uid in self._runs:
            self._runs[uid][0].notify(resource)
            return False
        known = self._finished.get(uid)
        finished = (resource.get("status") or {}).get("phase") in FINISHED
        if finished:
            if FINALIZER in (metadata.get("finalizers") or ()):
                self.finalizers.add(metadata["name"], uid, urgent=bool(metadata.get("deletionTimestamp")))
            return False
        if known is not None and version_of(resource) <= known.version:
            if listed_at is None or listed_at < known.at:
                return False
            log.warning("an older version of finished saga %s is listed: etcd was restored", metadata["name"])
            del self._finished[uid]
        if metadata.get("deletionTimestamp") and FINALIZER not in (metadata.get("finalizers") or ()):
            return False
        run = SagaRun(resource, self)
        measure_start(run.saga)
        task = asyncio.create_task(run.run(), name=f"saga {run.name}")
        self._runs[uid] = (run, task)
        task.add_done_callback(lambda task: self._ended(run, task))
        return True

    def forget(self, resource: Json) -> None:
        """A DELETED event. Without a deletionTimestamp the object only left the selector: it is news like any other."""
        metadata = resource["metadata"]
        if not metadata.get("deletionTimestamp"):
            if metadata["uid"] in self._runs:
                self._runs[metadata["uid"]][0].notify(resource)
            return
        if metadata["uid"] in self._runs and FINALIZER not in (metadata.get("finalizers") or ()):
            self.drop(metadata["uid"])

    def drop(self, uid: str) -> None:
        """The resource is gone: end its worker."""
        run, task = self._runs[uid]
        log.warning("resource %s is gone: its saga can't be recorded any more", run.name, extra={"order": run.name})
        task.cancel()

    def _ended(self, run: SagaRun, task: asyncio.Task[None]) -> None:
        del self._runs[run.uid]
        measure_end(run.saga, self.clock.now())
        if not task.cancelled() and (error := task.exception()) is not None:
            # a defect of ours: the sweep starts the saga again, and the log says why it stopped
            log.error("saga %s stopped: %r", run.name, error, exc_info=error, extra={"order": run.name})
            return
        if task.cancelled() or run.saga.phase not in FINISHED:
            return
        self._finished[run.uid] = Remembered(run.version, time.monotonic())
        while len(self._finished) > REMEMBERED:
            self._finished.popitem(last=False)
        if FINALIZER in (run.resource["metadata"].get("finalizers") or ()):
            self.finalizers.add(run.name, run.uid, urgent=run.saga.deleting, resource=run.resource)
        phase = run.saga.phase
        log.info(
            "saga finished: %s%s",
            phase,
            "" if phase is Phase.COMPLETED or run.saga.failure is None else f" ({run.saga.failure.reason})",
            extra={"order": run.name},
        )

    # what the workers share

    @property
    def epoch(self) -> int:
        """The Lease's epoch, for every call."""
        return self._epochs.epoch

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[None]:
        """Around each call: bounded, and only while the Lease is surely ours.

        A process that was paused must not go on where it stopped.
        """
        self._calling += 1
        try:
            async with self._calls:
                await self._epochs.held()
                yield
        finally:
            self._calling -= 1

    async def epoch_is_stale(self, refused: int) -> None:
        """A participant has seen a higher epoch than ours: raise it, or wait a little while the API server is away."""
        await self._epochs.raise_epoch(refused)
        if self.epoch <= refused:
            await asyncio.sleep(STALE_EPOCH_PAUSE)

    async def write(self, kind: Literal["status", "finalizer"], name: str, body: Json) -> Json:
        """One write to the API server, counted. Raises `KubeError`."""
        try:
            patch = self.sagas.patch_status if kind == "status" else self.sagas.patch
            answer = await patch(name, body)
        except KubeError as error:
            metrics.API_WRITES.labels(kind, error.reason).inc()
            raise
        metrics.API_WRITES.labels(kind, "OK").inc()
        return answer

    async def pause(self, attempt: int, error: KubeError) -> None:
        """Wait before the API server is asked again; it decides how long if it says so."""
        level = logging.WARNING if isinstance(error, ApiUnavailable) else logging.ERROR
        log.log(level, "the API server did not do it (attempt %d): %s", attempt, error)
        seconds = random.random() * min(WRITE_BACKOFF_MAX, 0.1 * 2.0 ** min(attempt, 10))  # noqa: S311 - jitter
        await asyncio.sleep(max(seconds, error.retry_after or 0.05))

    def announce(self, resource: Json, announcement: KubernetesEvent) -> None:
        """Queue a Kubernetes Event. Never blocks a saga."""
        try:
            self._announcements.put_nowait((resource, announcement))
        except asyncio.QueueFull:
            metrics.EVENTS_DROPPED.labels("queue_full").inc()

    async def _send_announcements(self) -> None:
        while True:
            resource, said = await self._announcements.get()
            try:
                await self._events.create(resource, type_=said.type, reason=said.reason, message=said.message)
            except KubeError as error:
                metrics.EVENTS_DROPPED.labels(error.reason).inc()
                log.debug("event %s of %s was not written: %s", said.reason, resource["metadata"]["name"], error)
