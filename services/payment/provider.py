"""What the payment service asks of a payment provider: three calls, two of them under an idempotency key."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Charge:
    """What is to be charged. `key` is the provider's idempotency key; it follows from the order and never changes."""

    key: str
    order_id: str
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

    A second call with the same key answers what became of the first, however late it comes: an order that waited for a
    participant, was suspended or came out of a backup is asked for again after weeks. Many providers forget their keys
    after 24 hours; an adapter of one has to look for a charge (or refund) of the order before it makes one.

    A method raises Unavailable only if this call had no effect and never will have one; any other exception means that
    the outcome is unknown.
    """

    async def charge(self, charge: Charge) -> Outcome:
        """Take the money, once for each key."""

    async def lookup(self, key: str) -> Outcome | None:
        """What became of a charge; None if the provider has never seen its key."""

    async def refund(self, key: str, charge: Charge) -> None:
        """Give the whole charge back, once for each key. Raises Refused if the provider doesn't do it now."""
