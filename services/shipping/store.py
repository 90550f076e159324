"""Shipments: one document per order, booked with a carrier.

A carrier is outside the database, as a payment provider is: so a booking is claimed on the document, asked for under
the carrier's own key, and settled (`common.barrier`), not written in one transaction with the test carrier's
ledger, which no real carrier would take part in. A call that dies in between is taken over, and asks again under the
same key: at most one booking and one cancellation per order. An undo leaves its tombstone, and the status `cancelled`,
before the carrier is asked: from then on nobody can hand the parcel over.
"""

from common.barrier import Answer, Barrier, BarrierState, Call, Claims, Document, Fields, Happened, Refused
from common.mongo import Database, Index
from services.shipping.addresses import Addresses
from services.shipping.models import ScheduleRequest, Shipment, ShipmentStatus
from services.shipping.provider import Carrier
from services.shipping.rules import (
    may_cancel,
    may_follow,
    next_status,
    order_id_of,
    shipping_id_of,
    why_not,
)

SHIPMENTS = "shipments"
INDEXES = (Index.on(SHIPMENTS, "customer_id"), Index.on(SHIPMENTS, "status"))


class Booking:
    """The effect of a shipment: the carrier's booking (common.barrier.claims.Effect)."""

    def __init__(self, addresses: Addresses, carrier: Carrier) -> None:
        self._addresses = addresses
        self._carrier = carrier

    async def ask(self, document: Document) -> Happened:
        """Book the transport. Raises Refused `address_unknown`, `not_serviceable`: as was found at the claim."""
        if not document["refused"] and not await self._addresses.use(document["address_ref"]):
            raise _refusal(document, "address_unknown")
        return await self.resolve(document)

    async def resolve(self, document: Document) -> Happened:
        """Book it, also for the undo of a call that died: booking and cancelling uses the carrier's key up, so that the
        call can't book after all if it turns out to have been slow only.
        """
        if document["refused"]:
            raise _refusal(document, document["refused"])
        return Happened({"status": "scheduled", "tracking_number": await self._carrier.book(document["order_id"])})

    async def take_back(self, document: Document) -> Happened:
        """Cancel the booking."""
        await self._carrier.cancel(document["order_id"])
        return Happened({"status": "cancelled"})

    def taking_back(self, document: Document) -> Fields:
        """Cancelled from the first moment on. Raises Refused `handed_over`: the parcel is on its way."""
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
        """What was refused never becomes a shipment."""
        return {}

    def resource(self, document: Document) -> Fields:
        """The shipment on the wire."""
        return {name: document[name] for name in Shipment.model_fields}


class Shipments:
    """The shipments of all orders."""

    def __init__(self, database: Database, addresses: Addresses, carrier: Carrier) -> None:
        self.collection = database[SHIPMENTS]
        self._addresses = addresses
        self._barrier = Barrier(self.collection)
        self._claims = Claims(self._barrier, Booking(addresses, carrier))

    async def schedule(self, call: Call, request: ScheduleRequest) -> Answer:
        """Book the order's transport, once. Raises Unavailable if the carrier doesn't answer."""
        fields = {
            "shipping_id": shipping_id_of(request.order_id),
            "order_id": request.order_id,
            "customer_id": request.customer_id,
            "address_ref": request.address_ref,
            # Kept with the claim: whoever takes over decides the same, also if the address was changed meanwhile.
            "refused": why_not(await self._addresses.get(request.address_ref)),
        }
        return await self._claims.do(call, fields)

    async def cancel(self, call: Call) -> Answer:
        """Take the booking back if there is one. Raises Refused `handed_over`, Unavailable."""
        return await self._claims.undo(call)

    async def of_order(self, order_id: str) -> Document | None:
        """An order's shipment, or None; a tombstone or a refusal is none."""
        document = await self._barrier.get(order_id)
        return document if document is not None and "status" in document else None

    async def get(self, shipping_id: str) -> Document | None:
        """The shipment of that id, or None."""
        order_id = order_id_of(shipping_id)
        return None if order_id is None else await self.of_order(order_id)

    async def progress(self, shipping_id: str, wanted: ShipmentStatus) -> Document | None:
        """Take the shipment one step further; None if there is no such shipment.

        Repeating the last step changes nothing. Raises Refused `illegal_transition` for any other.
        """

        def step(document: Document) -> Fields:
            current: ShipmentStatus = document["status"]
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
                    + (f"the next status is {after}" if after else "that is its end")
                    + ("; to cancel it use POST /api/shipping/cancel" if wanted == "cancelled" else ""),
                    order_id=document["order_id"],
                )
            return {"status": wanted}

        order_id = order_id_of(shipping_id)
        return None if order_id is None else await self._barrier.modify(order_id, step)


def _refusal(document: Document, code: str) -> Refused:
    order_id, address_ref = document["order_id"], document["address_ref"]
    details = {
        "address_unknown": f"there is no address {address_ref}; "
        f"store it with PUT /api/shipping/addresses/{address_ref} and place a new order",
        "not_serviceable": f"nothing is delivered to the country of address {address_ref}; "
        "place a new order with another address",
    }
    return Refused(code, f"order {order_id}: {details[code]}", order_id=order_id)
