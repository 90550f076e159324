"""What the payment service asks of a payment provider: two calls under an idempotency key, and a look-up for each."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Charge:
    """What is to be charged. `key` is the provider's idempotency key; it follows from the order and never changes.

    `customer_id` is whose order it is: only a method of theirs may pay it, which the provider knows and we don't.

    An adapter stores `key` or `order_id` with the charge at the provider (as metadata), so that it can be looked up.
    """

    key: str
    order_id: str
    customer_id: str
    amount_minor: int
    currency: str
    method_ref: str


@dataclass(frozen=True, slots=True)
class Captured:
    """The money has been taken."""


@dataclass(frozen=True, slots=True)
class Declined:
    """The provider has refused for good: `code` is the business reason, `text` says it to a person."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Processing:
    """The provider has accepted the charge and settles it in about `seconds`."""

    seconds: int


Outcome = Captured | Declined | Processing


class Provider(Protocol):
    """A payment provider.

    A second call with the same key, soon after the first, answers what became of the first: both may be on their way at
    the same time. Many providers forget their keys after 24 hours, while an order that waited for a participant, was
    suspended or came out of a backup is asked for again after weeks. So whatever may have been called before is looked
    up first, and called only if the provider knows nothing of it. The look-up goes by what is stored with the charge
    and never by the idempotency key. It may lag behind, by less time than keys are kept.

    A method that doesn't exist, or isn't this customer's, is declined as `method_unknown`.

    A method raises Unavailable only if this call had no effect and never will have one; any other exception means that
    the outcome is unknown.
    """

    async def charge(self, charge: Charge) -> Outcome:
        """Take the money, once for each key."""

    async def find(self, charge: Charge) -> Outcome | None:
        """What became of the order's charge, also if it was refunded since; None if the provider knows of none."""

    async def is_refunded(self, charge: Charge) -> bool:
        """Whether the order's charge has been given back, or its refund has been accepted."""

    async def refund(self, key: str, charge: Charge) -> None:
        """Give the whole charge back, once for each key. Raises Refused if the provider doesn't do it now."""
