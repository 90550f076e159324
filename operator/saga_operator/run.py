"""One saga at work: decide, call, evolve, record, in this order and never two calls at once.

Records travel beside the calls. While one status write is in flight, the results that arrive go together into the next
one; only what `must_be_recorded_before` names is waited for.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from common.kube import CORRELATION_ID, FINALIZER, Conflict, Invalid, KubeError, NotFound
from saga_operator.announcements import announcements
from saga_operator.decide import Action, Do, Finish, Undo, Wait, decide, must_be_recorded_before
from saga_operator.events import Event, Observed, Outcome, Paused
from saga_operator.evolve import evolve
from saga_operator.history import history_of, noted
from saga_operator.measure import measure_call, measure_change
from saga_operator.order import Order
from saga_operator.participants import CallContext, StaleEpoch
from saga_operator.saga import FINISHED, Saga
from saga_operator.status import desired_of, intervention_of, patch_between, saga_of, status_of

if TYPE_CHECKING:
    from saga_operator.engine import Engine

log = logging.getLogger(__name__)

Json = dict[str, Any]


class Gone(Exception):  # noqa: N818 - it reads as what happened
    """The resource does not exist any more: there is nothing left to record in."""


class SagaRun:
    """The worker of one resource, from its first event until it is finished or gone."""

    def __init__(self, resource: Json, engine: Engine) -> None:
        self.resource = resource
        self.saga: Saga = saga_of(resource)
        self._recorded = self.saga
        self._unrecorded: list[Event] = []
        self._history = history_of(resource.get("status") or {})
        self._engine = engine
        self._refused = 0  # status writes in a row that the API server found invalid
        self._newer: Json | None = None
        self._changed = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None
        metadata = resource["metadata"]
        self.name: str = metadata["name"]
        self.uid: str = metadata["uid"]
        self._fields = {"saga": f"{metadata['namespace']}/{self.name}", "order": self.name}
        self._correlation_id = (metadata.get("annotations") or {}).get(CORRELATION_ID) or self.uid

    @property
    def version(self) -> int:
        """The resourceVersion that this worker knows (comparable: KEP-5504)."""
        return version_of(self.resource)

    def notify(self, resource: Json) -> None:
        """A watch event or a list shows the resource; older ones than the known are stale and dropped."""
        if version_of(resource) > max(self.version, version_of(self._newer) if self._newer else 0):
            self._newer = resource
            self._changed.set()

    async def run(self) -> None:
        """Work until the saga is finished and recorded as such. Returns early when the resource is gone."""
        try:
            await self._ensure_finalizer()
            while True:
                self._observe()
                action = decide(self.saga, self._engine.clock.now())
                if isinstance(action, Finish):
                    await self._record()
                    if self._recorded.phase in FINISHED:
                        break
                    continue
                await self._act(action)
        except Gone:
            log.info("the resource is gone", extra=self._fields)
        finally:
            if self._writing is not None and not self._writing.done():
                self._writing.cancel()

    async def _act(self, action: Action) -> None:
        if isinstance(action, Wait):
            self._record_beside()
            await self._wait(action.until)
        elif isinstance(action, Do | Undo):
            if must_be_recorded_before(action, self.saga, self._recorded):
                await self._record()  # and decide again: another writer may have been faster
                return
            self._record_beside()
            await self._call(action)

    async def _call(self, action: Do | Undo) -> None:
        engine, step, undo = self._engine, action.step.name, isinstance(action, Undo)
        downstream = engine.downstream[action.step.participant]
        if not downstream.admits():
            self._fold(downstream.pause(step, undo=undo, started=engine.clock.now()))
            downstream.wait(self.name, partial(self._woken, step))
            return
        async with downstream.call(), engine.calling():
            context = CallContext(engine.epoch, self._correlation_id)
            try:
                outcome = await engine.participants.perform(action, self.saga, context)
            except StaleEpoch:
                await engine.epoch_is_stale(context.epoch)
                return
        measure_call(action, outcome)
        self._log_call(action, outcome)
        event = downstream.judge(self.name, outcome)
        self._history = noted(self._history, outcome, undo=undo)
        self._fold(event)
        if isinstance(event, Paused):
            downstream.wait(self.name, partial(self._woken, step))
        else:
            self._unrecorded.append(event)

    def _woken(self, step: str) -> None:
        """The participant is back, or probed: there is room for this call."""
        self.saga = self.saga.put(replace(self.saga[step], retry_at=0.0))
        self._changed.set()

    def _log_call(self, action: Do | Undo, outcome: Outcome) -> None:
        record = self.saga[action.step.name]
        undo = isinstance(action, Undo)
        fields = {
            **self._fields,
            "step": action.step.name,
            "attempt": 1 + (record.compensation.attempts if undo else record.attempts),
            "correlation_id": self._correlation_id,
        }
        if reason := getattr(outcome, "reason", ""):
            fields["reason"] = reason
        log.info("%s %s: %s", "undo" if undo else "do", action.step.name, type(outcome).__name__, extra=fields)

    # what the resource says

    def _observe(self) -> None:
        if self._writing is not None and self._writing.done():
            done, self._writing = self._writing, None
            done.result()  # raises Gone
        if self._newer is not None and self._writing is None:
            newer, self._newer = self._newer, None
            if version_of(newer) > self.version:
                self._adopt(newer)
        resource = self.resource
        self._fold(
            Observed(
                at=self._engine.clock.now(),
                desired=desired_of(resource),
                deleting=bool(resource["metadata"].get("deletionTimestamp")),
                intervention=intervention_of(resource),
            )
        )

    def _adopt(self, resource: Json) -> None:
        """Go on from this version. If somebody else wrote the status, decide again from what they recorded."""
        if resource["metadata"]["uid"] != self.uid:
            raise Gone
        same_status = resource.get("status") == self.resource.get("status")
        self.resource = resource
        order = Order.from_spec(resource["metadata"]["namespace"], resource["spec"])
        self._recorded = _with_order(self._recorded, order)
        self.saga = _with_order(self.saga, order)
        if not same_status:
            self._recorded = saga_of(resource)
            before, self.saga = self.saga, self._recorded
            for event in self._unrecorded:
                self.saga = evolve(self.saga, event)
            log.info("the status was written by somebody else: deciding again", extra=self._fields)
            measure_change(before, self.saga)

    def _fold(self, event: Event) -> None:
        before, self.saga = self.saga, evolve(self.saga, event)
        if before != self.saga:
            measure_change(before, self.saga)
            for announcement in announcements(before, self.saga):
                self._engine.announce(self.resource, announcement)

    async def _wait(self, until: float | None) -> None:
        timeout = None if until is None else max(0.0, until - self._engine.clock.now())
        if self._newer is None:
            self._changed.clear()
            try:
                async with asyncio.timeout(timeout):
                    await self._changed.wait()
            except TimeoutError:
                pass
        elif self._writing is not None and not self._writing.done():
            await asyncio.wait([self._writing])

    # what we write

    def _record_beside(self) -> None:
        """Start a status write if there is something to say and none is in flight."""
        idle = self._writing is None or self._writing.done()
        if idle and self._unsaid() and self._patch():
            self._writing = asyncio.create_task(self._write_all())

    def _unsaid(self) -> bool:
        """Cheap: whether a status could differ from the recorded one at all."""
        seen = (self.resource.get("status") or {}).get("observedGeneration")
        return self.saga != self._recorded or seen != self.resource["metadata"]["generation"]

    async def _record(self) -> None:
        """Wait until the API server has recorded all that is known now."""
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        await self._writing

    def _patch(self) -> Json:
        known = self.resource.get("status") or {}
        now, generation = self._engine.clock.now(), self.resource["metadata"]["generation"]
        return patch_between(
            known, status_of(self.saga, now=now, generation=generation, previous=known, history=self._history)
        )

    async def _write_all(self) -> None:
        """One write after the other until the record is level with the saga; gives back on a lost race.

        Raises:
            Gone: the resource does not exist any more.
        """
        try:
            await self._write_until_level()
        except (Conflict, Invalid) as error:
            # Invalid as well: the rules that freeze a finished saga's status are asked before the version is
            if isinstance(error, Invalid):
                self._refused += 1
                await self._engine.pause(self._refused, error)
            self._adopt(await self._read())
            self._changed.set()
        except Gone:
            self._changed.set()
            raise

    async def _write_until_level(self) -> None:
        attempt = 0
        while True:
            try:
                async with self._engine.writes:
                    saga, count, patch = self.saga, len(self._unrecorded), self._patch()
                    if patch:
                        body = {"metadata": {"resourceVersion": str(self.version)}, "status": patch}
                        self.resource = await self._engine.write("status", self.name, body)
                self._recorded = saga
                del self._unrecorded[:count]
            except (Conflict, Invalid):
                raise
            except NotFound as error:
                raise Gone from error
            except KubeError as error:
                attempt += 1
                await self._engine.pause(attempt, error)
                continue
            self._refused = 0
            if self.saga == saga:
                return

    async def _read(self) -> Json:
        attempt = 0
        while True:
            try:
                return await self._engine.sagas.get(self.name)
            except NotFound as error:
                raise Gone from error
            except KubeError as error:
                attempt += 1
                await self._engine.pause(attempt, error)

    async def _ensure_finalizer(self) -> None:
        """Our finalizer before the first effect; a resource that is already going without it is never started."""
        attempt = 0
        while FINALIZER not in (finalizers := self.resource["metadata"].get("finalizers") or []):
            if self.resource["metadata"].get("deletionTimestamp"):
                raise Gone
            metadata = {"resourceVersion": str(self.version), "finalizers": [*finalizers, FINALIZER]}
            try:
                async with self._engine.writes:
                    self.resource = await self._engine.write("finalizer", self.name, {"metadata": metadata})
            except Conflict:
                self._adopt(await self._read())
            except NotFound as error:
                raise Gone from error
            except KubeError as error:
                attempt += 1
                await self._engine.pause(attempt, error)


def version_of(resource: Json) -> int:
    """The resourceVersion as a number: comparable within one resource type since Kubernetes 1.35 (KEP-5504)."""
    return int(resource["metadata"]["resourceVersion"])


def _with_order(saga: Saga, order: Order) -> Saga:
    return saga if saga.order == order else replace(saga, order=order)
