"""Reservations: one document per order, all of its lines or none.

The document (`_id` = order id) has the fields of the wire and the barrier. Each operation is one write on it, in one
transaction with the moves of the stock: a reservation without its units, or units without their reservation, can't be.
"""

from collections.abc import Mapping
from typing import Any

from common.barrier import LISTED, Answer, Barrier, BarrierState, Call, Decision, Done, Refused, Write, answered, gate
from common.errors import NotFound
from common.mongo import Database, Document, Index, Mongo, Session
from services.inventory.models import Line, ReserveRequest
from services.inventory.rules import dispatching, releasing, reserving, why_not
from services.inventory.store import Products, Turns

RESERVATIONS = "reservations"
# The index also creates the collection: to create it inside a transaction would be a conflict between the first two.
INDEXES = (Index.on(RESERVATIONS, "status"),)


class Reservations:
    """What orders hold of the stock."""

    def __init__(self, database: Database, mongo: Mongo) -> None:
        self.collection = database[RESERVATIONS]
        self._barrier = Barrier(self.collection, mongo)
        self._products = Products(database)
        self._turns = Turns()

    async def reserve(self, call: Call, request: ReserveRequest) -> Answer:
        """Promise all the lines to the order, or refuse: `product_unknown`, `price_changed`, `out_of_stock`."""

        def act(_: Mapping[str, Any] | None) -> Done:
            lines = [{"product_id": line.product_id, "quantity": line.quantity} for line in request.items]
            fields = {"order_id": request.order_id, "status": "reserved", "lines": lines}
            return Done(fields, fields)

        async def move(session: Session, _: Write) -> None:
            products = await self._products.named((line.product_id for line in request.items), session=session)
            if refusal := why_not(request, products):
                raise Refused(refusal.code, refusal.detail)
            await self._products.apply(reserving(request.items), session=session)

        async with self._turns.of(line.product_id for line in request.items):
            return await self._barrier.do(call, act, effects=move)

    async def release(self, call: Call) -> Answer:
        """Take the promise back if there is one. Units that have left the warehouse are `already_dispatched`."""

        def act(document: Mapping[str, Any] | None) -> Done:
            assert document is not None, "a do that happened has left a document"  # noqa: S101
            if document["status"] == "dispatched":
                raise Refused(
                    "already_dispatched",
                    f"order {call.order_id}: its units have left the warehouse; take them back as a return "
                    "and raise the stock with PUT /api/inventory/{product_id}",
                )
            return Done({"status": "released"}, resource({**document, "status": "released"}))

        async def move(session: Session, write: Write) -> None:
            await self._products.apply(releasing(_lines(write.answer.body)), session=session)

        async with self._turns.of(await self._products_of(call.order_id)):
            return await self._barrier.undo(call, act, effects=move)

    async def dispatch(self, call: Call) -> Answer:
        """The units leave the warehouse; once, and only while they are reserved. 404 if they never were.

        A dispatch that comes too early isn't stored: it may be asked for again under its key.
        """

        def transition(document: Mapping[str, Any] | None) -> Decision:
            state = BarrierState.of(document)
            if (decision := gate(call, state, forward=True)) is not None:
                return decision
            if document is None or document.get("status") != "reserved":
                problem = NotFound(f"order {call.order_id} has no reservation: there is nothing to dispatch")
                return Answer.of(problem, call.order_id)
            body = resource({**document, "status": "dispatched"})
            return answered(call, state, Answer(200, body), fields={"status": "dispatched"}, effect=True)

        async def move(session: Session, write: Write) -> None:
            await self._products.apply(dispatching(_lines(write.answer.body)), session=session)

        async with self._turns.of(await self._products_of(call.order_id)):
            return await self._barrier.apply(call.order_id, transition, effects=move)

    async def get(self, order_id: str) -> Document | None:
        """An order's reservation, or None; a tombstone or a refusal is none."""
        return await self.collection.find_one({"_id": order_id, **LISTED})

    async def _products_of(self, order_id: str) -> list[str]:
        """Which products the order's turn is about; only a hint for the queue, the barrier reads again."""
        document = await self._barrier.get(order_id)
        return [line["product_id"] for line in (document or {}).get("lines", [])]


def resource(document: Mapping[str, Any]) -> Document:
    """The reservation on the wire."""
    return {"order_id": document["order_id"], "status": document["status"], "lines": document["lines"]}


def _lines(body: Mapping[str, Any]) -> list[Line]:
    return [Line.model_validate(line) for line in body["lines"]]
