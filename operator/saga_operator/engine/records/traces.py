"""Traces of the sagas: what each call says of its parent, and the spans that are made once, when a saga has ended.

A span that is open for hours is lost with its process, and its children with it. So none is ever open in here: ids
follow from the resource's uid, and all spans of a saga are made at the moment before our finalizer goes, by whichever
process takes it off. What that one has seen itself it knows to the millisecond, the rest as it is recorded.
"""

from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Final

from common.tracing.context import TraceContext
from common.tracing.export import Spans
from common.tracing.span import Span
from saga_operator.process.saga import Saga
from saga_operator.process.steps import Step
from saga_operator.resource.attempts import History
from saga_operator.resource.body import Resource
from saga_operator.resource.trace.place import Place
from saga_operator.resource.trace.spans import Story, asked_between, spans_of

ANNOTATION: Final = "ordersaga.io/trace-id"
"""On Kubernetes Events about a saga whose trace is recorded."""
REMEMBERED: Final = 1_000
"""Ended sagas that are known to the millisecond until their finalizer goes, some 5 MB: it goes at once, unless the API
server is away. Of more the record is enough. And sagas whose place among the traces needn't be worked out again.
"""


class Traces:
    """Made only if a collector is configured. Nothing in here waits for it."""

    def __init__(self, spans: Spans) -> None:
        self._spans = spans
        self._places = lru_cache(REMEMBERED)(partial(Place.of, samples=spans.sampling.samples))
        self._ended: OrderedDict[str, tuple[Saga, History, float]] = OrderedDict()

    def place_of(self, resource: Resource) -> Place:
        """Where its saga stands among the traces."""
        return self._places(resource.uid, resource.traceparent)

    def header(self, resource: Resource, step: Step, number: int, recorded: int, *, undo: bool) -> str:
        """The traceparent of a call: of the attempt with this number, when so many are recorded."""
        place = self.place_of(resource)
        context = place.call(step.name, number, recorded, undo=undo) if place.saga.sampled else place.saga
        return context.header()

    def kept(self, resource: Resource) -> str:
        """The id of its trace, 32 hexadecimal digits, if that is recorded; else nothing."""
        saga = self.place_of(resource).saga
        return f"{saga.trace_id:032x}" if saga.sampled else ""

    def after_the_end(self, resource: Resource) -> str:
        """The traceparent of a call about a saga that has ended: of its trace, in which the call has no span."""
        saga = self.place_of(resource).saga
        return TraceContext(saga.trace_id, saga.span_id, sampled=False).header()

    def annotations(self, resource: Resource) -> Mapping[str, str]:
        """What an Event about this saga is annotated with."""
        kept = self.kept(resource)
        return {ANNOTATION: kept} if kept else {}

    def asked(self, resource: Resource, old: Saga, new: Saga, at: float) -> list[Span]:
        """What was done to the saga by this change: to be sent once it is recorded."""
        place = self.place_of(resource)
        return list(asked_between(place, old, new, at)) if place.saga.sampled else []

    def send(self, spans: list[Span]) -> None:
        """Send these."""
        self._spans.send(spans)

    def ended(self, resource: Resource, saga: Saga, history: History, seen: float) -> bool:
        """Remember how it was until its finalizer goes. Whether its trace is recorded; then somebody waits for it."""
        if not self.place_of(resource).saga.sampled:
            return False
        self._ended[resource.uid] = (saga, history, seen)
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
        return True

    def last_word(self, resource: Resource) -> None:
        """Send its whole trace: its finalizer goes now, and with it the duty to do so."""
        known = self._ended.pop(resource.uid, None)
        place = self.place_of(resource)
        if not place.saga.sampled or not resource.finished or resource.archived:
            return  # the last: the finalizer went before, with its trace, and somebody has put it back
        story = Story.recorded(resource)
        self._spans.send(spans_of(place, story if known is None else story.as_seen(*known)))
