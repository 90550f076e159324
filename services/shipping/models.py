"""What travels on shipping's wire, and what its database keeps: the fields are the same.

Addresses are personal data: this service's database alone has them, and the address routes alone show them. A shipment
carries the reference.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from common.wire import Body, CustomerId, OrderBody, Reference

Text = Annotated[str, Field(min_length=1, max_length=200)]

Status = Literal["scheduled", "handed_over", "in_transit", "delivered", "cancelled"]


_ADDRESS: JsonDict = {
    "name": "Ada Example",
    "street": "Example Street 17",
    "city": "Berlin",
    "postal_code": "10115",
    "country": "DE",
}
_SHIPMENT: JsonDict = {
    "shipping_id": "s-o-1001",
    "order_id": "o-1001",
    "customer_id": "c-17",
    "address_ref": "a-17",
    "status": "scheduled",
    "tracking_number": "TC4507184412",
    "confirmed": False,
}


class AddressRequest(Body):
    """Where parcels go. Personal data: it stays in this service and is never logged."""

    model_config = ConfigDict(json_schema_extra={"example": _ADDRESS})

    name: Text
    street: Text
    city: Text
    postal_code: Annotated[str, Field(min_length=1, max_length=20)]
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2 code")]


class Address(AddressRequest):
    """An address, under the reference that orders carry."""

    model_config = ConfigDict(extra="ignore", json_schema_extra={"example": {"address_ref": "a-17", **_ADDRESS}})

    address_ref: str
    customer_id: str | None = Field(default=None, description="Whose it is. null: every order may name it.")


class ScheduleRequest(OrderBody):
    """The order to be transported, and the address that it goes to."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"order_id": "o-1001", "customer_id": "c-17", "address_ref": "a-17"}}
    )

    customer_id: CustomerId
    address_ref: Reference


class CancelRequest(OrderBody):
    """The order whose booking is to be cancelled."""

    model_config = ConfigDict(json_schema_extra={"example": {"order_id": "o-1001"}})


class StatusRequest(Body):
    """The status that the parcel has now, as a person or the carrier's webhook reports it."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "handed_over"}})

    status: Status


class Shipment(BaseModel):
    """One order's shipment: scheduled → handed_over → in_transit → delivered, or cancelled before the hand-over."""

    model_config = ConfigDict(json_schema_extra={"example": _SHIPMENT})

    shipping_id: str
    order_id: str
    customer_id: str
    address_ref: str
    # | str: a later release may have written another one while it is rolled out, which must not hide a whole list.
    status: Status | str
    tracking_number: str
    confirmed: bool = Field(
        default=False,
        description="Whether the order is known to be confirmed. Before that the parcel can't be handed over, since "
        "the order may still be rolled back. A list shows what was known when the shipment was last looked at.",
    )


class Undone(Shipment):
    """The answer of a cancel: the shipment, and whether there was a booking to cancel."""

    model_config = ConfigDict(json_schema_extra={"example": {**_SHIPMENT, "status": "cancelled", "effect": "undone"}})

    effect: Literal["undone", "none"]
