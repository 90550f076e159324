"""What travels on payment's wire, and what its database keeps: the fields are the same.

Money is an integer in the currency's minor unit (cents).
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from common.wire import AmountMinor, Body, Currency, CustomerId, OrderBody, OrderId, Reference

Status = Literal["processing", "captured", "declined", "refunding", "refunded", "failed"]

_PAYMENT: JsonDict = {
    "payment_id": "pay-o-1001",
    "order_id": "o-1001",
    "customer_id": "c-17",
    "amount_minor": 2500,
    "captured_minor": 2500,
    "refunded_minor": 0,
    "currency": "EUR",
    "method_ref": "test-ok",
    "status": "captured",
    "reason": None,
}


class ProcessRequest(OrderBody):
    """What to charge for an order, and with which payment method. A repeated call has the same body."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "order_id": "o-1001",
                "customer_id": "c-17",
                "amount_minor": 2500,
                "currency": "EUR",
                "method_ref": "test-ok",
            }
        }
    )

    customer_id: CustomerId
    amount_minor: AmountMinor
    currency: Currency
    method_ref: Annotated[Reference, Field(examples=["test-ok", "test-declined"])]


class RefundRequest(OrderBody):
    """The order whose charge is to be refunded. The amount is the one that was captured."""

    model_config = ConfigDict(json_schema_extra={"example": {"order_id": "o-1001"}})


class RepairRequest(Body):
    """The order whose refunds the test provider is to let through from now on."""

    model_config = ConfigDict(json_schema_extra={"example": {"order_id": "o-1001"}})

    order_id: OrderId


class Payment(BaseModel):
    """The payment of an order: what was asked for, what was captured, and what was refunded."""

    model_config = ConfigDict(json_schema_extra={"example": _PAYMENT})

    payment_id: str
    order_id: str
    customer_id: str
    amount_minor: int = Field(description="What was to be charged, in minor units.")
    captured_minor: int = Field(description="What was charged. A refund doesn't lower it.")
    refunded_minor: int = Field(description="What was given back of it.")
    currency: str
    method_ref: str
    # | str: a later release may have written another one while it is rolled out, which must not hide a whole list.
    status: Status | str
    reason: str | None = Field(description="Why it was declined, why it failed, or why the refund isn't done yet.")


class Undone(Payment):
    """The answer of a refund: the payment, and whether there was a charge to give back."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {**_PAYMENT, "refunded_minor": 2500, "status": "refunded", "effect": "undone"},
        }
    )

    effect: Literal["undone", "none"]


class Repaired(BaseModel):
    """The test provider lets the refunds of this order through from now on."""

    model_config = ConfigDict(json_schema_extra={"example": {"order_id": "o-1001", "repaired": True}})

    order_id: str
    repaired: Literal[True]
