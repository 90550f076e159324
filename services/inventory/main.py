"""The inventory service: products and reservations, port 8001.

cd services/inventory && python -m uvicorn main:app --port 8001
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from common.barrier import LISTED
from common.errors import SAGA_STATUSES, Invalid, NotFound, documented
from common.settings import ServiceSettings
from common.web.app import Service, create_app, respond
from common.web.idempotency import SagaKey, saga_key
from common.web.pagination import PagingQuery, page
from common.wire import OrderId, Page, ProductId
from services.inventory import reservations, store
from services.inventory.models import (
    OrderOnly,
    Product,
    ProductStatus,
    PutProduct,
    Released,
    Reservation,
    ReserveRequest,
)
from services.inventory.reservations import Reservations
from services.inventory.store import Products

router = APIRouter(prefix="/api/inventory", tags=["inventory"])

# They are paths of their own below /api/inventory: a product with such a name couldn't be looked at.
TAKEN_NAMES = frozenset({"reservations", "reserve", "release", "dispatch", "operations"})


def _products(request: Request) -> Products:
    found: Products = request.app.state.products
    return found


def _reservations(request: Request) -> Reservations:
    found: Reservations = request.app.state.reservations
    return found


Catalogue = Annotated[Products, Depends(_products)]
Orders = Annotated[Reservations, Depends(_reservations)]


@router.get("")
async def list_products(
    catalogue: Catalogue, paging: PagingQuery, status: Annotated[ProductStatus | None, Query()] = None
) -> Page[Product]:
    """The catalogue with its stock, sorted by product id."""
    return await page(catalogue.collection, {"status": status}, paging, Product.model_validate)


@router.get("/reservations")
async def list_reservations(
    orders: Orders, paging: PagingQuery, order_id: Annotated[OrderId | None, Query()] = None
) -> Page[Reservation]:
    """What orders hold or held, sorted by order id. An order that was refused holds nothing and isn't listed."""
    return await page(orders.collection, {"_id": order_id, **LISTED}, paging, Reservation.model_validate)


@router.get("/reservations/{order_id}", responses=documented(404))
async def get_reservation(order_id: OrderId, orders: Orders) -> Reservation:
    """What one order holds or held."""
    if (found := await orders.get(order_id)) is None:
        raise NotFound(f"order {order_id} has no reservation", order_id=order_id)
    return Reservation.model_validate(found)


@router.post(
    "/reserve",
    response_model=Reservation,
    responses=documented(
        *SAGA_STATUSES,
        refused="`out_of_stock`, `product_unknown`, `price_changed`: stored, the same for ever. "
        "`compensated`: the order was rolled back. `order_id_used`: another namespace's order.",
    ),
)
async def reserve(
    request: Request,
    body: ReserveRequest,
    key: Annotated[SagaKey, Depends(saga_key("inventory", "do"))],
    orders: Orders,
) -> Response:
    """Reserve all lines of an order, or none. Reservations never expire: they are released or dispatched."""
    return respond(request, await orders.reserve(key.call(body), body))


@router.post(
    "/release",
    response_model=Released,
    responses=documented(*SAGA_STATUSES, refused="`already_dispatched`: the units have left the warehouse."),
)
async def release(
    request: Request,
    body: OrderOnly,
    key: Annotated[SagaKey, Depends(saga_key("inventory", "undo"))],
    orders: Orders,
) -> Response:
    """Undo a reservation. Without one it succeeds with effect none, and a reserve that comes later is refused."""
    return respond(request, await orders.release(key.call(body)))


@router.post(
    "/dispatch",
    response_model=Reservation,
    responses=documented(404, *SAGA_STATUSES, refused="`compensated`: the reservation was released."),
)
async def dispatch(
    request: Request,
    body: OrderOnly,
    key: Annotated[SagaKey, Depends(saga_key("dispatch", "do"))],
    orders: Orders,
) -> Response:
    """The reserved units leave the warehouse: for fulfilment, after the order is confirmed; the saga never calls it.

    Its Idempotency-Key is `{namespace}/{order_id}/dispatch/do`: an order's units leave once.
    """
    return respond(request, await orders.dispatch(key.call(body, operation="dispatch")))


@router.get("/{product_id}", responses=documented(404))
async def get_product(product_id: ProductId, catalogue: Catalogue) -> Product:
    """One product and its stock."""
    if (product := await catalogue.get(product_id)) is None:
        raise NotFound(f"there is no product {product_id}: GET /api/inventory lists those there are")
    return Product.model_validate(product)


@router.put(
    "/{product_id}",
    responses=documented(refused="`below_reserved`: orders hold more units than the new stock."),
)
async def put_product(product_id: ProductId, body: PutProduct, catalogue: Catalogue) -> Product:
    """Create a product, or set its name, stock and price. What orders have reserved stays reserved."""
    if product_id in TAKEN_NAMES:
        raise Invalid(f"a product can't be called {product_id}: that is a path of this service; use another id")
    return Product.model_validate(await catalogue.put(product_id, body))


@asynccontextmanager
async def lifespan(app: Service) -> AsyncIterator[None]:
    """Everything that needs the database; it connects when it is first used."""
    app.state.products = Products(app.database)
    app.state.reservations = Reservations(app.database, app.mongo)
    yield


def build(settings: ServiceSettings | None = None) -> Service:
    """The app; `settings` default to the environment's."""
    return create_app(
        "inventory",
        "Products, their stock, and what orders have reserved of it.",
        routers=[router],
        indexes=[*store.INDEXES, *reservations.INDEXES],
        lifespan=lifespan,
        settings=settings,
    )


app = build()
