"""How the record of one saga is brought up to date.

Status writes travel beside the calls, one at a time: what happens while one is in flight goes together into the next.
What is no more than progress waits until the API server has room (see `WriteRoom`), or goes with the next write that
doesn't wait.
Each is conditional on the version that it was decided on. If another process has written in between, the recorder reads
the resource again and goes on from the other's record, with its own unrecorded events applied on top.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, Self

from common.kube import Conflict, Forbidden, KubeError, ObjectInvalid, ObjectNotFound
from saga_operator.clock import Clock
from saga_operator.engine.records.api_writer import ApiWriter
from saga_operator.engine.records.event_sender import EventSender
from saga_operator.engine.records.record import ResourceGone, SagaRecord
from saga_operator.engine.records.traces import Traces
from saga_operator.engine.records.unanswered import Sent
from saga_operator.process import reasons
from saga_operator.process.order import CompensationPolicy
from saga_operator.resource.about import about
from saga_operator.resource.body import Resource
from saga_operator.resource.kube_events import KubernetesEvent

_OF_OTHERS: Final = frozenset({"_writer", "_events", "_clock", "_on_change", "_compensations", "_writing", "_traces"})
"""Fields of a recorder that aren't what it knows of its saga."""


class StatusRecorder(SagaRecord):
    """A record that is written, beside the calls or while its worker waits."""

    def __init__(
        self,
        resource: Resource,
        writer: ApiWriter,
        events: EventSender,
        clock: Clock,
        on_change: Callable[[], None],
        *,
        compensations: CompensationPolicy,
        traces: Traces | None = None,
    ) -> None:
        """`on_change` is called when a write has ended: it may have changed the saga, or found the resource gone."""
        super().__init__(resource, events, clock, compensations=compensations, traces=traces)
        self._invalid_writes = 0  # in a row
        self._had_finalizer = False
        self._refusal_told = False
        self._writer = writer
        self._on_change = on_change
        self._writing: asyncio.Task[None] | None = None
        self._ticket: int | None = None
        """For the progress that waits for room."""
        self._awaited = False
        """Whether somebody waits until all is recorded."""

    @classmethod
    def resumed(
        cls,
        memory: Mapping[str, Any],
        writer: ApiWriter,
        events: EventSender,
        clock: Clock,
        on_change: Callable[[], None],
        *,
        compensations: CompensationPolicy,
        traces: Traces | None = None,
    ) -> Self:
        """The recorder whose `memory` this was."""
        recorder = cls.__new__(cls)
        recorder._writer, recorder._events, recorder._clock = writer, events, clock
        recorder._on_change, recorder._compensations, recorder._writing = on_change, compensations, None
        recorder._traces = traces
        vars(recorder).update(memory)
        return recorder

    def memory(self) -> dict[str, Any]:
        """All that it knows of its saga alone, as plain data: with `resumed`, a recorder goes on from there."""
        return {name: value for name, value in vars(self).items() if name not in _OF_OTHERS}

    @property
    def may_rest(self) -> bool:
        """Whether nothing is in flight or waits to be, and no write has found the resource gone."""
        if self._ticket is not None:
            return False
        return self._writing is None or (self._writing.done() and self._writing.exception() is None)

    @property
    def is_writing(self) -> bool:
        """Whether a write is in flight."""
        return self._writing is not None and not self._writing.done()

    def raise_if_gone(self) -> None:
        """Raise `ResourceGone` if the last write beside the calls found no resource."""
        if self._writing is not None and self._writing.done():
            done, self._writing = self._writing, None
            done.result()

    def write_beside(self) -> None:
        """Record what is new, unless a write is in flight: at once, or when there is room if it is progress alone."""
        if self.is_writing or not self._may_differ():
            return
        if self._can_wait():
            self._wait_for_room()
        else:
            self._start()

    async def write(self) -> None:
        """Wait until all that is known now is recorded, or another record was adopted. Raises `ResourceGone`."""
        self._awaited = True
        if not self.is_writing:
            self._start()
        assert self._writing is not None  # noqa: S101 - for the type checker
        await self._writing

    async def wait_for_write(self) -> None:
        """Wait until the write in flight has ended, however it ended."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    def stop(self) -> None:
        """Cancel a write in flight, and one that waits."""
        self._withdraw()
        if self._writing is not None and self.is_writing:
            self._writing.cancel()

    async def read_again(self) -> None:
        """Read the resource, and go on from what it says.

        Raises:
            ResourceGone: it is gone, or another resource has its name.
        """
        await self.wait_for_write()
        self.raise_if_gone()
        self.adopt(await self._read())

    async def ensure_finalizer(self) -> None:
        """Add our finalizer if it isn't there: without it the resource could go, and nothing would be undone.

        Once its deletion is requested none can be added. A saga that is at work then ends as after any deletion, as
        long as other finalizers hold its resource; one that has not begun never begins.

        Raises:
            ResourceGone: the resource is gone, or is being deleted and never had a finalizer of ours.
        """
        attempt = 0
        while not self.resource.has_finalizer:
            await self.wait_for_write()
            self.raise_if_gone()
            if self.resource.has_finalizer:
                break
            if self.resource.deleting:
                if self._had_finalizer:
                    return
                raise ResourceGone
            if self.resource.shortened:
                self.adopt(whole := await self._read())
            else:
                whole = self.resource
            if whole.has_finalizer or whole.deleting:
                continue
            try:
                async with self._writer.turn():
                    self.resource = await self._writer.patch_finalizer(whole.name, whole.with_finalizer())
            except Conflict:
                self.adopt(await self._read())
            except ObjectNotFound as error:
                raise ResourceGone from error
            except KubeError as error:
                attempt += 1
                self._tell_refusal(error)
                await self._writer.pause(attempt, error, about(self.resource))
        self._had_finalizer = True

    def _wait_for_room(self) -> None:
        if self._ticket is None:
            self._ticket = self._writer.room.ask(self._begin)

    def _begin(self, ended: Callable[[], None]) -> None:
        self._ticket = None
        if self.is_writing or not self._may_differ():
            ended()
        else:
            self._start(ended)

    def _start(self, ended: Callable[[], None] = lambda: None) -> None:
        self._withdraw()
        self._writing = asyncio.create_task(self._write(ended))
        self._writing.add_done_callback(lambda _: ended())

    def _withdraw(self) -> None:
        if self._ticket is not None:
            self._writer.room.withdraw(self._ticket)
            self._ticket = None

    async def _write(self, answered: Callable[[], None]) -> None:
        try:
            await self._write_or_adopt(answered)
        finally:
            self._awaited = False
            self._on_change()  # whoever waits finds out what has become of it, also by `raise_if_gone`

    async def _write_or_adopt(self, answered: Callable[[], None]) -> None:
        """Write what is known, or adopt another record instead."""
        try:
            await self._write_until_level(answered)
        except (Conflict, ObjectInvalid) as error:
            # Invalid as well: the API server checks the rules that freeze a finished status before the version
            if isinstance(error, ObjectInvalid):
                self._invalid_writes += 1
                self._tell_refusal(error)
                answered()
                await self._writer.pause(self._invalid_writes, error, about(self.resource))
            self.adopt(await self._read())

    def _tell_refusal(self, error: KubeError) -> None:
        """People have to know, once for a saga: the API server's refusal can't be recorded where it is refused."""
        if isinstance(error, Forbidden | ObjectInvalid) and not self._refusal_told:
            self._refusal_told = True
            text = f"the API server refuses what has to be written here: {error}"
            self._events.add(self.resource, KubernetesEvent("Warning", reasons.RECORD_REFUSED, text))

    async def _write_until_level(self, answered: Callable[[], None]) -> None:
        """Write again and again until the record says what is known, or what it lacks can wait.

        `answered` is called after the first attempt: one that is refused for days is in nobody's way meanwhile.
        """
        attempt = 0
        while True:
            try:
                async with self._writer.turn():
                    saga, newest, status = self.saga, self._unrecorded.newest, self._status()
                    asked = len(self._asked)
                    if status != self.resource.status:
                        self._unanswered.add(Sent(status, saga, newest))
                        written = self._writer.taken_over(await self._writer.write_status(self.resource, status))
                        self.resource = written.slim() if self._is_resting() else written
                self._unanswered.clear()
                self.recorded = saga
                self._unrecorded.recorded(newest)
                self._send_asked(asked)
            except (Conflict, ObjectInvalid):
                raise
            except ObjectNotFound as error:
                raise ResourceGone from error
            except KubeError as error:
                attempt += 1
                self._tell_refusal(error)
                answered()
                await self._writer.pause(attempt, error, about(self.resource))
                continue
            self._invalid_writes = 0
            if self.saga == saga:
                return
            if not self._awaited and self._can_wait():
                self._wait_for_room()
                return

    def _send_asked(self, number: int) -> None:
        """The first so many of them are recorded: nobody else sends them now."""
        if self._traces is not None and number:
            self._traces.send(self._asked[:number])
            del self._asked[:number]

    async def _read(self) -> Resource:
        try:
            return await self._writer.read(self.resource.name)
        except ObjectNotFound as error:
            raise ResourceGone from error
