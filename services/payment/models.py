"""Wire types of the payment service. Money is integer minor units; a payment's fields in JSON and in MongoDB agree."""

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


class ProcessPayment(OrderBody):
    """Charge an order: the same body for every repetition."""

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


class RefundPayment(OrderBody):
    """Take the charge of an order back, whatever it was."""

    model_config = ConfigDict(json_schema_extra={"example": {"order_id": "o-1001"}})


class Repair(Body):
    """Let the refunds of an order with `test-refund-stuck` succeed from now on (test provider only)."""

    model_config = ConfigDict(json_schema_extra={"example": {"order_id": "o-1001"}})

    order_id: OrderId


class Payment(BaseModel):
    """The payment of an order. `captured_minor` never sinks: what came back is in `refunded_minor`."""

    model_config = ConfigDict(json_schema_extra={"example": _PAYMENT})

    payment_id: str
    order_id: str
    customer_id: str
    amount_minor: int
    captured_minor: int
    refunded_minor: int
    currency: str
    method_ref: str
    status: Status
    reason: str | None = Field(description="Why it was declined, failed or can't be refunded yet.")


class Undone(Payment):
    """A refund's answer when the order has a payment; `none` means that there was nothing to give back."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {**_PAYMENT, "refunded_minor": 2500, "status": "refunded", "effect": "undone"},
        }
    )

    effect: Literal["undone", "none"]


class NothingUndone(BaseModel):
    """A refund's answer when the order was never charged. A charge that comes late is refused (`compensated`)."""

    order_id: str
    effect: Literal["none"]


class Repaired(BaseModel):
    """The refunds of this order succeed from now on."""

    order_id: str
    repaired: Literal[True]
