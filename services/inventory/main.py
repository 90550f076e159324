"""The inventory service: every route it has, port 8001.

cd services/inventory && python -m uvicorn main:app --port 8001
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from common.errors import SAGA_STATUSES, Invalid, documented
from common.identity.bearer import bearer_for
from common.settings import ServiceSettings
from common.shop.orders import Orders
from common.web.app import Service, answered, create_app, respond
from common.web.dependencies import IfMatch, IfNoneMatch, provide, store_of
from common.web.guard import OPERATOR, ORDER_SERVICE, READERS, STAFF, Table
from common.web.idempotency import HEADER, SagaKey, saga_key
from common.web.pagination import PagingQuery
from common.wire import NothingUndone, OrderId, Page, ProductId
from services.inventory.models import (
    AdjustRequest,
    DispatchRequest,
    Product,
    ProductRequest,
    ReleaseRequest,
    Reservation,
    ReserveRequest,
    Status,
    Undone,
)
from services.inventory.products import Products
from services.inventory.rules import etag_of_product
from services.inventory.store import INDEXES, Reservations

PUBLIC = (
    "GET /api/inventory",
    "GET /api/inventory/reservations",
    "GET /api/inventory/reservations/{order_id}",
    "GET /api/inventory/{product_id}",
    "PUT /api/inventory/{product_id}",
    "POST /api/inventory/{product_id}/adjust",
    "POST /api/inventory/dispatch",
)
"""What the shop's own people need. The saga's steps are the operator's alone."""

CALLERS: Table = {
    "POST /api/inventory/reserve": OPERATOR,
    "POST /api/inventory/release": OPERATOR,
    "POST /api/inventory/dispatch": STAFF,
    "GET /api/inventory": READERS | ORDER_SERVICE,
    "GET /api/inventory/reservations": READERS,
    "GET /api/inventory/reservations/{order_id}": READERS,
    "GET /api/inventory/{product_id}": READERS,
    "PUT /api/inventory/{product_id}": STAFF,
    "POST /api/inventory/{product_id}/adjust": STAFF,
}

router = APIRouter(prefix="/api/inventory", tags=["inventory"])

ProductsDep = Annotated[Products, Depends(store_of(Products))]
ReservationsDep = Annotated[Reservations, Depends(store_of(Reservations))]
DoKey = Annotated[SagaKey, Depends(saga_key("inventory", "do"))]
UndoKey = Annotated[SagaKey, Depends(saga_key("inventory", "undo"))]
DispatchKey = Annotated[SagaKey, Depends(saga_key("dispatch", "do"))]

TAKEN_NAMES = frozenset({"reservations", "reserve", "release", "dispatch", "operations"})
"""Paths of this service below /api/inventory: a product with such an id couldn't be read."""


@router.post(
    "/reserve",
    response_model=Reservation,
    responses=documented(
        *SAGA_STATUSES,
        refused="Not reserved, and the same key gets the same answer from now on: `out_of_stock`, `product_unknown`, "
        "`price_changed` (the catalogue has another price than the order), `compensated` (the order was rolled back), "
        "`order_id_used` (the order belongs to another namespace).",
    ),
)
async def reserve(request: Request, body: ReserveRequest, key: DoKey, reservations: ReservationsDep) -> Response:
    """Reserve all lines of an order, or none. A reservation never expires: it is released or dispatched."""
    return respond(request, await reservations.reserve(key.call(body), body))


@router.post(
    "/release",
    response_model=Undone | NothingUndone,
    responses=documented(*SAGA_STATUSES, refused="`already_dispatched`: the units have left the warehouse."),
)
async def release(request: Request, body: ReleaseRequest, key: UndoKey, reservations: ReservationsDep) -> Response:
    """Release the reservation of an order. An order without one is answered with effect `none`.

    A reserve that arrives after the release is refused with `compensated`.
    """
    return respond(request, await reservations.release(key.call(body)))


@router.post(
    "/dispatch",
    response_model=Reservation,
    responses=documented(
        404,
        *SAGA_STATUSES,
        refused="`compensated`: the reservation was released. `order_not_confirmed`: the order may still be rolled "
        "back, so its units stay here; not stored. `running`: repeat this after Retry-After seconds.",
        unavailable="`unavailable`: the database or the order service doesn't answer: repeat the request later.",
    ),
)
async def dispatch(
    request: Request, body: DispatchRequest, key: DispatchKey, reservations: ReservationsDep
) -> Response:
    """Take the reserved units of a confirmed order out of the warehouse, once. Fulfilment calls this, the saga never
    does.
    """
    return respond(request, await reservations.dispatch(key.call(body, operation="dispatch")))


@router.get("", response_model=Page[Product])
async def list_products(
    products: ProductsDep,
    paging: PagingQuery,
    status: Annotated[Status | None, Query()] = None,
    product_id: Annotated[
        list[ProductId] | None,
        Query(max_length=100, description="These products alone: as many as an order may have, in one look."),
    ] = None,
) -> Response:
    """The catalogue with its stock, sorted by product_id."""
    return answered(await products.list(paging, status=status, product_ids=product_id))


@router.get("/reservations")
async def list_reservations(
    reservations: ReservationsDep, paging: PagingQuery, order_id: Annotated[OrderId | None, Query()] = None
) -> Page[Reservation]:
    """What orders hold or held, sorted by order id. An order that was refused has no reservation."""
    return await reservations.list(paging, order_id=order_id)


@router.get("/reservations/{order_id}", responses=documented(404))
async def get_reservation(order_id: OrderId, reservations: ReservationsDep) -> Reservation:
    """The reservation of an order."""
    return await reservations.get(order_id)


@router.get("/{product_id}", responses=documented(404))
async def get_product(response: Response, product_id: ProductId, products: ProductsDep) -> Product:
    """One product and its stock. Its ETag names what a PUT sets (name, stock, price), for If-Match."""
    product = await products.get(product_id)
    response.headers["ETag"] = etag_of_product(product.model_dump())
    return product


@router.put(
    "/{product_id}",
    responses={
        **documented(refused="`below_reserved`: orders have reserved more units than the new stock."),
        412: {
            **documented(412)[412],
            "description": "`precondition_failed`: it has changed since you read it, or exists.",
        },
        428: {
            **documented(412)[412],
            "description": "`precondition_required`: units have been dispatched since the stock was last set, so this "
            "one may be outdated. Send If-Match, leave `stock` out, or adjust the stock.",
        },
    },
)
async def put_product(
    response: Response,
    product_id: ProductId,
    body: ProductRequest,
    products: ProductsDep,
    *,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Product:
    """Create a product, or set its name, price and stock. What orders have reserved stays reserved.

    `stock` is the total in the warehouse. Send the ETag of the GET that you have read it from as If-Match; without
    `stock` it stays as it is.
    """
    if product_id in TAKEN_NAMES:
        raise Invalid(f"a product can't be called {product_id}: that is a path of this service; use another id")
    product = await products.put(product_id, body, if_match=if_match, only_create=if_none_match is not None)
    response.headers["ETag"] = etag_of_product(product.model_dump())
    return product


@router.post(
    "/{product_id}/adjust",
    responses=documented(400, 404, refused="`below_reserved`: orders have reserved more units than would be left."),
)
async def adjust(
    response: Response,
    product_id: ProductId,
    body: AdjustRequest,
    products: ProductsDep,
    idempotency_key: Annotated[
        str,
        Header(
            alias=HEADER,
            min_length=1,
            max_length=128,
            pattern=r"^[\x21-\x7e]+$",
            description="A value of your own, the same for every repetition of this correction: it happens once.",
            examples=["delivery-4711"],
        ),
    ],
) -> Product:
    """Add units to the stock, or take some away: right whatever else has changed it meanwhile. The answer is the
    product as it is now.
    """
    product = await products.adjust(product_id, idempotency_key, body.delta)
    response.headers["ETag"] = etag_of_product(product.model_dump())
    return product


@asynccontextmanager
async def lifespan(app: Service) -> AsyncIterator[None]:
    """Make the stores, which connect when they are first used."""
    products = Products(app.database, app.mongo)
    credentials = bearer_for("order", app.settings.tokens)
    orders = Orders(app.settings.order_url, credentials=credentials, ca_file=app.settings.ca_file)
    provide(app, products, Reservations(app.database, app.mongo, products, orders))
    try:
        yield
    finally:
        await orders.aclose()


def build(settings: ServiceSettings | None = None) -> Service:
    """The app; `settings` default to the environment's."""
    return create_app(
        "inventory",
        "Products and their stock, and what orders have reserved of it.",
        routers=[router],
        public=PUBLIC,
        callers=CALLERS,
        indexes=INDEXES,
        lifespan=lifespan,
        settings=settings,
    )


app = build()
