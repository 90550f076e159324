"""The products with their stock.

A product's numbers change only by conditional updates that leave `available` = `stocked` − `reserved` ≥ 0. The
database computes `available` and `status` in the same write, so no reader ever sees them disagree.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from common.errors import Invalid, NotFound, Refused, Unavailable
from common.mongo import Contended, Database, Document, DuplicateKeyError, Filter, Index, Mongo, Session
from common.web.pagination import Paging, page
from common.wire import Page, utcnow
from services.inventory.models import MAX_STOCK, Product, ProductRequest, ReserveRequest, Status
from services.inventory.rules import DECIDED_ON, Move, cannot_adjust, check_put, reserving, why_not

KEPT_SECONDS = 90 * 24 * 3600
"""How long the key of an adjustment is remembered: nobody repeats a correction of the stock after a quarter."""

LOOKS = 50
"""How often a product is looked at before it is changed: each look in vain is somebody else's success."""

PRODUCT_INDEXES = (
    Index.on("products", "status"),
    Index.on("adjustments", "at", expireAfterSeconds=KEPT_SECONDS),
)

_DERIVED: tuple[Mapping[str, Any], ...] = (
    {"$set": {"available": {"$subtract": ["$stocked", "$reserved"]}}},
    {"$set": {"status": {"$cond": [{"$gt": ["$available", 0]}, "in_stock", "out_of_stock"]}}},
)


class Products:
    """The collection `products` (`_id` = product_id): the catalogue and its stock.

    `dispatched` counts the units that have left since the stock was last set: a total that was read before that would
    bring them back.
    """

    def __init__(self, database: Database, mongo: Mongo) -> None:
        self._mongo = mongo
        self._products = database["products"]
        self._adjustments = database["adjustments"]

    async def put(
        self, product_id: str, product: ProductRequest, *, if_match: str | None = None, only_create: bool = False
    ) -> Product:
        """Create the product, or set its name, price and, if the request has it, its stock; what orders have reserved
        stays reserved.

        Raises:
            Invalid: a new product needs a stock.
            Problem: 412, it isn't any more what `if_match` names, or it exists although the request was `only_create`.
                428, units have been dispatched since the stock was last set, so the number may be outdated, and there
                is no precondition.
            Refused: `below_reserved`, orders hold more units than the new stock.
            Unavailable: others changed it between every look at it and the write.
        """
        for _ in range(LOOKS):
            current = await self._products.find_one({"_id": product_id})
            check_put(product_id, product, current, if_match, only_create=only_create)
            if current is None:
                # Only made, never overwritten: one that is there by now is looked at first.
                where: Document = {"_id": product_id, "product_id": {"$exists": False}}
            else:  # what the decision was made on; what orders have reserved may go on changing
                where = {"_id": product_id, **{name: current.get(name) for name in DECIDED_ON}}
                if product.stock is not None:
                    where["reserved"] = {"$lte": product.stock}
            with suppress(DuplicateKeyError):
                stored = await self._products.find_and_update(where, _put(product_id, product), upsert=current is None)
                if stored is not None:
                    return Product.model_validate(stored)
            # It was created, changed or reserved from at this very moment.
        raise Unavailable(f"{product_id}: others are changing it at the moment; repeat the request")

    async def adjust(self, product_id: str, key: str, delta: int) -> Product:
        """Change the stock by `delta` units, once for each key; the product as it is afterwards.

        Raises:
            NotFound, Invalid (`key_reused`, or more than a product can have), Refused (`below_reserved`), Unavailable.
        """

        async def change(session: Session) -> None:
            adjustment = {"_id": f"{product_id}/{key}", "product_id": product_id, "delta": delta, "at": utcnow()}
            await self._adjustments.insert(adjustment, session=session)
            # The stock and what is available move by the same number.
            where = {"_id": product_id, "available": {"$gte": -delta}, "stocked": {"$lte": MAX_STOCK - delta}}
            moved = [{"$set": {"stocked": {"$add": ["$stocked", delta]}}}, *_DERIVED]
            if not await self._products.update(where, moved, session=session):
                found = await self._products.find_one({"_id": product_id}, session=session)
                raise _no_product(product_id) if found is None else cannot_adjust(product_id, delta, found)

        try:
            await self._mongo.transaction(change)
        except DuplicateKeyError:
            earlier = await self._adjustments.find_one({"_id": f"{product_id}/{key}"})
            if earlier is not None and earlier["delta"] != delta:
                raise Invalid(
                    f"{product_id}: this key was used for an adjustment by {earlier['delta']:+d}; use another key",
                    code="key_reused",
                ) from None
        except Contended as error:
            raise Unavailable(
                f"{product_id}: orders are changing its stock at the moment; repeat the request"
            ) from error
        return await self.get(product_id)

    async def get(self, product_id: str) -> Product:
        """One product; raises NotFound."""
        if (found := await self._products.find_one({"_id": product_id})) is None:
            raise _no_product(product_id)
        return Product.model_validate(found)

    async def list(
        self, paging: Paging, *, status: Status | None, product_ids: Sequence[str] | None = None
    ) -> Page[Product]:
        """All products that match the filters, sorted by product_id."""
        where = {"status": status, "_id": {"$in": list(product_ids)} if product_ids else None}
        return await page(self._products, where, paging, Product.model_validate)

    async def take(self, request: ReserveRequest, *, session: Session) -> None:
        """Reserve all lines of the request in this transaction. Raises Refused (`why_not`), and then has to be aborted.

        Each line is one write that finds its product as the request needs it. Only where one finds none are the
        products read, which by then have the lines before: those are counted back in.
        """
        prices = {line.product_id: line.unit_price_minor for line in request.items}
        taken: dict[str, int] = {}
        for move in reserving(request.items):
            wanted = {"price_minor": prices[move.product_id], "currency": request.currency}
            if not await self._move(move, wanted, session):
                products = await self._named(prices, session)
                for product_id, units in taken.items():
                    products[product_id]["available"] += units
                if refusal := why_not(request, products):
                    raise Refused(refusal.code, refusal.detail)
                raise _numbers_disagree(move)
            taken[move.product_id] = move.reserved

    async def take_together(self, requests: Iterable[ReserveRequest], *, session: Session) -> bool:
        """Reserve all lines of all these requests in this transaction, in one round trip. Whether all could be: if not,
        the transaction has to be aborted. Requests for the same product have the same price.
        """
        units: Counter[str] = Counter()
        wanted: dict[str, Filter] = {}
        for request in requests:
            for line in request.items:
                units[line.product_id] += line.quantity
                wanted[line.product_id] = {"price_minor": line.unit_price_minor, "currency": request.currency}
        moves = [_changed(Move(product_id, 0, units[product_id]), wanted[product_id]) for product_id in sorted(units)]
        return await self._products.update_all(moves, session=session)

    async def apply(self, moves: Sequence[Move], *, session: Session) -> None:
        """Make the moves in this transaction."""
        for move in moves:
            if not await self._move(move, {}, session):
                raise _numbers_disagree(move)

    async def _named(self, product_ids: Iterable[str], session: Session) -> dict[str, Document]:
        """The documents of these products by their ids; products that don't exist are left out."""
        found = await self._products.find({"_id": {"$in": sorted(product_ids)}}, session=session)
        return {product["_id"]: product for product in found}

    async def _move(self, move: Move, wanted: Filter, session: Session) -> bool:
        """Make the move, if the product is as `wanted` and its numbers allow it."""
        where, change = _changed(move, wanted)
        return await self._products.update(where, change, session=session)


def _changed(move: Move, wanted: Filter) -> tuple[Filter, Sequence[Mapping[str, Any]]]:
    """The product that the move finds, if it is as `wanted` and its numbers allow it; and how the move changes it."""
    where = {
        "_id": move.product_id,
        **wanted,
        "stocked": {"$gte": -move.stocked},
        "reserved": {"$gte": -move.reserved},
        "available": {"$gte": -move.available},
    }
    moved = {
        "stocked": {"$add": ["$stocked", move.stocked]},
        "reserved": {"$add": ["$reserved", move.reserved]},
        "dispatched": {"$add": [{"$ifNull": ["$dispatched", 0]}, max(0, -move.stocked)]},
    }
    return where, [{"$set": moved}, *_DERIVED]


def _numbers_disagree(move: Move) -> Unavailable:
    # What is reserved can be taken back, so this happens only to numbers that were changed by hand.
    return Unavailable(
        f"product {move.product_id}: its numbers don't allow stocked {move.stocked:+d}, reserved "
        f"{move.reserved:+d}; correct it so that it agrees with its reservations, then repeat the call"
    )


def _put(product_id: str, product: ProductRequest) -> list[Mapping[str, Any]]:
    fields: Document = {
        "product_id": product_id,
        # $literal: a name may start with a dollar sign, which would be an expression.
        "name": {"$literal": product.name},
        "reserved": {"$ifNull": ["$reserved", 0]},
        "price_minor": product.price_minor,
        "currency": product.currency,
    }
    if product.stock is not None:
        fields |= {"stocked": product.stock, "dispatched": 0}
    return [{"$set": fields}, *_DERIVED]


def _no_product(product_id: str) -> NotFound:
    return NotFound(f"there is no product {product_id}: GET /api/inventory lists them")
