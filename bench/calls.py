"""The calls of one order, for whoever carries it out without our operator: a table, the bodies, and one call.

Needs nothing but aiohttp, because the Restate service runs it in an environment of its own. The table is written out
again, and not taken from the operator: a checkout that is compared may have another one.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

NAMESPACE = "shop"
CUSTOMER, ADDRESS, CURRENCY, PRICE_MINOR = "c-17", "a-17", "EUR", 100
DECLINED_EVERY = 20
"""One order in so many has a card that is declined: it is undone."""
REPEATS = 20
"""A call that is answered "not now" (202, 409 running, 503) is made again so often, after `PAUSE_SECONDS` each."""
PAUSE_SECONDS = 0.25
COMPLETED, COMPENSATED = "Completed", "Compensated"
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Order:
    """One order of one unit; the rest of it is the same for all."""

    order_id: str
    product: str
    declined: bool

    @property
    def expected(self) -> str:
        """The phase in which it has to end."""
        return COMPENSATED if self.declined else COMPLETED

    @property
    def method(self) -> str:
        """The reference of the card."""
        return "test-declined" if self.declined else "test-ok"


def next_order(prefix: str, products: int) -> Order:
    """An order that was never placed before; `products`: over so many different ones the orders are spread."""
    number = next(_numbers)
    return Order(f"{prefix}-{number}", product(number % products), number % DECLINED_EVERY == DECLINED_EVERY // 2)


def product(number: int) -> str:
    """The id of one of the products of the bench."""
    return f"p-bench-{number}"


@dataclass(frozen=True, slots=True)
class Call:
    """One row: the service, the path, and the words of the idempotency key."""

    service: str
    path: str
    key: str


CREATE = Call("order", "/api/orders/create", "order/do")
RESERVE = Call("inventory", "/api/inventory/reserve", "inventory/do")
CHARGE = Call("payment", "/api/payments/process", "payment/do")
SCHEDULE = Call("shipping", "/api/shipping/schedule", "shipping/do")
CONFIRM = Call("order", "/api/orders/confirm", "confirmation/do")
SEND = Call("notification", "/api/notifications/send", "notification/do")
REJECT = Call("order", "/api/orders/reject", "confirmation/undo")
UNSCHEDULE = Call("shipping", "/api/shipping/cancel", "shipping/undo")
REFUND = Call("payment", "/api/payments/refund", "payment/undo")
RELEASE = Call("inventory", "/api/inventory/release", "inventory/undo")
CANCEL = Call("order", "/api/orders/cancel", "order/undo")

FORWARD = (CREATE, RESERVE, CHARGE, SCHEDULE, CONFIRM, SEND)
UNDO_DECLINED = (REJECT, RELEASE, CANCEL)
"""What a card that is declined leaves to undo."""


def body_of(call: Call, order: Order) -> dict[str, Any]:
    """The body of this call."""
    order_id = {"order_id": order.order_id}
    lines = [{"product_id": order.product, "quantity": 1, "unit_price_minor": PRICE_MINOR}]
    if call in (CREATE, CONFIRM, REJECT):
        return {
            **order_id,
            "customer_id": CUSTOMER,
            "currency": CURRENCY,
            "items": lines,
            "payment": {"method_ref": order.method},
            "ship_to": {"address_ref": ADDRESS},
            "notify": {"contact_ref": CUSTOMER},
        }
    if call is RESERVE:
        return {**order_id, "currency": CURRENCY, "items": lines}
    if call is CHARGE:
        money = {"amount_minor": PRICE_MINOR, "currency": CURRENCY, "method_ref": order.method}
        return {**order_id, "customer_id": CUSTOMER, **money}
    if call is SCHEDULE:
        return {**order_id, "customer_id": CUSTOMER, "address_ref": ADDRESS}
    if call is SEND:
        return {
            **order_id,
            "customer_id": CUSTOMER,
            "notification_type": "order_confirmed",
            "contact_ref": CUSTOMER,
            "total_minor": PRICE_MINOR,
            "currency": CURRENCY,
            "items": [{"product_id": order.product, "quantity": 1}],
        }
    return order_id


class CallFailedError(Exception):
    """An answer that no order of the bench should get."""


class Caller:
    """Makes the calls, over one pool of connections. Made inside a running event loop."""

    def __init__(self, urls: dict[str, str], tokens: dict[str, str]) -> None:
        """`urls`: base URL by service; `tokens`: the operator's, by service; none where callers aren't identified."""
        self._urls = urls
        self._heads = {service: {"Authorization": f"Bearer {token}"} for service, token in tokens.items()}
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60), cookie_jar=aiohttp.DummyCookieJar()
        )
        self.repeated = 0

    async def make(self, call: Call, order: Order) -> bool:
        """Whether it was done (200) or refused for a business reason (409). Raises CallFailedError otherwise."""
        key = {"Idempotency-Key": f"{NAMESPACE}/{order.order_id}/{call.key}", **self._heads.get(call.service, {})}
        url, body = self._urls[call.service] + call.path, body_of(call, order)
        for _ in range(REPEATS):
            async with self._http.post(url, json=body, headers=key) as answer:
                found = await answer.json(content_type=None)
                if answer.status == 200:
                    return True
                if answer.status == 409 and not found.get("retryable"):
                    return False
                if answer.status not in (202, 409, 503):
                    raise CallFailedError(f"{call.path} was answered {answer.status}: {found}")
            self.repeated += 1
            await asyncio.sleep(PAUSE_SECONDS)
        raise CallFailedError(f"{call.path} was answered {answer.status} {REPEATS} times: {found}")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


async def nothing_kept(call: Call) -> None:
    """What is kept after each call when nothing is kept."""


async def carry_out(
    order: Order,
    make: Callable[[Call, Order], Awaitable[bool]],
    keep: Callable[[Call], Awaitable[None]] = nothing_kept,
) -> str:
    """The whole order, forward or back; the phase in which it has ended."""
    for call in FORWARD:
        done = await make(call, order)
        await keep(call)
        if not done:
            for undo in UNDO_DECLINED:
                await make(undo, order)
                await keep(undo)
            return COMPENSATED
    return COMPLETED
