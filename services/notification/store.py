"""The messages about all orders: the barrier around the provider. An order has at most one message of each type."""

from collections.abc import Mapping
from typing import Any

from common.barrier import LISTED, Accepted, Answer, Barrier, Call, Claims, Document, Happened, Refused
from common.errors import NotFound
from common.mongo import Database, Index
from common.web.pagination import Paging, page
from common.wire import Page
from services.notification.contacts import Contacts
from services.notification.models import Notification, NotificationType, SendNotification, Status
from services.notification.provider import Provider, render

INDEXES = (
    Index.on("notifications", "customer_id", "_id"),
    Index.on("notifications", "order_id", "_id"),
    Index.on("notifications", "status", "_id"),
    Index.on("ledger", "order_id"),  # for auditors; not unique: a second message must be able to show
)


class Notifications:
    """The collection `notifications`, one document for each order and type (`_id` = `{order_id}-{type}`)."""

    def __init__(self, database: Database, contacts: Contacts, provider: Provider) -> None:
        self._barrier = Barrier(database["notifications"])
        self._claims = Claims(self._barrier, _MessageEffect(contacts, provider))

    async def send(self, call: Call, order: SendNotification) -> Answer:
        """Send the message, once."""
        begun = {
            "notification_id": f"ntf-{_id(order.order_id, order.notification_type)}",
            **order.model_dump(),
            "channel": "email",
            "status": "sending",
            "reason": None,
        }
        return await self._claims.do(call, begun, document_id=_id(order.order_id, order.notification_type))

    async def cancel(self, call: Call, notification_type: NotificationType) -> Answer:
        """See to it that the message isn't sent; raises Refused (`already_sent`)."""
        return await self._claims.undo(call, document_id=_id(call.order_id, notification_type))

    async def get(self, notification_id: str) -> Notification:
        """One notification; raises NotFound, also if there is only a tombstone."""
        found = await self._barrier.get(notification_id.removeprefix("ntf-"))
        if found is None or found.get("notification_id") != notification_id:
            raise NotFound(f"there is no notification {notification_id}")
        return _notification(found)

    async def list(
        self,
        paging: Paging,
        *,
        customer_id: str | None,
        order_id: str | None,
        status: Status | None,
        notification_type: NotificationType | None,
    ) -> Page[Notification]:
        """All notifications that match the filters, sorted by notification_id."""
        where = {
            "customer_id": customer_id,
            "order_id": order_id,
            "notification_type": notification_type,
            **LISTED,
            **({"status": status} if status else {}),
        }
        return await page(self._barrier.collection, where, paging, _notification)


class _MessageEffect:
    """A message at the provider, under its notification_id. What was sent can't be taken back."""

    def __init__(self, contacts: Contacts, provider: Provider) -> None:
        self._contacts = contacts
        self._provider = provider

    async def ask(self, document: Document) -> Happened | Accepted:
        contact = await self._contacts.use(document["contact_ref"])
        if contact is None:
            order_id = document["order_id"]
            detail = (
                f"order {order_id}: there is no contact {document['contact_ref']}; tell the customer by hand, and PUT "
                "the contact for the next order"
            )
            raise Refused("contact_unknown", detail, fields=_failed("contact_unknown"), order_id=order_id)
        try:
            await self._provider.send(render(document, email=contact.email))
        except Refused as refusal:
            refusal.fields = _failed(refusal.code)
            raise
        return Happened({"status": "sent"})

    async def resolve(self, document: Document) -> Happened | Accepted:
        """Looks instead of asking again: a cancel must not send."""
        if await self._provider.was_sent(document["notification_id"]):
            return Happened({"status": "sent"})
        detail = f"order {document['order_id']}: the message was cancelled before it was sent"
        raise Refused("cancelled", detail, fields={"status": "cancelled"})

    async def take_back(self, document: Document) -> Happened:
        raise _already_sent(document)

    def taking_back(self, document: Document) -> Mapping[str, Any]:
        raise _already_sent(document)

    def nothing_happened(self, document: Document) -> Mapping[str, Any]:
        return {"status": "cancelled"}

    def resource(self, document: Document) -> Mapping[str, Any]:
        return {name: document[name] for name in Notification.model_fields}


def _id(order_id: str, notification_type: NotificationType) -> str:
    # Types have an underscore and order ids have none: no two pairs make the same id.
    return f"{order_id}-{notification_type}"


def _failed(reason: str) -> dict[str, Any]:
    return {"status": "failed", "reason": reason}


def _already_sent(document: Document) -> Refused:
    order_id = document["order_id"]
    detail = f"order {order_id}: the message has been sent and can't be taken back; send a correction by hand"
    return Refused("already_sent", detail, order_id=order_id)


def _notification(document: Mapping[str, Any]) -> Notification:
    return Notification.model_validate({name: document[name] for name in Notification.model_fields})
