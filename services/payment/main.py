"""The payment service: every route it has, port 8002.

cd services/payment && python -m uvicorn main:app --port 8002
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from common.errors import SAGA_STATUSES, accepted, documented
from common.settings import ServiceSettings
from common.shop.erasure import Erase, Erased
from common.web.app import Service, create_app, respond
from common.web.dependencies import provide, store_of
from common.web.guard import OPERATOR, ORDER_SERVICE, READERS, STAFF, Table
from common.web.idempotency import SagaKey, saga_key
from common.web.pagination import PagingQuery
from common.wire import CustomerId, NothingUndone, OrderId, Page
from services.payment.models import Payment, ProcessRequest, RefundRequest, Repaired, RepairRequest, Status, Undone
from services.payment.silence import Silence
from services.payment.store import INDEXES, Payments
from services.payment.testprovider import TestProvider

PUBLIC = (
    "GET /api/payments",
    "GET /api/payments/order/{order_id}",
    "GET /api/payments/{payment_id}",
    "POST /api/payments/test/repair",
)
"""What the shop's own people need. The saga's steps are the operator's alone."""

CALLERS: Table = {
    "POST /api/payments/process": OPERATOR,
    "POST /api/payments/refund": OPERATOR,
    "GET /api/payments/operations/{order_id}/{direction}": OPERATOR,
    "GET /api/payments": READERS,
    "GET /api/payments/order/{order_id}": READERS,
    "GET /api/payments/{payment_id}": READERS,
    "POST /api/payments/test/repair": STAFF,
    "POST /api/payments/erase": ORDER_SERVICE,
}

router = APIRouter(prefix="/api/payments", tags=["payments"])

PaymentsDep = Annotated[Payments, Depends(store_of(Payments))]
TestProviderDep = Annotated[TestProvider, Depends(store_of(TestProvider))]
DoKey = Annotated[SagaKey, Depends(saga_key("payment", "do"))]
UndoKey = Annotated[SagaKey, Depends(saga_key("payment", "undo"))]

_ACCEPTED = accepted("/api/payments/operations/{order_id}/{do|undo}", Payment)


@router.post(
    "/process",
    response_model=Payment,
    responses={
        202: _ACCEPTED,
        **documented(
            *SAGA_STATUSES,
            refused="Not charged, and the same key gets the same answer from now on: `card_declined`, "
            "`insufficient_funds`, `method_unknown`, `compensated` (the order was rolled back), `order_id_used` "
            "(the order belongs to another namespace). `running`: another call is at work; repeat this one after "
            "Retry-After seconds.",
        ),
    },
)
async def process(
    request: Request, body: ProcessRequest, key: DoKey, payments: PaymentsDep, provider: TestProviderDep
) -> Response:
    """Charge an order, once. A repeated call with the same key gets the same answer and charges nothing."""
    answer = await payments.process(key.call(body), body)
    if answer.status == 200 and await provider.loses_answer(body.order_id, body.method_ref):
        return Silence()
    return respond(request, answer)


@router.post(
    "/refund",
    response_model=Undone | NothingUndone,
    responses={
        202: _ACCEPTED,
        **documented(
            *SAGA_STATUSES,
            refused="`refund_failed`: the provider doesn't refund it now; repeat the call later. `running`: another "
            "call is at work; repeat this one after Retry-After seconds.",
        ),
    },
)
async def refund(request: Request, body: RefundRequest, key: UndoKey, payments: PaymentsDep) -> Response:
    """Refund what an order was charged, once. An order that was never charged is answered with effect `none`.

    A charge that arrives after the refund is refused with `compensated`.
    """
    return respond(request, await payments.refund(key.call(body)))


@router.get(
    "/operations/{order_id}/{direction}",
    response_model=Payment | Undone | NothingUndone,
    responses={202: _ACCEPTED, **documented(404, refused="What the POST would answer now.")},
)
async def operation(
    request: Request, order_id: OrderId, direction: Literal["do", "undo"], payments: PaymentsDep
) -> Response:
    """The progress of a charge (`do`) or a refund (`undo`): 202 while the provider settles it, then what its POST
    would answer.
    """
    return respond(request, await payments.operation(order_id, direction))


@router.post("/erase")
async def erase(body: Erase, payments: PaymentsDep) -> Erased:
    """Forget which methods these finished orders were paid with. Repeating it changes nothing.

    The order service calls this: DELETE /api/customers/{customer_id}/data there.
    """
    return await payments.erase(body)


@router.get("")
async def list_payments(
    payments: PaymentsDep,
    paging: PagingQuery,
    customer_id: Annotated[CustomerId | None, Query()] = None,
    status: Annotated[Status | None, Query()] = None,
) -> Page[Payment]:
    """All payments, sorted by payment_id; declined ones too."""
    return await payments.list(paging, customer_id=customer_id, status=status)


@router.get("/order/{order_id}", responses=documented(404))
async def get_payment_of_order(order_id: OrderId, payments: PaymentsDep) -> Payment:
    """The payment of an order."""
    return await payments.of_order(order_id)


@router.get("/{payment_id}", responses=documented(404))
async def get_payment(
    payment_id: Annotated[str, Path(max_length=100, description="The payment's id.", examples=["pay-o-1001"])],
    payments: PaymentsDep,
) -> Payment:
    """One payment, by its own id."""
    return await payments.get(payment_id)


@router.post("/test/repair", responses=documented(404))
async def repair(body: RepairRequest, payments: PaymentsDep, provider: TestProviderDep) -> Repaired:
    """Test provider only: let the refunds of an order through that was paid with `test-refund-stuck`."""
    await payments.of_order(body.order_id)
    await provider.repair(body.order_id)
    return Repaired(order_id=body.order_id, repaired=True)


@asynccontextmanager
async def lifespan(app: Service) -> AsyncIterator[None]:
    """Make the stores, which connect when they are first used, and settle what waits for the provider."""
    provider = TestProvider(app.database)
    payments = Payments(app.database, app.metrics.provider_calls.of(provider), app.errands)
    provide(app, provider, payments)
    async with app.background.doing(payments.keep_settling, name="settling"):
        yield


def build(settings: ServiceSettings | None = None) -> Service:
    """The app; `settings` default to the environment's."""
    return create_app(
        "payment",
        "Charges an order once and refunds it once, through a payment provider.",
        routers=[router],
        public=PUBLIC,
        callers=CALLERS,
        indexes=INDEXES,
        lifespan=lifespan,
        settings=settings,
    )


app = build()
