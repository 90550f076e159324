"""One saga's record: what the API server has of it, what is known beyond that, and how the two are brought level.

Writes travel beside the calls, one at a time: the results that arrive while one is in flight go together into the next.
Each is conditional on the version that it was decided on. Who loses that race reads again and goes on from what the
winner recorded, with what is not recorded yet folded in.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from common.kube import FINALIZER, Conflict, KubeError, ObjectInvalid, ObjectNotFound
from common.wire import Json
from saga_operator.measure import measure_change
from saga_operator.process.decide import Wait, decide
from saga_operator.process.events import Event
from saga_operator.process.evolve import evolve
from saga_operator.process.order import Order
from saga_operator.resource.attempts import history_of, noted
from saga_operator.resource.compact import compact
from saga_operator.resource.kube_events import events_between
from saga_operator.resource.status import patch_between, saga_of, status_of

if TYPE_CHECKING:
    from saga_operator.engine.engine import Engine
    from saga_operator.process.events import Outcome
    from saga_operator.process.saga import Saga

log = logging.getLogger(__name__)


class Gone(Exception):  # noqa: N818 - it reads as what happened
    """The resource does not exist any more: there is nothing left to record in."""


class Record:
    """The saga as it is known (`saga`) and as it is recorded (`recorded`, `resource`)."""

    def __init__(self, resource: Json, engine: Engine, on_change: Callable[[], None]) -> None:
        """`on_change` is called when a write beside the calls has changed the saga, or found the resource gone."""
        self.resource = resource = compact(resource)
        self.saga: Saga = saga_of(resource)
        self.recorded: Saga = self.saga
        self._unrecorded: list[Event] = []
        self._history = history_of(resource.get("status") or {})
        self._refused = 0  # status writes in a row that the API server found invalid
        self._engine = engine
        self._on_change = on_change
        self._writing: asyncio.Task[None] | None = None

    @property
    def version(self) -> int:
        """The resourceVersion that is known here."""
        return version_of(self.resource)

    @property
    def is_writing(self) -> bool:
        """Whether a write is in flight."""
        return self._writing is not None and not self._writing.done()

    def fold(self, event: Event) -> None:
        """The saga after the event; what is worth a person's look is announced."""
        before, self.saga = self.saga, evolve(self.saga, event)
        if before != self.saga:
            measure_change(before, self.saga)
            for announcement in events_between(before, self.saga):
                self._engine.announce(self.resource, announcement)

    def keep(self, event: Event) -> None:
        """Fold an event that must not be lost when the record turns out to be another one."""
        self.fold(event)
        self._unrecorded.append(event)

    def note(self, outcome: Outcome, *, undo: bool) -> None:
        """One more attempt in the step's history."""
        self._history = noted(self._history, outcome, undo=undo)

    def retry_now(self, step: str) -> None:
        """The step's waiting is over (in memory: nothing is recorded of it)."""
        self.saga = self.saga.put(replace(self.saga[step], retry_at=0.0))

    def adopt(self, resource: Json) -> None:
        """Go on from this version. If somebody else wrote the status, decide again from what they recorded.

        Raises:
            Gone: it is another resource of the same name.
        """
        if resource["metadata"]["uid"] != self.resource["metadata"]["uid"]:
            raise Gone
        same_status = resource.get("status") == self.resource.get("status")
        self.resource = compact(resource)
        order = Order.from_spec(resource["metadata"]["namespace"], resource["spec"])
        self.recorded = replace(self.recorded, order=order)
        self.saga = replace(self.saga, order=order)
        if not same_status:
            self.recorded = saga_of(resource)
            before, self.saga = self.saga, self.recorded
            for event in self._unrecorded:
                self.saga = evolve(self.saga, event)
            name = resource["metadata"]["name"]
            log.info("the status was written by somebody else: deciding again", extra={"order": name})
            measure_change(before, self.saga)

    def check(self) -> None:
        """Take note of a write that has ended. Raises `Gone` if it found no resource."""
        if self._writing is not None and self._writing.done():
            done, self._writing = self._writing, None
            done.result()

    def write_beside(self) -> None:
        """Start a status write if there is something to say and none is in flight."""
        if not self.is_writing and self._unsaid() and self._patch():
            self._writing = asyncio.create_task(self._write())

    async def write(self) -> None:
        """Wait until all that is known now is recorded, or another record was adopted. Raises `Gone`."""
        if not self.is_writing:
            self._writing = asyncio.create_task(self._write())
        assert self._writing is not None  # noqa: S101 - for the type checker
        await self._writing

    async def wait_for_write(self) -> None:
        """Until the write in flight has ended, whatever came of it."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    def stop(self) -> None:
        """Let go of a write in flight."""
        if self._writing is not None and self.is_writing:
            self._writing.cancel()

    async def ensure_finalizer(self) -> None:
        """Our finalizer before the first effect. Raises `Gone` for a resource that is already going without it."""
        attempt = 0
        while FINALIZER not in (finalizers := self.resource["metadata"].get("finalizers") or []):
            metadata = self.resource["metadata"]
            if metadata.get("deletionTimestamp"):
                raise Gone
            patch = {"metadata": {"resourceVersion": str(self.version), "finalizers": [*finalizers, FINALIZER]}}
            try:
                async with self._engine.writes:
                    self.resource = await self._engine.write("finalizer", metadata["name"], patch)
            except Conflict:
                self.adopt(await self._read())
            except ObjectNotFound as error:
                raise Gone from error
            except KubeError as error:
                attempt += 1
                await self._engine.pause(attempt, error)

    def _unsaid(self) -> bool:
        """Cheap: whether a status could differ from the recorded one at all."""
        seen = (self.resource.get("status") or {}).get("observedGeneration")
        return self.saga != self.recorded or seen != self.resource["metadata"]["generation"]

    def _rests(self) -> bool:
        """Nothing is to be called now. What is at work will be written again at once: it isn't worth making small."""
        return isinstance(decide(self.saga, self._engine.clock.now()), Wait)

    def _patch(self) -> Json:
        known = self.resource.get("status") or {}
        status = status_of(
            self.saga,
            now=self._engine.clock.now(),
            generation=self.resource["metadata"]["generation"],
            previous=known,
            history=self._history,
        )
        return patch_between(known, status)

    async def _write(self) -> None:
        try:
            await self._write_until_level()
        except (Conflict, ObjectInvalid) as error:
            # ObjectInvalid as well: the rules that freeze a finished saga's status are asked before the version is
            if isinstance(error, ObjectInvalid):
                self._refused += 1
                await self._engine.pause(self._refused, error)
            self.adopt(await self._read())
            self._on_change()
        except Gone:
            self._on_change()
            raise

    async def _write_until_level(self) -> None:
        """One write after the other until the record is level with the saga."""
        attempt, name = 0, self.resource["metadata"]["name"]
        while True:
            try:
                async with self._engine.writes:
                    saga, count, patch = self.saga, len(self._unrecorded), self._patch()
                    if patch:
                        body = {"metadata": {"resourceVersion": str(self.version)}, "status": patch}
                        written = await self._engine.write("status", name, body)
                        self.resource = compact(written) if self._rests() else written
                self.recorded = saga
                del self._unrecorded[:count]
            except (Conflict, ObjectInvalid):
                raise
            except ObjectNotFound as error:
                raise Gone from error
            except KubeError as error:
                attempt += 1
                await self._engine.pause(attempt, error)
                continue
            self._refused = 0
            if self.saga == saga:
                return

    async def _read(self) -> Json:
        attempt, name = 0, self.resource["metadata"]["name"]
        while True:
            try:
                return await self._engine.sagas.get(name)
            except ObjectNotFound as error:
                raise Gone from error
            except KubeError as error:
                attempt += 1
                await self._engine.pause(attempt, error)


def version_of(resource: Json) -> int:
    """The resourceVersion as a number: comparable within one resource type since Kubernetes 1.35 (KEP-5504)."""
    return int(resource["metadata"]["resourceVersion"])
