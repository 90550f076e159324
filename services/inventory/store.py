"""Inventory's products and the moves of their stock.

A product's numbers change only by conditional updates that leave `available` = `stocked` − `reserved` ≥ 0; the
database computes `available` and `status` in the same write, so that no reader ever sees them disagree.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from weakref import WeakValueDictionary

from common.errors import Refused, Unavailable
from common.mongo import Collection, Database, Document, DuplicateKeyError, Index, Session
from services.inventory.models import PutProduct
from services.inventory.rules import Move

PRODUCTS = "products"
INDEXES = (Index.on(PRODUCTS, "status"),)

_DERIVED: tuple[Mapping[str, Any], ...] = (
    {"$set": {"available": {"$subtract": ["$stocked", "$reserved"]}}},
    {"$set": {"status": {"$cond": [{"$gt": ["$available", 0]}, "in_stock", "out_of_stock"]}}},
)


class Products:
    """The catalogue and its stock."""

    def __init__(self, database: Database) -> None:
        self.collection: Collection = database[PRODUCTS]

    async def put(self, product_id: str, product: PutProduct) -> Document:
        """Create the product or set what it is and how many units are stocked; reservations stay as they are.

        Raises Refused `below_reserved` if orders hold more units than the new stock.
        """
        change = [
            {
                "$set": {
                    "product_id": product_id,
                    # $literal: a name may start with a dollar sign, which would be an expression.
                    "name": {"$literal": product.name},
                    "stocked": product.stock,
                    "reserved": {"$ifNull": ["$reserved", 0]},
                    "price_minor": product.price_minor,
                    "currency": product.currency,
                }
            },
            *_DERIVED,
        ]
        while True:
            try:
                # One that holds more reservations doesn't match, and the insert then fails on its id.
                stored = await self.collection.find_and_update(
                    {"_id": product_id, "reserved": {"$lte": product.stock}}, change, upsert=True
                )
            except DuplicateKeyError:
                current = await self.get(product_id)
                if current is None or current["reserved"] <= product.stock:
                    continue  # it was created, or units were released, at this very moment
                raise Refused(
                    "below_reserved",
                    f"{product_id}: {current['reserved']} units are reserved, so the stock can't be {product.stock}; "
                    "dispatch or release orders first, or stock at least what is reserved",
                ) from None
            assert stored is not None, "an upsert returns its document"  # noqa: S101
            return stored

    async def get(self, product_id: str) -> Document | None:
        """One product, or None."""
        return await self.collection.find_one({"_id": product_id})

    async def named(self, product_ids: Iterable[str], *, session: Session = None) -> dict[str, Document]:
        """The products with these ids; those that don't exist are left out."""
        found = await self.collection.find({"_id": {"$in": sorted(product_ids)}}, session=session)
        return {product["_id"]: product for product in found}

    async def apply(self, moves: Sequence[Move], *, session: Session) -> None:
        """Make the moves, in the order of the ids. Belongs into a transaction that has read the same products."""
        for move in moves:
            moved = await self.collection.update(
                {
                    "_id": move.product_id,
                    "stocked": {"$gte": -move.stocked},
                    "reserved": {"$gte": -move.reserved},
                    "available": {"$gte": -move.available},
                },
                [
                    {
                        "$set": {
                            "stocked": {"$add": ["$stocked", move.stocked]},
                            "reserved": {"$add": ["$reserved", move.reserved]},
                        }
                    },
                    *_DERIVED,
                ],
                session=session,
            )
            if not moved:
                # Rules have looked at the same snapshot: only books that were changed by hand can end here.
                raise Unavailable(
                    f"{move.product_id}: its numbers don't allow stocked {move.stocked:+d}, reserved "
                    f"{move.reserved:+d}; compare the product with its reservations and put it right"
                )


class Turns:
    """One transaction at a time for each product, within this process.

    MongoDB ends a transaction at once that meets another one's uncommitted write: a hundred orders for one product
    took 4.7 s and 1100 repetitions to get through, and 0.7 s when they queued here. Other replicas still compete; the
    repetition with jitter in `common.mongo` is for them.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, product_ids: Iterable[str]) -> AsyncIterator[None]:
        """Wait for the turn of all these products. Always in the order of the ids, so that nobody waits in a ring."""
        async with AsyncExitStack() as held:
            for product_id in sorted(set(product_ids)):
                await held.enter_async_context(self._locks.setdefault(product_id, asyncio.Lock()))
            yield
