"""The order service: every route it serves.

cd services/order && python -m uvicorn main:app --reload --port 8000
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Request, Response

from common.errors import SAGA_STATUSES, documented
from common.settings import ServiceSettings
from common.web.app import Service, create_app, respond
from common.web.idempotency import SagaKey, saga_key
from common.web.pagination import PagingQuery
from common.wire import CustomerId, OrderId, Page
from services.order.archive import INDEXES as ARCHIVE_INDEXES
from services.order.archive import Archive, SagaStory, Story
from services.order.checkout import Checkout
from services.order.client_models import OrderView, Placed, PlaceOrder, StatusUpdate
from services.order.clients import Neighbours
from services.order.models import CancelRequest, Content, Order, OrderStatus, Rejected, Undone
from services.order.sagas import Sagas
from services.order.settings import OrderSettings
from services.order.store import INDEXES, Orders

steps = APIRouter(prefix="/api/orders", tags=["saga"])
clients = APIRouter(prefix="/api/orders", tags=["orders"])

KnownId = Annotated[OrderId, Path(description="The order's id.")]


def _orders(request: Request) -> Orders:
    orders: Orders = request.app.state.orders
    return orders


def _checkout(request: Request) -> Checkout:
    checkout: Checkout = request.app.state.checkout
    return checkout


def _archive(request: Request) -> Archive:
    archive: Archive = request.app.state.archive
    return archive


OrdersDep = Annotated[Orders, Depends(_orders)]
CheckoutDep = Annotated[Checkout, Depends(_checkout)]
ArchiveDep = Annotated[Archive, Depends(_archive)]


@steps.post(
    "/create",
    response_model=Order,
    responses=documented(*SAGA_STATUSES, refused="`customer_blocked`, `compensated`, `order_id_used`"),
)
async def create(
    request: Request, body: Content, key: Annotated[SagaKey, Depends(saga_key("order", "do"))], orders: OrdersDep
) -> Response:
    """First step: keep the order as PENDING."""
    return respond(request, await orders.create(key.call(body, operation="create"), body))


@steps.post(
    "/confirm",
    response_model=Order,
    responses=documented(404, *SAGA_STATUSES, refused="`compensated`, `order_id_used`"),
)
async def confirm(
    request: Request, body: Content, key: Annotated[SagaKey, Depends(saga_key("confirmation", "do"))], orders: OrdersDep
) -> Response:
    """The pivot: PENDING → CONFIRMED. From here on the saga only goes forward."""
    return respond(request, await orders.confirm(key.call(body, operation="confirm"), body))


@steps.post(
    "/reject",
    response_model=Rejected,
    responses=documented(*SAGA_STATUSES, refused="`already_confirmed`, `order_id_used`"),
)
async def reject(
    request: Request,
    body: Content,
    key: Annotated[SagaKey, Depends(saga_key("confirmation", "undo"))],
    orders: OrdersDep,
) -> Response:
    """The door: PENDING → CANCELLING. From here on the order can't be confirmed."""
    return respond(request, await orders.reject(key.call(body, operation="reject"), body))


@steps.post("/cancel", response_model=Undone, responses=documented(*SAGA_STATUSES, refused="`already_confirmed`"))
async def cancel(
    request: Request,
    body: CancelRequest,
    key: Annotated[SagaKey, Depends(saga_key("order", "undo"))],
    orders: OrdersDep,
) -> Response:
    """Last undo: the order is CANCELLED, and nothing of it is left."""
    call = key.call(body, operation="cancel", outside={"reason"})
    return respond(request, await orders.cancel(call, body))


@clients.post(
    "",
    status_code=202,
    responses=documented(
        400, 413, 422, 503, refused="`order_id_used`, `product_unknown`, `currency_mismatch`, `reference_used`"
    ),
)
async def place_order(
    body: PlaceOrder,
    response: Response,
    checkout: CheckoutDep,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="Any value of your own, the same for every repetition. Needed unless the body has an order_id.",
            examples=["6f1c0d9e-52aa-4c8e-9a54-0f6d6a3b7c11"],
        ),
    ] = None,
) -> Placed:
    """Place an order. Repeat the request as often as you like: it is one order."""
    placed = await checkout.place(body, idempotency_key)
    response.headers["Location"] = f"/api/orders/{placed.order_id}"
    return placed


@clients.get("")
async def list_orders(
    paging: PagingQuery, orders: OrdersDep, customer_id: CustomerId | None = None, status: OrderStatus | None = None
) -> Page[Order]:
    """Orders by id. One that was placed a moment ago appears when its saga has made its first step."""
    return await orders.list(paging, customer_id=customer_id, status=status)


@clients.get("/{order_id}", responses=documented(404, 503))
async def get_order(order_id: KnownId, checkout: CheckoutDep) -> OrderView:
    """An order and the progress of its saga, from the first moment on.

    `saga.phase` is `Unknown` while the API server can't be asked.
    """
    return await checkout.see(order_id)


@clients.get("/{order_id}/saga", responses=documented(404, 503))
async def get_saga(order_id: KnownId, archive: ArchiveDep) -> SagaStory:
    """The whole story of the order's saga, also when its resource is gone."""
    return await archive.tell(order_id)


@steps.put("/{order_id}/saga", responses=documented(413, 422, 503))
async def put_saga(order_id: KnownId, body: Story, archive: ArchiveDep) -> SagaStory:
    """Keep the story of a finished saga: the operator does, before it removes the resource."""
    return await archive.keep(order_id, body)


@clients.post("/{order_id}/cancel", status_code=202, responses=documented(404, 503, refused="`already_confirmed`"))
async def cancel_order(order_id: KnownId, response: Response, checkout: CheckoutDep) -> Placed:
    """Cancel an order, if it isn't confirmed yet. The answer is a decision; undoing what was done takes a moment."""
    response.headers["Location"] = f"/api/orders/{order_id}"
    return await checkout.cancel(order_id)


@clients.put("/{order_id}/status", responses=documented(404, 422, 503, refused="`illegal_transition`"))
async def put_status(order_id: KnownId, body: StatusUpdate, orders: OrdersDep) -> Order:
    """Fulfilment: CONFIRMED → PROCESSING → SHIPPED → DELIVERED, one step at a time."""
    return await orders.fulfil(order_id, body.status)


@asynccontextmanager
async def lifespan(app: Service) -> AsyncIterator[None]:
    """Connects lazily: neither the database nor the API server has to be there."""
    settings: OrderSettings = app.state.settings
    sagas = Sagas(settings.namespace, settings.kubeconfig)
    neighbours = Neighbours(
        inventory=settings.inventory_url, shipping=settings.shipping_url, notification=settings.notification_url
    )
    app.state.sagas = sagas
    app.state.orders = Orders(app.database)
    app.state.checkout = Checkout(app.state.orders, sagas, neighbours)
    app.state.archive = Archive(app.database, sagas)
    try:
        yield
    finally:
        await neighbours.aclose()
        await sagas.aclose()


async def _why_no_resources(app: Service) -> str | None:
    sagas: Sagas = app.state.sagas
    return await sagas.why_not_ready()


def build(settings: ServiceSettings | None = None) -> Service:
    """The app; what the given settings don't say, or all of it, comes from the environment."""
    mine = OrderSettings(**settings.model_dump()) if settings else OrderSettings()
    service = create_app(
        "order",
        "Places, shows and cancels orders, and decides between confirmation and rollback.",
        routers=[steps, clients],
        indexes=(*INDEXES, *ARCHIVE_INDEXES),
        lifespan=lifespan,
        ready_checks=[_why_no_resources],
        settings=mine,
    )
    service.state.settings = mine
    return service


app = build()
