"""What travels on shipping's wire, and what its database keeps: the fields are the same.

Addresses are personal data: they live in this service's database only, travel only in the two address routes, and are
never logged. A shipment carries the reference.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from common.wire import Body, CustomerId, OrderBody, Reference

Text = Annotated[str, Field(min_length=1, max_length=200)]

ShipmentStatus = Literal["scheduled", "handed_over", "in_transit", "delivered", "cancelled"]


class Address(Body):
    """Where parcels go: personal data."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Ada Example",
                    "street": "Example Street 17",
                    "city": "Berlin",
                    "postal_code": "10115",
                    "country": "DE",
                }
            ]
        }
    )

    name: Text
    street: Text
    city: Text
    postal_code: Annotated[str, Field(min_length=1, max_length=20)]
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2 code")]


class StoredAddress(Address):
    """An address and the reference it is kept under."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "examples": [
                {
                    "address_ref": "a-17",
                    "name": "Ada Example",
                    "street": "Example Street 17",
                    "city": "Berlin",
                    "postal_code": "10115",
                    "country": "DE",
                }
            ]
        },
    )

    address_ref: str


class ScheduleRequest(OrderBody):
    """Book the transport of an order to one of our addresses."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"order_id": "o-1001", "customer_id": "c-17", "address_ref": "a-17"}]}
    )

    customer_id: CustomerId
    address_ref: Reference


class CancelRequest(OrderBody):
    """Take the booking back: what was booked is on record here."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"order_id": "o-1001"}]})


class StatusUpdate(Body):
    """The carrier's progress, told by people or by a carrier's webhook."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "handed_over"}]})

    status: ShipmentStatus


class Shipment(BaseModel):
    """One order's shipment: scheduled → handed_over → in_transit → delivered, or cancelled before the hand-over."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "shipping_id": "s-o-1001",
                    "order_id": "o-1001",
                    "customer_id": "c-17",
                    "address_ref": "a-17",
                    "status": "scheduled",
                    "tracking_number": "TC4507184412",
                }
            ]
        }
    )

    shipping_id: str
    order_id: str
    customer_id: str
    address_ref: str
    status: ShipmentStatus
    tracking_number: str


class Cancelled(BaseModel):
    """Answer to a cancel: the shipment, if there ever was one, and whether this undid anything."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "shipping_id": "s-o-1001",
                    "order_id": "o-1001",
                    "customer_id": "c-17",
                    "address_ref": "a-17",
                    "status": "cancelled",
                    "tracking_number": "TC4507184412",
                    "effect": "undone",
                },
                {"order_id": "o-1002", "effect": "none"},
            ]
        }
    )

    shipping_id: str | None = None
    order_id: str
    customer_id: str | None = None
    address_ref: str | None = None
    status: ShipmentStatus | None = None
    tracking_number: str | None = None
    effect: Literal["undone", "none"]
