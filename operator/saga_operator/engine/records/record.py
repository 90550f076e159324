"""What is known of one saga, and what of it is recorded on its resource. Nothing in here writes."""

import logging
from dataclasses import replace
from typing import Final

from common.tracing.span import Span
from common.wire import Json
from saga_operator import metrics
from saga_operator.clock import Clock
from saga_operator.engine.records.event_sender import EventSender
from saga_operator.engine.records.traces import Traces
from saga_operator.engine.records.unanswered import Unanswered
from saga_operator.engine.records.unrecorded import Unrecorded
from saga_operator.process.decide import Wait, decide, is_progress
from saga_operator.process.events import Event, Outcome
from saga_operator.process.evolve import evolve
from saga_operator.process.order import CompensationPolicy, Order
from saga_operator.process.saga import Saga
from saga_operator.resource.about import about
from saga_operator.resource.attempts import History, history_of, noted
from saga_operator.resource.body import Resource
from saga_operator.resource.kube_events import events_between
from saga_operator.resource.status import reports_worker_failure, saga_of, status_of

log = logging.getLogger(__name__)

CLOCK_SET: Final = 1.0
"""Seconds. What a clock moves by less is its precision."""


class ResourceGone(Exception):  # noqa: N818 - it reads as what happened
    """The resource does not exist any more: there is nothing left to record in."""


class SagaRecord:
    """The saga as it is known (`saga`) and as it is recorded (`recorded`, on `resource`)."""

    def __init__(
        self,
        resource: Resource,
        events: EventSender,
        clock: Clock,
        *,
        compensations: CompensationPolicy,
        traces: Traces | None = None,
    ) -> None:
        self.resource = resource = resource.slim()
        self._compensations = compensations
        self.saga: Saga = saga_of(resource, compensations)
        self.recorded: Saga = self.saga
        self._unrecorded = Unrecorded()
        self._unanswered = Unanswered()
        self._history = history_of(resource.status)
        self._events = events
        self._traces = traces
        self._asked: list[Span] = []
        """What was done to the saga and isn't recorded yet."""
        self._clock = clock
        self._offset = clock.offset

    def apply(self, event: Event) -> None:
        """Apply the event to the saga; a Kubernetes Event tells people what matters to them."""
        before, self.saga = self.saga, evolve(self.saga, event)
        if self.recorded.absences is not self.saga.absences:  # kept by the Lease: nothing to write
            self.recorded = replace(self.recorded, absences=self.saga.absences)
        if before is not self.saga and before != self.saga:
            metrics.saga_changed(before, self.saga, trace_id=self.kept_trace)
            for kube_event in events_between(before, self.saga):
                self._events.add(self.resource, kube_event)
            if self._traces is not None:
                self._asked += self._traces.asked(self.resource, before, self.saga, event.at)

    @property
    def kept_trace(self) -> str:
        """The id of its trace, if that is recorded."""
        return "" if self._traces is None else self._traces.kept(self.resource)

    def apply_outcome(self, outcome: Outcome) -> None:
        """Apply the outcome of a call, and again if another process's record is adopted before it is written."""
        self.apply(outcome)
        self._unrecorded.add(outcome)

    @property
    def history(self) -> History:
        """Of each step: its last attempts."""
        return self._history

    def add_attempt(self, outcome: Outcome, *, undo: bool, number: int) -> None:
        """Add one more attempt, with this number, to the step's history."""
        self._history = noted(self._history, outcome, undo=undo, number=number)

    def follow_clock(self) -> None:
        """Take note if the clock was set: what waits in memory waits as long as it was to."""
        moved = self._clock.offset - self._offset
        if abs(moved) > CLOCK_SET:
            self._offset += moved
            self.saga = self.saga.moved(moved)

    def retry_now(self, step: str) -> None:
        """End the step's waiting (in memory: nothing of it is recorded)."""
        self.saga = self.saga.put(replace(self.saga[step], retry_at=0.0))

    def adopt(self, resource: Resource) -> None:
        """Go on from this version. If another process wrote the status, decide again from what it recorded.

        It may be a write of ours whose answer was lost: the attempts that it records were counted, and count once.

        Raises:
            ResourceGone: it is another resource of the same name.
        """
        if resource.uid != self.resource.uid:
            raise ResourceGone
        same_status = resource.raw.get("status") == self.resource.raw.get("status")
        ours = self._unanswered.take(resource.status)
        self.resource = resource.slim()
        order = Order.from_spec(resource.namespace, resource.spec)
        self.recorded = replace(self.recorded, order=order)
        self.saga = replace(self.saga, order=order)
        if ours is not None:
            self.recorded = replace(ours.saga, order=order)
            self._unrecorded.recorded(ours.newest)
        elif not same_status:
            self.recorded = replace(saga_of(resource, self._compensations), absences=self.saga.absences)
            before, self.saga = self.saga, self.recorded
            self._asked.clear()  # whoever has written it sends that
            for event in self._unrecorded:
                self.saga = evolve(self.saga, event)
            log.info("another process wrote the status: deciding again", extra=about(resource))
            metrics.saga_changed(before, self.saga)

    def _may_differ(self) -> bool:
        """Whether a status could differ from the recorded one at all. Cheap."""
        return (
            self.saga != self.recorded
            or self.resource.status.get("observedGeneration") != self.resource.generation
            or reports_worker_failure(self.resource)
        )

    def _can_wait(self) -> bool:
        """Whether nobody waits for the record of what is new."""
        resource = self.resource
        seen = resource.status.get("observedGeneration") == resource.generation or not resource.phase
        return seen and is_progress(self.saga, self.recorded) and not reports_worker_failure(resource)

    def _is_resting(self) -> bool:
        """Whether nothing is to be called now. The resource of a saga at work isn't worth slimming: it changes soon."""
        return isinstance(decide(self.saga, self._clock.now()), Wait)

    def _status(self) -> Json:
        return status_of(
            self.saga,
            now=self._clock.now(),
            generation=self.resource.generation,
            previous=self.resource.status,
            history=self._history,
        )
