"""Placing, showing and cancelling orders for clients.

Creating the resource is the one write that makes an order. Everything before it only reads, or stores inline data under
a reference made of its content; so a request that fails half-way leaves no order behind, and may be repeated.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from common.barrier import Answer, Document
from common.errors import Invalid, NotFound, Problem, Refused, Unavailable
from common.logs import correlation_id
from common.wire import Json
from services.order.client_models import OrderView, Placed, PlaceRequest, SagaRef, SagaView, derived_order_id
from services.order.clients import Clients
from services.order.lost import LostSagas
from services.order.matrix import row_of
from services.order.models import Content, check_total, content_of_document
from services.order.saga_resource import content_of, phase_of, resource_of, status_by_resource, view_of
from services.order.sagas import Sagas
from services.order.steps import CANCELLED, reject_call, why_unavailable
from services.order.store import Keys, Orders

PLACE_SECONDS = 12
"""For all of a placing: two calls to the API server, prices, and an address and a contact at the same time."""


class Checkout:
    """Orders as clients see them: document and resource together."""

    def __init__(self, orders: Orders, keys: Keys, sagas: Sagas, clients: Clients, lost: LostSagas) -> None:
        self._orders = orders
        self._keys = keys
        self._lost = lost
        self._sagas = sagas
        self._clients = clients

    async def place(self, request: PlaceRequest, key: str | None) -> Placed:
        """Place an order, once: a repeat answers the same.

        Raises:
            Invalid, Refused (`order_id_used`, `product_unknown`, `currency_mismatch`, `reference_used`), Problem
            (`key_reused`), Unavailable.
        """
        try:
            async with asyncio.timeout(PLACE_SECONDS):
                return await self._place(request, await self._id_for(request, key))
        except TimeoutError as error:
            raise Unavailable(
                f"the order could not be placed within {PLACE_SECONDS} s: repeat the same request, which is safe",
                retry_after=2,
                order_id=request.order_id,
            ) from error

    async def _id_for(self, request: PlaceRequest, key: str | None) -> str:
        """The order's id. A key is used for one order, whatever id and whatever customer come with it.

        Raises:
            Problem: neither key nor id (400), or the key was used for another order (422 `key_reused`).
        """
        order_id = _order_id(request, key)
        if key is None:
            return order_id
        first = await self._keys.claim(key, order_id)
        if request.order_id is None:
            return first
        derived = derived_order_id(request.customer_id, key)
        if first == order_id != derived and await self._orders.document(derived) is not None:
            first = derived  # the key came alone, before keys were kept
        if first != order_id:
            raise _key_reused(first, f"repeat that request with its order_id {first}, or use a new key")
        return order_id

    async def _place(self, request: PlaceRequest, order_id: str) -> Placed:
        if (known := await self._known(order_id, request)) is not None:
            return known
        content = await self._priced(order_id, request)
        await asyncio.gather(*self._inline(order_id, request))
        resource = resource_of(content, namespace=self._sagas.namespace, correlation_id=correlation_id())
        created = await self._sagas.create(resource)
        if created is not None:
            return _placed(order_id, _status(None, created), created)
        # The id was free a moment ago: most likely the same request was sent twice at once.
        return await self._known(order_id, request) or await self._place(request, order_id)

    async def see(self, order_id: str) -> OrderView:
        """The order joined with its saga, from the first moment on. Raises NotFound, Unavailable."""
        # The resource first: an order whose saga reads Completed must not read PENDING.
        unreadable: Problem | None = None
        try:
            resource = await self._sagas.find(order_id)
            saga = view_of(resource) if resource else None
        except Problem as error:
            unreadable = error
            resource, saga = None, SagaView(namespace=self._sagas.namespace, name=order_id, phase="Unknown")
        document = await self._orders.document(order_id)
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
                "status": _status(document, resource),
                "reason": (document or {}).get("reason"),
                "saga": saga,
            }
        )

    async def cancel(self, order_id: str) -> Placed:
        """Reject the order, then ask the saga to cancel.

        The first write decides. If the second one fails, it is repeated until the API server takes it; meanwhile the
        saga may meet the rejected order, and rolls back as well. An order that has lost its resource gets it back, so
        that it is rolled back.

        Raises:
            NotFound, Refused (`already_confirmed`), Unavailable.
        """
        document = await self._orders.document(order_id)
        if document is not None and "status" in document:
            content = content_of_document(document)
        elif (resource := await self._sagas.find(order_id)) is not None:
            content = content_of(resource)
        else:
            raise _not_found(order_id)
        answer = await self._orders.reject(reject_call(content, self._sagas.namespace), content, reason=CANCELLED)
        if answer.status != 200:
            raise _problem(answer)
        # The answer of a tombstone has no status: that order was cancelled without ever having been created.
        status = answer.body.get("status", "CANCELLED")
        try:
            resource = await self._sagas.cancel(order_id)
        except Unavailable:
            self._lost.cancel_again(order_id)
            raise
        if resource is None and status == "CANCELLING" and document is not None:
            resource = await self._lost.restore({**document, "status": status})
        return _placed(order_id, status, resource)

    async def _known(self, order_id: str, request: PlaceRequest) -> Placed | None:
        """The answer if the id is taken, by a resource or by a document; None if it is free."""
        resource = await self._sagas.find(order_id)
        document = await self._orders.document(order_id)
        if document is not None and row_of(document) == "missing":
            document = None  # it holds a refusal alone: the order was never created
        if resource is None and document is None:
            return None
        known: list[Mapping[str, Any]] = []
        if resource is not None:
            known.append(content_of(resource).model_dump())
        if document is not None and "status" in document:
            known.append(document)
        if known and all(_same(order_id, request, content) for content in known):
            return _placed(order_id, _status(document, resource), resource)
        if request.order_id is None:
            raise _key_reused(order_id, "send the body that it came with, or a new key")
        why = why_unavailable(document) if document is not None else "exists with other content"
        raise Refused("order_id_used", f"order {order_id} {why}: place a new order under a new id", order_id=order_id)

    async def _priced(self, order_id: str, request: PlaceRequest) -> Content:
        """The content of the new order, with the catalogue's prices where the request names none."""
        missing = [line.product_id for line in request.items if line.unit_price_minor is None]
        prices = await self._clients.prices(missing, order_id=order_id)
        for product, price in prices.items():
            if price.currency != request.currency:
                raise Refused(
                    "currency_mismatch",
                    f"order {order_id} is in {request.currency}, but product {product} is priced in {price.currency}: "
                    f"order it in {price.currency}",
                    order_id=order_id,
                )
        items = [
            {
                **line.model_dump(),
                "unit_price_minor": prices[line.product_id].minor
                if line.unit_price_minor is None
                else line.unit_price_minor,
            }
            for line in request.items
        ]
        try:
            check_total(sum(line["quantity"] * line["unit_price_minor"] for line in items))
        except ValueError as error:
            raise Invalid(f"order {order_id}: {error}", order_id=order_id) from error
        return Content.model_validate(
            {
                "order_id": order_id,
                "customer_id": request.customer_id,
                "currency": request.currency,
                "items": items,
                "payment": request.payment.model_dump(),
                "ship_to": {"address_ref": request.address_ref(order_id)},
                "notify": {"contact_ref": request.contact_ref(order_id) or request.customer_id},
            }
        )

    def _inline(self, order_id: str, request: PlaceRequest) -> list[Any]:
        """The calls that store inline data where it belongs."""
        calls = []
        if request.ship_to.address is not None:
            reference = request.address_ref(order_id)
            calls.append(self._clients.keep_address(reference, request.ship_to.address, order_id=order_id))
        if request.contact is not None:
            reference = request.contact_ref(order_id) or ""
            calls.append(self._clients.keep_contact(reference, request.contact, order_id=order_id))
        return calls


def _key_reused(order_id: str, what_to_do: str) -> Problem:
    return Problem(
        f"this Idempotency-Key was used for order {order_id} with another body: {what_to_do}",
        status=422,
        code="key_reused",
        order_id=order_id,
    )


def _order_id(request: PlaceRequest, key: str | None) -> str:
    if request.order_id is not None:
        return request.order_id
    if key is None:
        raise Problem(
            'POST /api/orders needs an order_id in the body ("order_id": "o-1001") or an Idempotency-Key header, for '
            "example Idempotency-Key: 6f1c0d9e: without either, a repetition can't be told from a second order",
            status=400,
            code="idempotency_key_required",
        )
    return derived_order_id(request.customer_id, key)


def _same(order_id: str, request: PlaceRequest, content: Mapping[str, Any]) -> bool:
    """Whether the known order has the same value in every field that the request names."""
    named: list[tuple[object, object]] = [
        (request.customer_id, content["customer_id"]),
        (request.currency, content["currency"]),
        (request.payment.method_ref, content["payment"]["method_ref"]),
        (request.address_ref(order_id), content["ship_to"]["address_ref"]),
        (len(request.items), len(content["items"])),
    ]
    if (contact_ref := request.contact_ref(order_id)) is not None:
        named.append((contact_ref, content["notify"]["contact_ref"]))
    for line, kept in zip(request.items, content["items"], strict=False):
        named += [(line.product_id, kept["product_id"]), (line.quantity, kept["quantity"])]
        if line.unit_price_minor is not None:
            named.append((line.unit_price_minor, kept["unit_price_minor"]))
    return all(wanted == kept for wanted, kept in named)


def _status(document: Document | None, resource: Json | None) -> str:
    if document is not None and "status" in document:
        status: str = document["status"]
        return status
    if document is not None and row_of(document) == "CANCELLED":
        return "CANCELLED"
    return status_by_resource(resource) if resource is not None else "CANCELLED"


def _placed(order_id: str, status: str, resource: Json | None) -> Placed:
    saga = None
    if resource is not None:
        metadata = resource["metadata"]
        saga = SagaRef(namespace=metadata["namespace"], name=metadata["name"], phase=phase_of(resource))
    return Placed.model_validate({"order_id": order_id, "status": status, "saga": saga})


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
