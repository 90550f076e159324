"""What delivers messages, and what they say, as the settings have it."""

import logging

from prometheus_client import CollectorRegistry

from common.mongo import Database
from services.notification import catalogues
from services.notification.delivery.choice import Nobody, chosen
from services.notification.delivery.counted import Counted
from services.notification.settings import NotificationSettings
from services.notification.wording import BadWording

log = logging.getLogger("ordersaga.notification")


class Outlet:
    """The provider, and the texts of the messages. What is wrong with either is told at the start and by /ready."""

    def __init__(self, settings: NotificationSettings, database: Database, registry: CollectorRegistry) -> None:
        try:
            self.wordings = catalogues.read(settings.messages, settings.messages_locale)
            self._delivery = chosen(settings, database)
        except BadWording as error:
            self.wordings = catalogues.read(None, "en")
            self._delivery = Nobody(f"the messages to customers can't be used: {error}")
        self.name = settings.notification_provider
        self.provider = Counted(self._delivery, self.name, registry)
        if why := self.why_not_ready():
            log.error("no message can be sent: %s", why)
        elif self.name == "test":
            log.info("messages go to nobody, they are counted: ORDERSAGA_NOTIFICATION_PROVIDER is test")

    def why_not_ready(self) -> str | None:
        """One sentence that says what to do; None if messages can be sent, as far as that is known beforehand."""
        return self._delivery.why_not_ready()

    async def aclose(self) -> None:
        """Close what is open."""
        await self._delivery.aclose()
