"""The rules of stock, without a database: what a reservation needs, and what each act moves.

A product document has the fields of the wire: `stocked` (units in the warehouse), `reserved` (units promised to
orders), and `available` = stocked − reserved, which is never negative. An order gets all of its lines or none, at the
catalogue's prices or not at all, and its reservation never expires.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from common.money import format_money
from common.wire import OrderLine
from services.inventory.models import Line, ReserveRequest

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
