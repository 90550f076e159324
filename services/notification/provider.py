"""What the notification service asks of a provider that delivers messages."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """A rendered message. `message_id` is the provider's idempotency key (with SMTP: the Message-ID); it follows from
    the order and the type of the message, and never changes.
    """

    message_id: str
    order_id: str
    to: str
    subject: str
    text: str


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
