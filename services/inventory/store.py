"""The reservations of the orders.

A reservation is one document per order (`_id` = order_id), all of the order's lines or none. Each operation on it is
one write, in one transaction with the moves of the stock: there is no reservation without its units, and there are no
reserved units without their reservation.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from common.barrier import (
    LISTED,
    Act,
    Answer,
    Barrier,
    BarrierState,
    Call,
    Decision,
    Done,
    Refused,
    Write,
    answered,
    gate,
    running,
)
from common.errors import NotFound
from common.mongo import Contended, Database, Document, Index, Mongo, Session
from common.shop.orders import Orders
from common.web.pagination import Paging, page
from common.wire import Page
from services.inventory.models import Line, Reservation, ReserveRequest
from services.inventory.products import PRODUCT_INDEXES, Products
from services.inventory.rules import dispatching, releasing
from services.inventory.together import NotTogether, Together, Waiting
from services.inventory.turns import Turns

INDEXES = (
    *PRODUCT_INDEXES,
    # It also creates the collection: the first two transactions would conflict if they both had to.
    Index.on("reservations", "status"),
)

BUSY_RETRY_AFTER = 1
"""Seconds after which to ask again for products that are busy: the locks of a process that died pass within 5 s."""


class Reservations:
    """The collection `reservations`, one document for each order (`_id` = order_id)."""

    def __init__(self, database: Database, mongo: Mongo, products: Products, orders: Orders) -> None:
        self._barrier = Barrier(database["reservations"], mongo)
        self._products = products
        self._orders = orders
        self._impatient = Barrier(database["reservations"], mongo, attempts=1)
        self._turns = Turns()
        self._reserving = Together(self._turns, together=self._reserve_together, alone=self._reserve_alone)

    async def reserve(self, call: Call, request: ReserveRequest) -> Answer:
        """Reserve all lines for the order, or refuse: `product_unknown`, `price_changed`, `out_of_stock`."""

        return await _unless_busy(call, self._reserving.reserve(call, request))

    async def _reserve_together(self, waiting: Sequence[Waiting], patient: bool) -> list[Answer]:
        async def move(session: Session) -> None:
            if not await self._products.take_together((each.request for each in waiting), session=session):
                raise NotTogether

        dos = [(each.call, _reserved(each.request)) for each in waiting]
        return await self._barrier_of(patient).do_together(dos, move)

    async def _reserve_alone(self, waiting: Waiting, patient: bool) -> Answer:
        async def move(session: Session, _: Write) -> None:
            await self._products.take(waiting.request, session=session)

        return await self._barrier_of(patient).do(waiting.call, _reserved(waiting.request), in_transaction=move)

    def _barrier_of(self, patient: bool) -> Barrier:
        return self._barrier if patient else self._impatient

    async def release(self, call: Call) -> Answer:
        """Release the reservation, if there is one. Refused (`already_dispatched`) once the units have left."""

        def act(document: Mapping[str, Any] | None) -> Done:
            assert document is not None, "a do that happened has left a document"  # noqa: S101
            if document["status"] == "dispatched":
                raise Refused(
                    "already_dispatched",
                    f"order {call.order_id}: its units have left the warehouse; take them back as a return "
                    "and raise the stock with POST /api/inventory/{product_id}/adjust",
                )
            return Done({"status": "released"}, _shown({**document, "status": "released"}))

        async def move(session: Session, write: Write) -> None:
            await self._products.apply(releasing(_lines(write.answer.body)), session=session)

        found = await self._barrier.get(call.order_id)

        async def undo() -> Answer:
            return await self._barrier.undo(call, act, new=found is None, known=found, in_transaction=move)

        return await self._in_turn(call, _products_of(found), undo)

    async def dispatch(self, call: Call) -> Answer:
        """The reserved units leave the warehouse, once.

        An order without a reservation is answered with 404, which isn't stored: the same call succeeds later. Nor is
        the refusal of an order that isn't confirmed (Refused `order_not_confirmed`, Unavailable).
        """
        found = await self._barrier.get(call.order_id)
        confirmed = found is not None and found.get("status") == "reserved"
        if confirmed:  # and so it stays, whatever happens before the write
            await self._orders.require_confirmed(call.order_id, "take its units out of the warehouse")

        def transition(document: Mapping[str, Any] | None) -> Decision:
            state = BarrierState.of(document)
            if (decision := gate(call, state, forward=True)) is not None:
                return decision
            if document is None or document.get("status") != "reserved":
                problem = NotFound(f"order {call.order_id} has no reservation: there is nothing to dispatch")
                return Answer.of(problem, call.order_id)
            if not confirmed:
                return running(call, BUSY_RETRY_AFTER, because="it is being reserved at this moment")
            body = _shown({**document, "status": "dispatched"})
            return answered(call, state, Answer(200, body), fields={"status": "dispatched"}, effect=True)

        async def move(session: Session, write: Write) -> None:
            await self._products.apply(dispatching(_lines(write.answer.body)), session=session)

        products = _products_of(found)
        return await self._in_turn(
            call, products, lambda: self._barrier.apply(call.order_id, transition, in_transaction=move)
        )

    async def _in_turn(self, call: Call, product_ids: Iterable[str], work: Callable[[], Awaitable[Answer]]) -> Answer:
        """Do the work when it is this call's turn."""

        async def in_turn() -> Answer:
            async with self._turns.of(product_ids):
                return await work()

        return await _unless_busy(call, in_turn())

    async def get(self, order_id: str) -> Reservation:
        """The reservation of an order; raises NotFound, also if there is only a tombstone or a refusal."""
        document = await self._barrier.get(order_id)
        if document is None or "status" not in document:
            raise NotFound(
                f"order {order_id} has no reservation: GET /api/inventory/reservations lists them", order_id=order_id
            )
        return Reservation.model_validate(document)

    async def list(self, paging: Paging, *, order_id: str | None) -> Page[Reservation]:
        """All reservations that match the filter, sorted by order id."""
        return await page(self._barrier.collection, {"_id": order_id, **LISTED}, paging, Reservation.model_validate)


def _reserved(request: ReserveRequest) -> Act:
    """The document and the answer of a reservation: the same, since nothing of it is computed."""
    lines = [{"product_id": line.product_id, "quantity": line.quantity} for line in request.items]
    fields = {"order_id": request.order_id, "status": "reserved", "lines": lines}
    return lambda _: Done(fields, fields)


async def _unless_busy(call: Call, work: Awaitable[Answer]) -> Answer:
    """What the work answers. While others hold the products, the answer is 409 `running`, which costs the saga no
    attempt: a product that is busy, or locked by a process that died, is no outage.
    """
    try:
        return await work
    except Contended:
        return running(
            call, BUSY_RETRY_AFTER, because="other orders are changing the stock of its products at the moment"
        )


def _products_of(reservation: Mapping[str, Any] | None) -> list[str]:
    """The products to queue for. Only a hint: the barrier reads the reservation again."""
    return [line["product_id"] for line in (reservation or {}).get("lines", [])]


def _shown(document: Mapping[str, Any]) -> Document:
    """The reservation on the wire."""
    return {"order_id": document["order_id"], "status": document["status"], "lines": document["lines"]}


def _lines(body: Mapping[str, Any]) -> list[Line]:
    return [Line.model_validate(line) for line in body["lines"]]
