"""The shipping service: every route it has, port 8003.

cd services/shipping && python -m uvicorn main:app --port 8003
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from common.errors import SAGA_STATUSES, accepted, documented
from common.identity.bearer import bearer_for
from common.settings import ServiceSettings
from common.shop.erasure import Erase, Erased
from common.shop.orders import Orders
from common.web.app import Service, answered, create_app, respond
from common.web.dependencies import OnlyCreate, Owner, provide, store_of
from common.web.guard import OPERATOR, ORDER_SERVICE, READERS, STAFF, Table
from common.web.idempotency import SagaKey, saga_key
from common.web.pagination import PagingQuery
from common.wire import CustomerId, NothingUndone, OrderId, Page, Reference
from services.shipping.models import (
    Address,
    AddressRequest,
    CancelRequest,
    ScheduleRequest,
    Shipment,
    Status,
    StatusRequest,
    Undone,
)
from services.shipping.store import INDEXES, Addresses, Shipments
from services.shipping.testprovider import TestProvider

PUBLIC = (
    "GET /api/shipping",
    "GET /api/shipping/order/{order_id}",
    "GET /api/shipping/addresses/{address_ref}",
    "PUT /api/shipping/addresses/{address_ref}",
    "DELETE /api/shipping/addresses/{address_ref}",
    "GET /api/shipping/{shipping_id}",
    "PUT /api/shipping/{shipping_id}/status",
)
"""What the shop's own people need. The saga's steps are the operator's alone."""

CALLERS: Table = {
    "POST /api/shipping/schedule": OPERATOR,
    "POST /api/shipping/cancel": OPERATOR,
    "GET /api/shipping/operations/{order_id}/{direction}": OPERATOR,
    "GET /api/shipping": READERS,
    "GET /api/shipping/order/{order_id}": READERS,
    "GET /api/shipping/addresses/{address_ref}": STAFF,
    "PUT /api/shipping/addresses/{address_ref}": STAFF | ORDER_SERVICE,
    "DELETE /api/shipping/addresses/{address_ref}": STAFF,
    "GET /api/shipping/{shipping_id}": READERS,
    "PUT /api/shipping/{shipping_id}/status": STAFF,
    "POST /api/shipping/erase": ORDER_SERVICE,
}

router = APIRouter(prefix="/api/shipping", tags=["shipping"])

ShipmentsDep = Annotated[Shipments, Depends(store_of(Shipments))]
AddressesDep = Annotated[Addresses, Depends(store_of(Addresses))]
ShippingId = Annotated[Reference, Path(description="The shipment's id.", examples=["s-o-1001"])]
AddressRef = Annotated[Reference, Path(description="The reference under which orders use it.", examples=["a-17"])]
DoKey = Annotated[SagaKey, Depends(saga_key("shipping", "do"))]
UndoKey = Annotated[SagaKey, Depends(saga_key("shipping", "undo"))]

_ACCEPTED = accepted("/api/shipping/operations/{order_id}/{do|undo}")


@router.post(
    "/schedule",
    response_model=Shipment,
    responses={
        202: _ACCEPTED,
        **documented(
            *SAGA_STATUSES,
            refused="Not booked, and the same key gets the same answer from now on: `address_unknown`, "
            "`not_serviceable` (we don't deliver to that country), `compensated` (the order was rolled back), "
            "`order_id_used` (the order belongs to another namespace). `running`: another call is at work; repeat this "
            "one after Retry-After seconds.",
        ),
    },
)
async def schedule(request: Request, body: ScheduleRequest, key: DoKey, shipments: ShipmentsDep) -> Response:
    """Book the transport of an order with the carrier, once. A repeated call with the same key gets the same answer."""
    return respond(request, await shipments.schedule(key.call(body), body))


@router.post(
    "/cancel",
    response_model=Undone | NothingUndone,
    responses={
        202: _ACCEPTED,
        **documented(
            *SAGA_STATUSES,
            refused="`handed_over`: the carrier has the parcel. `running`: another call is at work; repeat this one "
            "after Retry-After seconds.",
        ),
    },
)
async def cancel(request: Request, body: CancelRequest, key: UndoKey, shipments: ShipmentsDep) -> Response:
    """Cancel the booking of an order, once, until the parcel is handed over. An order without a booking is answered
    with effect `none`.

    A schedule that arrives after the cancel is refused with `compensated`.
    """
    return respond(request, await shipments.cancel(key.call(body)))


@router.get(
    "/operations/{order_id}/{direction}",
    response_model=Shipment | Undone | NothingUndone,
    responses={202: _ACCEPTED, **documented(404, refused="What the POST would answer now.")},
)
async def operation(
    request: Request, order_id: OrderId, direction: Literal["do", "undo"], shipments: ShipmentsDep
) -> Response:
    """The progress of a booking (`do`) or its cancellation (`undo`): 202 while the carrier is asked, then what its POST
    would answer.
    """
    return respond(request, await shipments.operation(order_id, direction))


@router.post("/erase")
async def erase(body: Erase, shipments: ShipmentsDep) -> Erased:
    """Delete the addresses of these finished orders, and what pointed to them. Repeating it changes nothing.

    The order service calls this: DELETE /api/customers/{customer_id}/data there.
    """
    return await shipments.erase(body)


@router.get("")
async def list_shipments(
    shipments: ShipmentsDep,
    paging: PagingQuery,
    customer_id: Annotated[CustomerId | None, Query()] = None,
    status: Annotated[Status | None, Query()] = None,
) -> Page[Shipment]:
    """All shipments, sorted by order id; cancelled ones too."""
    return await shipments.list(paging, customer_id=customer_id, status=status)


@router.get("/order/{order_id}", responses=documented(404))
async def get_shipment_of_order(order_id: OrderId, shipments: ShipmentsDep) -> Shipment:
    """The shipment of an order."""
    return await shipments.of_order(order_id)


@router.get("/addresses/{address_ref}", responses=documented(404))
async def get_address(address_ref: AddressRef, addresses: AddressesDep) -> Address:
    """One address. It is personal data: show it only to people who need it."""
    return await addresses.get(address_ref)


@router.put(
    "/addresses/{address_ref}",
    response_model=Address,
    responses={
        412: {
            **documented(412)[412],
            "description": "`address_exists`: with If-None-Match, and the address exists with other content.",
        }
    },
)
async def put_address(
    address_ref: AddressRef,
    body: AddressRequest,
    addresses: AddressesDep,
    if_none_match: OnlyCreate = None,
    owner: Owner = None,
) -> Response:
    """Store an address under a reference that orders can use.

    Any country is accepted here. Whether we deliver to it is checked when an order is scheduled; if we don't, the
    booking is refused with `not_serviceable`.
    """
    keep = addresses.put if if_none_match is None else addresses.create
    stored, _ = await keep(address_ref, body, owner)
    return answered(stored)


@router.delete(
    "/addresses/{address_ref}",
    status_code=204,
    responses=documented(
        404,
        refused="`in_use`: an order that isn't over needs it.",
        unavailable="`unavailable`: the database or the order service doesn't answer: repeat the request later.",
    ),
)
async def delete_address(address_ref: AddressRef, addresses: AddressesDep) -> None:
    """Delete an address, as its owner may ask. What came along with an order that was rolled back expires by itself,
    after 30 days.
    """
    await addresses.delete(address_ref)


@router.get("/{shipping_id}", responses=documented(404))
async def get_shipment(shipping_id: ShippingId, shipments: ShipmentsDep) -> Shipment:
    """One shipment, by its own id."""
    return await shipments.get(shipping_id)


@router.put(
    "/{shipping_id}/status",
    responses=documented(
        404,
        refused="`illegal_transition`: the detail names the status that may follow. `order_not_confirmed`: the order "
        "may still be rolled back, so the parcel stays here.",
        unavailable="`unavailable`: the database or the order service doesn't answer: repeat the request later.",
    ),
)
async def put_status(shipping_id: ShippingId, body: StatusRequest, shipments: ShipmentsDep) -> Shipment:
    """Record the parcel's progress: scheduled → handed_over → in_transit → delivered, one step at a time, and none
    before the order is confirmed.

    Setting the status that it has already changes nothing.
    """
    return await shipments.progress(shipping_id, body.status)


@asynccontextmanager
async def lifespan(app: Service) -> AsyncIterator[None]:
    """Make the stores, which connect when they are first used, and delete addresses that have expired."""
    credentials = bearer_for("order", app.settings.tokens)
    orders = Orders(app.settings.order_url, credentials=credentials, ca_file=app.settings.ca_file)
    addresses = Addresses(app.database, orders)
    provider = app.metrics.provider_calls.of(TestProvider(app.database))
    provide(app, addresses, Shipments(app.database, addresses, provider, app.errands, orders))
    try:
        async with app.background.doing(addresses.keep_clean, name="expiry"):
            yield
    finally:
        await orders.aclose()


def build(settings: ServiceSettings | None = None) -> Service:
    """The app; `settings` default to the environment's."""
    return create_app(
        "shipping",
        "Books an order's transport once and cancels it once, and keeps the addresses.",
        routers=[router],
        public=PUBLIC,
        callers=CALLERS,
        indexes=INDEXES,
        lifespan=lifespan,
        settings=settings,
    )


app = build()
