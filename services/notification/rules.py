"""The rules of notification, without a database: which message an order gets, and what it says."""

from collections.abc import Mapping, Sequence
from string import Template
from typing import Any

from common.shop.money import format_money
from services.notification.models import Notification, NotificationType, SendRequest
from services.notification.provider import Message

Fields = dict[str, Any]

_TEMPLATES: Mapping[NotificationType, tuple[Template, Template]] = {
    "order_confirmed": (
        Template("Your order $order_id is confirmed"),
        Template(
            "Thank you for your order $order_id.\n\n$lines\n\nTotal: $total\n\nWe'll let you know when it ships.\n"
        ),
    ),
    "order_cancelled": (
        Template("Your order $order_id is cancelled"),
        Template("Your order $order_id was cancelled.\n\n$lines\n\nYour payment of $total has been refunded.\n"),
    ),
}


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
    """The new notification, before the provider is asked."""
    return {
        "notification_id": notification_id_of(document_id_of(request.order_id, request.notification_type)),
        **request.model_dump(),
        "channel": "email",
        "status": "sending",
        "reason": None,
    }


def failed(reason: str) -> Fields:
    """The message was not sent, for good; `reason` is the code."""
    return {"status": "failed", "reason": reason}


def shown(notification: Mapping[str, Any]) -> Fields:
    """The notification on the wire."""
    return {name: notification[name] for name in Notification.model_fields}


def render(notification: Mapping[str, Any], *, email: str) -> Message:
    """The message of a notification, addressed to `email`."""
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
