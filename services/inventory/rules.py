"""The rules of stock, without a database: what a reservation needs, and what each act moves.

A product document has the fields of the wire: `stocked` (units in the warehouse), `reserved` (units promised to
orders), and `available` = stocked − reserved, which is never negative. An order gets all of its lines or none, at the
catalogue's prices or not at all, and its reservation never expires.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from common.account_numbers import NOT_KEPT
from common.errors import Invalid, Problem, Refused
from common.etags import etag_of, matches
from common.shop.money import format_money
from common.wire import OrderLine
from services.inventory.models import MAX_STOCK, Line, ProductRequest, ReserveRequest

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Move:
    """A change of one product's numbers, in units; `available` follows from the two."""

    product_id: str
    stocked: int
    reserved: int

    @property
    def available(self) -> int:
        """The change of `available`; a negative one needs that many available units."""
        return self.stocked - self.reserved


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal for a business reason: its code on the wire, and what to do about it."""

    code: str
    detail: str


def why_not(request: ReserveRequest, products: Mapping[str, Document]) -> Refusal | None:
    """The reason why the lines of this request can't be reserved, or None.

    Unknown products are reported before wrong prices, and prices before stock, so that the same catalogue always gives
    the same answer, and the reasons that don't pass by waiting come first.
    """
    lines = sorted(request.items, key=lambda line: line.product_id)
    for line in lines:
        if line.product_id == NOT_KEPT:
            return Refusal(
                "product_unknown",
                f"order {request.order_id}: a product's id looks like the number of a card or of a bank account, and "
                "no product has such an id: place a new order without it",
            )
        if line.product_id not in products:
            return Refusal(
                "product_unknown",
                f"order {request.order_id}: product {line.product_id} is not in the catalogue; "
                f"order something else or add it with PUT /api/inventory/{line.product_id}",
            )
    for line in lines:
        product = products[line.product_id]
        if (line.unit_price_minor, request.currency) != (product["price_minor"], product["currency"]):
            return Refusal(
                "price_changed",
                f"order {request.order_id}: {line.product_id} was ordered at "
                f"{format_money(line.unit_price_minor, request.currency)} and costs "
                f"{format_money(product['price_minor'], product['currency'])}; place a new order at that price",
            )
    for line in lines:
        available = products[line.product_id]["available"]
        if line.quantity > available:
            return Refusal(
                "out_of_stock",
                f"order {request.order_id}: {line.quantity} × {line.product_id} wanted, {available} available; "
                "order fewer or wait until it is stocked again",
            )
    return None


DECIDED_ON = ("name", "stocked", "price_minor", "currency", "dispatched")
"""The fields on which the decision about a PUT depends: all that it sets."""


def etag_of_product(product: Document) -> str:
    """What a PUT sets, as it is now. Reservations come and go without changing it."""
    return etag_of(*(product[name] for name in ("name", "stocked", "price_minor", "currency")))


def check_put(
    product_id: str, request: ProductRequest, current: Document | None, if_match: str | None, *, only_create: bool
) -> None:
    """Raises if this request may not change the product as it is now (None: there is none); see `Products.put`."""
    if only_create and current is not None:
        raise Problem(
            f"{product_id} exists already, and the request was only to create it (If-None-Match: *): nothing was set",
            status=412,
            code="precondition_failed",
        )
    if if_match is not None and not matches(if_match, None if current is None else etag_of_product(current)):
        raise Problem(
            f"{product_id} has changed since you read it: GET it again, look at its stock, and repeat the change with "
            "the new ETag",
            status=412,
            code="precondition_failed",
        )
    if current is None:
        if request.stock is None:
            raise Invalid(f"{product_id} is new, so it needs a stock: 0 if there is none yet")
        return
    if request.stock is None:
        return
    if if_match is None and request.stock != current["stocked"] and current.get("dispatched", 0) > 0:
        raise Problem(
            f"{product_id}: {current['dispatched']} units have left since its stock was last set, so {request.stock} "
            "may be outdated: correct the stock with POST "
            f"/api/inventory/{product_id}/adjust, or repeat this with If-Match and the ETag of a fresh GET; without "
            "`stock` it stays as it is",
            status=428,
            code="precondition_required",
        )
    if current["reserved"] > request.stock:
        raise Refused(
            "below_reserved",
            f"{product_id}: {current['reserved']} units are reserved, so the stock can't be {request.stock}; "
            "dispatch or release orders first, or stock at least what is reserved",
        )


def cannot_adjust(product_id: str, delta: int, current: Document) -> Problem:
    """Why the stock of this product can't change by `delta`."""
    if current["stocked"] + delta > MAX_STOCK:
        return Invalid(f"{product_id}: {current['stocked']} {delta:+d} units are more than {MAX_STOCK}")
    return Refused(
        "below_reserved",
        f"{product_id}: {current['stocked']} units are in stock and {current['reserved']} of them are reserved, so the "
        f"stock can't change by {delta:+d}; dispatch or release orders first",
    )


def reserving(lines: Iterable[Line | OrderLine]) -> tuple[Move, ...]:
    """Promise the units: `reserved` grows."""
    return _moves(lines, stocked=0, reserved=+1)


def releasing(lines: Iterable[Line | OrderLine]) -> tuple[Move, ...]:
    """Take the promise back: `reserved` shrinks."""
    return _moves(lines, stocked=0, reserved=-1)


def dispatching(lines: Iterable[Line | OrderLine]) -> tuple[Move, ...]:
    """The promised units leave the warehouse: `stocked` and `reserved` shrink, `available` stays."""
    return _moves(lines, stocked=-1, reserved=-1)


def _moves(lines: Iterable[Line | OrderLine], *, stocked: int, reserved: int) -> tuple[Move, ...]:
    # Always in the order of the ids: two transactions for the same products then conflict at the first one.
    return tuple(
        Move(line.product_id, stocked * line.quantity, reserved * line.quantity)
        for line in sorted(lines, key=lambda line: line.product_id)
    )
