"""Events about finished sagas that were removed: of a few each its own, of many one for all.

A resource that is gone can't be described any more, but its Events stay for an hour (`kubectl events`). A shop with a
time to live loses as many resources as it takes orders, and each Event is a write like a step's. So they are counted
as soon as they are many, and told as one Event about what outlives them all: the operator's Lease.
"""

import time
from collections.abc import Callable
from typing import Final

from common.wire import Json
from saga_operator.engine.records.allowance import Allowance
from saga_operator.engine.records.event_sender import EventSender
from saga_operator.resource.body import Resource
from saga_operator.resource.kube_events import KubernetesEvent

BURST: Final = 20
"""Removals that have Events of their own though they come at once."""
PER_SECOND: Final = 0.1
"""Such Events a second after that: 360 in the hour for which the API server keeps them, a tenth of a step's writes."""
EVERY: Final = 60.0
"""Seconds between two Events that tell how many others there were."""
NAMED: Final = 3
"""Of these so many by name."""


class Removals:
    """Tells of removals."""

    def __init__(
        self, events: EventSender, lease: Callable[[], Json | None], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`lease`: the Lease that this operator holds, if there is one."""
        self._events = events
        self._lease = lease
        self._monotonic = monotonic
        self._allowance = Allowance(BURST, PER_SECOND, monotonic)
        self._others: list[str] = []
        self._number = 0
        self._told_at = -EVERY

    def add(self, resource: Resource) -> None:
        """This one was removed."""
        if self._allowance.take():
            self._events.add(resource, KubernetesEvent.of_removed(resource.name))
            return
        self._number += 1
        if len(self._others) < NAMED:
            self._others.append(resource.name)

    def refused(self, resource: Resource, why: str) -> None:
        """This one can't be removed, though its time to live is over."""
        self._events.add(resource, KubernetesEvent.of_unremovable(why))

    def tell(self) -> None:
        """Tell of those that had no Event of their own, if that wasn't done just now."""
        now = self._monotonic()
        if not self._number or now - self._told_at < EVERY:
            return
        if (lease := self._lease()) is not None:
            self._events.add(Resource(lease), KubernetesEvent.of_many_removed(self._number, self._others))
        self._told_at, self._number, self._others = now, 0, []
