"""The payments of all orders: the barrier around the provider, and what settles without a caller."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal

from common.barrier import (
    DO,
    LISTED,
    Accepted,
    Answer,
    Barrier,
    BarrierState,
    Call,
    Claims,
    Document,
    Happened,
    Refused,
    waiting_index,
)
from common.errors import NotFound, Problem
from common.mongo import Database, Index, PyMongoError
from common.web.pagination import Paging, page
from common.wire import Page
from services.payment import rules
from services.payment.models import Payment, ProcessPayment, Status
from services.payment.provider import Captured, Charge, Declined, Processing, Provider

logger = logging.getLogger("ordersaga.payments")

OPERATIONS = "/api/payments/operations"
INDEXES = (
    Index.on("payments", "customer_id", "_id"),
    Index.on("payments", "status", "_id"),
    waiting_index("payments"),
    Index.on("ledger", "order_id"),  # for auditors; not unique: a second charge must be able to show
)

POLL_SECONDS = 0.5
"""How often the provider is asked while something waits: it settles in seconds."""

SWEEP_SECONDS = 15.0
"""How often to look for what another process of this service left waiting when it ended."""


class Payments:
    """The collection `payments`, one document for each order (`_id` = order_id)."""

    def __init__(self, database: Database, provider: Provider) -> None:
        self._barrier = Barrier(database["payments"])
        self._claims = Claims(self._barrier, _PaymentEffect(provider), location=OPERATIONS)
        self._wake = asyncio.Event()

    async def process(self, call: Call, order: ProcessPayment) -> Answer:
        """Charge the order, once."""
        return self._woken(await self._claims.do(call, rules.begun(order)))

    async def refund(self, call: Call) -> Answer:
        """Give back what was charged, once; a charge that comes later is refused."""
        return self._woken(await self._claims.undo(call))

    async def operation(self, order_id: str, direction: Literal["do", "undo"]) -> Answer:
        """What the POST would answer."""
        return await self._claims.look(order_id, direction)

    async def of_order(self, order_id: str) -> Payment:
        """The payment of an order; raises NotFound, also if there is only a tombstone."""
        found = await self._barrier.get(order_id)
        if found is None or "status" not in found:
            raise NotFound(f"order {order_id} has no payment", order_id=order_id)
        return _payment(found)

    async def list(self, paging: Paging, *, customer_id: str | None, status: Status | None) -> Page[Payment]:
        """All payments that match the filters, sorted by payment_id."""
        where = {**LISTED, "customer_id": customer_id, **({"status": status} if status else {})}
        return await page(self._barrier.collection, where, paging, _payment)

    async def settle_for_ever(self) -> None:
        """Settle what the provider has accepted, for ever, starting with what a former process left waiting."""
        while True:
            try:
                waiting = await self._claims.waiting()
                for order_id in waiting:
                    await self._settle(order_id)
                pause = POLL_SECONDS if waiting else SWEEP_SECONDS
            except PyMongoError as error:
                logger.warning("can't look for payments to settle: %s", type(error).__name__)
                pause = POLL_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            self._wake.clear()

    async def _settle(self, order_id: str) -> None:
        try:
            await self._claims.resume(order_id)
        except Problem as problem:
            logger.warning("not settled: %s", problem.detail, extra={"order": order_id, "code": problem.code})
        except Exception:
            logger.exception("not settled: tried again with the next sweep", extra={"order": order_id})

    def _woken(self, answer: Answer) -> Answer:
        if answer.status == 202:
            self._wake.set()
        return answer


class _PaymentEffect:
    """A charge at the provider. Its keys name the order and nothing else, so they never change."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def ask(self, document: Document) -> Happened | Accepted:
        charge = _charge(document)
        operation = BarrierState.of(document).get(DO)
        if operation is not None and operation.state == "pending":
            outcome = await self._provider.lookup(charge.key) or await self._provider.charge(charge)
        else:
            outcome = await self._provider.charge(charge)
        match outcome:
            case Captured():
                return Happened(rules.captured(document))
            case Processing(seconds):
                return Accepted(retry_after=seconds)
            case Declined(code, text):
                order_id = document["order_id"]
                detail = f"order {order_id}: {text}; place a new order with another payment method"
                raise Refused(code, detail, fields=rules.declined(document, code), order_id=order_id)

    async def resolve(self, document: Document) -> Happened | Accepted:
        return await self.ask(document)

    async def take_back(self, document: Document) -> Happened:
        try:
            await self._provider.refund(f"{document['order_id']}/refund", _charge(document))
        except Refused as refusal:
            refusal.fields = rules.refunding(document, refusal.code)
            raise
        return Happened(rules.refunded({**document, **rules.refunding(document)}))

    def taking_back(self, document: Document) -> Mapping[str, Any]:
        return rules.refunding(document)

    def nothing_happened(self, document: Document) -> Mapping[str, Any]:
        return rules.given_up(document)

    def resource(self, document: Document) -> Mapping[str, Any]:
        return rules.shown(document)


def _charge(document: Document) -> Charge:
    return Charge(
        key=f"{document['order_id']}/charge",
        order_id=document["order_id"],
        amount_minor=document["amount_minor"],
        currency=document["currency"],
        method_ref=document["method_ref"],
    )


def _payment(document: Mapping[str, Any]) -> Payment:
    return Payment.model_validate(rules.shown(document))
