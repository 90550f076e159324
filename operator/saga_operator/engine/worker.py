"""One saga at work: decide, call, evolve, record, in this order and never two calls at once.

Only what `must_be_recorded_before` names waits for the record; everything else is recorded beside the calls.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from common.kube import CORRELATION_ID
from common.wire import Json
from saga_operator.engine.participants import CallContext, StaleEpoch
from saga_operator.engine.recorder import Gone, Record, version_of
from saga_operator.measure import measure_call
from saga_operator.process.decide import Action, Do, Finish, Undo, Wait, decide, must_be_recorded_before
from saga_operator.process.events import Observed, Outcome, Paused
from saga_operator.process.saga import FINISHED, Saga
from saga_operator.resource.status import desired_of, intervention_of

if TYPE_CHECKING:
    from saga_operator.engine.engine import Engine

log = logging.getLogger(__name__)


class SagaRun:
    """The worker of one resource, from its first event until it is finished or gone."""

    def __init__(self, resource: Json, engine: Engine) -> None:
        self._engine = engine
        self._changed = asyncio.Event()
        self._record = Record(resource, engine, self._changed.set)
        self._newer: Json | None = None
        metadata = resource["metadata"]
        self.name: str = metadata["name"]
        self.uid: str = metadata["uid"]
        self._fields = {"saga": f"{metadata['namespace']}/{self.name}", "order": self.name}
        self._correlation_id = (metadata.get("annotations") or {}).get(CORRELATION_ID) or self.uid

    @property
    def saga(self) -> Saga:
        """As it is known now, also beyond what is recorded."""
        return self._record.saga

    @property
    def resource(self) -> Json:
        """The resource as it was last read or written."""
        return self._record.resource

    @property
    def version(self) -> int:
        """The resourceVersion that this worker knows."""
        return self._record.version

    def notify(self, resource: Json) -> None:
        """A watch event or a list shows the resource; older ones than the known are stale and dropped."""
        if version_of(resource) > max(self.version, version_of(self._newer) if self._newer else 0):
            self._newer = resource
            self._changed.set()

    async def run(self) -> None:
        """Work until the saga is finished and recorded as such. Returns early when the resource is gone."""
        record = self._record
        try:
            await record.ensure_finalizer()
            while True:
                self._observe()
                action = decide(record.saga, self._engine.clock.now())
                if isinstance(action, Finish):
                    await record.write()
                    if record.recorded.phase in FINISHED:
                        break
                    continue
                await self._act(action)
        except Gone:
            log.info("the resource is gone", extra=self._fields)
        finally:
            record.stop()

    async def _act(self, action: Action) -> None:
        record = self._record
        if isinstance(action, Wait):
            record.write_beside()
            await self._wait(action.until)
        elif isinstance(action, Do | Undo):
            if must_be_recorded_before(action, record.saga, record.recorded):
                await record.write()  # and decide again: another writer may have been faster
                return
            record.write_beside()
            await self._call(action)

    async def _call(self, action: Do | Undo) -> None:
        engine, record, step = self._engine, self._record, action.step.name
        undo = isinstance(action, Undo)
        downstream = engine.downstream[action.step.participant]
        if not downstream.admits():
            record.fold(downstream.pause(step, undo=undo, started=engine.clock.now()))
            downstream.wait(self.name, partial(self._woken, step), undo=undo)
            return
        async with downstream.call(), engine.calling():
            context = CallContext(engine.epoch, self._correlation_id)
            try:
                outcome = await engine.participants.perform(action, record.saga, context)
            except StaleEpoch:
                await engine.epoch_is_stale(context.epoch)
                return
        measure_call(action, outcome)
        self._log_call(action, outcome)
        record.note(outcome, undo=undo)
        event = downstream.judge(self.name, outcome)
        if isinstance(event, Paused):
            record.fold(event)
            downstream.wait(self.name, partial(self._woken, step), undo=undo)
        else:
            record.keep(event)

    def _woken(self, step: str) -> None:
        """The participant is back, or probed: there is room for this call."""
        self._record.retry_now(step)
        self._changed.set()

    def _log_call(self, action: Do | Undo, outcome: Outcome) -> None:
        step = self.saga[action.step.name]
        undo = isinstance(action, Undo)
        fields = {
            **self._fields,
            "step": action.step.name,
            "attempt": 1 + (step.compensation.attempts if undo else step.attempts),
            "correlation_id": self._correlation_id,
        }
        if reason := getattr(outcome, "reason", ""):
            fields["reason"] = reason
        log.info("%s %s: %s", "undo" if undo else "do", action.step.name, outcome.shown_as, extra=fields)

    def _observe(self) -> None:
        """Fold in what the resource says now: people's requests, another writer's record, the time."""
        record = self._record
        record.check()
        if self._newer is not None and not record.is_writing:
            newer, self._newer = self._newer, None
            if version_of(newer) > record.version:
                record.adopt(newer)
        resource = record.resource
        record.fold(
            Observed(
                at=self._engine.clock.now(),
                desired=desired_of(resource),
                deleting=bool(resource["metadata"].get("deletionTimestamp")),
                intervention=intervention_of(resource),
            )
        )

    async def _wait(self, until: float | None) -> None:
        """Until then, or until something changes."""
        if self._newer is not None:  # it is looked at when the write in flight has ended
            await self._record.wait_for_write()
            return
        self._changed.clear()
        try:
            async with asyncio.timeout(None if until is None else max(0.0, until - self._engine.clock.now())):
                await self._changed.wait()
        except TimeoutError:
            pass
