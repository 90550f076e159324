"""The test provider: what it sends is in `common.shop.ledger`, and goes to nobody."""

from common.errors import Refused
from common.mongo import Database
from common.shop.ledger import Ledger
from services.notification.provider import Message, bounced


class TestProvider:
    """A provider for demonstrations and tests. Addresses at bounce.example don't exist."""

    __test__ = False  # pytest: a class named Test…, but no tests

    def __init__(self, database: Database) -> None:
        self._ledger = Ledger(database)

    async def send(self, message: Message) -> None:
        """Send the message, once for each message_id. Raises Refused (`bounced`, `cancelled`)."""
        if message.to.lower().endswith("@bounce.example"):
            raise bounced(message.order_id)
        is_new = await self._ledger.once(message.message_id, message.order_id, "message")
        if not is_new and await self._ledger.is_withdrawn(message.message_id):
            detail = f"order {message.order_id}: the message was cancelled before it was sent"
            raise Refused("cancelled", detail, order_id=message.order_id)

    async def is_sent(self, message_id: str, order_id: str) -> bool:
        """As the ledger has it."""
        return await self._ledger.has(order_id, message_id)

    async def withdraw(self, message_id: str, order_id: str) -> bool:
        """Use the message's key up, unless it was sent."""
        return await self._ledger.withdraw(message_id, order_id)
