"""Placing orders for clients.

Creating the resource is the one write that makes an order. Everything before it only reads, or stores inline data under
a reference made of its content; so a request that fails half-way leaves no order behind, and may be repeated.

Most requests are new ones. So the API server isn't asked whether it has the order before it is asked to create it: it
refuses a second one of the same name. Whatever keeps the order from being created, the resource is looked for then, and
a repeated request gets the answer that it had, also if it would be refused by now. Only what may be a repetition is
looked for first: its key was used before, its order has a document, or it brings along an address or a contact, which
wouldn't be kept for an order that exists already.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.errors import Invalid, Problem, Refused, Unavailable
from common.logs import correlation_id, note
from common.shop.erasure import ERASED
from common.tracing.current import traceparent
from common.wire import Json
from services.order.client import Client
from services.order.client_models import Placed, PlaceRequest, derived_order_id
from services.order.clients import Clients
from services.order.matrix import row_of
from services.order.models import Content, check_total
from services.order.open_orders import OpenOrders
from services.order.saga_resource import content_of, placed, resource_of, status_of
from services.order.sagas import Sagas
from services.order.steps import why_unavailable
from services.order.store import Keys, Orders

PLACE_SECONDS = 12
"""For all of a placing: two calls to the API server, prices, and an address and a contact at the same time."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """The order that a request is about."""

    order_id: str
    may_be_known: bool
    """Its key was used before, or it has a document."""


class Placing:
    """Orders as clients place them."""

    def __init__(self, orders: Orders, keys: Keys, sagas: Sagas, clients: Clients, rooms: OpenOrders) -> None:
        self._orders = orders
        self._keys = keys
        self._sagas = sagas
        self._clients = clients
        self._rooms = rooms

    async def place(self, request: PlaceRequest, key: str | None, client: Client) -> Placed:
        """Place an order, once: a repeat answers the same.

        Raises:
            Invalid, Refused (`order_id_used`, `product_unknown`, `currency_mismatch`, `reference_used`), Problem
            (`key_reused`), NotAllowed, TooMany, Unavailable.
        """
        client.require_own(request.customer_id)
        try:
            async with asyncio.timeout(PLACE_SECONDS):
                claim = await self._claim(request, key, client)
                note({"saga": f"{self._sagas.namespace}/{claim.order_id}", "order": claim.order_id})
                return await self._place(request, claim, client)
        except TimeoutError as error:
            raise Unavailable(
                f"the order could not be placed within {PLACE_SECONDS} s: repeat the same request, which is safe",
                retry_after=2,
                order_id=request.order_id,
            ) from error

    async def _claim(self, request: PlaceRequest, key: str | None, client: Client) -> _Claim:
        """Claim the key. A client uses it for one order, whatever id and whatever customer come with it.

        Raises:
            Problem: neither key nor id (400), or the key was used for another order (422 `key_reused`).
        """
        order_id = _order_id(request, key, client)
        if key is None:
            return _Claim(order_id, may_be_known=await self._orders.have_any(order_id))
        first, is_new = await self._keys.claim(client.key_scope + key, order_id)
        if request.order_id is None:
            return _Claim(first, may_be_known=not is_new or await self._orders.have_any(first))
        derived = derived_order_id(request.customer_id, client.id_scope + key)
        has_document = await self._orders.have_any(order_id, derived)
        if has_document and first == order_id != derived and await self._orders.have_any(derived):
            first = derived  # the key came alone, before keys were kept
        if first != order_id:
            raise _key_reused(first, f"repeat that request with its order_id {first}, or use a new key")
        return _Claim(order_id, may_be_known=has_document or not is_new)

    async def _place(self, request: PlaceRequest, claim: _Claim, client: Client) -> Placed:
        order_id = claim.order_id
        looks_first = claim.may_be_known or (request.has_inline_data and request.order_id is not None)
        if looks_first and (known := await self._known(order_id, request, client)) is not None:
            return known
        try:
            created = await self._create(order_id, request, client)
        except Problem:
            if not looks_first and (known := await self._known(order_id, request, client)) is not None:
                return known
            raise
        if created is not None:
            return placed(order_id, status_of(None, created), created)
        return await self._known(order_id, request, client) or await self._place(request, claim, client)

    async def _create(self, order_id: str, request: PlaceRequest, client: Client) -> Json | None:
        """Make the resource; None if the name is taken."""
        async with self._rooms.room(client, order_id):
            content = await self._priced(order_id, request)
            await self._keep_inline(order_id, request)
            resource = resource_of(
                content,
                namespace=self._sagas.namespace,
                ttl_seconds=self._sagas.ttl_seconds,
                correlation_id=correlation_id(),
                traceparent=traceparent(),
            )
            return await self._sagas.create(resource)

    async def _known(self, order_id: str, request: PlaceRequest, client: Client) -> Placed | None:
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
            return placed(order_id, status_of(document, resource), resource)
        if request.order_id is None:
            raise _key_reused(order_id, "send the body that it came with, or a new key")
        theirs = document is not None and client.may_see(document.get("customer_id"))  # of another's: no more than that
        why = why_unavailable(document) if document is not None and theirs else "exists with other content"
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

    async def _keep_inline(self, order_id: str, request: PlaceRequest) -> None:
        """Store inline data where it belongs."""
        calls = []
        whose = {"order_id": order_id, "customer_id": request.customer_id}
        if request.ship_to.address is not None:
            reference = request.address_ref(order_id)
            calls.append(self._clients.keep_address(reference, request.ship_to.address, **whose))
        if request.contact is not None:
            reference = request.contact_ref(order_id) or ""
            calls.append(self._clients.keep_contact(reference, request.contact, **whose))
        if calls:
            await asyncio.gather(*calls)


def _key_reused(order_id: str, what_to_do: str) -> Problem:
    return Problem(
        f"this Idempotency-Key was used for order {order_id} with another body: {what_to_do}",
        status=422,
        code="key_reused",
        order_id=order_id,
    )


def _order_id(request: PlaceRequest, key: str | None, client: Client) -> str:
    if request.order_id is not None:
        return request.order_id
    if key is None:
        raise Problem(
            'POST /api/orders needs an order_id in the body ("order_id": "o-1001") or an Idempotency-Key header, for '
            "example Idempotency-Key: 6f1c0d9e: without either, a repetition can't be told from a second order",
            status=400,
            code="idempotency_key_required",
        )
    return derived_order_id(request.customer_id, client.id_scope + key)


def _same(order_id: str, request: PlaceRequest, content: Mapping[str, Any]) -> bool:
    """Whether the known order has the same value in every field that the request names and that isn't erased."""
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
    return all(kept in (wanted, ERASED) for wanted, kept in named)
