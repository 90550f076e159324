"""The provider that the settings name, or why there is none. What isn't chosen isn't imported."""

from typing import Protocol
from urllib.parse import urlsplit

from common.mongo import Database
from services.notification.provider import Message, Misconfigured, Provider
from services.notification.settings import NotificationSettings
from services.notification.testprovider import TestProvider


class Delivery(Provider, Protocol):
    """A provider that has something to close, and says what has to be mended before it can deliver."""

    def why_not_ready(self) -> str | None:
        """One sentence, or None."""

    async def aclose(self) -> None:
        """Close what is open."""


class Nobody:
    """In the place of a provider that the settings don't describe: every message waits."""

    def __init__(self, why: str) -> None:
        self._why = why

    def why_not_ready(self) -> str | None:
        """What has to be mended."""
        return self._why

    async def aclose(self) -> None:
        """Nothing is open."""

    async def send(self, message: Message) -> None:
        """Raises Misconfigured."""
        raise Misconfigured(f"order {message.order_id}: {self._why}", order_id=message.order_id)

    async def is_sent(self, message_id: str, order_id: str) -> bool:
        """Nobody knows."""
        return False

    async def withdraw(self, message_id: str, order_id: str) -> bool:
        """Nobody can promise it."""
        return False


class _Always(TestProvider):
    """The test provider, which needs nothing."""

    def why_not_ready(self) -> str | None:
        return None

    async def aclose(self) -> None:
        pass


def chosen(settings: NotificationSettings, database: Database) -> Delivery:
    """The provider of the settings."""
    if settings.notification_provider == "test":
        return _Always(database)
    if why := why_not(settings):
        return Nobody(why)
    if settings.notification_provider == "smtp":
        from services.notification.delivery.smtp import SmtpProvider  # noqa: PLC0415

        return SmtpProvider(settings)
    from services.notification.delivery.webhook import WebhookProvider  # noqa: PLC0415

    return WebhookProvider(settings)


def why_not(settings: NotificationSettings) -> str | None:
    """What is wrong with the settings of the provider that they name, in one sentence; None if nothing is."""
    match settings.notification_provider:
        case "smtp":
            why = _why_no_smtp(settings)
        case "webhook":
            why = _why_no_webhook(settings)
        case _:
            why = None
    return why and f"ORDERSAGA_NOTIFICATION_PROVIDER is {settings.notification_provider}: {why}"


def _why_no_smtp(settings: NotificationSettings) -> str | None:
    from services.notification.delivery.mail import NoAddress, checked  # noqa: PLC0415

    if not settings.smtp_host:
        return "set ORDERSAGA_SMTP_HOST to the mail server"
    if not settings.mail_from:
        return "set ORDERSAGA_MAIL_FROM to the address that mail comes from"
    try:
        if not checked(settings.mail_from).isascii():
            return "ORDERSAGA_MAIL_FROM has to be ASCII"
    except NoAddress:
        return "ORDERSAGA_MAIL_FROM is no address such as orders@shop.example"
    if not settings.mail_from_name.isprintable():
        return "ORDERSAGA_MAIL_FROM_NAME has a character that can't be printed"
    if (settings.smtp_user_file is None) != (settings.smtp_password_file is None):
        return "ORDERSAGA_SMTP_USER_FILE and ORDERSAGA_SMTP_PASSWORD_FILE need each other: set both, or neither"
    if settings.smtp_tls == "none" and settings.smtp_user_file is not None:
        return "without TLS a password would be sent in the clear: set ORDERSAGA_SMTP_TLS to starttls or tls"
    return None


def _why_no_webhook(settings: NotificationSettings) -> str | None:
    try:
        url = urlsplit(settings.webhook_url)
        host, _ = url.hostname, url.port
    except ValueError:
        return "ORDERSAGA_WEBHOOK_URL is no address"
    if not host:
        return "set ORDERSAGA_WEBHOOK_URL to where messages are posted"
    if url.scheme != "https" and (url.scheme != "http" or host not in {"127.0.0.1", "localhost", "::1"}):
        return "ORDERSAGA_WEBHOOK_URL has to begin with https, since addresses of customers go there"
    if settings.webhook_secret_file is None:
        return "set ORDERSAGA_WEBHOOK_SECRET_FILE to a file with the secret that posts are signed with"
    return None
