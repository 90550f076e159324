"""What travels on order's wire in the saga's own steps, and what its database keeps: the fields are the same.

The *content* of an order is every immutable field of its resource's spec. The bodies of create, confirm and reject
carry all of it, and the order document keeps it, so that a resource re-created with other content is noticed.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from common.account_numbers import NOT_KEPT
from common.wire import Body, Currency, CustomerId, NothingUndone, OrderBody, OrderLine, Reference

LIMIT_TOTAL_MINOR = 1_000_000_000_000  # as in crds/ordersaga.yaml

OrderStatus = Literal["PENDING", "CONFIRMED", "PROCESSING", "SHIPPED", "DELIVERED", "CANCELLING", "CANCELLED"]
FulfilmentStatus = Literal["PROCESSING", "SHIPPED", "DELIVERED"]

EXAMPLE_CONTENT: dict[str, Any] = {
    "order_id": "o-1001",
    "customer_id": "c-17",
    "currency": "EUR",
    "items": [{"product_id": "p-mug", "quantity": 2, "unit_price_minor": 1250}],
    "payment": {"method_ref": "test-ok"},
    "ship_to": {"address_ref": "a-17"},
    "notify": {"contact_ref": "c-17"},
}
EXAMPLE_ORDER: dict[str, Any] = {
    "order_id": "o-1001",
    "customer_id": "c-17",
    "status": "PENDING",
    "items": EXAMPLE_CONTENT["items"],
    "total_minor": 2500,
    "currency": "EUR",
    "reason": None,
    "saga": None,
}

_CLOSED = "Whether the order was cancelled after a reject. It doesn't say that anything else was undone."


def _no_card_number(reference: str) -> str:
    if len(reference) >= 12 and set(reference) <= set("0123456789._-"):
        raise ValueError(
            "this looks like a card number: give the reference of a payment method that the payment service keeps"
        )
    return reference


class Payment(Body):
    """How the order is paid: the reference of a method that the payment service keeps."""

    method_ref: Annotated[Reference, AfterValidator(_no_card_number)] = Field(examples=["test-ok"])


class ShipTo(Body):
    """Where the goods go: the reference of an address that the shipping service keeps."""

    address_ref: Reference = Field(examples=["a-17"])


class Notify(Body):
    """Who gets the messages: the reference of a contact that the notification service keeps."""

    contact_ref: Reference = Field(examples=["c-17"])


class Content(OrderBody):
    """The whole content of an order. Create, confirm and reject all send it."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_CONTENT]})

    customer_id: CustomerId
    currency: Currency
    items: Annotated[list[OrderLine], Field(min_length=1, max_length=100)]
    payment: Payment
    ship_to: ShipTo
    notify: Notify

    @property
    def total_minor(self) -> int:
        """The sum of all lines in minor units."""
        return sum(line.quantity * line.unit_price_minor for line in self.items)

    @model_validator(mode="after")
    def _as_the_resource_has_it(self) -> Self:
        check_lines(self.items)
        check_total(self.total_minor)
        return self


def check_lines(lines: list[Any]) -> None:
    """Raises ValueError if a product has two lines."""
    products = [line.product_id for line in lines if line.product_id != NOT_KEPT]
    if len(set(products)) < len(products):
        raise ValueError("each product may appear once: add up its quantities in one line")


def check_total(total_minor: int) -> None:
    """Raises ValueError if the resource would refuse this total."""
    if total_minor < 1:
        raise ValueError("the order's total must be at least 1 minor unit: there is nothing to charge")
    if total_minor > LIMIT_TOTAL_MINOR:
        raise ValueError(f"the order's total must be at most {LIMIT_TOTAL_MINOR} minor units")


def content_of_document(document: Mapping[str, Any], kind: type[Content] = Content) -> Content:
    """The content in an order's document, which another release may have stored.

    A field that this release doesn't know is left out, and one that the document doesn't have gets its default.

    Raises:
        ValueError: it isn't a content in this release.
    """
    return kind.model_validate(known_fields(document, kind))


def known_fields(stored: Any, kind: Any) -> Any:
    """What this release knows of a stored value, where `kind` is its type: a model, a list of a type, anything else."""
    if get_origin(kind) is Annotated:
        return known_fields(stored, get_args(kind)[0])
    if get_origin(kind) is list and isinstance(stored, list):
        (of_item,) = get_args(kind)
        return [known_fields(item, of_item) for item in stored]
    if isinstance(kind, type) and issubclass(kind, BaseModel) and isinstance(stored, Mapping):
        fields = kind.model_fields
        return {name: known_fields(stored[name], field.annotation) for name, field in fields.items() if name in stored}
    return stored


class CancelRequest(OrderBody):
    """The order to be cancelled, and why. The first reason stays; a repeated call may name another one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"order_id": "o-1001", "reason": "card_declined"}]})

    reason: str | None = Field(default=None, max_length=128, description="Why, as a code such as `card_declined`.")


ShownLines = Annotated[
    list[OrderLine], BeforeValidator(lambda stored: known_fields(stored, list[OrderLine]), json_schema_input_type=list)
]
"""Lines as they are shown: what another release has stored in one besides is left out."""


ShownStatus = Annotated[str, WithJsonSchema({"type": "string", "enum": list(get_args(OrderStatus))})]
"""A status as it is shown: also one that only another release knows."""


class OrderFields(BaseModel):
    """An order without its saga."""

    order_id: str
    customer_id: str
    status: ShownStatus
    items: ShownLines
    total_minor: int
    currency: str
    reason: str | None = Field(default=None, description="Why it was cancelled, such as `card_declined`.")


class Order(OrderFields):
    """An order as the saga's steps and the list show it. GET /api/orders/{order_id} shows its saga too."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_ORDER]})

    saga: None = None


class Undone(Order):
    """The answer of cancel: the order, and whether it was ever created."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{**EXAMPLE_ORDER, "status": "CANCELLED", "reason": "card_declined", "effect": "undone"}]
        }
    )

    effect: Literal["undone", "none"]


class NothingCancelled(NothingUndone):
    """The answer of cancel for an order that was never created here."""

    reason: str | None = None


class Rejected(Undone):
    """The answer of reject: the order, which can't be confirmed any more."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**EXAMPLE_ORDER, "status": "CANCELLING", "effect": "undone", "closed": False}]}
    )

    closed: bool = Field(description=_CLOSED)


class NothingRejected(NothingUndone):
    """The answer of reject for an order that was cancelled without ever having been created here."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"order_id": "o-1002", "effect": "none", "closed": False}]}
    )

    closed: bool = Field(description=_CLOSED)
