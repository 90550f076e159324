"""The order documents. The barrier does every write, and `steps` decides what is written."""

import contextlib
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from common.barrier import LISTED, Answer, Barrier, Call, Document
from common.errors import NotFound, Refused
from common.mongo import Database, DuplicateKeyError, Index
from common.shop.orders import OVER
from common.web.pagination import Paging, page
from common.wire import Page, utcnow
from services.order import steps
from services.order.matrix import NEXT_FULFILMENT, content_fields
from services.order.models import CancelRequest, Content, FulfilmentStatus, Order, OrderStatus

KEYS = "keys"
REFERENCES = ("payment.method_ref", "ship_to.address_ref", "notify.contact_ref")
"""What a document refers to: the fields that an erasure replaces."""
KEPT_ELSEWHERE = ("ship_to.address_ref", "notify.contact_ref")
"""Those of them behind which another service keeps personal data."""
OPEN: Mapping[str, Any] = {"status": {"$in": ["PENDING", "CANCELLING"]}}
"""A filter for orders that aren't decided, or not rolled back yet: their saga hasn't ended."""
FIRST_OPERATOR = 10**12
"""An operator's epoch is the time in milliseconds when it began to lead. A lower one is a test's or a stranger's."""
DECIDED: Mapping[str, Any] = {"saga_ended": False, "barrier.epoch": {"$gte": FIRST_OPERATOR}}
"""A filter for orders that are confirmed or cancelled, whose saga isn't known to have ended (`steps.decided`), and that
an operator has worked on. Orders that a release without this field has decided don't have it, and aren't looked for.
"""
STATUSES_AT_END: Mapping[str, Sequence[OrderStatus]] = {
    "Completed": ("CONFIRMED", *NEXT_FULFILMENT.values()),
    "Compensated": ("CANCELLED",),
}
"""Of an order whose saga has ended in this phase."""
FINISHED: Mapping[str, Any] = {"status": {"$in": sorted(OVER)}}
"""A filter for orders that are delivered or cancelled. Their saga has ended as well, unless `saga_ended` is False."""
INDEXES = (
    Index.on("orders", "customer_id", "status"),
    Index.on("orders", "status", "_id"),
    # Of sagas that have ended it holds nothing, so looking for the others costs the same after millions of orders.
    Index.on("orders", "saga_ended", "_id", partialFilterExpression=DECIDED),
    # Those that aren't erased yet are together, in the order of their ends: looking costs what is found.
    Index.on("orders", "erased", "over_since", partialFilterExpression=FINISHED),
)
_NOT_ERASED: Mapping[str, Any] = {**FINISHED, "saga_ended": {"$ne": False}, "erased": None}
"""A filter for finished orders that have their references yet."""


class Keys:
    """The collection `keys`: the order that each client's Idempotency-Key was first used for. It never expires.

    `_id` is the key's sha256: keys are up to 255 characters long, and may be more than a client wants to be kept.
    """

    def __init__(self, database: Database) -> None:
        self._keys = database[KEYS]

    async def claim(self, key: str, order_id: str) -> tuple[str, bool]:
        """The id of the order that this key is used for, and whether it is new: then that is `order_id`. One write
        decides.
        """
        where = {"_id": hashlib.sha256(key.encode()).hexdigest()}
        first = {"order_id": order_id, "at": utcnow()}
        with contextlib.suppress(DuplicateKeyError):
            await self._keys.insert(where | first)
            return order_id, True
        # Not a read: it wouldn't show a key that the majority doesn't have yet.
        kept = await self._keys.find_and_update(where, {"$setOnInsert": first}, upsert=True)
        return str((kept or first)["order_id"]), False


class Orders:
    """The collection `orders`, one document for each order (`_id` = order_id)."""

    def __init__(self, database: Database) -> None:
        self._collection = database["orders"]
        self._barrier = Barrier(self._collection)

    async def create(self, call: Call, content: Content) -> Answer:
        """Store the order as PENDING."""
        return await self._barrier.apply(call.order_id, steps.create(call, content), new=True)

    async def confirm(self, call: Call, content: Content) -> Answer:
        """Confirm the order: the pivot. Raises NotFound if it was never created."""
        guess = steps.created(call, content)
        return await self._barrier.apply(call.order_id, steps.confirm(call, content), guess=guess)

    async def reject(self, call: Call, content: Content, *, reason: str | None = None) -> Answer:
        """Reject the order: it can't be confirmed any more. `reason` stays, if this call is the one that decides."""
        # A call without an epoch comes from a client, who may cancel whatever an operator has worked on.
        guess = steps.created(call, content) if call.epoch is not None else None
        return await self._barrier.apply(call.order_id, steps.reject(call, content, reason=reason), guess=guess)

    async def cancel(self, call: Call, request: CancelRequest) -> Answer:
        """Cancel the order: the last undo."""
        return await self._barrier.apply(call.order_id, steps.cancel(call, request))

    async def document(self, order_id: str) -> Document | None:
        """The document as it is, also if it is only a tombstone or a refusal: decisions need the whole of it."""
        return await self._barrier.get(order_id)

    async def have_any(self, *order_ids: str) -> bool:
        """Whether one of these orders has a document, of whatever kind."""
        return await self._collection.find_one({"_id": {"$in": order_ids}}) is not None

    async def known_of(self, order_ids: Iterable[str]) -> set[str]:
        """Those of these orders that have a document."""
        found = await self._collection.find({"_id": {"$in": list(order_ids)}}, fields=["_id"]) if order_ids else []
        return {document["_id"] for document in found}

    async def count_open(self, customer_id: str | None, most: int, *, beside: Collection[str] = ()) -> int:
        """How many orders of this customer are open, or of all, beside these; no more than `most` are counted."""
        kinds: tuple[Mapping[str, Any], ...] = (OPEN, DECIDED) if customer_id is None else (OPEN,)
        whose: dict[str, Any] = {} if customer_id is None else {"customer_id": customer_id}
        if beside:
            whose["_id"] = {"$nin": sorted(beside)}
        numbers = [await self._count({**kind, **whose}, most) for kind in kinds]
        return min(most, sum(numbers))

    async def _count(self, where: Mapping[str, Any], most: int) -> int:
        found = await self._collection.aggregate([{"$match": where}, {"$limit": most}, {"$count": "number"}])
        return int(found[0]["number"]) if found else 0

    async def unended_ids(self, namespace: str, *, after: str, limit: int) -> list[str]:
        """The ids of the first `limit` orders of this namespace after that id whose saga hasn't ended, sorted."""
        further = {"_id": {"$gt": after}, "barrier.namespace": namespace}
        # Two queries, each in the order of its index; one with $or might be answered by reading all orders.
        found = {order_id for kind in (OPEN, DECIDED) for order_id in await self._ids({**kind, **further}, limit)}
        return sorted(found)[:limit]

    async def still_unended(self, order_ids: Sequence[str]) -> list[str]:
        """Those of these orders whose saga hasn't ended."""
        where = {"_id": {"$in": list(order_ids)}, "$or": [OPEN, DECIDED]}
        return await self._ids(where, len(order_ids)) if order_ids else []

    async def note_end_of_saga(self, order_id: str) -> None:
        """The saga of this decided order has ended: it is looked for no more."""
        await self._collection.update({"_id": order_id, "saga_ended": False}, {"$set": {"saga_ended": True}})

    async def note_usual_end(self, order_id: str, namespace: str, content: Content, phase: str) -> bool:
        """The same in one write, for a saga of this content that has ended in this phase. Whether that was the order's.

        What isn't told by comparing fields (a document of another release, say) is left to whoever reads the document.
        """
        own = {"_id": order_id, "saga_ended": False, "barrier.namespace": namespace, **content_fields(content)}
        where = {**own, "status": {"$in": list(STATUSES_AT_END.get(phase, ()))}}
        return await self._collection.update(where, {"$set": {"saga_ended": True}})

    async def unfinished_of(self, customer_id: str, limit: int) -> Sequence[Document]:
        """A customer's orders that still need what they refer to: they are under way, or not delivered yet."""
        under_way = [{"status": {"$exists": True, "$nin": list(OVER)}}, {"saga_ended": False}]
        return await self._collection.find(
            {"customer_id": customer_id, "$or": under_way}, limit=limit, fields=["status", *REFERENCES]
        )

    async def not_erased(self, customer_id: str, limit: int) -> Sequence[Document]:
        """A customer's finished orders that aren't erased."""
        where = {"customer_id": customer_id, **_NOT_ERASED}
        return await self._collection.find(where, limit=limit, fields=["customer_id", *REFERENCES])

    async def of_others(self, customer_id: str, order_ids: Iterable[str]) -> set[str]:
        """Those of these orders that are another customer's."""
        theirs = {"_id": {"$in": list(order_ids)}, "customer_id": {"$exists": True, "$ne": customer_id}}
        return {document["_id"] for document in await self._collection.find(theirs, fields=["_id"])}

    async def note_ends(self, limit: int) -> int:
        """Note the time in the first `limit` orders that have finished since the last look; in how many."""
        new = {**_NOT_ERASED, "over_since": None}
        found = [document["_id"] for document in await self._collection.find(new, limit=limit, fields=["_id"])]
        if found:
            await self._collection.update_many({"_id": {"$in": found}, **new}, {"$set": {"over_since": utcnow()}})
        return len(found)

    async def finished_before(self, moment: datetime, limit: int, *, but: Collection[str] = ()) -> Sequence[Document]:
        """The orders that were finished first, before that moment, and that aren't erased."""
        where = {**_NOT_ERASED, "over_since": {"$lte": moment}, "_id": {"$nin": list(but)}}
        return await self._collection.find(where, sort="over_since", limit=limit, fields=["customer_id", *REFERENCES])

    async def also_named(self, customer_id: str, references: Collection[str], *, but: Collection[str]) -> set[str]:
        """Those of these references that other orders of the customer name: any but these, unless they are erased."""
        others = {"customer_id": customer_id, "_id": {"$nin": list(but)}, "erased": None}
        named: set[str] = set()
        for field in KEPT_ELSEWHERE:
            pipeline: list[Mapping[str, Any]] = [
                {"$match": {**others, field: {"$in": list(references)}}},
                {"$group": {"_id": f"${field}"}},
            ]
            named |= {each["_id"] for each in await self._collection.aggregate(pipeline)}
        return named

    async def erase(self, order_id: str) -> None:
        """Replace the references in the order's document."""
        await self._barrier.erase(order_id, *REFERENCES)

    async def note_erased(self, order_id: str) -> None:
        """Nothing is left of this order to be erased."""
        await self._collection.update({"_id": order_id}, {"$set": {"erased": True}})

    async def _ids(self, where: Mapping[str, Any], limit: int) -> list[str]:
        found = await self._collection.aggregate(
            [{"$match": where}, {"$sort": {"_id": 1}}, {"$limit": limit}, {"$project": {"_id": 1}}]
        )
        return [document["_id"] for document in found]

    async def list(self, paging: Paging, *, customer_id: str | None, status: OrderStatus | None) -> Page[Order]:
        """All orders that match the filters, sorted by order_id."""
        where: Mapping[str, Any] = {"customer_id": customer_id, **({"status": status} if status else LISTED)}
        return await page(self._collection, where, paging, Order.model_validate)

    async def fulfil(self, order_id: str, status: FulfilmentStatus) -> Order:
        """Take a confirmed order one step further. Raises NotFound, Refused (`illegal_transition`)."""

        def fields_of(document: Document) -> Mapping[str, Any]:
            now = document["status"]
            if now == status:
                return {}
            if NEXT_FULFILMENT.get(now) != status:
                following = NEXT_FULFILMENT.get(now)
                hint = f"the only status that can follow is {following}" if following else "nothing follows that status"
                raise Refused(
                    "illegal_transition", f"order {order_id} is {now}, not {status}: {hint}", order_id=order_id
                )
            return {"status": status}

        document = await self._barrier.modify(order_id, fields_of)
        if document is None:
            raise NotFound(f"there is no order {order_id}: GET /api/orders lists them", order_id=order_id)
        return Order.model_validate(document)
