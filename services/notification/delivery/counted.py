"""How each message ended, as a metric and in the log (never to whom it went), and what a person has to mend."""

import logging
import time
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter

from common.errors import Refused, Unavailable
from services.notification.provider import Message, Misconfigured, Provider

log = logging.getLogger("ordersaga.notification")

Outcome = Literal["sent", "bounced", "cancelled", "unavailable", "misconfigured", "unknown"]
OUTCOMES: Final = ("sent", "bounced", "cancelled", "unavailable", "misconfigured", "unknown")
SAY_AGAIN: Final = 60.0
"""Seconds between two lines that say what has to be mended: each message would have one, at each of its attempts."""


class Counted:
    """A provider whose attempts are counted."""

    def __init__(self, provider: Provider, name: str, registry: CollectorRegistry) -> None:
        """`name`: test, smtp or webhook."""
        self._provider = provider
        counter = Counter(
            "ordersaga_messages_total",
            "Attempts to deliver a message, by provider and outcome: unknown may have gone, misconfigured waits for a "
            "person.",
            ["service", "provider", "outcome"],
            registry=registry,
        )
        self._outcomes = {outcome: counter.labels("notification", name, outcome) for outcome in OUTCOMES}
        self._said_at = float("-inf")

    async def send(self, message: Message) -> None:
        """As the provider; counted."""
        outcome: Outcome = "unknown"
        try:
            await self._provider.send(message)
            outcome = "sent"
            log.info("sent: %s", message.subject, extra={"order": message.order_id, "bytes": len(message.text)})
        except Refused as refusal:
            outcome = "cancelled" if refusal.code == "cancelled" else "bounced"
            raise
        except Misconfigured as error:
            outcome = "misconfigured"
            self._say(error)
            raise
        except Unavailable:
            outcome = "unavailable"
            raise
        finally:
            self._outcomes[outcome].inc()

    async def is_sent(self, message_id: str, order_id: str) -> bool:
        """As the provider."""
        return await self._provider.is_sent(message_id, order_id)

    async def withdraw(self, message_id: str, order_id: str) -> bool:
        """As the provider."""
        return await self._provider.withdraw(message_id, order_id)

    def _say(self, error: Misconfigured) -> None:
        now = time.monotonic()
        if now - self._said_at >= SAY_AGAIN:
            self._said_at = now
            log.error("messages wait for a person: %s", error.detail, extra={"order": error.order_id})
