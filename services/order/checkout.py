"""Showing and cancelling orders for clients (placing them: `placing`)."""

from common.barrier import Answer
from common.errors import NotFound, Problem, Unavailable
from services.order.client import Client
from services.order.client_models import OrderView, Placed, SagaView
from services.order.lost import LostSagas
from services.order.matrix import row_of
from services.order.models import content_of_document
from services.order.saga_resource import content_of, placed, status_of, view_of
from services.order.sagas import Sagas
from services.order.steps import CANCELLED, reject_call
from services.order.store import Orders


class Checkout:
    """Orders as clients see them: document and resource together."""

    def __init__(self, orders: Orders, sagas: Sagas, lost: LostSagas) -> None:
        self._orders = orders
        self._lost = lost
        self._sagas = sagas

    async def see(self, order_id: str, client: Client) -> OrderView:
        """The order joined with its saga, from the first moment on. Raises NotFound, Unavailable."""
        # The resource first: an order whose saga reads Completed must not read PENDING.
        unreadable: Problem | None = None
        try:
            resource = client.resource(await self._sagas.find(order_id))
            saga = view_of(resource) if resource else None
        except Problem as error:
            unreadable = error
            resource, saga = None, SagaView(namespace=self._sagas.namespace, name=order_id, phase="Unknown")
        document = client.document(await self._orders.document(order_id))
        if unreadable is not None and (document is None or row_of(document) == "missing"):
            raise unreadable  # the order may exist as a resource alone: better no answer than a wrong one
        if document is not None and "status" in document:
            return OrderView.model_validate({**document, "saga": saga})
        if resource is None:
            raise _not_found(order_id)
        content = content_of(resource)
        return OrderView.model_validate(
            {
                **content.model_dump(),
                "total_minor": content.total_minor,
                "status": status_of(document, resource),
                "reason": (document or {}).get("reason"),
                "saga": saga,
            }
        )

    async def cancel(self, order_id: str, client: Client) -> Placed:
        """Reject the order, then ask the saga to cancel, in their name.

        The first write decides. If the second one fails, it is repeated until the API server takes it; meanwhile the
        saga may meet the rejected order, and rolls back as well. An order that has lost its resource gets it back, so
        that it is rolled back.

        Raises:
            NotFound, Refused (`already_confirmed`), Unavailable.
        """
        document = client.document(await self._orders.document(order_id))
        if document is not None and "status" in document:
            content = content_of_document(document)
        elif (resource := client.resource(await self._sagas.find(order_id))) is not None:
            content = content_of(resource)
        else:
            raise _not_found(order_id)
        answer = await self._orders.reject(reject_call(content, self._sagas.namespace), content, reason=CANCELLED)
        if answer.status != 200:
            raise _problem(answer)
        # The answer of a tombstone has no status: that order was cancelled without ever having been created.
        status = answer.body.get("status", "CANCELLED")
        try:
            resource = await self._sagas.cancel(order_id, client=client.name)
        except Unavailable:
            self._lost.cancel_again(order_id, client=client.name)
            raise
        if resource is None and status == "CANCELLING" and document is not None:
            resource = await self._lost.restore({**document, "status": status})
        return placed(order_id, status, resource)


def _not_found(order_id: str) -> NotFound:
    return NotFound(f"there is no order {order_id}: POST /api/orders places one", order_id=order_id)


def _problem(answer: Answer) -> Problem:
    body = answer.body
    return Problem(
        body["detail"],
        status=answer.status,
        code=body["code"],
        retryable=body["retryable"],
        order_id=body.get("order_id"),
    )
