"""The shipments of all orders, and the addresses that they go to.

A carrier is outside the database, so a booking is claimed on the order's document, made under the carrier's own key,
and settled (`common.barrier`). A call that dies in between is taken over by the next one, which looks for its booking
and asks again, under the same key, if there is none: at most one booking and one cancellation per order. An undo writes
its tombstone and the status `cancelled` before the carrier is asked: from then on the parcel can't be handed over.
"""

from typing import Literal

from common.barrier import LISTED, Answer, Barrier, BarrierState, Call, Claims, Document, Fields, Happened, Refused
from common.errands import Errands
from common.errors import NotFound, Unavailable
from common.mongo import Database, Index
from common.shop.erasure import Erase, Erased
from common.shop.ledger import LEDGER_INDEX
from common.shop.orders import CONFIRMED, Orders
from common.shop.references import References, UsedBy, expiry_index
from common.web.pagination import Paging, page
from common.wire import Page
from services.shipping.models import Address, ScheduleRequest, Shipment, Status
from services.shipping.provider import Provider
from services.shipping.rules import (
    may_cancel,
    may_follow,
    next_status,
    order_id_of,
    shipping_id_of,
    why_not,
)

OPERATIONS = "/api/shipping/operations"
INDEXES = (
    Index.on("shipments", "customer_id"),
    Index.on("shipments", "status"),
    Index.on("shipments", "address_ref"),
    expiry_index("addresses"),
    LEDGER_INDEX,
)


_STAYS = "address_stays"
"""Seen just before the claim: there is nothing to write for the address to be kept."""


class Addresses(References[Address]):
    """The collection `addresses` (`_id` = address_ref)."""

    def __init__(self, database: Database, orders: Orders) -> None:
        super().__init__(
            database,
            "addresses",
            Address,
            orders=orders,
            used_by=UsedBy("shipments", ("scheduled", "handed_over", "in_transit")),
            noun="address",
            key="address_ref",
            exists="address_exists",
        )


class Shipments:
    """The collection `shipments`, one document for each order (`_id` = order_id)."""

    def __init__(
        self, database: Database, addresses: Addresses, provider: Provider, errands: Errands, orders: Orders
    ) -> None:
        self._addresses = addresses
        self._orders = orders
        self._barrier = Barrier(database["shipments"])
        effect = _BookingEffect(addresses, provider)
        self._claims = Claims(self._barrier, effect, clock=database.now, errands=errands, location=OPERATIONS)

    async def schedule(self, call: Call, request: ScheduleRequest) -> Answer:
        """Book the order's transport, once. Raises Unavailable if the carrier doesn't answer."""
        address, stays = await self._addresses.look(request.address_ref, request.customer_id)
        fields = {
            "shipping_id": shipping_id_of(request.order_id),
            "order_id": request.order_id,
            "customer_id": request.customer_id,
            "address_ref": request.address_ref,
            # Kept with the claim, so that a call that takes it over decides the same, whatever the address is by then.
            "refused": why_not(address),
        }
        return await self._claims.do(call, fields, seen={_STAYS: stays})

    async def cancel(self, call: Call) -> Answer:
        """Cancel the booking, if there is one. Raises Refused (`handed_over`), Unavailable."""
        return await self._claims.undo(call)

    async def operation(self, order_id: str, direction: Literal["do", "undo"]) -> Answer:
        """What the POST of this operation would answer now; raises NotFound, Unavailable."""
        return await self._claims.look(order_id, direction)

    async def get(self, shipping_id: str) -> Shipment:
        """The shipment of that id; raises NotFound, also if there is only a tombstone or a refusal."""
        order_id = order_id_of(shipping_id)
        document = None if order_id is None else await self._barrier.get(order_id)
        if document is None or "status" not in document:
            raise _no_shipment(shipping_id)
        return await self._as_confirmed(document)

    async def of_order(self, order_id: str) -> Shipment:
        """The shipment of an order; raises NotFound, also if there is only a tombstone or a refusal."""
        document = await self._barrier.get(order_id)
        if document is None or "status" not in document:
            raise NotFound(f"order {order_id} has no shipment: GET /api/shipping lists them", order_id=order_id)
        return await self._as_confirmed(document)

    async def list(self, paging: Paging, *, customer_id: str | None, status: Status | None) -> Page[Shipment]:
        """All shipments that match the filters, sorted by order id."""
        where = {**LISTED, "customer_id": customer_id, **({"status": status} if status else {})}
        return await page(self._barrier.collection, where, paging, _shipment)

    async def progress(self, shipping_id: str, wanted: Status) -> Shipment:
        """Take the shipment one step further. Setting the status that it has already changes nothing.

        Raises:
            NotFound, Refused (`illegal_transition`, `order_not_confirmed`), Unavailable.
        """
        confirmed = False

        def step(document: Document) -> Fields:
            current: str = document["status"]
            if current == wanted:
                return {}
            if BarrierState.of(document).tombstone and current != "cancelled":
                raise Refused(
                    "illegal_transition",
                    f"shipment {shipping_id}: its order is being rolled back; keep the parcel here",
                    order_id=document["order_id"],
                )
            if not may_follow(current, wanted):
                after = next_status(current)
                raise Refused(
                    "illegal_transition",
                    f"shipment {shipping_id} is {current} and can't become {wanted}: "
                    + (f"the next status is {after}" if after else "no status follows")
                    + ("; to cancel it use POST /api/shipping/cancel" if wanted == "cancelled" else ""),
                    order_id=document["order_id"],
                )
            if not (confirmed or document.get("confirmed")):
                raise _UnconfirmedError
            return {"status": wanted, "confirmed": True}

        order_id = order_id_of(shipping_id)
        if order_id is None:
            raise _no_shipment(shipping_id)
        try:
            document = await self._barrier.modify(order_id, step)
        except _UnconfirmedError:
            await self._orders.require_confirmed(order_id, "hand its parcel over")
            confirmed = True  # and so it stays, whatever happens before the next write
            document = await self._barrier.modify(order_id, step)
        if document is None:
            raise _no_shipment(shipping_id)
        return _shipment(document)

    async def erase(self, request: Erase) -> Erased:
        """Delete the addresses of these finished orders, then what pointed to them."""
        erased = await self._addresses.erase(request)
        for order_id in request.order_ids:
            erased += await self._barrier.erase(order_id, "address_ref")
        return Erased(customer_id=request.customer_id, erased=erased)

    async def _as_confirmed(self, document: Document) -> Shipment:
        """The shipment; one that waits for its order's confirmation is looked up, and what that says is kept."""
        shipment = _shipment(document)
        if shipment.confirmed or shipment.status != "scheduled":
            return shipment
        try:
            if await self._orders.status_of(shipment.order_id) not in CONFIRMED:
                return shipment
        except Unavailable:
            return shipment  # not known to be confirmed
        known = await self._barrier.modify(shipment.order_id, lambda _: {"confirmed": True})
        return shipment if known is None else _shipment(known)


class _UnconfirmedError(Exception):
    """Nobody has asked yet whether the order is confirmed."""


class _BookingEffect:
    """A booking at the carrier (see `common.barrier.Effect`)."""

    def __init__(self, addresses: Addresses, provider: Provider) -> None:
        self._addresses = addresses
        self._provider = provider

    async def ask(self, document: Document) -> Happened:
        """Book the transport. Raises Refused (`address_unknown`, `not_serviceable`), as it was decided at the claim."""
        known = document["refused"] or document.get(_STAYS)
        if not known and not await self._addresses.use(document["address_ref"], document["customer_id"]):
            raise _refusal(document, "address_unknown")
        return await self.resolve(document)

    async def find(self, document: Document) -> Happened | None:
        """What the carrier knows of the order's booking."""
        tracking_number = await self._provider.find(document["order_id"])
        return None if tracking_number is None else _booked(tracking_number)

    async def resolve(self, document: Document) -> Happened:
        """Book it, even when a call that died is to be undone: that call may only be slow, and once its key was used
        for this booking, which is cancelled next, it can't book any more.
        """
        if document["refused"]:
            raise _refusal(document, document["refused"])
        return _booked(await self._provider.book(document["order_id"]))

    async def take_back(self, document: Document) -> Happened:
        """Cancel the booking, unless the carrier has it as cancelled."""
        if not await self._provider.is_cancelled(document["order_id"]):
            await self._provider.cancel(document["order_id"])
        await self._addresses.give_back(document["address_ref"], document["order_id"])
        return Happened({"status": "cancelled"})

    def taking_back(self, document: Document) -> Fields:
        """The shipment is cancelled before the carrier is asked. Raises Refused (`handed_over`)."""
        order_id, status = document["order_id"], document["status"]
        if status != "cancelled" and not may_cancel(status):
            raise Refused(
                "handed_over",
                f"order {order_id}: its parcel is {status.replace('_', ' ')} and can't be cancelled any more; "
                "have it returned, then mark this step as compensated by hand",
                order_id=order_id,
            )
        return {"status": "cancelled"}

    def nothing_happened(self, document: Document) -> Fields:
        """Nothing: what was refused never became a shipment."""
        return {}

    def resource(self, document: Document) -> Fields:
        """The shipment on the wire."""
        return _shipment(document).model_dump(mode="json")


def _booked(tracking_number: str) -> Happened:
    return Happened({"status": "scheduled", "tracking_number": tracking_number})


def _refusal(document: Document, code: str) -> Refused:
    order_id, address_ref = document["order_id"], document["address_ref"]
    details = {
        "address_unknown": f"customer {document['customer_id']} has no address {address_ref}; "
        f"store it with PUT /api/shipping/addresses/{address_ref} and place a new order",
        "not_serviceable": f"we don't deliver to the country of address {address_ref}; "
        "place a new order with another address",
    }
    return Refused(code, f"order {order_id}: {details[code]}", order_id=order_id)


def _no_shipment(shipping_id: str) -> NotFound:
    return NotFound(f"there is no shipment {shipping_id}: GET /api/shipping lists them")


def _shipment(document: Document) -> Shipment:
    return Shipment.model_validate(document)
