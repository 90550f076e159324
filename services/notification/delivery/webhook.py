"""Messages to a service of the shop's, which delivers them: a signed POST for each (Standard Webhooks).

POST {url}
webhook-id: shop:ntf-o-1001-order_confirmed            the same at every repetition: the receiver drops what it has
webhook-timestamp: 1767225600                          seconds since 1970, of this attempt
webhook-signature: v1,{base64 of HMAC-SHA256 over "{id}.{timestamp}.{body}"}

{"message_id", "type", "order_id", "to", "subject", "text", "locale"}

2xx                                        it was taken
404, 410, 422 with `{"code": "bounced"}`   never: the recipient doesn't exist
other 4xx, and 3xx                         later, once a person has mended something; redirects aren't followed
408, 425, 429                              later
5xx, no answer                             it may have been taken (a gateway's 502 says nothing): posted again
"""

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from common.errors import Unavailable
from common.exchange import ENCODER, Answer, Exchanges, NoAnswer, NotSent
from common.text import seconds
from services.notification.delivery.secret_files import NoSecret, secret_in
from services.notification.provider import Message, Misconfigured, Unanswered, bounced
from services.notification.settings import NotificationSettings

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = range(24, 65)
"""As Standard Webhooks recommends it."""
ANSWER_LIMIT: Final = 16 * 1024
"""Bytes of an answer, of which only a `code` is read."""
NO_RECIPIENT: Final = frozenset({404, 410, 422})
LATER: Final = frozenset({408, 425, 429})
LATER_SECONDS: Final = 5
LONGEST_WAIT: Final = 60
"""Seconds. The operator waits as long as it is told to, so a receiver must not hold a saga up for hours."""


class WebhookProvider:
    """A receiver of messages. Usable inside one event loop."""

    def __init__(self, settings: NotificationSettings) -> None:
        self._secret_file = settings.webhook_secret_file or Path()
        self._namespace = settings.namespace
        self._where = f"the webhook at {urlsplit(settings.webhook_url).hostname}"
        """Without its path, which may hold a secret."""
        self._exchanges = Exchanges(
            settings.webhook_url,
            timeout=settings.webhook_timeout_seconds,
            connections=settings.webhook_connections,
            ca_file=settings.notification_ca_file,
        )

    def why_not_ready(self) -> str | None:
        """What has to be mended in the file with the secret; None if nothing has."""
        try:
            key_in(self._secret_file)
        except NoSecret as error:
            return f"{error}: mount the Secret that ORDERSAGA_WEBHOOK_SECRET_FILE names"
        return None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._exchanges.aclose()

    async def send(self, message: Message) -> None:
        """Post the message. Raises as `SmtpProvider.send`."""
        body = {
            "message_id": message.message_id,
            "type": message.notification_type,
            "order_id": message.order_id,
            "to": message.to,
            "subject": message.subject,
            "text": message.text,
            "locale": message.locale,
        }
        order = f"order {message.order_id}"
        try:
            key = key_in(self._secret_file)
        except NoSecret as error:
            raise Misconfigured(f"{error}: messages wait until it can be", order_id=message.order_id) from None
        webhook_id, timestamp = f"{self._namespace}:{message.message_id}", str(int(time.time()))
        headers = {
            "webhook-id": webhook_id,
            "webhook-timestamp": timestamp,
            # the bytes that are sent: Exchanges writes a body with the same encoder
            "webhook-signature": signature(key, webhook_id, timestamp, ENCODER.encode(body).encode()),
        }
        try:
            answer = await self._exchanges.exchange("POST", "", headers=headers, body=body, limit=ANSWER_LIMIT)
        except NotSent as error:
            raise Misconfigured(f"{order}: ORDERSAGA_WEBHOOK_URL can't be used", order_id=message.order_id) from error
        except NoAnswer:
            raise Unanswered(f"{order}: {self._where} gave no whole answer") from None
        self._judge(message, answer)

    async def is_sent(self, message_id: str, order_id: str) -> bool:
        """There is nothing to ask: a repetition has the same webhook-id."""
        return False

    async def withdraw(self, message_id: str, order_id: str) -> bool:
        """What was posted can't be called back."""
        return False

    def _judge(self, message: Message, answer: Answer) -> None:
        status = answer.status
        said = f"order {message.order_id}: {self._where} answered {status}"
        if 200 <= status < 300:
            return
        if status in NO_RECIPIENT and _code(answer) == "bounced":
            raise bounced(message.order_id)
        if status in LATER:
            wait = seconds(answer.headers.get("Retry-After")) or LATER_SECONDS
            raise Unavailable(
                f"{said}: the message is posted again",
                retry_after=round(min(max(wait, 1), LONGEST_WAIT)),
                order_id=message.order_id,
            )
        if 300 <= status < 400:
            detail = f"{said}: redirects aren't followed; set ORDERSAGA_WEBHOOK_URL to where it leads"
            raise Misconfigured(detail, order_id=message.order_id)
        if 400 <= status < 500:
            detail = f"{said}: it doesn't take our messages; they wait until that is mended (URL, secret, receiver)"
            raise Misconfigured(detail, order_id=message.order_id)
        raise Unanswered(said)


def key_in(file: Path) -> bytes:
    """The key of the secret in this file. Raises NoSecret."""
    secret = secret_in(file)
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(PREFIX) or len(key) not in SECRET_BYTES:
        raise NoSecret(f"{file} isn't {PREFIX} and the base64 of {SECRET_BYTES[0]} to {SECRET_BYTES[-1]} bytes")
    return key


def signature(key: bytes, webhook_id: str, timestamp: str, body: bytes) -> str:
    """`v1,` and the base64 of an HMAC-SHA256, as Standard Webhooks has it."""
    signed = b".".join((webhook_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _code(answer: Answer) -> object:
    try:
        problem = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return problem.get("code") if isinstance(problem, dict) else None
