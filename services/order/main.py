"""The order service: every route it has, port 8000.

cd services/order && python -m uvicorn main:app --port 8000
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response

from common.errors import SAGA_STATUSES, documented
from common.settings import ServiceSettings
from common.web.app import Service, answered, create_app, respond
from common.web.dependencies import store_of
from common.web.guard import CLIENTS, OPERATOR, READERS, STAFF, VIEWERS, Table
from common.web.idempotency import SagaKey, saga_key
from common.web.pagination import PagingQuery
from common.wire import CustomerId, OrderId, Page
from services.order.archive import Archive, ArchivedSaga, ArchiveRequest, EndedSaga, KeptSaga, Wanted
from services.order.checkout import Checkout
from services.order.client import Client, client_of
from services.order.client_models import OrderView, Placed, PlaceRequest, StatusRequest
from services.order.erasures import Erasure, Erasures
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
from services.order.parts import INDEXES, doors, lifespan
from services.order.placing import Placing
from services.order.settings import OrderSettings
from services.order.store import Orders

PUBLIC = (
    "POST /api/orders",
    "GET /api/orders",
    "GET /api/orders/{order_id}",
    "GET /api/orders/{order_id}/saga",
    "POST /api/orders/{order_id}/cancel",
    "DELETE /api/customers/{customer_id}/data",
)
"""What customers need. The saga's steps, the archive and the fulfilment of orders are for parts of the shop."""

CALLERS: Table = {
    "POST /api/orders/create": OPERATOR,
    "POST /api/orders/confirm": OPERATOR,
    "POST /api/orders/reject": OPERATOR,
    "POST /api/orders/cancel": OPERATOR,
    "PUT /api/orders/{order_id}/saga": OPERATOR,
    "GET /api/sagas": READERS,
    "POST /api/orders": CLIENTS,
    "GET /api/orders": VIEWERS,
    "GET /api/orders/{order_id}": VIEWERS,
    "GET /api/orders/{order_id}/saga": VIEWERS,
    "POST /api/orders/{order_id}/cancel": CLIENTS,
    "PUT /api/orders/{order_id}/status": STAFF,
    "DELETE /api/customers/{customer_id}/data": CLIENTS,
}

steps = APIRouter(prefix="/api/orders", tags=["saga"])
clients = APIRouter(prefix="/api/orders", tags=["orders"])
ended = APIRouter(prefix="/api/sagas", tags=["saga"])
customers = APIRouter(prefix="/api/customers", tags=["customers"])

OrdersDep = Annotated[Orders, Depends(store_of(Orders))]
CheckoutDep = Annotated[Checkout, Depends(store_of(Checkout))]
PlacingDep = Annotated[Placing, Depends(store_of(Placing))]
ErasuresDep = Annotated[Erasures, Depends(store_of(Erasures))]
ArchiveDep = Annotated[Archive, Depends(store_of(Archive))]
CreateKey = Annotated[SagaKey, Depends(saga_key("order", "do"))]
CancelKey = Annotated[SagaKey, Depends(saga_key("order", "undo"))]
ConfirmKey = Annotated[SagaKey, Depends(saga_key("confirmation", "do"))]
RejectKey = Annotated[SagaKey, Depends(saga_key("confirmation", "undo"))]
ClientDep = Annotated[Client, Depends(client_of)]
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
    client: ClientDep,
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
    placed = await placing.place(body, idempotency_key, client)
    return answered(placed, status=202, headers={"Location": f"/api/orders/{placed.order_id}"})


@clients.get("")
async def list_orders(
    orders: OrdersDep,
    paging: PagingQuery,
    client: ClientDep,
    customer_id: Annotated[CustomerId | None, Query()] = None,
    status: Annotated[OrderStatus | None, Query()] = None,
) -> Page[Order]:
    """All orders, sorted by order_id; for a customer: their own. A new order appears when its saga has made the first
    step.
    """
    return await orders.list(paging, customer_id=client.listed(customer_id), status=status)


@clients.get("/{order_id}", response_model=OrderView, responses=documented(404))
async def get_order(order_id: KnownId, checkout: CheckoutDep, client: ClientDep) -> Response:
    """One order and the progress of its saga, from the moment on when it was placed.

    `saga.phase` is `Unknown` while the Kubernetes API server doesn't answer.
    """
    return answered(await checkout.see(order_id, client))


@clients.get("/{order_id}/saga", responses=documented(404))
async def get_saga(order_id: KnownId, archive: ArchiveDep, client: ClientDep) -> ArchivedSaga:
    """The whole saga of an order: specification, steps, attempts and conditions.

    It comes from the OrderSaga resource, or from the archive once the resource is gone.
    """
    return await archive.get(order_id, client)


@steps.put("/{order_id}/saga")
async def put_saga(order_id: KnownId, body: ArchiveRequest, archive: ArchiveDep) -> KeptSaga:
    """Archive a finished saga. The operator does this before it removes the resource."""
    return await archive.keep(order_id, body)


@ended.get("")
async def list_sagas(archive: ArchiveDep, paging: PagingQuery, wanted: Annotated[Wanted, Query()]) -> Page[EndedSaga]:
    """Archived sagas, by the time at which they were created; those whose resource is gone among them."""
    return await archive.list(paging, wanted)


@clients.post("/{order_id}/cancel", status_code=202, responses=documented(404, refused=_ALREADY_CONFIRMED))
async def cancel_order(order_id: KnownId, response: Response, checkout: CheckoutDep, client: ClientDep) -> Placed:
    """Cancel an order that isn't confirmed yet.

    The answer is final: the order can't be confirmed any more. The rollback of what was done already goes on in the
    background; the Location shows it.
    """
    response.headers["Location"] = f"/api/orders/{order_id}"
    return await checkout.cancel(order_id, client)


@clients.put(
    "/{order_id}/status",
    responses=documented(404, refused="`illegal_transition`: the detail names the status that may follow."),
)
async def put_status(order_id: KnownId, body: StatusRequest, orders: OrdersDep) -> Order:
    """Record the order's fulfilment: CONFIRMED → PROCESSING → SHIPPED → DELIVERED, one step at a time.

    Setting the status that it has already changes nothing.
    """
    return await orders.fulfil(order_id, body.status)


@customers.delete(
    "/{customer_id}/data",
    response_model=Erasure,
    responses={202: {"model": Erasure, "description": "What is left is erased by itself: `waiting` names its orders."}},
)
async def erase_data(
    customer_id: Annotated[CustomerId, Path(description="The customer's id.")],
    erasures: ErasuresDep,
    client: ClientDep,
) -> Response:
    """Erase the personal data of a customer's finished orders in all services: addresses, contacts, and what their
    orders were paid with. Amounts, units and ids stay in the books.

    Orders that aren't delivered or rolled back keep what they need, and are erased once they are. Repeating the request
    is safe, and shows how far it is. A customer without data is erased already.
    """
    client.require_own_data(customer_id)
    erasure = await erasures.request(customer_id)
    return answered(erasure, status=200 if erasure.state == "done" else 202)


def build(settings: ServiceSettings | None = None) -> Service:
    """The app; whatever `settings` leave out comes from the environment."""
    return create_app(
        "order",
        "Places, shows and cancels orders, and decides between their confirmation and rollback.",
        routers=[steps, clients, ended, customers],
        public=PUBLIC,
        callers=CALLERS,
        doors=doors,
        indexes=INDEXES,
        lifespan=lifespan,
        settings=OrderSettings(**settings.model_dump()) if settings else OrderSettings(),
    )


app = build()
