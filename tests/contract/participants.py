"""The participants of the saga as a table: what the contract's tests know of each. A new participant is a new row."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx

from common.mongo import Database
from common.settings import ServiceSettings
from common.web.app import Service
from common.wire import Json
from ordersaga.conformance.subject import Body, Route, Subject
from services.inventory import main as inventory
from services.notification import main as notification
from services.order import main as order
from services.order.models import EXAMPLE_CONTENT
from services.payment import main as payment
from services.shipping import main as shipping

Prepare = Callable[[str], Awaitable[None]]
Live = Callable[[str], Awaitable[bool]]
Ledger = Callable[[str], Awaitable[list[str]]]


async def _no_seed(client: httpx.AsyncClient) -> None:
    pass


@dataclass(frozen=True)
class Participant:
    """One row: a do and its undo."""

    name: str
    build: Callable[[ServiceSettings], Service]
    do: Route
    undo: Route
    other: Body
    """Another valid body for the same do: 422 `key_reused`."""
    live: Callable[[Json], bool]
    """Whether that document is an effect that stands."""
    collection: str
    refused: Body | None = None
    """A body of the do that is refused for a business reason."""
    slow: Body | None = None
    """A body of the do that is first answered 202."""
    document_id: Callable[[str], str] = lambda order_id: order_id
    seed: Callable[[httpx.AsyncClient], Awaitable[None]] = _no_seed
    before: Route | None = None
    """What has to be called for an order before its do."""
    ledger: bool = False
    """Whether a provider keeps a ledger of what really happened."""
    begun: Json | None = None
    """For effects outside the database, made under a claim: what the document shows while the provider is asked."""
    not_yet: tuple[str, ...] = ()
    """What the document doesn't have yet while the provider is asked."""
    undoing: Json = field(default_factory=dict)
    """What the document shows while the provider is asked to take the effect back."""
    kinds: tuple[str, str] = ("charge", "refund")
    """The kinds of the provider's entries: the effect, and its undo."""
    takes_back: bool = True
    """Whether the undo takes back what happened; a message that was sent can only be refused."""

    def subject(
        self, prepare: Prepare | None = None, live: Live | None = None, ledger: Ledger | None = None
    ) -> Subject:
        """As the conformance kit wants to know it, with these ways to look at it."""
        return Subject(
            do=self.do,
            undo=self.undo,
            takes_back=self.takes_back,
            other=self.other,
            refused=self.refused,
            slow=self.slow,
            prepare=prepare if self.before is not None else None,
            live=live,
            ledger=ledger if self.ledger else None,
        )

    @property
    def database(self) -> str:
        """The service's name."""
        return self.name.partition("-")[0]


async def ledger_of(database: Database, order_id: str) -> list[str]:
    """The kinds of all entries of an order, sorted."""
    return sorted(entry["kind"] for entry in await database["ledger"].find({"order_id": order_id}))


def _payment(**change: object) -> Body:
    known = {"customer_id": "c-17", "amount_minor": 2500, "currency": "EUR", "method_ref": "test-ok"}
    return lambda order_id: {"order_id": order_id, **known, **change}


def _order_id_alone(order_id: str) -> Json:
    return {"order_id": order_id}


PAYMENT = Participant(
    name="payment",
    build=payment.build,
    do=Route("/api/payments/process", "payment", "do", _payment()),
    undo=Route("/api/payments/refund", "payment", "undo", _order_id_alone),
    other=_payment(amount_minor=2501),
    refused=_payment(method_ref="test-declined"),
    slow=_payment(method_ref="test-processing"),
    live=lambda found: found["captured_minor"] > found["refunded_minor"],
    collection="payments",
    ledger=True,
    begun={"status": "processing", "captured_minor": 0},
    undoing={"status": "refunding", "refunded_minor": 0},
)


async def _stock_mugs(client: httpx.AsyncClient) -> None:
    product = {"name": "Mug", "stock": 1_000_000, "price_minor": 1250, "currency": "EUR"}
    assert (await client.put("/api/inventory/p-mug", json=product)).status_code == 200


def _reservation(price: int = 1250, quantity: int = 2) -> Body:
    lines = [{"product_id": "p-mug", "quantity": quantity, "unit_price_minor": price}]
    return lambda order_id: {"order_id": order_id, "currency": "EUR", "items": lines}


INVENTORY = Participant(
    name="inventory",
    build=inventory.build,
    do=Route("/api/inventory/reserve", "inventory", "do", _reservation()),
    undo=Route("/api/inventory/release", "inventory", "undo", _order_id_alone),
    other=_reservation(quantity=3),
    refused=_reservation(price=1251),
    live=lambda found: found["status"] == "reserved",
    collection="reservations",
    seed=_stock_mugs,
)


async def _know_an_address(client: httpx.AsyncClient) -> None:
    address = {"name": "Ada", "street": "Lane 1", "city": "Berlin", "postal_code": "10115", "country": "DE"}
    assert (await client.put("/api/shipping/addresses/a-17", json=address)).status_code == 200


def _shipment(**change: object) -> Body:
    return lambda order_id: {"order_id": order_id, "customer_id": "c-17", "address_ref": "a-17", **change}


SHIPPING = Participant(
    name="shipping",
    build=shipping.build,
    do=Route("/api/shipping/schedule", "shipping", "do", _shipment()),
    undo=Route("/api/shipping/cancel", "shipping", "undo", _order_id_alone),
    other=_shipment(customer_id="c-18"),
    refused=_shipment(address_ref="a-nowhere"),
    live=lambda found: found["status"] != "cancelled",
    collection="shipments",
    seed=_know_an_address,
    ledger=True,
    begun={},
    not_yet=("status", "tracking_number"),
    undoing={"status": "cancelled"},
    kinds=("booking", "cancellation"),
)


async def seed_contact(client: httpx.AsyncClient) -> None:
    """The contact that the bodies name."""
    answer = await client.put("/api/notifications/contacts/c-17", json={"email": "c17@example.com"})
    answer.raise_for_status()


def _message(**change: object) -> Body:
    known = {
        "customer_id": "c-17",
        "notification_type": "order_confirmed",
        "contact_ref": "c-17",
        "total_minor": 2500,
        "currency": "EUR",
        "items": [{"product_id": "p-mug", "quantity": 2}],
    }
    return lambda order_id: {"order_id": order_id, **known, **change}


NOTIFICATION = Participant(
    name="notification",
    build=notification.build,
    do=Route("/api/notifications/send", "notification", "do", _message()),
    undo=Route(
        "/api/notifications/cancel",
        "notification",
        "undo",
        lambda order_id: {"order_id": order_id, "notification_type": "order_confirmed"},
    ),
    other=_message(total_minor=2501),
    refused=_message(contact_ref="c-unknown"),
    live=lambda found: found["status"] == "sent",
    collection="notifications",
    document_id=lambda order_id: f"{order_id}-order_confirmed",
    seed=seed_contact,
    ledger=True,
    begun={"status": "sending"},
    takes_back=False,
)


def _content(**change: object) -> Body:
    return lambda order_id: {**EXAMPLE_CONTENT, "order_id": order_id, **change}


CREATE = Route("/api/orders/create", "order", "do", _content())
ORDER = Participant(
    name="order",
    build=order.build,
    do=CREATE,
    undo=Route("/api/orders/cancel", "order", "undo", _order_id_alone),
    other=_content(customer_id="c-18"),
    refused=_content(customer_id="c-blocked"),
    live=lambda found: found["status"] == "PENDING",
    collection="orders",
)
CONFIRMATION = Participant(
    name="order-confirmation",
    build=order.build,
    do=Route("/api/orders/confirm", "confirmation", "do", _content()),
    undo=Route("/api/orders/reject", "confirmation", "undo", _content()),
    other=_content(customer_id="c-18"),
    live=lambda found: found["status"] == "CONFIRMED",
    collection="orders",
    before=CREATE,
    takes_back=False,  # the pivot: once confirmed, always confirmed
)

PARTICIPANTS = (ORDER, INVENTORY, PAYMENT, SHIPPING, CONFIRMATION, NOTIFICATION)
