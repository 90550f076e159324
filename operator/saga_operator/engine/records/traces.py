"""Traces of the sagas: what each call says of its parent, and the spans that are made once, when a saga has ended.

A span that is open for hours is lost with its process, and its children with it. So none is ever open in here: ids
follow from the resource's uid, and all spans of a saga are made before our finalizer goes, by whichever process takes
it off. What that one has seen itself it knows to the millisecond, the rest as it is recorded. The finalizer waits until
the collector has them, so that a process that is killed meanwhile leaves them to its successor.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Final

from common.tracing.context import TraceContext
from common.tracing.export import Spans
from common.tracing.span import Span
from saga_operator.process.saga import Saga
from saga_operator.process.steps import Step
from saga_operator.resource.about import about
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
GATHER: Final = 0.25
"""Seconds in which more sagas may end that are then sent with the first: so many exports as a service makes in a busy
second cost the collector more than the spans in them. A deletion waits for this.
"""
AT_ONCE: Final = 1_000
"""Spans that are sent with one another: half of what has room on its way to the collector. A predecessor may have left
thousands of sagas.
"""
TAKEN_WITHIN: Final = 3.0
"""Seconds that finalizers wait for the collector. One that is well takes spans in milliseconds."""

log = logging.getLogger(__name__)


class Traces:
    """Made only if a collector is configured. No saga waits for that, and the finalizer of an ended one only so long.

    It is the last word about a saga, see `records.duties`.
    """

    def __init__(self, spans: Spans) -> None:
        self._spans = spans
        self._due: OrderedDict[str, Resource] = OrderedDict()
        """By uid: whose spans are to be sent next."""
        self._under_way: list[str] = []
        self._sent: OrderedDict[str, None] = OrderedDict()
        """The uids of those whose finalizer may go."""
        self._filled = asyncio.Event()
        self._hurries = False
        self.when_said: Callable[[str], None] = lambda _: None
        """Called with the uid of each saga whose finalizer need not wait any longer."""
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

    def is_said(self, resource: Resource) -> bool:
        """Whether the collector has its whole trace, or won't have it. If not, it is on its way; never blocks."""
        uid = resource.uid
        if uid in self._sent or not self.place_of(resource).saga.sampled or not resource.finished or resource.archived:
            return True  # the last: the finalizer went before, with its trace, and somebody has put it back
        if self._hurries:
            self._due.pop(uid, None)
            if uid not in self._under_way:
                self._send_all_of(resource)
            self._note_sent(uid)
            return True
        if uid in self._due or (uid not in self._under_way and len(self._due) < REMEMBERED):
            self._due[uid] = resource
            self._filled.set()
        return False

    def hurry(self) -> None:
        """The namespace ends: nobody waits for the collector but the process, at its end."""
        self._hurries = True

    def forget(self, uid: str) -> None:
        """Its finalizer is off."""
        self._sent.pop(uid, None)
        self._ended.pop(uid, None)

    async def run(self) -> None:
        """Send what is due until cancelled. A successor finds the rest by the finalizer that is still on."""
        while True:
            await self._filled.wait()
            await asyncio.sleep(GATHER)
            self._filled.clear()
            left = len(self._due)  # what comes meanwhile is gathered again
            while left > 0 and self._due:
                left -= await self._send_some()

    async def _send_some(self) -> int:
        """The number of sagas whose spans were sent."""
        number = 0
        while self._due and number < AT_ONCE:
            uid, resource = self._due.popitem(last=False)
            self._under_way.append(uid)
            number += self._send_all_of(resource)
        await self._spans.flush(TAKEN_WITHIN)
        said, self._under_way = self._under_way, []
        for uid in said:
            self._note_sent(uid)
            self.when_said(uid)
        return len(said)

    def _note_sent(self, uid: str) -> None:
        self._sent[uid] = None
        if len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)

    def _send_all_of(self, resource: Resource) -> int:
        """The number of its spans."""
        known = self._ended.pop(resource.uid, None)
        try:
            story = Story.recorded(resource)
            spans = spans_of(self.place_of(resource), story if known is None else story.as_seen(*known))
        except Exception as error:  # a defect, or a status that somebody has edited: nothing depends on it
            log.error("a saga goes without its trace: %r", error, exc_info=error, extra=about(resource))
            return 0
        self._spans.send(spans)
        return len(spans)
