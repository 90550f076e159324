"""What the payment service asks of a payment provider: three calls, each under a key that the provider honours."""

from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True)
class Charge:
    """What is to be charged. `key` is the provider's idempotency key: `{order_id}/charge`, for ever."""

    key: str
    order_id: str
    amount_minor: int
    currency: str
    method_ref: str


@dataclass(frozen=True)
class Captured:
    """The money has been taken."""


@dataclass(frozen=True)
class Declined:
    """The provider said no for good; `code` is the business reason, `text` a sentence about it."""

    code: str
    text: str


@dataclass(frozen=True)
class Processing:
    """The provider has accepted it and will settle it in about `seconds`."""

    seconds: int


Outcome: TypeAlias = Captured | Declined | Processing


class Provider(Protocol):
    """A payment provider.

    The same key asks for the same thing: a second call answers what became of the first. Raises Unavailable only if
    this call did nothing and never will; anything else that it raises means that nobody knows.
    """

    async def charge(self, charge: Charge) -> Outcome:
        """Take the money, once for each key."""

    async def lookup(self, key: str) -> Outcome | None:
        """What became of a charge, or None if the provider has never seen its key."""

    async def refund(self, key: str, charge: Charge) -> None:
        """Give the whole charge back, once for each key; raises Refused if it doesn't do that now."""
