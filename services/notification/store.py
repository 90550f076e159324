"""The messages about all orders, the barrier around their provider, and the contacts that they go to."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, get_args

from common.barrier import LISTED, Accepted, Answer, Barrier, Call, Claims, Document, Happened, Refused
from common.errands import Errands
from common.errors import NotFound
from common.mongo import Database, Index
from common.shop.erasure import Erase, Erased
from common.shop.ledger import LEDGER_INDEX
from common.shop.orders import Orders
from common.shop.references import References, UsedBy, expiry_index
from common.web.pagination import Paging, page
from common.wire import Page
from services.notification import rules
from services.notification.models import Contact, Notification, NotificationType, SendRequest, Status
from services.notification.provider import Provider
from services.notification.wording import Wordings

OPERATIONS = "/api/notifications/operations"
INDEXES = (
    Index.on("notifications", "customer_id", "_id"),
    Index.on("notifications", "order_id", "_id"),
    Index.on("notifications", "status", "_id"),
    Index.on("notifications", "contact_ref"),
    expiry_index("contacts"),
    LEDGER_INDEX,
)


class Contacts(References[Contact]):
    """The collection `contacts` (`_id` = contact_ref)."""

    def __init__(self, database: Database, orders: Orders) -> None:
        super().__init__(
            database,
            "contacts",
            Contact,
            orders=orders,
            used_by=UsedBy("notifications", ("sending",)),
            noun="contact",
            key="contact_ref",
            exists="exists",
        )


class Notifications:
    """The collection `notifications`, one document for each order and type (`_id` = `{order_id}-{type}`)."""

    def __init__(
        self,
        database: Database,
        contacts: Contacts,
        provider: Provider,
        wordings: Wordings,
        errands: Errands,
        *,
        delivered_by: str,
    ) -> None:
        """`delivered_by`: the provider's name, which is recorded with each message that it sent."""
        self._contacts = contacts
        self._barrier = Barrier(database["notifications"])
        effect = _MessageEffect(contacts, provider, wordings, rules.sent(delivered_by))
        self._claims = Claims(self._barrier, effect, clock=database.now, errands=errands, location=OPERATIONS)

    async def send(self, call: Call, request: SendRequest) -> Answer:
        """Send the message, once."""
        document_id = rules.document_id_of(request.order_id, request.notification_type)
        call = replace(call, place=rules.place_of(request.order_id, request.notification_type))
        return await self._claims.do(call, rules.begun(request), document_id=document_id)

    async def cancel(self, call: Call, notification_type: NotificationType) -> Answer:
        """Make sure that the message isn't sent. Raises Refused (`already_sent`)."""
        document_id = rules.document_id_of(call.order_id, notification_type)
        call = replace(call, place=rules.place_of(call.order_id, notification_type))
        return await self._claims.undo(call, document_id=document_id)

    async def operation(
        self, order_id: str, notification_type: NotificationType, direction: Literal["do", "undo"]
    ) -> Answer:
        """What the POST of this operation would answer now; raises NotFound, Unavailable."""
        document_id = rules.document_id_of(order_id, notification_type)
        place = rules.place_of(order_id, notification_type)
        return await self._claims.look(order_id, direction, document_id=document_id, place=place)

    async def get(self, notification_id: str) -> Notification:
        """The notification of that id; raises NotFound, also if there is only a tombstone."""
        found = await self._barrier.get(notification_id.removeprefix("ntf-"))
        if found is None or found.get("notification_id") != notification_id:
            raise NotFound(f"there is no notification {notification_id}: GET /api/notifications lists them")
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

    async def erase(self, request: Erase) -> Erased:
        """Delete the contacts of these finished orders, then what pointed to them."""
        erased = await self._contacts.erase(request)
        for order_id in request.order_ids:
            for notification_type in get_args(NotificationType):
                erased += await self._barrier.erase(rules.document_id_of(order_id, notification_type), "contact_ref")
        return Erased(customer_id=request.customer_id, erased=erased)


class _MessageEffect:
    """A message at the provider, under its notification_id. A message that was sent can't be taken back."""

    def __init__(self, contacts: Contacts, provider: Provider, wordings: Wordings, sent: rules.Fields) -> None:
        self._sent = sent
        self._contacts = contacts
        self._provider = provider
        self._wordings = wordings

    async def ask(self, document: Document) -> Happened | Accepted:
        contact = await self._contacts.use(document["contact_ref"], document["customer_id"])
        if contact is None:
            order_id, contact_ref = document["order_id"], document["contact_ref"]
            detail = (
                f"order {order_id}: customer {document['customer_id']} has no contact {contact_ref}; inform them "
                f"by other means, and store it with PUT /api/notifications/contacts/{contact_ref} for later orders"
            )
            raise Refused("contact_unknown", detail, fields=rules.failed("contact_unknown"), order_id=order_id)
        try:
            message = rules.render(document, self._wordings, email=contact.email, locale=contact.locale)
            await self._provider.send(message)
        except Refused as refusal:
            refusal.fields = rules.failed(refusal.code)
            raise
        return Happened(self._sent)

    async def find(self, document: Document) -> Happened | None:
        sent = await self._provider.is_sent(document["notification_id"], document["order_id"])
        return Happened(self._sent) if sent else None

    async def resolve(self, document: Document) -> Happened | Accepted:
        """Withdraws the message: looking wouldn't do, since a slow process may still be about to send it, and asking
        again would send what is to be cancelled.
        """
        if not await self._provider.withdraw(document["notification_id"], document["order_id"]):
            return Happened(self._sent)
        await self._contacts.give_back(document["contact_ref"], document["order_id"])
        detail = f"order {document['order_id']}: the message was cancelled before it was sent"
        raise Refused("cancelled", detail, fields={"status": "cancelled"})

    async def take_back(self, document: Document) -> Happened:
        raise _already_sent(document)

    def taking_back(self, document: Document) -> Mapping[str, Any]:
        raise _already_sent(document)

    def nothing_happened(self, document: Document) -> Mapping[str, Any]:
        return {"status": "cancelled"}

    def resource(self, document: Document) -> Mapping[str, Any]:
        return rules.shown(document)


def _already_sent(document: Document) -> Refused:
    order_id = document["order_id"]
    detail = f"order {order_id}: the message was sent and can't be taken back; send the customer a correction"
    return Refused("already_sent", detail, order_id=order_id)


def _notification(document: Mapping[str, Any]) -> Notification:
    return Notification.model_validate(rules.shown(document))
