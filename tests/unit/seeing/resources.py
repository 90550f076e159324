"""OrderSagas as the operator writes them, for the tests of what is said of them."""

from typing import Any

from ordersaga.saga.record import Record
from saga_operator.process.events import Event
from saga_operator.process.saga import Saga
from saga_operator.resource.status import status_of
from saga_operator.resource.times import to_wire
from tests.support.samples import order
from tests.unit.process.builders import CREATED, NOW, after, new_saga

LATER = NOW + 125.0
"""Two minutes after everything happened."""


def resource(saga: Saga, *, at: float = NOW, **spec: Any) -> dict[str, Any]:
    """The resource of this saga, as it was recorded `at` that time."""
    made = order("o-1001", **spec)
    made["spec"].setdefault("retry", {"maxAttempts": saga.order.retry.max_attempts})
    metadata = {**made["metadata"], "namespace": "shop", "uid": "u-1", "creationTimestamp": to_wire(CREATED)}
    return {**made, "metadata": metadata, "status": status_of(saga, now=at, generation=1, previous={})}


def record(*events: Event, of: Saga | None = None, **spec: Any) -> Record:
    """The record of a saga once all of it has happened."""
    return Record(resource(after(of or new_saga(), *events), **spec))


def unseen(age: float) -> tuple[Record, float]:
    """One that no operator has seen, and the time at which it is so many seconds old."""
    made = resource(new_saga())
    return Record({**made, "status": {"observedGeneration": -1}}), CREATED + age
