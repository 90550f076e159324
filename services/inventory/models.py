"""What travels on inventory's wire, and what its database keeps: the fields are the same.

Quantities are whole units; prices are integers in the currency's minor unit (cents).
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from common.wire import Body, Currency, OrderBody, OrderLine, ProductId, Quantity, UnitPriceMinor

# A shelf holds a thousand of the largest lines: far below 2^53, which is what readers of JSON can count to.
Stock = Annotated[int, Field(strict=True, ge=0, le=10_000_000, description="Units in the warehouse.", examples=[100])]

ProductStatus = Literal["in_stock", "out_of_stock"]
ReservationStatus = Literal["reserved", "dispatched", "released"]


class PutProduct(Body):
    """What a product is and how many units the warehouse holds; `stock` becomes `stocked`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Mug", "stock": 100, "price_minor": 1250, "currency": "EUR"}]}
    )

    name: Annotated[str, Field(min_length=1, max_length=200)]
    stock: Stock
    price_minor: UnitPriceMinor
    currency: Currency


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
    status: ProductStatus = Field(description="`out_of_stock` when nothing is available")


class Line(Body):
    """Units of one product."""

    product_id: ProductId
    quantity: Quantity


class ReserveRequest(OrderBody):
    """The units that an order wants: all lines or none."""

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
        ids = [line.product_id for line in self.items]
        if len(set(ids)) != len(ids):
            raise ValueError("each product may appear once: add up its quantities in one line")
        return self


class OrderOnly(OrderBody):
    """Release and dispatch need the order alone: what was reserved is on record here."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"order_id": "o-1001"}]})


class Reservation(BaseModel):
    """What an order holds. Reservations never expire: they end dispatched or released."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "order_id": "o-1001",
                    "status": "reserved",
                    "lines": [{"product_id": "p-mug", "quantity": 2}],
                }
            ]
        }
    )

    order_id: str
    status: ReservationStatus
    lines: list[Line]


class Released(BaseModel):
    """Answer to a release: the reservation, if there ever was one, and whether this undid anything."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "order_id": "o-1001",
                    "status": "released",
                    "lines": [{"product_id": "p-mug", "quantity": 2}],
                    "effect": "undone",
                },
                {"order_id": "o-1002", "effect": "none"},
            ]
        }
    )

    order_id: str
    status: ReservationStatus | None = None
    lines: list[Line] | None = None
    effect: Literal["undone", "none"]
