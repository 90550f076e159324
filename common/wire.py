"""Types that all services share on the wire: ids, references, money.

They have the bounds of crds/ordersaga.yaml, so that the services accept exactly what the resource admits. Money is an
integer in the currency's minor unit (cents); even a sum of amounts stays below 2^53.
"""

import math
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer

from common.account_numbers import NO_ACCOUNT_NUMBER, kept

T = TypeVar("T")

Json = dict[str, Any]
"""A JSON object as it was parsed, or as it will be written."""

STORABLE_DEPTH = 32
"""Levels of a JSON object that is kept as it is: a resource has nine, MongoDB takes a hundred."""


def _storable(whole: Json) -> Json:
    """Raises ValueError if MongoDB can't keep this object, or no JSON can show it again."""
    rest: list[tuple[Any, int]] = [(whole, 1)]
    while rest:
        value, depth = rest.pop()
        if depth > STORABLE_DEPTH:
            raise ValueError(f"it is nested deeper than {STORABLE_DEPTH} levels")
        if isinstance(value, dict):
            for key in value:
                if key.startswith("$") or set(key) & {".", "\0"} or not _is_unicode(key):
                    raise ValueError("no name in it may begin with $ or hold a dot, a NUL or half a character")
            rest += [(each, depth + 1) for each in value.values()]
        elif isinstance(value, list):
            rest += [(each, depth + 1) for each in value]
        elif isinstance(value, str) and not _is_unicode(value):
            raise ValueError("it holds half a character (a lone surrogate)")
        elif isinstance(value, float) and not math.isfinite(value):
            raise ValueError("NaN and Infinity are no numbers of JSON")
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ValueError("an integer in it has more than 64 bits")
    return whole


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text) if not text.isascii() else True


StorableJson = Annotated[Json, AfterValidator(_storable)]
"""A JSON object that is kept and shown again unchanged, whatever it means."""

OrderId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=63,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        description="The order's id, which is the name of its OrderSaga. Lower-case letters, digits and hyphens.",
        examples=["o-1001"],
    ),
    NO_ACCOUNT_NUMBER,
]
_REFERENCE = r"^[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?$"
CustomerId = Annotated[
    str,
    Field(min_length=1, max_length=63, pattern=_REFERENCE, description="The customer's id.", examples=["c-17"]),
    NO_ACCOUNT_NUMBER,
]
ProductId = Annotated[
    str,
    Field(min_length=1, max_length=63, pattern=_REFERENCE, description="The product's id.", examples=["p-mug"]),
    NO_ACCOUNT_NUMBER,
]
Reference = Annotated[
    str,
    Field(
        min_length=1,
        max_length=128,
        pattern=_REFERENCE,
        description="A reference to a payment method, an address or a contact, never the thing itself.",
    ),
    NO_ACCOUNT_NUMBER,
]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code of the currency.", examples=["EUR"])]

# strict: neither "2" nor 2.0 nor true is a quantity.
Quantity = Annotated[int, Field(strict=True, ge=1, le=10_000, examples=[2])]
UnitPriceMinor = Annotated[
    int,
    Field(
        strict=True,
        ge=0,
        le=1_000_000_000,
        description="The price of one unit, in minor units (1250 is 12.50 EUR).",
        examples=[1250],
    ),
]
AmountMinor = Annotated[
    int,
    Field(
        strict=True,
        ge=1,
        le=1_000_000_000_000,
        description="An amount in minor units (2500 is 25.00 EUR).",
        examples=[2500],
    ),
]


def _rfc3339(moment: datetime) -> str:
    """UTC with milliseconds and a Z; MongoDB keeps a time in milliseconds."""
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Timestamp = Annotated[datetime, PlainSerializer(_rfc3339, return_type=str), Field(description="RFC 3339, UTC.")]


class Body(BaseModel):
    """A request body: an unknown field is an error (422 `invalid`), never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OrderBody(Body):
    """The body of a saga's call, which always names its order."""

    order_id: OrderId


class OrderLine(Body):
    """A line of an order as it travels to the services: product, quantity and the price of one unit.

    The resource's definition can't afford to look for numbers of cards in products. A saga whose calls were refused for
    one would never end. So the number is left out (`NOT_KEPT`) and the order goes on, to be refused as one of a product
    that doesn't exist.
    """

    product_id: Annotated[
        str,
        Field(min_length=1, max_length=63, pattern=_REFERENCE, description="The product's id.", examples=["p-mug"]),
        AfterValidator(kept),
    ]
    quantity: Quantity
    unit_price_minor: UnitPriceMinor


class NothingUndone(BaseModel):
    """The answer of an undo that found nothing of this order. A do that arrives later is refused (`compensated`)."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"order_id": "o-1002", "effect": "none"}]})

    order_id: str
    effect: Literal["none"]


class Page(BaseModel, Generic[T]):
    """A page of a list, sorted by id. `total` is the number of all items that the filters match.

    `limit` and `skip` are what was asked for. There may be fewer items than `limit` before the end of the list, because
    a page has at most about one mebibyte: the next one begins at `skip` plus the number of items that came.
    """

    items: list[T]
    total: int
    limit: int
    skip: int


def utcnow() -> datetime:
    """Now, in UTC, cut to the millisecond as MongoDB keeps it, so that a time is read back as it was written."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
