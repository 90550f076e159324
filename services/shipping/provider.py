"""What the shipping service asks of a carrier: two calls, each under an idempotency key that follows from the order.

Real carriers offer the same: a booking has a key of ours (their "reference" or "Idempotency-Key"), and a call that is
repeated with the same key gets the answer of the first. So no repetition, take-over or restart can book twice.
"""

from typing import Protocol


class Provider(Protocol):
    """A carrier. Both calls may be repeated at any time, also after they were answered."""

    async def book(self, order_id: str) -> str:
        """Book the transport of an order, once; its tracking number. Raises Unavailable if this call did nothing."""

    async def cancel(self, order_id: str) -> None:
        """Cancel an order's booking, once. Raises Unavailable if this call did nothing."""
