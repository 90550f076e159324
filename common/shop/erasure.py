"""Erasure: what goes from the records of finished orders when a customer's personal data does, and how it reads then.

Amounts, units, statuses and ids stay, so that the books still balance. Names, addresses and e-mail addresses are
deleted, and what points to them, or to a payment method, is replaced by `ERASED`: also in answers that are stored.
The order service says which orders are finished (`Erase`); each service looks after its own records.
"""

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from common.wire import Body, CustomerId, OrderId, Reference

ERASED: Final = "erased"
"""What stands where a reference was."""

MOST_ORDERS: Final = 100
"""Orders of one call: with two references each its body has 40 KB at the most."""

_SENTENCES: Final = frozenset({"detail", "message"})
"""Fields with text for people, which may name a reference."""
_REFERENCES: Final = frozenset({"method_ref", "address_ref", "contact_ref", "methodRef", "addressRef", "contactRef"})


class Erase(Body):
    """Finished orders of one customer, and what only they referred to."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"customer_id": "c-17", "order_ids": ["o-1001"], "references": ["a-17"]}}
    )

    customer_id: CustomerId
    order_ids: Annotated[list[OrderId], Field(max_length=MOST_ORDERS)]
    references: Annotated[list[Reference], Field(max_length=MOST_ORDERS + 1)] = Field(
        default=[],
        description="Addresses or contacts that no other order of the customer needs. One that another customer's "
        "orders have used stays: it is theirs, too.",
    )


class Erased(BaseModel):
    """What was erased by this call; nothing is left of what it named, unless another customer shares it."""

    model_config = ConfigDict(json_schema_extra={"example": {"customer_id": "c-17", "erased": 2}})

    customer_id: str
    erased: int = Field(description="Records that were changed or deleted: 0 if an earlier call has done it all.")


def references_in(document: Mapping[str, Any], names: Collection[str]) -> dict[str, str]:
    """The references that a record still has in these fields, "payment.method_ref" say.

    The customer's id isn't one: it is a pseudonym that the books need, also where it names a contact.
    """
    customer_id = document.get("customer_id")
    found = {name: _at(document, name) for name in names}
    return {
        name: value for name, value in found.items() if isinstance(value, str) and value not in (ERASED, customer_id)
    }


def without(value: Any, references: Collection[str]) -> Any:
    """A stored answer or story without these references."""
    if not references:
        return value
    words = "|".join(re.escape(each) for each in sorted(references, key=len, reverse=True))
    # Whole references only: a-17 isn't a part of a-171, of pa-17 or of a-17.2.
    return _without(value, frozenset(references), re.compile(rf"(?<![\w.-])(?:{words})(?![\w-]|\.\w)"))


def _without(value: Any, references: frozenset[str], named: re.Pattern[str], field: str = "") -> Any:
    if isinstance(value, Mapping):
        return {name: _without(each, references, named, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_without(each, references, named, field) for each in value]
    if not isinstance(value, str):
        return value
    if field in _REFERENCES:
        return ERASED if value in references else value
    return named.sub(ERASED, value) if field in _SENTENCES else value


def _at(document: Mapping[str, Any], name: str) -> Any:
    found: Any = document
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
