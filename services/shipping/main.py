"""The shipping service: shipments and the addresses they go to, port 8003.

cd services/shipping && python -m uvicorn main:app --port 8003
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response

from common.barrier import LISTED
from common.errors import SAGA_STATUSES, NotFound, documented
from common.settings import ServiceSettings
from common.web.app import Service, create_app, respond
from common.web.idempotency import SagaKey, saga_key
from common.web.pagination import PagingQuery, page
from common.wire import CustomerId, OrderId, Page, Reference
from services.shipping import addresses, store
from services.shipping.addresses import Addresses
from services.shipping.models import (
    Address,
    Cancelled,
    CancelRequest,
    ScheduleRequest,
    Shipment,
    ShipmentStatus,
    StatusUpdate,
    StoredAddress,
)
from services.shipping.provider import TestCarrier
from services.shipping.store import Shipments

router = APIRouter(prefix="/api/shipping", tags=["shipping"])


def _addresses(request: Request) -> Addresses:
    found: Addresses = request.app.state.addresses
    return found


def _shipments(request: Request) -> Shipments:
    found: Shipments = request.app.state.shipments
    return found


Book = Annotated[Addresses, Depends(_addresses)]
Parcels = Annotated[Shipments, Depends(_shipments)]


@router.get("")
async def list_shipments(
    parcels: Parcels,
    paging: PagingQuery,
    customer_id: Annotated[CustomerId | None, Query()] = None,
    status: Annotated[ShipmentStatus | None, Query()] = None,
) -> Page[Shipment]:
    """All shipments, also cancelled ones, sorted by order id."""
    where = {**LISTED, "customer_id": customer_id}
    if status is not None:
        where["status"] = status
    return await page(parcels.collection, where, paging, Shipment.model_validate)


@router.get("/order/{order_id}", responses=documented(404))
async def get_shipment_of_order(order_id: OrderId, parcels: Parcels) -> Shipment:
    """An order's shipment."""
    if (found := await parcels.of_order(order_id)) is None:
        raise NotFound(f"order {order_id} has no shipment", order_id=order_id)
    return Shipment.model_validate(found)


@router.get("/addresses/{address_ref}", responses=documented(404))
async def get_address(address_ref: Reference, book: Book) -> StoredAddress:
    """One address. Personal data: show it to those who need it."""
    if (found := await book.get(address_ref)) is None:
        raise NotFound(f"there is no address {address_ref}: store it with PUT on the same path")
    return StoredAddress.model_validate(found)


@router.put(
    "/addresses/{address_ref}",
    responses={
        **documented(),
        412: {**documented(412)[412], "description": "`address_exists`: created only, and its content differs."},
    },
)
async def put_address(
    address_ref: Reference,
    body: Address,
    book: Book,
    if_none_match: Annotated[
        Literal["*"] | None,
        Header(
            alias="If-None-Match",
            description="`*` only creates: an address that came with one order. Equal content is answered 200, other "
            "content 412. It is deleted after 30 days unless a shipment has used it.",
        ),
    ] = None,
) -> StoredAddress:
    """Store an address. Where nothing is delivered to is found out by the order that uses it."""
    keep = book.put if if_none_match is None else book.create
    return StoredAddress.model_validate(await keep(address_ref, body))


@router.post(
    "/schedule",
    response_model=Shipment,
    responses=documented(
        *SAGA_STATUSES,
        refused="`address_unknown`, `not_serviceable`: stored, the same for ever. `compensated`: the order was rolled "
        "back. `order_id_used`: another namespace's order. `running`: ask again after Retry-After seconds.",
    ),
)
async def schedule(
    request: Request,
    body: ScheduleRequest,
    key: Annotated[SagaKey, Depends(saga_key("shipping", "do"))],
    parcels: Parcels,
) -> Response:
    """Book the transport of an order with the carrier, once."""
    return respond(request, await parcels.schedule(key.call(body), body))


@router.post(
    "/cancel",
    response_model=Cancelled,
    responses=documented(
        *SAGA_STATUSES,
        refused="`handed_over`: the parcel is on its way. `running`: ask again after Retry-After seconds.",
    ),
)
async def cancel(
    request: Request,
    body: CancelRequest,
    key: Annotated[SagaKey, Depends(saga_key("shipping", "undo"))],
    parcels: Parcels,
) -> Response:
    """Undo a booking, until the hand-over. Without one it succeeds with effect none, and a late schedule is refused."""
    return respond(request, await parcels.cancel(key.call(body)))


@router.get("/{shipping_id}", responses=documented(404))
async def get_shipment(shipping_id: Reference, parcels: Parcels) -> Shipment:
    """One shipment."""
    if (found := await parcels.get(shipping_id)) is None:
        raise _no_shipment(shipping_id)
    return Shipment.model_validate(found)


@router.put(
    "/{shipping_id}/status",
    responses=documented(404, refused="`illegal_transition`: the detail names the status that may follow."),
)
async def put_status(shipping_id: Reference, body: StatusUpdate, parcels: Parcels) -> Shipment:
    """The parcel's way: scheduled → handed_over → in_transit → delivered. Repeating the last step changes nothing."""
    if (found := await parcels.progress(shipping_id, body.status)) is None:
        raise _no_shipment(shipping_id)
    return Shipment.model_validate(found)


def _no_shipment(shipping_id: str) -> NotFound:
    return NotFound(f"there is no shipment {shipping_id}: GET /api/shipping lists those there are")


@asynccontextmanager
async def lifespan(app: Service) -> AsyncIterator[None]:
    """Everything that needs the database; it connects when it is first used."""
    app.state.addresses = Addresses(app.database)
    app.state.shipments = Shipments(app.database, app.state.addresses, TestCarrier(app.database))
    yield


def build(settings: ServiceSettings | None = None) -> Service:
    """The app; `settings` default to the environment's."""
    return create_app(
        "shipping",
        "Shipments of orders, their way, and the addresses they go to.",
        routers=[router],
        indexes=[*addresses.INDEXES, *store.INDEXES],
        lifespan=lifespan,
        settings=settings,
    )


app = build()
