"""Other systems are told of each order's lifecycle: when it starts, when it needs a person, how it ends.

Each event is sent as soon as what it tells is recorded, from memory. What memory had no room for, or was lost with a
predecessor, is found by the finalizer that is still on.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from saga_operator import metrics
from saga_operator.engine.records.duties import is_past
from saga_operator.engine.records.event_sender import EventSender
from saga_operator.engine.telling.harmless import harmless
from saga_operator.engine.telling.outbox import Outbox, Tally
from saga_operator.engine.telling.sink import CONCURRENCY, Sink
from saga_operator.process import reasons
from saga_operator.process.saga import Phase
from saga_operator.resource.about import about
from saga_operator.resource.body import Resource
from saga_operator.resource.kube_events import KubernetesEvent
from saga_operator.resource.lifecycle import Kind, Lifecycle, due, end_of, started

log = logging.getLogger(__name__)

AT_THE_END: Final = 2.0
"""Seconds, of all that the end of a namespace takes, in which events are waited for: enough for what is on its way."""
ENDS: Final = (Kind.COMPLETED, Kind.COMPENSATED, Kind.CANCELLED)
AT_WORK: Final = frozenset({Phase.RUNNING, Phase.COMPENSATING, Phase.FAILED})


class Systems:
    """What they are told. Also a duty, which holds the finalizer: see `records.duties`."""

    def __init__(self, source: str, sink: Sink, events: EventSender, *, since: float = 0.0) -> None:
        """`source`: which installation and namespace it is, as each event says it. `since`: seconds since the epoch; of
        what had ended before nobody is told.
        """
        self._events = events
        self._since = since
        self._source = source
        self._sink = sink
        tally = Tally(metrics.EVENTS_SENT, metrics.EVENTS_FAILED, metrics.EVENTS_WAITING, metrics.EVENTS_OLDEST)
        self._outbox: Outbox[Lifecycle] = Outbox(self._sink.send, self._sink.name, tally, Kind, concurrency=CONCURRENCY)
        self._wait_until: float | None = None
        for kind in Kind:
            metrics.EVENTS_MISSED.labels(kind)

    async def aclose(self) -> None:
        """Close the connections to the sink."""
        await self._sink.aclose()

    async def run(self) -> None:
        """Send until cancelled."""
        await self._outbox.run()

    def when_done(self, call: Callable[[str], None]) -> None:
        """Have this called with the uid of each saga of which nothing waits any more."""
        self._outbox.when_all_is_taken = call

    def begun(self, resource: Resource) -> None:
        """A first call is about to be made for it, of this process at least; its finalizer is on. Never blocks."""
        if self._outbox.knows(resource.uid):
            return
        with harmless(resource):
            # what is recorded of it was done by a predecessor, as a rule
            self._outbox.add(resource.uid, [started(resource, self._source)], repeated=bool(resource.phase))

    def saw(self, resource: Resource) -> None:
        """It is live, and recorded like this. Never blocks."""
        if resource.phase == Phase.FAILED:
            with harmless(resource):
                self._outbox.add(resource.uid, due(resource, self._source), always=True)
        elif resource.phase in AT_WORK:
            self.begun(resource)

    def ended(self, resource: Resource) -> None:
        """Its end is recorded. Never blocks."""
        with harmless(resource):
            self._outbox.add(resource.uid, due(resource, self._source))

    @property
    def is_open(self) -> bool:
        """Whether the sink takes events, and there is room for more."""
        return self._outbox.is_open

    def is_seen_to(self, uid: str) -> bool:
        """Whether the event of its end is taken, or on its way: there may have been room for its start alone."""
        return any(self._outbox.has(uid, f"{uid}/{kind}") for kind in ENDS)

    async def done(self, resource: Resource) -> bool:
        """Whether the sink is known to have the event of its end, and so all before it. If not, it is sent."""
        if is_past(resource, self._since) or self._has_its_end(resource):
            return True
        self._outbox.add(resource.uid, due(resource, self._source), always=resource.deleting)
        if self._wait_until is not None:
            await self._outbox.settled(resource.uid, self._wait_until - asyncio.get_running_loop().time())
        return self._has_its_end(resource)

    def _has_its_end(self, resource: Resource) -> bool:
        kind = end_of(resource)
        return kind is None or self._outbox.has_taken(resource.uid, f"{resource.uid}/{kind}")

    def missed(self, resource: Resource) -> None:
        """A person deletes it, and has waited long enough. What is in memory is sent all the same, while it can be."""
        missing = [e for e in due(resource, self._source) if not self._outbox.has_taken(resource.uid, e.id)]
        for event in missing:
            metrics.EVENTS_MISSED.labels(event.kind).inc()
        types = ", ".join(event.kind.type for event in missing)
        text = f"its deletion has waited long enough for the sink of events, which may not have got: {types}"
        log.warning("%s", text, extra=about(resource))
        self._events.add(resource, KubernetesEvent("Warning", reasons.EVENTS_NOT_TOLD, text))

    def hurry(self) -> None:
        """The namespace ends: events are waited for, but all of them together only so long."""
        self._wait_until = asyncio.get_running_loop().time() + AT_THE_END

    def forget(self, uid: str) -> None:
        """Its finalizer is off."""
        self._outbox.forget(uid)
