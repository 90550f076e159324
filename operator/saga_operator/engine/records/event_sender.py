"""Kubernetes Events about sagas: what `kubectl describe` shows at its end. Sent beside the sagas, never waited for."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

from common.kube import Events, KubeError
from common.order_saga import KIND
from saga_operator import metrics
from saga_operator.engine.records.allowance import Allowance
from saga_operator.resource.about import about
from saga_operator.resource.body import Resource
from saga_operator.resource.kube_events import KubernetesEvent

log = logging.getLogger(__name__)

CAPACITY: Final = 1_000
"""Events that may wait. They are a help for people that no decision reads, so what exceeds this is dropped and counted.
"""


BURST: Final = 200
"""Events that are sent as fast as the API server takes them."""
PER_SECOND: Final = 50.0
"""Events a second after that, of all sagas together: each is a write like a step's, and thousands of sagas may have the
same trouble at once.
"""


class EventSender:
    """A bounded queue of Kubernetes Events and the loop that sends them, at a bounded rate."""

    def __init__(
        self, events: Events, annotations: Callable[[Resource], Mapping[str, str]] = lambda resource: {}
    ) -> None:
        """`annotations`: of an Event about this saga."""
        self._events = events
        self._annotations = annotations
        self._allowance = Allowance(BURST, PER_SECOND)
        self._queue: asyncio.Queue[tuple[Resource, KubernetesEvent]] = asyncio.Queue(CAPACITY)

    def add(self, resource: Resource, event: KubernetesEvent) -> None:
        """Queue an event about this resource, a saga as a rule. Never blocks."""
        try:
            self._queue.put_nowait((resource, event))
        except asyncio.QueueFull:
            metrics.EVENTS_DROPPED.labels("queue_full").inc()

    async def run(self) -> None:
        """Send one event after the other until cancelled. One that fails is counted and not repeated."""
        while True:
            resource, event = await self._queue.get()
            if (pause := self._allowance.pause()) > 0:
                await asyncio.sleep(pause)
            self._allowance.spend()
            try:
                notes = self._annotations(resource) if resource.raw.get("kind", KIND) == KIND else {}
                await self._events.create(
                    resource.raw, type_=event.type, reason=event.reason, message=event.message, annotations=notes
                )
            except KubeError as error:
                metrics.EVENTS_DROPPED.labels(metrics.of_api_server(error.reason)).inc()
                log.debug("event %s was not written: %s", event.reason, error, extra=about(resource))
            except Exception as error:  # one that can't be made at all is no reason to send no others
                metrics.EVENTS_DROPPED.labels("unexpected").inc()
                said = (event.reason, error)
                log.error("event %s can't be written: %r", *said, exc_info=error, extra=about(resource))
