"""What travels on inventory's wire, and what its database keeps: the fields are the same.

Quantities are whole units; prices are integers in the currency's minor unit (cents).
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from common.account_numbers import NOT_KEPT
from common.wire import Body, Currency, OrderBody, OrderLine, ProductId, Quantity, UnitPriceMinor

MAX_STOCK = 10_000_000
# A thousand of the largest lines, and far below 2^53, the largest integer that every reader of JSON can represent.
Stock = Annotated[int, Field(strict=True, ge=0, le=MAX_STOCK, description="Units in the warehouse.", examples=[100])]

Status = Literal["in_stock", "out_of_stock"]
ReservationStatus = Literal["reserved", "dispatched", "released"]

_RESERVATION: JsonDict = {
    "order_id": "o-1001",
    "status": "reserved",
    "lines": [{"product_id": "p-mug", "quantity": 2}],
}


class ProductRequest(Body):
    """A product and its stock: `stock` units are in the warehouse, those included that orders have reserved. Without
    `stock` that of an existing product stays as it is.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Mug", "stock": 100, "price_minor": 1250, "currency": "EUR"}]}
    )

    name: Annotated[str, Field(min_length=1, max_length=200)]
    stock: Stock | None = None
    price_minor: UnitPriceMinor
    currency: Currency


class AdjustRequest(Body):
    """A correction of the stock: so many units more, or fewer."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"delta": -2}, {"delta": 50}]})

    delta: Annotated[
        int,
        Field(
            strict=True,
            ge=-MAX_STOCK,
            le=MAX_STOCK,
            description="Units that were added (a delivery, a return), or taken away (a loss).",
        ),
    ]


class Product(BaseModel):
    """A product and its stock: `available` = `stocked` − `reserved` ≥ 0, always."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "product_id": "p-mug",
                    "name": "Mug",
                    "stocked": 100,
                    "reserved": 2,
                    "available": 98,
                    "price_minor": 1250,
                    "currency": "EUR",
                    "status": "in_stock",
                }
            ]
        }
    )

    product_id: str
    name: str
    stocked: int = Field(description="units in the warehouse")
    reserved: int = Field(description="units promised to orders and not yet dispatched")
    available: int = Field(description="units that can still be promised")
    price_minor: int
    currency: str
    status: Status = Field(description="`out_of_stock` when nothing is available")


class Line(BaseModel):
    """Some units of one product. A line to which a later release has added something is read without that."""

    product_id: ProductId
    quantity: Quantity


class ReserveRequest(OrderBody):
    """The lines of an order, at the prices that it was placed with. All of them are reserved, or none."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "order_id": "o-1001",
                    "currency": "EUR",
                    "items": [{"product_id": "p-mug", "quantity": 2, "unit_price_minor": 1250}],
                }
            ]
        }
    )

    currency: Currency
    items: Annotated[list[OrderLine], Field(min_length=1, max_length=100)]

    @model_validator(mode="after")
    def _each_product_once(self) -> Self:
        ids = [line.product_id for line in self.items if line.product_id != NOT_KEPT]
        if len(set(ids)) != len(ids):
            raise ValueError("each product may appear once: add up its quantities in one line")
        return self


class ReleaseRequest(OrderBody):
    """The order whose reservation is to be released."""

    model_config = ConfigDict(json_schema_extra={"example": {"order_id": "o-1001"}})


class DispatchRequest(OrderBody):
    """The order whose reserved units leave the warehouse."""

    model_config = ConfigDict(json_schema_extra={"example": {"order_id": "o-1001"}})


class Reservation(BaseModel):
    """What an order holds or held. A reservation never expires: it ends dispatched or released."""

    model_config = ConfigDict(json_schema_extra={"example": _RESERVATION})

    order_id: str
    # | str: a later release may have written another one while it is rolled out, which must not hide a whole list.
    status: ReservationStatus | str
    lines: list[Line]


class Undone(Reservation):
    """The answer of a release: the reservation, and whether there was something to release."""

    model_config = ConfigDict(json_schema_extra={"example": {**_RESERVATION, "status": "released", "effect": "undone"}})

    effect: Literal["undone", "none"]
