"""An order and its OrderSaga: the same content in two spellings, the saga's end, its progress for clients. Pure."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from common.account_numbers import kept
from common.errors import Unreadable
from common.order_saga import API_VERSION, CORRELATION_ID, FINALIZER, KIND
from common.shop import order_spec
from common.tracing.context import ANNOTATION
from services.order.client_models import Compensation, Placed, SagaCondition, SagaRef, SagaStep, SagaView
from services.order.matrix import row_of, same_content
from services.order.models import Content, OrderStatus

Resource = Mapping[str, Any]


def resource_of(
    content: Content,
    *,
    namespace: str,
    ttl_seconds: int,
    correlation_id: str | None,
    traceparent: str | None = None,
    cancelled_by: str = "",
) -> dict[str, Any]:
    """The resource to create. It has our finalizer from the start, so that no deletion skips the rollback.

    `ttl_seconds`: for how long it is kept after the saga's end. `traceparent`: the span that the saga's trace begins
    with.

    `cancelled_by` (spec.requestedBy): unless it is empty, the order is rejected already, and the saga has nothing but
    its rollback to do.
    """
    annotations = {CORRELATION_ID: correlation_id, ANNOTATION: traceparent}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": content.order_id,
            "namespace": namespace,
            "finalizers": [FINALIZER],
            "annotations": {name: said for name, said in annotations.items() if said},
        },
        "spec": {
            **order_spec.spec_of(content.model_dump()),
            **({"state": "Cancelled", "requestedBy": cancelled_by} if cancelled_by else {}),
            "ttlSecondsAfterFinished": ttl_seconds,
        },
    }


def content_of(resource: Resource) -> Content:
    """The content of a resource, exactly as the operator sends it to the steps.

    Raises:
        ValueError: the resource was stored under another schema than ours.
    """
    try:
        return Content.model_validate(order_spec.content_of(resource["spec"]))
    except (KeyError, ValidationError) as error:
        raise ValueError(f"OrderSaga {resource['metadata']['name']} breaks its own schema: {error}") from error


def content_of_spec(spec: Mapping[str, Any]) -> Content | None:
    """The content that a specification has; None if it has none: it was archived by whoever calls that route."""
    try:
        return Content.model_validate(order_spec.content_of(spec))
    except (KeyError, TypeError, ValueError):
        return None


def without_numbers(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The specification without products whose ids look like numbers of cards (`common.wire.OrderLine`)."""
    items = spec.get("items")
    if not isinstance(items, list):
        return dict(spec)
    return {**spec, "items": [_without_number(item) for item in items]}


def _without_number(item: Any) -> Any:
    product = item.get("productID") if isinstance(item, dict) else None
    return {**item, "productID": kept(product)} if isinstance(product, str) else item


def is_of(document: Mapping[str, Any] | None, spec: Mapping[str, Any]) -> bool:
    """Whether a saga with this spec is the order's. Without an order every saga of its id is."""
    content = content_of_spec(spec)
    try:
        return content is not None and same_content(document or {}, content)
    except (KeyError, TypeError):  # a document that can't be read
        return False


END_OF: Mapping[str, str] = {"CONFIRMED": "Completed", "CANCELLED": "Compensated"}
"""By the order's row in the matrix: the phase in which its saga ends. An open order's saga hasn't ended."""


def ended(document: Mapping[str, Any], namespace: str, spec: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    """Whether a saga, as its resource or its story has it, is the order's own and has ended as the order shows.

    A saga of another namespace or with other content ends Compensated, too, and has touched nothing of this order.
    """
    try:
        end = END_OF.get(row_of(document))
        of_this_order = namespace == document["barrier"]["namespace"] and is_of(document, spec)
        return end is not None and status.get("phase") == end and of_this_order
    except (KeyError, TypeError, AttributeError, Unreadable):  # a document that can't be read costs its own order alone
        return False


def phase_of(resource: Resource) -> str:
    """The phase; Pending until the operator has written one."""
    return resource.get("status", {}).get("phase") or "Pending"


def status_by_resource(resource: Resource) -> OrderStatus:
    """The status of an order without a document: its first step wasn't called yet, or was refused."""
    match phase_of(resource):
        case "Compensating" | "Failed":
            return "CANCELLING"
        case "Compensated":
            return "CANCELLED"
    return "PENDING"


def status_of(document: Mapping[str, Any] | None, resource: Resource | None) -> str:
    """The status of an order that has one of both, or had a resource."""
    if document is not None and "status" in document:
        status: str = document["status"]
        return status
    if document is not None and row_of(document) == "CANCELLED":
        return "CANCELLED"
    return status_by_resource(resource) if resource is not None else "CANCELLED"


def placed(order_id: str, status: str, resource: Resource | None) -> Placed:
    """An order with this status, and its saga, as the client sees it that places or cancels it."""
    saga = None
    if resource is not None:
        metadata = resource["metadata"]
        saga = SagaRef(namespace=metadata["namespace"], name=metadata["name"], phase=phase_of(resource))
    return Placed.model_validate({"order_id": order_id, "status": status, "saga": saga})


def view_of(resource: Resource) -> SagaView:
    """The saga's progress for clients."""
    status = resource.get("status", {})
    return SagaView(
        namespace=resource["metadata"]["namespace"],
        name=resource["metadata"]["name"],
        phase=phase_of(resource),
        current_step=status.get("currentStep"),
        steps=[_step(step) for step in status.get("steps", ())],
        conditions=[
            SagaCondition(
                type=condition["type"],
                status=condition["status"],
                reason=condition["reason"],
                message=condition["message"],
                last_transition_time=condition.get("lastTransitionTime"),
            )
            for condition in status.get("conditions", ())
        ],
    )


def _step(step: Mapping[str, Any]) -> SagaStep:
    compensation = step.get("compensation")
    return SagaStep(
        name=step["name"],
        state=step["state"],
        attempts=step.get("attempts", 0),
        reason=step.get("reason"),
        message=step.get("message"),
        compensation=compensation
        and Compensation(
            attempts=compensation.get("attempts", 0),
            start_time=compensation.get("startTime"),
            completion_time=compensation.get("completionTime"),
            reason=compensation.get("reason"),
            message=compensation.get("message"),
        ),
    )
