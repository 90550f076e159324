"""Messages over SMTP: each is handed to the shop's mail server, which delivers it.

What each answer means: `services.notification.delivery.answers`. SMTP knows no idempotency key and no log of what was
sent. When a server gets the whole message and its answer is lost, nobody knows whether the message has gone: it is
handed over again, under the same Message-ID. So it is at least once, and the reader's program may hide the repetition.
"""

import asyncio
import ssl
from datetime import UTC, datetime
from typing import NoReturn

import aiosmtplib

from common.errors import Refused, Unavailable
from services.notification.delivery.answers import Meaning, Stage, meaning, named
from services.notification.delivery.connections import Connections
from services.notification.delivery.doubts import Doubts
from services.notification.delivery.mail import NoAddress, Sender, composed
from services.notification.delivery.secret_files import NoSecret
from services.notification.provider import Message, Misconfigured, Unanswered, bounced
from services.notification.settings import NotificationSettings

LATER_SECONDS = 5
"""Seconds after which a message is offered again. Grey-listing lasts minutes; a busy server asks for less."""

_MISSING = {
    "SMTP STARTTLS": "doesn't offer STARTTLS, and gets nothing without it: set ORDERSAGA_SMTP_TLS to how it encrypts",
    "The SMTP AUTH": "doesn't offer to sign in: leave ORDERSAGA_SMTP_USER_FILE out, or use the port that has it",
    "No suitable authentication method found.": "offers no way to sign in that we know (CRAM-MD5, PLAIN, LOGIN)",
}
"""How the library says what a server doesn't offer, and what to do about it."""


class SmtpProvider:
    """A mail server. Usable inside one event loop."""

    def __init__(self, settings: NotificationSettings) -> None:
        self._sender = Sender(settings.mail_from, settings.mail_from_name, settings.namespace)
        self._timeout = settings.smtp_timeout_seconds
        self._connections = Connections(settings)
        self._doubts = Doubts()
        self._where = f"the mail server {settings.smtp_host}:{self._connections.port}"

    def why_not_ready(self) -> str | None:
        """What has to be mended in the files with user and password; None if nothing has."""
        try:
            self._connections.credentials()
        except NoSecret as error:
            return f"{error}: mount the Secret that ORDERSAGA_SMTP_USER_FILE and ORDERSAGA_SMTP_PASSWORD_FILE name"
        return None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connections.aclose()

    async def send(self, message: Message) -> None:
        """Hand the message over.

        Raises:
            Refused (`bounced`), Unavailable, Misconfigured: it didn't go.
            Unanswered: it may have gone.
        """
        try:
            mail = composed(message, self._sender, datetime.now(UTC))
        except NoAddress:
            raise bounced(message.order_id) from None
        self._raise_if_too_early(message)
        try:
            await self._attempt(message, mail)
        except Unanswered:
            self._doubts.rise(message.message_id)
            raise
        except Refused:
            self._doubts.end(message.message_id)
            raise
        self._doubts.end(message.message_id)

    def _raise_if_too_early(self, message: Message) -> None:
        """The server got it, said nothing, and may have delivered it."""
        if (left := self._doubts.left(message.message_id)) > 0:
            raise Unavailable(
                f"order {message.order_id}: {self._where} got the message {self._doubts.times(message.message_id)} "
                f"times and never said that it took it: it gets it once more in {left:.0f} s",
                retry_after=LATER_SECONDS,
                order_id=message.order_id,
            )

    async def _attempt(self, message: Message, mail: bytes) -> None:
        progress = _Progress()
        try:
            async with asyncio.timeout(self._timeout), self._connections.one(progress.connected) as client:
                await self._hand_over(client, message, mail, progress)
        except NoSecret as error:
            raise Misconfigured(f"{error}: messages wait until it can be", order_id=message.order_id) from None
        except aiosmtplib.SMTPResponseException as error:
            self._judge(message, progress.stage, error.code, str(error.message))
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            self._broken(message, progress.stage, error)

    async def is_sent(self, message_id: str, order_id: str) -> bool:
        """SMTP keeps no log that could be asked."""
        return False

    async def withdraw(self, message_id: str, order_id: str) -> bool:
        """What was handed over can't be called back."""
        return False

    async def _hand_over(self, client: aiosmtplib.SMTP, message: Message, mail: bytes, progress: "_Progress") -> None:
        progress.stage = Stage.SENDER
        options, encoding = [], "ascii"
        if client.supports_extension("size"):
            options.append(f"SIZE={len(mail)}")
        if not message.to.isascii():
            if not client.supports_extension("smtputf8"):
                raise bounced(message.order_id)  # no address that this server could write to
            options, encoding = [*options, "SMTPUTF8"], "utf-8"
        await client.mail(self._sender.address, options=options)
        progress.stage = Stage.RECIPIENT
        await client.rcpt(message.to, encoding=encoding)
        progress.stage = Stage.CONTENT
        await client.data(mail)

    def _judge(self, message: Message, stage: Stage, code: int, text: str) -> None:
        """What the server's answer comes to. Its own words could name the recipient, so no error carries them on."""
        answer = f"order {message.order_id}: {self._where} answered {named(stage, code, text)}"
        match meaning(stage, code, text):
            case Meaning.SENT:
                return
            case Meaning.BOUNCED:
                raise bounced(message.order_id) from None
            case Meaning.OURS:
                detail = f"{answer}: it doesn't take our mail; messages wait until that is mended"
                raise Misconfigured(detail, order_id=message.order_id) from None
            case Meaning.UNKNOWN:
                raise Unanswered(answer) from None
            case _:
                detail = f"{answer}: the message is offered again"
                raise Unavailable(detail, retry_after=LATER_SECONDS, order_id=message.order_id) from None

    def _broken(self, message: Message, stage: Stage, error: Exception) -> NoReturn:
        """There was no answer: whether the message may have gone follows from how far it came."""
        order_id = message.order_id
        if stage is Stage.CONTENT:
            raise Unanswered(
                f"order {order_id}: {self._where} got the message and didn't say that it took it"
            ) from None
        why = _cause(error)
        if isinstance(why, ssl.SSLCertVerificationError):
            raise Misconfigured(
                f"order {order_id}: the certificate of {self._where} isn't believed ({why.verify_message}): put its "
                "authority into the file of ORDERSAGA_NOTIFICATION_CA_FILE, or mend the server's certificate",
                order_id=order_id,
            ) from None
        if isinstance(error, aiosmtplib.SMTPException) and (cure := _MISSING.get(error.message.partition(" ext")[0])):
            raise Misconfigured(f"order {order_id}: {self._where} {cure}", order_id=order_id) from None
        kind = "no answer in time" if isinstance(error, TimeoutError) else type(why).__name__
        raise Unavailable(
            f"order {order_id}: {self._where} didn't get the message ({kind} at the {stage}): it is offered again",
            retry_after=LATER_SECONDS,
            order_id=order_id,
        ) from None


class _Progress:
    """How far one message has come."""

    def __init__(self) -> None:
        self.stage = Stage.CONNECT

    def connected(self) -> None:
        self.stage = Stage.SIGN_IN


def _cause(error: BaseException) -> BaseException:
    """The error that the library has wrapped."""
    seen = 0
    while (inner := error.__cause__ or error.__context__) is not None and seen < 5:
        error, seen = inner, seen + 1
    return error
