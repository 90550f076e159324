"""The payment service: every route it has.

cd services/payment && python -m uvicorn main:app --port 8002
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from common.errors import SAGA_STATUSES, NotFound, documented
from common.settings import ServiceSettings
from common.web.app import NoAnswer, Service, create_app, respond
from common.web.background import in_background
from common.web.idempotency import SagaKey, saga_key
from common.web.pagination import PagingQuery
from common.wire import CustomerId, OrderId, Page
from services.payment.models import (
    NothingUndone,
    Payment,
    ProcessPayment,
    RefundPayment,
    Repair,
    Repaired,
    Status,
    Undone,
)
from services.payment.store import INDEXES, Payments
from services.payment.testprovider import TestProvider

router = APIRouter(prefix="/api/payments", tags=["payments"])

_ACCEPTED = {
    "description": "In progress: GET the Location after Retry-After seconds.",
    "model": Payment,
    "headers": {
        "Location": {"schema": {"type": "string"}, "description": "`/api/payments/operations/{order_id}/{do|undo}`"},
        "Retry-After": {"schema": {"type": "integer"}},
    },
}


def _payments(request: Request) -> Payments:
    payments: Payments = request.app.state.payments
    return payments


def _test_provider(request: Request) -> TestProvider:
    provider: TestProvider = request.app.state.test_provider
    return provider


PaymentsOfApp = Annotated[Payments, Depends(_payments)]
TestProviderOfApp = Annotated[TestProvider, Depends(_test_provider)]
ProcessKey = Annotated[SagaKey, Depends(saga_key("payment", "do"))]
RefundKey = Annotated[SagaKey, Depends(saga_key("payment", "undo"))]
OrderIdPath = Annotated[OrderId, Path()]


@router.post(
    "/process",
    response_model=Payment,
    responses={
        202: _ACCEPTED,
        **documented(
            *SAGA_STATUSES,
            refused="Refused: `card_declined`, `insufficient_funds`, `method_unknown`, `compensated`, `order_id_used`; "
            "or `running`: ask again.",
        ),
    },
)
async def process(
    request: Request, body: ProcessPayment, key: ProcessKey, payments: PaymentsOfApp, provider: TestProviderOfApp
) -> Response:
    """Charge an order, once; the same key gives the same answer."""
    answer = await payments.process(key.call(body), body)
    if answer.status == 200 and await provider.loses_answer(body.order_id, body.method_ref):
        return NoAnswer()
    return respond(request, answer)


@router.post(
    "/refund",
    response_model=Undone | NothingUndone,
    responses={
        202: _ACCEPTED,
        **documented(*SAGA_STATUSES, refused="`refund_failed`: try again later; or `running`: ask again."),
    },
)
async def refund(request: Request, body: RefundPayment, key: RefundKey, payments: PaymentsOfApp) -> Response:
    """Give back what was charged, once. A charge that arrives later is refused with `compensated`."""
    return respond(request, await payments.refund(key.call(body)))


@router.get(
    "/operations/{order_id}/{direction}",
    response_model=Payment | Undone | NothingUndone,
    responses={202: _ACCEPTED, **documented(404, 422, 503, refused="What the POST would answer.")},
)
async def operation(
    request: Request, order_id: OrderIdPath, direction: Literal["do", "undo"], payments: PaymentsOfApp
) -> Response:
    """How a charge (do) or a refund (undo) stands: 202 in progress, afterwards exactly what its POST would answer."""
    return respond(request, await payments.operation(order_id, direction))


@router.get("", responses=documented(422, 503))
async def list_payments(
    payments: PaymentsOfApp,
    paging: PagingQuery,
    customer_id: Annotated[CustomerId | None, Query()] = None,
    status: Annotated[Status | None, Query()] = None,
) -> Page[Payment]:
    """All payments, sorted by payment_id."""
    return await payments.list(paging, customer_id=customer_id, status=status)


@router.get("/order/{order_id}", responses=documented(404, 422, 503))
async def payment_of_order(order_id: OrderIdPath, payments: PaymentsOfApp) -> Payment:
    """The payment of an order."""
    return await payments.of_order(order_id)


@router.get("/{payment_id}", responses=documented(404, 422, 503))
async def payment(payment_id: Annotated[str, Path(max_length=100)], payments: PaymentsOfApp) -> Payment:
    """One payment."""
    if not payment_id.startswith("pay-"):
        raise NotFound(f"there is no payment {payment_id}")
    return await payments.of_order(payment_id.removeprefix("pay-"))


@router.post("/test/repair", responses=documented(404, 422, 503))
async def repair(body: Repair, payments: PaymentsOfApp, provider: TestProviderOfApp) -> Repaired:
    """Test provider only: let the refunds of an order that was paid by `test-refund-stuck` succeed from now on."""
    await payments.of_order(body.order_id)
    await provider.repair(body.order_id)
    return Repaired(order_id=body.order_id, repaired=True)


@asynccontextmanager
async def _lifespan(app: Service) -> AsyncIterator[None]:
    provider = TestProvider(app.mongo, app.database)
    app.state.test_provider = provider
    app.state.payments = Payments(app.database, provider)
    async with in_background(app.state.payments.settle_for_ever(), name="settling"):
        yield


def build(settings: ServiceSettings | None = None) -> Service:
    """The app; settings default to the environment."""
    return create_app(
        "payment",
        "Charges an order once and refunds it once, through a payment provider.",
        routers=[router],
        indexes=INDEXES,
        lifespan=_lifespan,
        settings=settings,
    )


app = build()
