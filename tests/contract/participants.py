"""The participants of the saga as a table: what the contract's tests know of each. A new participant is a new row."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from common.app import Service
from common.mongo import Database
from common.settings import ServiceSettings
from services.payment import main as payment

Json = dict[str, Any]


@dataclass(frozen=True)
class Route:
    """One POST of the saga. `body` makes its body for an order."""

    path: str
    step: str
    direction: str
    body: Callable[[str], Json]

    def key(self, order_id: str, namespace: str = "shop") -> str:
        return f"{namespace}/{order_id}/{self.step}/{self.direction}"


async def _no_seed(client: httpx.AsyncClient) -> None:
    pass


@dataclass(frozen=True)
class Participant:
    """One row: a do and its undo."""

    name: str
    build: Callable[[ServiceSettings], Service]
    do: Route
    undo: Route
    other: Callable[[str], Json]
    """Another valid body for the same do: 422 `key_reused`."""
    resource: str
    """The path of the order's resource, with {order_id}; 404 if there is only a tombstone."""
    live: Callable[[Json], bool]
    """Whether that resource is an effect that stands."""
    collection: str
    document_id: Callable[[str], str] = lambda order_id: order_id
    seed: Callable[[httpx.AsyncClient], Awaitable[None]] = _no_seed
    ledger: bool = False
    """Whether a provider keeps a ledger: its effects are outside the database, and a call may die in the middle."""


async def ledger_of(database: Database, order_id: str) -> list[str]:
    """The kinds of all entries of an order, sorted."""
    return sorted(entry["kind"] for entry in await database["ledger"].find({"order_id": order_id}))


PAYMENT = Participant(
    name="payment",
    build=payment.build,
    do=Route(
        "/api/payments/process",
        "payment",
        "do",
        lambda order_id: {
            "order_id": order_id,
            "customer_id": "c-17",
            "amount_minor": 2500,
            "currency": "EUR",
            "method_ref": "test-ok",
        },
    ),
    undo=Route("/api/payments/refund", "payment", "undo", lambda order_id: {"order_id": order_id}),
    other=lambda order_id: {**PAYMENT.do.body(order_id), "amount_minor": 2501},
    resource="/api/payments/order/{order_id}",
    live=lambda found: found["captured_minor"] > found["refunded_minor"],
    collection="payments",
    ledger=True,
)

PARTICIPANTS = (PAYMENT,)
