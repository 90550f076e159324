"""The payments of all orders: the barrier around the provider, and the settlements that no caller waits for."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal

from common.background import Rounds
from common.barrier import (
    LISTED,
    Accepted,
    Answer,
    Barrier,
    Call,
    Claims,
    Document,
    Happened,
    Refused,
    waiting_index,
)
from common.errands import Errands
from common.errors import NotFound
from common.mongo import Database, Index, PyMongoError
from common.shop.erasure import Erase, Erased
from common.shop.ledger import LEDGER_INDEX
from common.web.pagination import Paging, page
from common.wire import Page
from services.payment import rules
from services.payment.models import Payment, ProcessRequest, Status
from services.payment.provider import Captured, Charge, Declined, Outcome, Processing, Provider

log = logging.getLogger("ordersaga.payment")

OPERATIONS = "/api/payments/operations"
INDEXES = (
    Index.on("payments", "customer_id", "_id"),
    Index.on("payments", "status", "_id"),
    waiting_index("payments"),
    LEDGER_INDEX,
)

POLL_SECONDS = 0.5
"""Pause between two looks at the provider while a payment waits: it settles in seconds."""

IDLE_SECONDS = 15.0
"""Pause between two looks for payments that another process of this service left waiting when it ended."""


class Payments:
    """The collection `payments`, one document for each order (`_id` = order_id)."""

    def __init__(self, database: Database, provider: Provider, errands: Errands) -> None:
        self._barrier = Barrier(database["payments"])
        effect = _PaymentEffect(provider)
        self._claims = Claims(self._barrier, effect, clock=database.now, errands=errands, location=OPERATIONS)
        self._wake = asyncio.Event()

    async def process(self, call: Call, request: ProcessRequest) -> Answer:
        """Charge the order, once."""
        return self._woken(await self._claims.do(call, rules.begun(request)))

    async def refund(self, call: Call) -> Answer:
        """Refund what was charged, once. A charge that arrives later is refused."""
        return self._woken(await self._claims.undo(call))

    async def operation(self, order_id: str, direction: Literal["do", "undo"]) -> Answer:
        """What the POST of this operation would answer now; raises NotFound."""
        return await self._claims.look(order_id, direction)

    async def get(self, payment_id: str) -> Payment:
        """The payment of that id; raises NotFound."""
        if (order_id := rules.order_id_of(payment_id)) is None:
            raise NotFound(f"there is no payment {payment_id}: GET /api/payments lists them")
        return await self.of_order(order_id)

    async def of_order(self, order_id: str) -> Payment:
        """The payment of an order; raises NotFound, also if there is only a tombstone."""
        found = await self._barrier.get(order_id)
        if found is None or "status" not in found:
            raise NotFound(f"order {order_id} has no payment: GET /api/payments lists them", order_id=order_id)
        return _payment(found)

    async def list(self, paging: Paging, *, customer_id: str | None, status: Status | None) -> Page[Payment]:
        """All payments that match the filters, sorted by payment_id."""
        where = {**LISTED, "customer_id": customer_id, **({"status": status} if status else {})}
        return await page(self._barrier.collection, where, paging, _payment)

    async def erase(self, request: Erase) -> Erased:
        """Erase what these finished orders were paid with; what was paid stays."""
        erased = [await self._barrier.erase(order_id, "method_ref") for order_id in request.order_ids]
        return Erased(customer_id=request.customer_id, erased=sum(erased))

    async def keep_settling(self, rounds: Rounds) -> None:
        """Settle what the provider has accepted until cancelled; begins with what a former process left waiting."""
        while True:
            try:
                waiting = await self.settle(rounds)
                pause = POLL_SECONDS if waiting else IDLE_SECONDS
            except PyMongoError as error:
                log.warning("can't read which payments wait for a settlement: %s", type(error).__name__)
                rounds.failed(f"the database: {type(error).__name__}")
                pause = POLL_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            self._wake.clear()

    async def settle(self, rounds: Rounds | None = None) -> bool:
        """Ask the provider once about each payment whose turn it is; whether any is still waiting."""
        return await self._claims.settle_due(rounds)

    def _woken(self, answer: Answer) -> Answer:
        if answer.status == 202:
            self._wake.set()
        return answer


class _PaymentEffect:
    """A charge at the provider. The provider's keys follow from the order alone, so they never change."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def ask(self, document: Document) -> Happened | Accepted:
        return _result(document, await self._provider.charge(_charge(document)))

    async def find(self, document: Document) -> Happened | Accepted | None:
        outcome = await self._provider.find(_charge(document))
        return None if outcome is None else _result(document, outcome)

    async def resolve(self, document: Document) -> Happened | Accepted:
        return await self.ask(document)

    async def take_back(self, document: Document) -> Happened:
        charge = _charge(document)
        try:
            if not await self._provider.is_refunded(charge):
                await self._provider.refund(f"{document['order_id']}/refund", charge)
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


def _result(document: Document, outcome: Outcome) -> Happened | Accepted:
    match outcome:
        case Captured():
            return Happened(rules.captured(document))
        case Processing(seconds):
            return Accepted(retry_after=seconds)
        case Declined(code, text):
            order_id = document["order_id"]
            detail = f"order {order_id}: {text}; place a new order with another payment method"
            raise Refused(code, detail, fields=rules.declined(document, code), order_id=order_id)


def _charge(document: Document) -> Charge:
    return Charge(
        key=f"{document['order_id']}/charge",
        order_id=document["order_id"],
        customer_id=document["customer_id"],
        amount_minor=document["amount_minor"],
        currency=document["currency"],
        method_ref=document["method_ref"],
    )


def _payment(document: Mapping[str, Any]) -> Payment:
    return Payment.model_validate(rules.shown(document))
