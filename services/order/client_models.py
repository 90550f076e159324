"""What clients send and get when they place, see and cancel orders. The bounds are those of the OrderSaga resource.

`tests/contract/routes/test_rest_and_crd_agree.py` holds these types and crds/ordersaga.yaml together.
"""

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from common.wire import Body, Currency, CustomerId, OrderId, ProductId, Quantity, Reference, UnitPriceMinor
from services.order.models import (
    EXAMPLE_ORDER,
    FulfilmentStatus,
    Notify,
    OrderFields,
    Payment,
    ShownStatus,
    check_lines,
    check_total,
)

Text = Annotated[str, Field(min_length=1, max_length=200)]


class Line(Body):
    """A product and its quantity. Without a price, the catalogue's price at this moment counts."""

    product_id: ProductId
    quantity: Quantity
    unit_price_minor: UnitPriceMinor | None = None


class Address(Body):
    """Where the goods go. The shipping service keeps it; the order carries a reference."""

    name: Text
    street: Text
    city: Text
    postal_code: Annotated[str, Field(min_length=1, max_length=20)]
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2.", examples=["DE"])]


class Contact(Body):
    """Who gets the messages. The notification service keeps it; the order carries a reference."""

    email: Annotated[str, Field(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
    locale: Annotated[str, Field(max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")] | None = Field(
        default=None, description="The language of messages (BCP 47). Default: the shop's own.", examples=["de"]
    )

    @model_serializer(mode="wrap")
    def _as_it_came(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without a language that wasn't given: the reference is made of this, and was before there were languages."""
        return {name: value for name, value in dump(self).items() if value is not None}


class Destination(Body):
    """Where the goods go: the reference of an address that the shipping service keeps, or an address."""

    address_ref: Reference | None = None
    address: Address | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.address_ref is None) == (self.address is None):
            raise ValueError("give either ship_to.address_ref or ship_to.address")
        return self


class PlaceRequest(Body):
    """An order as a client places it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "order_id": "o-1001",
                    "customer_id": "c-17",
                    "currency": "EUR",
                    "items": [{"product_id": "p-mug", "quantity": 2}],
                    "payment": {"method_ref": "test-ok"},
                    "ship_to": {"address_ref": "a-17"},
                    "contact": {"email": "c17@example.com"},
                },
                {
                    "customer_id": "c-17",
                    "currency": "EUR",
                    "items": [{"product_id": "p-mug", "quantity": 2, "unit_price_minor": 1250}],
                    "payment": {"method_ref": "test-ok"},
                    "ship_to": {
                        "address": {
                            "name": "Ada Example",
                            "street": "Example Street 17",
                            "city": "Berlin",
                            "postal_code": "10115",
                            "country": "DE",
                        }
                    },
                },
            ]
        }
    )

    order_id: OrderId | None = Field(
        default=None, description="Without it the id is derived from the Idempotency-Key, which is needed then."
    )
    customer_id: CustomerId
    currency: Currency
    items: Annotated[list[Line], Field(min_length=1, max_length=100)]
    payment: Payment
    ship_to: Destination
    notify: Notify | None = Field(default=None, description="Default: the contact whose reference is the customer_id.")
    contact: Contact | None = Field(
        default=None, description="Instead of `notify`: a contact, which is stored under a new reference."
    )

    @model_validator(mode="after")
    def _as_the_resource_has_it(self) -> Self:
        check_lines(self.items)
        if self.notify is not None and self.contact is not None:
            raise ValueError("give either notify.contact_ref or contact")
        if self.priced:
            check_total(sum(line.quantity * (line.unit_price_minor or 0) for line in self.items))
        return self

    @property
    def priced(self) -> bool:
        """Whether every line has a price."""
        return all(line.unit_price_minor is not None for line in self.items)

    @property
    def has_inline_data(self) -> bool:
        """Whether an address or a contact came along."""
        return self.ship_to.address is not None or self.contact is not None

    def address_ref(self, order_id: str) -> str:
        """The reference of the address: the given one, or the one under which the inline address is stored."""
        if self.ship_to.address is None:
            return self.ship_to.address_ref or ""
        return inline_reference(order_id, self.ship_to.address)

    def contact_ref(self, order_id: str) -> str | None:
        """The reference of the contact, or None if the order doesn't name one."""
        if self.contact is not None:
            return inline_reference(order_id, self.contact)
        return self.notify.contact_ref if self.notify else None


def derived_order_id(customer_id: str, key: str) -> str:
    """The id of an order that comes with a key only: "o-" and 20 hex digits, the same for every repetition."""
    return "o-" + hashlib.sha256(f"{customer_id}\n{key}".encode()).hexdigest()[:20]


def inline_reference(order_id: str, content: Body) -> str:
    """The reference of inline data. It is made of the content, so that other content never overwrites it."""
    canonical = json.dumps(content.model_dump(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return f"{order_id}-{hashlib.sha256(canonical.encode()).hexdigest()[:12]}"


class SagaRef(BaseModel):
    """The OrderSaga resource of an order, and its phase."""

    namespace: str
    name: str
    phase: str = Field(
        description="Pending, Running, … Completed, Compensated or Failed; Unknown while it can't be read."
    )


class Placed(BaseModel):
    """The order and its saga at this moment."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "order_id": "o-1001",
                    "status": "PENDING",
                    "saga": {"namespace": "shop", "name": "o-1001", "phase": "Pending"},
                }
            ]
        }
    )

    order_id: str
    status: ShownStatus
    saga: SagaRef | None = Field(description="null once the resource is gone.")


class Compensation(BaseModel):
    """The compensation of a step, and its progress."""

    attempts: int = 0
    start_time: str | None = None
    completion_time: str | None = None
    reason: str | None = None
    message: str | None = None


class SagaStep(BaseModel):
    """A step of the saga, its progress, and its compensation if one has begun."""

    name: str
    state: str
    attempts: int = 0
    reason: str | None = None
    message: str | None = None
    compensation: Compensation | None = None


class SagaCondition(BaseModel):
    """A condition of the resource."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str
    last_transition_time: str | None = None


class SagaView(SagaRef):
    """The progress of an order's saga, as its resource shows it."""

    current_step: str | None = None
    steps: list[SagaStep] = []
    conditions: list[SagaCondition] = []


_EXAMPLE_SAGA: dict[str, Any] = {
    "namespace": "shop",
    "name": "o-1001",
    "phase": "Running",
    "current_step": "inventory",
    "steps": [
        {"name": "order", "state": "Succeeded", "attempts": 1, "reason": None, "message": None, "compensation": None},
        {"name": "inventory", "state": "Pending", "attempts": 0, "reason": None, "message": None, "compensation": None},
    ],
    "conditions": [
        {
            "type": "Ready",
            "status": "Unknown",
            "reason": "StepInProgress",
            "message": "inventory is next",
            "last_transition_time": "2026-11-22T20:00:00Z",
        }
    ],
}


class OrderView(OrderFields):
    """An order joined with the progress of its saga."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**EXAMPLE_ORDER, "saga": _EXAMPLE_SAGA}]})

    saga: SagaView | None = Field(default=None, description="null once the resource is gone, seven days after the end.")


class StatusRequest(Body):
    """The order's next status."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "PROCESSING"}]})

    status: FulfilmentStatus
