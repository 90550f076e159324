"""What other systems are told of an order: CloudEvents, each a pure function of its resource (docs/events.md).

The same record makes the same event, whichever process makes it: a repetition has the same id, and says the same.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from common.wire import Json
from saga_operator.process import reasons
from saga_operator.process.order import Order
from saga_operator.process.saga import Phase
from saga_operator.process.step_record import is_stuck
from saga_operator.resource.about import about_name
from saga_operator.resource.body import Resource
from saga_operator.resource.status import saga_of

SCHEMA: Final = "https://ordersaga.io/schemas/order-event.v1.json"
"""The name of docs/schemas/order-event.v1.json."""
MEDIA_TYPE: Final = "application/cloudevents+json; charset=utf-8"
BY_SOMEBODY: Final = frozenset({reasons.CANCELLED, reasons.DELETED, reasons.COMPENSATED})
"""Why an order was rolled back that somebody cancelled. Compensated: a cancel over REST reached a service before its
step, and the request on the resource came later or never.
"""


class Kind(StrEnum):
    """What has happened to the order."""

    STARTED = "started"
    FAILED = "failed"
    COMPLETED = "completed"
    COMPENSATED = "compensated"
    CANCELLED = "cancelled"

    @property
    def type(self) -> str:
        """The event's type. An incompatible change of its data gets another number."""
        return f"io.ordersaga.order.{self}.v1"


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """One event, written out: 1 KB, so that thousands may wait."""

    id: str
    """`uid/kind`; a failure after an intervention has that one's id as well."""
    kind: Kind
    body: bytes
    """The CloudEvent in structured mode."""

    def about(self) -> dict[str, str]:
        """The fields of a log line about its saga. Read when there is one: it needn't be kept."""
        data = json.loads(self.body)["data"]
        return about_name(data["namespace"], data["order_id"])


def started(resource: Resource, source: str) -> Lifecycle:
    """It is worked on. From what never changes: no status is written for it."""
    return _event(Kind.STARTED, resource, source, at=resource.created)


def failed(resource: Resource, source: str) -> Lifecycle | None:
    """A person has to intervene; None if that isn't so. It may be so again after an intervention, under another id."""
    if resource.phase != Phase.FAILED:
        return None
    saga = saga_of(resource)
    stuck = [{"step": r.name, "reason": r.compensation.reason} for r in saga.steps if is_stuck(r)]
    if (refused := saga.refused_forward) is not None:
        stuck.append({"step": refused.name, "reason": refused.reason})
    after = f"/{_without_stops(saga.intervention.id)}" if saga.intervention is not None else ""
    at = _time_of_condition(resource, "Stalled")
    return _event(Kind.FAILED, resource, source, at=at, suffix=after, stuck=stuck)


def end_of(resource: Resource) -> Kind | None:
    """How the order ended; None while it hasn't."""
    if resource.phase == Phase.COMPLETED:
        return Kind.COMPLETED
    if resource.phase != Phase.COMPENSATED:
        return None
    reason = (resource.status.get("failure") or {}).get("reason", "")
    return Kind.CANCELLED if reason in BY_SOMEBODY else Kind.COMPENSATED


def ended(resource: Resource, source: str) -> Lifecycle | None:
    """How the order ended; None while it hasn't."""
    if (kind := end_of(resource)) is None:
        return None
    completion = str(resource.status.get("completionTime") or resource.created)
    return _event(kind, resource, source, at=completion, ended_at=completion)


def due(resource: Resource, source: str) -> Iterator[Lifecycle]:
    """What is to be told of an order that is being worked on or has ended, in the order in which it happened."""
    yield started(resource, source)
    for event in (failed(resource, source), ended(resource, source)):
        if event is not None:
            yield event


def _event(kind: Kind, resource: Resource, source: str, *, at: str, suffix: str = "", **more: Any) -> Lifecycle:
    order = Order.from_spec(resource.namespace, resource.spec)
    data: Json = {
        "order_id": order.order_id,
        "namespace": order.namespace,
        "uid": resource.uid,
        "customer_id": order.customer_id,
        "currency": order.currency,
        "total_minor": order.total_minor,
        "created_at": resource.created,
        **more,
    }
    if kind is not Kind.STARTED:
        data["phase"] = resource.phase
        if failure := resource.status.get("failure"):
            data["failure"] = {"step": failure.get("step", ""), "reason": failure["reason"]}
    id_ = f"{resource.uid}/{kind}{suffix}"
    event: Json = {
        "specversion": "1.0",
        "id": id_,
        "source": source,
        "type": kind.type,
        "subject": order.order_id,
        "time": at,
        "datacontenttype": "application/json",
        "dataschema": SCHEMA,
        "data": data,
    }
    if resource.traceparent:
        event["traceparent"] = resource.traceparent
    return Lifecycle(id_, kind, json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode())


def _without_stops(id_: str) -> str:
    """What is signed is made of an event's id, a time and the body, with full stops between them."""
    return id_.replace(".", "%2E")


def _time_of_condition(resource: Resource, type_: str) -> str:
    """Since when it is as it is."""
    entries = resource.status.get("conditions") or ()
    return str(next((each["lastTransitionTime"] for each in entries if each["type"] == type_), resource.created))
