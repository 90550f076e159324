"""What the notification service asks of a provider that delivers messages."""

from dataclasses import dataclass
from typing import Protocol

from common.errors import Refused, Unavailable


@dataclass(frozen=True, slots=True)
class Message:
    """A rendered message. `message_id` is the provider's idempotency key (with SMTP: a part of the Message-ID); it
    follows from the order and the type of the message, and never changes. `locale` is the language of its text.
    """

    message_id: str
    order_id: str
    to: str
    subject: str
    text: str
    notification_type: str = "order_confirmed"
    locale: str = "en"


class Misconfigured(Unavailable):
    """The message waits for a person: what stands in its way is on our side, and goes for all messages alike.

    It did nothing and is repeated like any Unavailable. Its own class gives it a metric and a line in the log.
    """

    def __init__(self, detail: str, *, order_id: str | None = None) -> None:
        super().__init__(detail, retry_after=10, order_id=order_id)


class Unanswered(Exception):  # noqa: N818 - it reads as what happened
    """The message was handed over, and nobody said that it was taken: it may have gone. Its text has no addresses."""


class Provider(Protocol):
    """A provider that delivers messages.

    The same `message_id` is the same message: sent again soon, it arrives once, or (SMTP) the reader's program
    recognises the repetition. Later the provider may have forgotten the id, so what may have been sent is looked up
    first. A method raises Unavailable only if this call had no effect and never will have one.
    """

    async def send(self, message: Message) -> None:
        """Hand the message over. Raises Refused (`bounced`) if the address doesn't exist, and Refused (`cancelled`) if
        the message was withdrawn.
        """

    async def is_sent(self, message_id: str, order_id: str) -> bool:
        """Whether the message has gone, as the provider's log of messages says. It may lag behind, by less time than
        ids are remembered. A provider without such a log (SMTP) answers False: the message is handed over again.
        """

    async def withdraw(self, message_id: str, order_id: str) -> bool:
        """From now on no message with this id goes out, also if its `send` is already on its way; False if it has gone.

        A provider that can't promise this (SMTP) answers False: the message counts as sent.
        """


def bounced(order_id: str) -> Refused:
    """The address of the order's contact takes no mail, for good. The address itself isn't repeated."""
    return Refused(
        "bounced",
        f"order {order_id}: the e-mail address of its contact doesn't exist; correct the contact and inform the "
        "customer by other means",
        order_id=order_id,
    )
