"""The saga's four calls as transitions of the order document: the barrier's gate, then the matrix, then the answer.

Create, confirm and cancel store their answers. Reject stores none: its answer follows from the document's status and
content, so the operator and a client's cancel may both call it as often as they like.
"""

from dataclasses import replace
from typing import Any

from common.barrier import (
    Answer,
    BarrierState,
    Call,
    Decision,
    Document,
    Transition,
    Write,
    answer_of,
    answered,
    change,
    compensated,
    gate,
    with_epoch,
)
from common.errors import NotFound, Problem, Refused
from common.web.idempotency import example_key, fingerprint
from services.order.matrix import (
    BLOCKED_CUSTOMER,
    Become,
    Refuse,
    content_fields,
    row_of,
    same_content,
    verdict,
)
from services.order.models import CancelRequest, Content, Order, OrderStatus


def create(call: Call, content: Content) -> Transition:
    """missing → PENDING, or a refusal that is stored (`customer_blocked`)."""

    def transition(document: Document | None) -> Decision:
        state = BarrierState.of(document)
        if (decision := _gate(call, document, content, forward=True)) is not None:
            return decision
        match verdict("create", document):
            case Become(status):
                if content.customer_id == BLOCKED_CUSTOMER:
                    return answered(call, state, Answer.of(_blocked(content)))
                fields = {**content_fields(content), "status": status, "closed": False, "reason": None}
                return answered(call, state, Answer(200, order_body(fields)), fields=fields, effect=True)
            case Refuse():
                return with_epoch(call, state, compensated(call))
        return with_epoch(call, state, Answer(200, order_body(_existing(document))))

    return transition


def created(call: Call, content: Content) -> Document:
    """The document of this order if nothing has happened but its create: what a confirm meets, and mostly a reject."""
    made = create(replace(call, operation="create", epoch=None), content)(None)
    assert isinstance(made, Write), "where there is nothing, a create writes"  # noqa: S101
    return {"_id": call.order_id, **made.fields, "barrier": made.state.to_document()}


def confirm(call: Call, content: Content) -> Transition:
    """PENDING → CONFIRMED: the pivot."""

    def transition(document: Document | None) -> Decision:
        state = BarrierState.of(document)
        if (decision := _gate(call, document, content, forward=True)) is not None:
            return decision
        match verdict("confirm", document):
            case Become(status):
                after = {**_existing(document), "status": status}
                return answered(call, state, Answer(200, order_body(after)), fields=decided(status), effect=True)
            case Refuse("not_found"):
                raise NotFound(
                    f"order {call.order_id} was never created here: call POST /api/orders/create first",
                    order_id=call.order_id,
                )
            case Refuse():
                return with_epoch(call, state, compensated(call))
        return with_epoch(call, state, Answer(200, order_body(_existing(document))))

    return transition


def decided(status: OrderStatus) -> dict[str, Any]:
    """The fields of an order that is confirmed or cancelled from now on. Its saga goes on: it has to send the message,
    or to undo what was done, whoever has decided. `saga_ended` becomes True when the saga is known to have ended.
    """
    return {"status": status, "saga_ended": False}


CANCELLED = "cancelled"
"""The reason of an order that a person has cancelled; the operator gives the same one."""


def reject_call(content: Content, namespace: str) -> Call:
    """A reject of the service itself, under the operator's key and without an epoch: both are the same call."""
    return Call(
        key=example_key("confirmation", "undo", content.order_id, namespace),
        namespace=namespace,
        order_id=content.order_id,
        operation="reject",
        fingerprint=fingerprint(content),
    )


def reject(call: Call, content: Content, *, reason: str | None = None) -> Transition:
    """missing, PENDING → CANCELLING. From here on the order can't be confirmed any more.

    The operator says why when it closes the order; a client's cancel says so at once.
    """

    def transition(document: Document | None) -> Decision:
        state = BarrierState.of(document)
        if (decision := _gate(call, document, content, forward=False)) is not None:
            return decision
        match verdict("reject", document):
            case Become(status):
                fields = {**content_fields(content), "status": status, "closed": False, "reason": reason}
                return change(call, state.with_tombstone(), _rejected(state, fields), fields=fields, effect=True)
            case Refuse():
                return with_epoch(call, state, Answer.of(already_confirmed(_existing(document))))
        return with_epoch(call, state, _rejected(state, _existing(document)))

    return transition


def cancel(call: Call, request: CancelRequest) -> Transition:
    """→ CANCELLED: the last undo. An order that was never created becomes a tombstone, which has no status."""

    def transition(document: Document | None) -> Decision:
        state = BarrierState.of(document)
        if (decision := gate(call, state, forward=False)) is not None:
            return decision
        happened = state.happened("create")
        match verdict("cancel", document):
            case Become() if row_of(document) == "missing":
                body = {"order_id": call.order_id, "reason": request.reason, "effect": "none"}
                return answered(call, state.with_tombstone(), Answer(200, body), fields={"reason": request.reason})
            case Become(status, closed):
                reason = _existing(document).get("reason") or request.reason  # the first one stays
                fields = {**decided(status), "closed": closed, "reason": reason}
                body = _undone(happened, {**_existing(document), **fields})
                return answered(call, state.with_tombstone(), Answer(200, body), fields=fields, effect=happened)
            case Refuse():
                return with_epoch(call, state, Answer.of(already_confirmed(_existing(document))))
        return with_epoch(call, state, Answer(200, _undone(happened, _existing(document))))

    return transition


def order_body(document: Document) -> dict[str, Any]:
    """The order as the wire has it, without its saga."""
    return Order.model_validate(document).model_dump(mode="json")


def already_confirmed(document: Document) -> Refused:
    """The refusal of a cancel or reject that comes too late."""
    order_id = document["order_id"]
    return Refused(
        "already_confirmed",
        f"order {order_id} is {document['status']}: it is confirmed and can't be cancelled any more",
        order_id=order_id,
    )


def _existing(document: Document | None) -> dict[str, Any]:
    """The document of a row other than missing."""
    return dict(document or {})


def _gate(call: Call, document: Document | None, content: Content, *, forward: bool) -> Decision | None:
    """The barrier's gate, and the rule that an order's content never changes.

    The rule outranks the tombstone: a call with other content has nothing to roll back here.
    """
    decision = gate(call, BarrierState.of(document), forward=forward)
    if (decision is None or _code(decision) == "compensated") and not same_content(document or {}, content):
        raise _other_content(call, document or {})
    return decision


def _code(decision: Decision) -> str | None:
    return answer_of(decision).body.get("code")


def _other_content(call: Call, document: Document) -> Problem:
    # Reject's fingerprint isn't kept, but a rejected order shows that its key was used with the document's content.
    if call.operation == "reject" and (document["status"] == "CANCELLING" or document.get("closed")):
        return Problem(
            f"the key {call.key} was used with another body: an order's content never changes; use another order id",
            status=422,
            code="key_reused",
            order_id=call.order_id,
        )
    return Refused(
        "order_id_used",
        f"order {call.order_id} {why_unavailable(document)}: place a new order under a new id",
        order_id=call.order_id,
    )


def why_unavailable(document: Document) -> str:
    """Why an order's id can't be used again, as the rest of a sentence: "was cancelled (card_declined)"."""
    match row_of(document):
        case "CANCELLED":
            reason = document.get("reason")
            return f"was cancelled ({reason})" if reason else "was cancelled"
        case "CANCELLING":
            return "is being cancelled"
    return "exists with other content"


def _blocked(content: Content) -> Refused:
    return Refused(
        "customer_blocked",
        f"order {content.order_id}: customer {content.customer_id} is blocked: contact customer service",
        order_id=content.order_id,
    )


def _rejected(state: BarrierState, document: Document) -> Answer:
    return Answer(200, {**_undone(state.happened("create"), document), "closed": bool(document.get("closed"))})


def _undone(happened: bool, document: Document) -> dict[str, Any]:
    order = order_body(document) if "status" in document else {"order_id": document["_id"]}
    return {**order, "effect": "undone" if happened else "none"}
