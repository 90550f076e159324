"""The order that a saga carries out: `spec` of the resource as plain, immutable data.

The API server has validated the resource (`crds/ordersaga.yaml`), so parsing is only a change of shape.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from common.shop.money import format_money

# 8 attempts from 1 s to 30 s with full jitter give a participant about a minute to come back
DEFAULT_MAX_ATTEMPTS: Final = 8
DEFAULT_INITIAL_BACKOFF: Final = 1.0
DEFAULT_MAX_BACKOFF: Final = 30.0
DEFAULT_DEADLINE: Final = 3600.0

LONGEST_RETRY_AFTER: Final = 3600.0
"""Seconds. No call waits longer, whatever a participant asks for, so that a wrong Retry-After (a year) doesn't end all
work on an order."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the order; the price is in minor units of the order's currency."""

    product_id: str
    quantity: int
    unit_price_minor: int


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how fast a call is made again; times in seconds. Only a do before the pivot has `max_attempts`."""

    max_attempts: int = DEFAULT_MAX_ATTEMPTS
    initial_backoff: float = DEFAULT_INITIAL_BACKOFF
    max_backoff: float = DEFAULT_MAX_BACKOFF

    def delay(self, attempts: int, *, jitter: float, retry_after: float | None) -> float:
        """Seconds until the next call, after so many attempts.

        Exponential with full jitter (AWS Architecture Blog, 2015), and never sooner than the participant asked for
        (`retry_after`, up to `LONGEST_RETRY_AFTER`). `jitter` is a random number in [0, 1) that the caller has drawn.
        """
        ceiling = min(self.max_backoff, self.initial_backoff * 2.0 ** min(max(attempts - 1, 0), 20))
        return max(jitter * ceiling, min(retry_after or 0.0, LONGEST_RETRY_AFTER))


@dataclass(frozen=True, slots=True)
class CompensationPolicy:
    """How long an undo is tried, whatever the order's own `retry` says: money must not be given up for haste.

    An undo is given up once *both* are passed. `seconds` cover a participant that is replaced or repaired; `attempts`
    see to it that time alone, in which nobody called, doesn't count. One that says no for good is asked `attempts`
    times: no time will change its mind. Reject has only that limit.
    """

    attempts: int = 20
    seconds: float = 900.0
    back_off: RetryPolicy = RetryPolicy(initial_backoff=1.0, max_backoff=30.0)
    in_progress_seconds: float = 900.0
    """After these, a person has to look at an undo that is accepted but doesn't end (a refund at a bank)."""

    def is_spent(self, attempts: int, seconds: float, *, refused: bool) -> bool:
        """Whether an undo is given up that was tried so often, and first so many seconds ago."""
        return attempts >= self.attempts and (refused or seconds >= self.seconds)

    def delay(self, attempts: int, seconds: float, *, jitter: float, retry_after: float | None) -> float:
        """Seconds until the next call, after so many attempts in so many seconds.

        Once only time is left to pass, the last call comes when it has passed, or when the participant asked for it.
        """
        pause = self.back_off.delay(attempts, jitter=jitter, retry_after=retry_after)
        left = self.seconds - seconds
        if attempts < self.attempts or left <= 0:  # reject goes on after both
            return pause
        asked = self.back_off.delay(attempts, jitter=0.0, retry_after=retry_after)
        return max(asked, min(pause, left))


DEFAULT_COMPENSATIONS: Final = CompensationPolicy()


@dataclass(frozen=True, slots=True)
class Order:
    """The immutable content of one order, and the limits that its saga runs under."""

    namespace: str
    order_id: str
    customer_id: str
    currency: str
    items: tuple[Item, ...]
    method_ref: str
    address_ref: str
    contact_ref: str
    deadline_seconds: float = DEFAULT_DEADLINE
    retry: RetryPolicy = RetryPolicy()

    @property
    def total_minor(self) -> int:
        """What the customer pays, in minor units; below 2^53 by the resource's own rules."""
        return sum(item.quantity * item.unit_price_minor for item in self.items)

    @property
    def total(self) -> str:
        """For people, with the decimals of the currency: `25.00 EUR`, `2500 JPY`."""
        return format_money(self.total_minor, self.currency)

    @classmethod
    def from_spec(cls, namespace: str, spec: Mapping[str, Any]) -> "Order":
        """The order of a validated `spec`; the contact defaults to the customer."""
        retry = spec.get("retry") or {}
        return cls(
            namespace=namespace,
            order_id=spec["orderID"],
            customer_id=spec["customerID"],
            currency=spec["currency"],
            items=tuple(
                Item(item["productID"], int(item["quantity"]), int(item["unitPriceMinor"])) for item in spec["items"]
            ),
            method_ref=spec["payment"]["methodRef"],
            address_ref=spec["shipTo"]["addressRef"],
            contact_ref=(spec.get("notify") or {}).get("contactRef") or spec["customerID"],
            deadline_seconds=float(spec.get("activeDeadlineSeconds") or DEFAULT_DEADLINE),
            retry=RetryPolicy(
                max_attempts=int(retry.get("maxAttempts") or DEFAULT_MAX_ATTEMPTS),
                initial_backoff=float(retry.get("initialBackoffSeconds") or DEFAULT_INITIAL_BACKOFF),
                max_backoff=float(retry.get("maxBackoffSeconds") or DEFAULT_MAX_BACKOFF),
            ),
        )
