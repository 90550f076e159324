"""What messages say, and who carries them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Template
from typing import Any, Protocol

from common.errors import Refused
from common.money import format_money
from common.mongo import Database, DuplicateKeyError, Mongo, Session
from common.wire import utcnow
from services.notification.models import NotificationType

logger = logging.getLogger("ordersaga.notifications")

_TEMPLATES: Mapping[NotificationType, tuple[Template, Template]] = {
    "order_confirmed": (
        Template("Your order $order_id is confirmed"),
        Template(
            "Thank you for your order $order_id.\n\n$lines\n\nTotal: $total\n\nWe tell you when it is on its way.\n"
        ),
    ),
    "order_cancelled": (
        Template("Your order $order_id is cancelled"),
        Template("Your order $order_id was cancelled.\n\n$lines\n\nWhat you paid, $total, has been given back.\n"),
    ),
}


@dataclass(frozen=True)
class Message:
    """A rendered message. `message_id` is the provider's key (with SMTP: the Message-ID), the same for ever."""

    message_id: str
    order_id: str
    to: str
    subject: str
    text: str


def render(notification: Mapping[str, Any], *, email: str) -> Message:
    """The message that a notification is, to that address."""
    subject, text = _TEMPLATES[notification["notification_type"]]
    items: Sequence[Mapping[str, Any]] = notification["items"]
    values = {
        "order_id": notification["order_id"],
        "lines": "\n".join(f"  {item['quantity']} x {item['product_id']}" for item in items),
        "total": format_money(notification["total_minor"], notification["currency"]),
    }
    return Message(
        message_id=notification["notification_id"],
        order_id=notification["order_id"],
        to=email,
        subject=subject.substitute(values),
        text=text.substitute(values),
    )


class Provider(Protocol):
    """Who carries messages. The same `message_id` is the same message: sent again, it arrives once, or (SMTP) is seen
    by the reader's program to be the same. Raises Refused (`bounced`) if the address doesn't exist, Unavailable only if
    this call did nothing.
    """

    async def send(self, message: Message) -> None:
        """Hand the message over."""

    async def was_sent(self, message_id: str) -> bool:
        """Whether a message of that id was handed over."""


class LogProvider:
    """The test provider: says in the log that a message was sent (never to whom), and keeps a `ledger`.

    Addresses at bounce.example don't exist. Like every test provider it is the outside world: its collections
    `provider_requests` and `ledger` are outside the barrier, and the ledger has no unique index.
    """

    def __init__(self, mongo: Mongo, database: Database) -> None:
        self._mongo = mongo
        self._requests = database["provider_requests"]
        self._ledger = database["ledger"]

    async def send(self, message: Message) -> None:
        """Write it to the log and to the ledger, once for each message_id."""
        if message.to.lower().endswith("@bounce.example"):
            raise Refused(
                "bounced",
                f"order {message.order_id}: the address of this contact doesn't exist; correct the contact and tell "
                "the customer by hand",
                order_id=message.order_id,
            )

        async def append(session: Session) -> None:
            await self._requests.insert({"_id": message.message_id, "order_id": message.order_id}, session=session)
            entry = {"order_id": message.order_id, "kind": "message", "amount_minor": 0, "at": utcnow()}
            await self._ledger.insert(entry, session=session)

        try:
            await self._mongo.transaction(append)
        except DuplicateKeyError:
            return
        logger.info("sent: %s", message.subject, extra={"order": message.order_id, "bytes": len(message.text)})

    async def was_sent(self, message_id: str) -> bool:
        """Whether the ledger has it."""
        return await self._requests.find_one({"_id": message_id}) is not None
