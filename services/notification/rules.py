"""The rules of notification, without a database: which message an order gets, and what it says."""

from collections.abc import Mapping
from typing import Any

from services.notification.models import Notification, NotificationType, SendRequest
from services.notification.provider import Message
from services.notification.wording import Wordings

Fields = dict[str, Any]


def document_id_of(order_id: str, notification_type: NotificationType) -> str:
    """An order has one message of each type, so its id follows from both: a repeated call can't make a second one."""
    # Types have an underscore and order ids have none: no two pairs make the same id.
    return f"{order_id}-{notification_type}"


def place_of(order_id: str, notification_type: NotificationType) -> str:
    """Where the progress of its sending is shown, below the operations endpoint."""
    return f"{order_id}/{notification_type}"


def notification_id_of(document_id: str) -> str:
    """The notification's id on the wire."""
    return f"ntf-{document_id}"


def begun(request: SendRequest) -> Fields:
    """The new notification, before the provider is asked. `why` is the order's reason, `reason` its own."""
    return {
        "notification_id": notification_id_of(document_id_of(request.order_id, request.notification_type)),
        **request.model_dump(exclude={"reason"}),
        "why": request.reason,
        "channel": "email",
        "status": "sending",
        "reason": None,
    }


def sent(delivered_by: str) -> Fields:
    """The message was sent, by the provider of this name: the audit counts those of the test provider in its ledger."""
    return {"status": "sent", "delivered_by": delivered_by}


def failed(reason: str) -> Fields:
    """The message was not sent, for good; `reason` is the code."""
    return {"status": "failed", "reason": reason}


def shown(notification: Mapping[str, Any]) -> Fields:
    """The notification on the wire."""
    return {name: notification[name] for name in Notification.model_fields}


def render(notification: Mapping[str, Any], wordings: Wordings, *, email: str, locale: str | None = None) -> Message:
    """The message of a notification in the contact's language, addressed to `email`."""
    wording = wordings.of(locale)
    subject, text = wording.message(notification)
    return Message(
        message_id=notification["notification_id"],
        order_id=notification["order_id"],
        to=email,
        subject=subject,
        text=text,
        notification_type=notification["notification_type"],
        locale=wording.locale,
    )
