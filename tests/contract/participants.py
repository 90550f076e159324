"""The participants of the saga as a table: what the contract's tests know of each. A new participant is a new row."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from common.app import Service
from common.mongo import Database
from common.settings import ServiceSettings
from services.inventory import main as inventory
from services.notification import main as notification
from services.payment import main as payment
from services.shipping import main as shipping

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
    """Whether a provider keeps a ledger of what really happened."""
    begun: Json | None = None
    """For effects outside the database, made under a claim: what the document shows while the provider is asked."""
    takes_back: bool = True
    """Whether the undo takes back what happened; a message that was sent can only be refused."""


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
    begun={"status": "processing", "captured_minor": 0},
)


async def _stock_mugs(client: httpx.AsyncClient) -> None:
    product = {"name": "Mug", "stock": 1_000_000, "price_minor": 1250, "currency": "EUR"}
    assert (await client.put("/api/inventory/p-mug", json=product)).status_code == 200


INVENTORY = Participant(
    name="inventory",
    build=inventory.build,
    do=Route(
        "/api/inventory/reserve",
        "inventory",
        "do",
        lambda order_id: {
            "order_id": order_id,
            "currency": "EUR",
            "items": [{"product_id": "p-mug", "quantity": 2, "unit_price_minor": 1250}],
        },
    ),
    undo=Route("/api/inventory/release", "inventory", "undo", lambda order_id: {"order_id": order_id}),
    other=lambda order_id: {**INVENTORY.do.body(order_id), "currency": "USD"},
    resource="/api/inventory/reservations/{order_id}",
    live=lambda found: found["status"] == "reserved",
    collection="reservations",
    seed=_stock_mugs,
)


async def _know_an_address(client: httpx.AsyncClient) -> None:
    address = {"name": "Ada", "street": "Lane 1", "city": "Berlin", "postal_code": "10115", "country": "DE"}
    assert (await client.put("/api/shipping/addresses/a-17", json=address)).status_code == 200


SHIPPING = Participant(
    name="shipping",
    build=shipping.build,
    do=Route(
        "/api/shipping/schedule",
        "shipping",
        "do",
        lambda order_id: {"order_id": order_id, "customer_id": "c-17", "address_ref": "a-17"},
    ),
    undo=Route("/api/shipping/cancel", "shipping", "undo", lambda order_id: {"order_id": order_id}),
    other=lambda order_id: {**SHIPPING.do.body(order_id), "customer_id": "c-18"},
    resource="/api/shipping/order/{order_id}",
    live=lambda found: found["status"] != "cancelled",
    collection="shipments",
    seed=_know_an_address,
    ledger=True,
)


async def seed_contact(client: httpx.AsyncClient) -> None:
    """The contact that the bodies name."""
    answer = await client.put("/api/notifications/contacts/c-17", json={"email": "c17@example.com"})
    answer.raise_for_status()


NOTIFICATION = Participant(
    name="notification",
    build=notification.build,
    do=Route(
        "/api/notifications/send",
        "notification",
        "do",
        lambda order_id: {
            "order_id": order_id,
            "customer_id": "c-17",
            "notification_type": "order_confirmed",
            "contact_ref": "c-17",
            "total_minor": 2500,
            "currency": "EUR",
            "items": [{"product_id": "p-mug", "quantity": 2}],
        },
    ),
    undo=Route(
        "/api/notifications/cancel",
        "notification",
        "undo",
        lambda order_id: {"order_id": order_id, "notification_type": "order_confirmed"},
    ),
    other=lambda order_id: {**NOTIFICATION.do.body(order_id), "total_minor": 2501},
    resource="/api/notifications/ntf-{order_id}-order_confirmed",
    live=lambda found: found["status"] == "sent",
    collection="notifications",
    document_id=lambda order_id: f"{order_id}-order_confirmed",
    seed=seed_contact,
    ledger=True,
    begun={"status": "sending"},
    takes_back=False,
)

PARTICIPANTS = (INVENTORY, PAYMENT, SHIPPING, NOTIFICATION)
