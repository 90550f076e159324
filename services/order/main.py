"""The order service: every route it has, port 8000.

cd services/order && python -m uvicorn main:app --port 8000
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response

from common.errors import SAGA_STATUSES, documented
from common.settings import ServiceSettings
from common.web.app import Service, answered, create_app, respond
from common.web.dependencies import provide, store_of
from common.web.guard import ANYBODY, OPERATOR, Table
from common.web.idempotency import SagaKey, saga_key
from common.web.pagination import PagingQuery
from common.wire import CustomerId, OrderId, Page
from services.order.archive import Archive, ArchivedSaga, ArchiveRequest, KeptSaga
from services.order.checkout import Checkout
from services.order.client_models import OrderView, Placed, PlaceRequest, StatusRequest
from services.order.clients import Clients
from services.order.lost import LostSagas
from services.order.models import (
    CancelRequest,
    Content,
    NothingCancelled,
    NothingRejected,
    Order,
    OrderStatus,
    Rejected,
    Undone,
)
from services.order.placing import Placing
from services.order.sagas import Sagas
from services.order.settings import OrderSettings
from services.order.store import INDEXES, Keys, Orders
from services.order.stories import INDEXES as STORIES_INDEXES
from services.order.stories import Stories

PUBLIC = (
    "POST /api/orders",
    "GET /api/orders",
    "GET /api/orders/{order_id}",
    "GET /api/orders/{order_id}/saga",
    "POST /api/orders/{order_id}/cancel",
)
"""What customers need. The saga's steps, the archive and the fulfilment of orders are for parts of the shop."""

CALLERS: Table = {
    "POST /api/orders/create": OPERATOR,
    "POST /api/orders/confirm": OPERATOR,
    "POST /api/orders/reject": OPERATOR,
    "POST /api/orders/cancel": OPERATOR,
    "PUT /api/orders/{order_id}/saga": OPERATOR,
    "POST /api/orders": ANYBODY,
    "GET /api/orders": ANYBODY,
    "GET /api/orders/{order_id}": ANYBODY,
    "GET /api/orders/{order_id}/saga": ANYBODY,
    "POST /api/orders/{order_id}/cancel": ANYBODY,
    "PUT /api/orders/{order_id}/status": ANYBODY,
}

MINUTES = 300.0
"""Seconds beside the pauses after which the search for lost OrderSagas counts as hanging: one order takes some."""

steps = APIRouter(prefix="/api/orders", tags=["saga"])
clients = APIRouter(prefix="/api/orders", tags=["orders"])

OrdersDep = Annotated[Orders, Depends(store_of(Orders))]
CheckoutDep = Annotated[Checkout, Depends(store_of(Checkout))]
PlacingDep = Annotated[Placing, Depends(store_of(Placing))]
ArchiveDep = Annotated[Archive, Depends(store_of(Archive))]
CreateKey = Annotated[SagaKey, Depends(saga_key("order", "do"))]
CancelKey = Annotated[SagaKey, Depends(saga_key("order", "undo"))]
ConfirmKey = Annotated[SagaKey, Depends(saga_key("confirmation", "do"))]
RejectKey = Annotated[SagaKey, Depends(saga_key("confirmation", "undo"))]
KnownId = Annotated[OrderId, Path(description="The order's id.")]

_ORDER_ID_USED = "`order_id_used`: the id belongs to an order with other content, or of another namespace."
_COMPENSATED = "`compensated`: the order was rolled back."
_ALREADY_CONFIRMED = "`already_confirmed`: the order is confirmed and can't be cancelled any more."


@steps.post(
    "/create",
    response_model=Order,
    responses=documented(
        *SAGA_STATUSES,
        refused="The same key gets the same answer from now on. `customer_blocked`: the customer may not order. "
        f"{_COMPENSATED} {_ORDER_ID_USED}",
    ),
)
async def create(request: Request, body: Content, key: CreateKey, orders: OrdersDep) -> Response:
    """First step of the saga: store the order as PENDING."""
    return respond(request, await orders.create(key.call(body, operation="create"), body))


@steps.post(
    "/confirm",
    response_model=Order,
    responses=documented(404, *SAGA_STATUSES, refused=f"{_COMPENSATED} {_ORDER_ID_USED}"),
)
async def confirm(request: Request, body: Content, key: ConfirmKey, orders: OrdersDep) -> Response:
    """The pivot of the saga: PENDING → CONFIRMED. From here on the order can't be cancelled, and the saga completes."""
    return respond(request, await orders.confirm(key.call(body, operation="confirm"), body))


@steps.post(
    "/reject",
    response_model=Rejected | NothingRejected,
    responses=documented(*SAGA_STATUSES, refused=f"{_ALREADY_CONFIRMED} {_ORDER_ID_USED}"),
)
async def reject(request: Request, body: Content, key: RejectKey, orders: OrdersDep) -> Response:
    """Beginning of a rollback: PENDING → CANCELLING. From here on the order can't be confirmed."""
    return respond(request, await orders.reject(key.call(body, operation="reject"), body))


@steps.post(
    "/cancel",
    response_model=Undone | NothingCancelled,
    responses=documented(*SAGA_STATUSES, refused=_ALREADY_CONFIRMED),
)
async def cancel(request: Request, body: CancelRequest, key: CancelKey, orders: OrdersDep) -> Response:
    """End of a rollback: the order becomes CANCELLED. An order that was never created is answered with effect `none`,
    and a create that arrives later is refused with `compensated`.
    """
    call = key.call(body, operation="cancel", outside={"reason"})
    return respond(request, await orders.cancel(call, body))


@clients.post(
    "",
    status_code=202,
    response_model=Placed,
    responses=documented(
        400,
        refused=f"The order isn't placed. {_ORDER_ID_USED} `product_unknown`: the catalogue has no such product. "
        "`currency_mismatch`: the catalogue's price is in another currency. `reference_used`: the address or contact "
        "that came with the order was changed by hand meanwhile.",
    ),
)
async def place_order(
    body: PlaceRequest,
    placing: PlacingDep,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="A value of your own, the same for every repetition of this request. It is needed unless the "
            "body has an order_id. It stands for one order: with another body, customer or order_id it is answered "
            "422 `key_reused`.",
            examples=["6f1c0d9e-52aa-4c8e-9a54-0f6d6a3b7c11"],
        ),
    ] = None,
) -> Response:
    """Place an order. The Location in the answer shows how it goes on.

    Repeating the request is safe: it stays one order.
    """
    placed = await placing.place(body, idempotency_key)
    return answered(placed, status=202, headers={"Location": f"/api/orders/{placed.order_id}"})


@clients.get("")
async def list_orders(
    orders: OrdersDep,
    paging: PagingQuery,
    customer_id: Annotated[CustomerId | None, Query()] = None,
    status: Annotated[OrderStatus | None, Query()] = None,
) -> Page[Order]:
    """All orders, sorted by order_id. A new order appears when its saga has made the first step."""
    return await orders.list(paging, customer_id=customer_id, status=status)


@clients.get("/{order_id}", response_model=OrderView, responses=documented(404))
async def get_order(order_id: KnownId, checkout: CheckoutDep) -> Response:
    """One order and the progress of its saga, from the moment on when it was placed.

    `saga.phase` is `Unknown` while the Kubernetes API server doesn't answer.
    """
    return answered(await checkout.see(order_id))


@clients.get("/{order_id}/saga", responses=documented(404))
async def get_saga(order_id: KnownId, archive: ArchiveDep) -> ArchivedSaga:
    """The whole saga of an order: specification, steps, attempts and conditions.

    It comes from the OrderSaga resource, or from the archive once the resource is gone.
    """
    return await archive.get(order_id)


@steps.put("/{order_id}/saga")
async def put_saga(order_id: KnownId, body: ArchiveRequest, archive: ArchiveDep) -> KeptSaga:
    """Archive a finished saga. The operator does this before it removes the resource."""
    return await archive.keep(order_id, body)


@clients.post("/{order_id}/cancel", status_code=202, responses=documented(404, refused=_ALREADY_CONFIRMED))
async def cancel_order(order_id: KnownId, response: Response, checkout: CheckoutDep) -> Placed:
    """Cancel an order that isn't confirmed yet.

    The answer is final: the order can't be confirmed any more. The rollback of what was done already goes on in the
    background; the Location shows it.
    """
    response.headers["Location"] = f"/api/orders/{order_id}"
    return await checkout.cancel(order_id)


@clients.put(
    "/{order_id}/status",
    responses=documented(404, refused="`illegal_transition`: the detail names the status that may follow."),
)
async def put_status(order_id: KnownId, body: StatusRequest, orders: OrdersDep) -> Order:
    """Record the order's fulfilment: CONFIRMED → PROCESSING → SHIPPED → DELIVERED, one step at a time.

    Setting the status that it has already changes nothing.
    """
    return await orders.fulfil(order_id, body.status)


@asynccontextmanager
async def lifespan(app: Service) -> AsyncIterator[None]:
    """Make the stores, which connect when they are first used: to the database, the API server, other services."""
    settings = app.settings
    assert isinstance(settings, OrderSettings)  # noqa: S101 - `build` has made them
    sagas = Sagas(settings.namespace, settings.kubeconfig, ttl_seconds=settings.saga_ttl_seconds)
    others = Clients(
        inventory=settings.inventory_url, shipping=settings.shipping_url, notification=settings.notification_url
    )
    orders, stories = Orders(app.database), Stories(app.database)
    lost = LostSagas(
        orders,
        stories,
        sagas,
        mode=settings.lost_sagas,
        seconds=settings.lost_sagas_seconds,
        registry=app.metrics.registry,
    )
    provide(
        app,
        orders,
        sagas,
        lost,
        Placing(orders, Keys(app.database), sagas, others),
        Checkout(orders, sagas, lost),
        Archive(stories, orders, sagas),
    )
    try:
        async with (
            app.background.doing(
                lost.keep_looking, name="looking for lost OrderSagas", silent=2 * settings.lost_sagas_seconds + MINUTES
            ),
            app.background.doing(lost.keep_cancelling, name="telling the API server of cancels"),
        ):
            yield
    finally:
        await others.aclose()
        await sagas.aclose()


def build(settings: ServiceSettings | None = None) -> Service:
    """The app; whatever `settings` leave out comes from the environment."""
    return create_app(
        "order",
        "Places, shows and cancels orders, and decides between their confirmation and rollback.",
        routers=[steps, clients],
        public=PUBLIC,
        callers=CALLERS,
        indexes=[*INDEXES, *STORIES_INDEXES],
        lifespan=lifespan,
        settings=OrderSettings(**settings.model_dump()) if settings else OrderSettings(),
    )


app = build()
