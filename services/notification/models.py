"""What travels on notification's wire, and what its database keeps: the fields are the same."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from common.wire import (
    AmountMinor,
    Body,
    Currency,
    CustomerId,
    OrderBody,
    ProductId,
    Quantity,
    Reference,
    UnitPriceMinor,
)

NotificationType = Literal["order_confirmed", "order_cancelled"]
Status = Literal["sending", "sent", "failed", "cancelled"]
Paid = Literal["refunded", "not_charged"]
LOCALE = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$"
Locale = Annotated[
    str,
    Field(
        max_length=35,
        pattern=LOCALE,
        description="The language of messages to this contact (BCP 47), such as de or fr-CA. Without it, or where the "
        "shop has no messages in it: the shop's own language.",
        examples=["de"],
    ),
]

_NOTIFICATION: JsonDict = {
    "notification_id": "ntf-o-1001-order_confirmed",
    "order_id": "o-1001",
    "customer_id": "c-17",
    "notification_type": "order_confirmed",
    "channel": "email",
    "status": "sent",
    "reason": None,
}


class Line(Body):
    """A line of the order, for the message's text."""

    product_id: ProductId
    quantity: Quantity
    unit_price_minor: UnitPriceMinor | None = None


class SendRequest(OrderBody):
    """One message about an order, and all that it says. An order has at most one message of each type.

    Fields that came later have a default and are left out by callers that don't know them: the fingerprint of a request
    without them is what it was before (`common.web.idempotency`).
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "order_id": "o-1001",
                "customer_id": "c-17",
                "notification_type": "order_confirmed",
                "contact_ref": "c-17",
                "total_minor": 2500,
                "currency": "EUR",
                "items": [{"product_id": "p-mug", "quantity": 2}],
            }
        }
    )

    customer_id: CustomerId
    notification_type: NotificationType
    contact_ref: Reference
    total_minor: AmountMinor
    currency: Currency
    items: Annotated[list[Line], Field(min_length=1, max_length=100)]
    reason: Annotated[str, Field(max_length=128)] | None = Field(
        default=None,
        description="`order_cancelled`: why, as the services spell it. The customer reads a sentence in its place, a "
        "general one for a reason that the shop's messages don't have.",
        examples=["card_declined"],
    )
    payment: Paid | None = Field(
        default=None,
        description="`order_cancelled`: what has become of the money. `refunded`: it was charged and given back; "
        "`not_charged`: it never was.",
    )


class CancelRequest(OrderBody):
    """The message that is not to be sent."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"order_id": "o-1001", "notification_type": "order_confirmed"}}
    )

    notification_type: NotificationType


class Notification(BaseModel):
    """A message about an order, and whether it was sent."""

    model_config = ConfigDict(json_schema_extra={"example": _NOTIFICATION})

    notification_id: str
    order_id: str
    customer_id: str
    # | str: a later release may have written another word while it is rolled out, which must not hide a whole list.
    notification_type: NotificationType | str
    channel: Literal["email"] | str
    status: Status | str
    reason: str | None = Field(description="Why it failed: `bounced`, `contact_unknown`.")


class Undone(Notification):
    """The answer of a cancel: the message, which wasn't sent and won't be. So there was nothing to undo."""

    model_config = ConfigDict(json_schema_extra={"example": {**_NOTIFICATION, "status": "cancelled", "effect": "none"}})

    effect: Literal["none"]


class ContactRequest(Body):
    """How to reach a customer. Personal data: it stays in this service and is never logged."""

    model_config = ConfigDict(json_schema_extra={"example": {"email": "c17@example.com", "locale": "de"}})

    email: Annotated[
        str,
        Field(
            max_length=254,
            pattern=r"^[^@\s]{1,64}@[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$",
            description="RFC 5321.",
        ),
    ]
    locale: Locale | None = None


class Contact(BaseModel):
    """A contact, under the reference that orders carry."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"contact_ref": "c-17", "email": "c17@example.com", "locale": "de"}}
    )

    contact_ref: str
    email: str
    locale: str | None = Field(default=None, description="The language of messages to it. null: the shop's own.")
    customer_id: str | None = Field(default=None, description="Whose it is. null: every order may name it.")
