"""What the shipping service asks of a carrier: two calls under keys that follow from the order, and a look-up for each.

Real carriers offer the same: a booking has a key of ours (their "reference" or "Idempotency-Key"), and a call that is
repeated soon with the same key gets the answer of the first. Later the carrier may have forgotten the key, so what may
have been called before is looked up first. So no repetition, take-over or restart can book twice.
"""

from typing import Protocol


class Provider(Protocol):
    """A carrier. `book` and `cancel` may be repeated within the time for which the carrier keeps its keys."""

    async def book(self, order_id: str) -> str:
        """Book the transport of an order, once; its tracking number. Raises Unavailable if this call did nothing."""

    async def find(self, order_id: str) -> str | None:
        """The tracking number of the order's booking, also if it was cancelled since; None if the carrier knows of
        none. It is looked up by its reference and not by the key, and may lag behind, by less time than keys are kept.
        """

    async def is_cancelled(self, order_id: str) -> bool:
        """Whether the order's booking was cancelled; it may lag behind just so."""

    async def cancel(self, order_id: str) -> None:
        """Cancel an order's booking, once. Raises Unavailable if this call did nothing."""
