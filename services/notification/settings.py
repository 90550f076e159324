"""Settings of the notification service."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from common.settings import ServiceSettings
from services.notification.models import LOCALE


class NotificationSettings(ServiceSettings):
    """What the notification service reads besides what every service does."""

    model_config = SettingsConfigDict(env_prefix="ORDERSAGA_", extra="ignore", populate_by_name=True)

    notification_provider: Literal["test", "smtp", "webhook"] = Field(
        default="test",
        description="Who delivers messages. test: nobody, they are counted. smtp: a mail server (ORDERSAGA_SMTP_…). "
        "webhook: a service of yours (ORDERSAGA_WEBHOOK_…). docs/notifications.md.",
    )
    notification_ca_file: Path | None = Field(
        default=None,
        description="A file with authorities (PEM) that the mail server or the webhook is checked with, beside the "
        "system's. It is read again as soon as it has changed.",
    )
    messages: Path | None = Field(
        default=None,
        description="A folder with the shop's own messages, a file for each language (en.toml, de.toml), in the place "
        "of ours. They are checked at the start.",
    )
    messages_locale: str = Field(
        default="en",
        pattern=LOCALE,
        max_length=35,
        description="The language of messages to contacts that name none, or one in which there are no messages.",
    )
    mail_from: str = Field(default="", description="The address that mail comes from, such as orders@shop.example.")
    mail_from_name: str = Field(default="", max_length=100, description="The name beside that address.")
    smtp_host: str = Field(default="", description="The mail server that takes our messages.")
    smtp_port: int | None = Field(
        default=None, ge=1, le=65_535, description="Its port. Default: 587 with starttls, 465 with tls, 25 with none."
    )
    smtp_tls: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="starttls: the connection is encrypted before anything is said, or nothing is. tls: it is "
        "encrypted from the start. none: it isn't, and no password is sent.",
    )
    smtp_user_file: Path | None = Field(
        default=None, description="A file with the user's name at the mail server. Without it we don't sign in."
    )
    smtp_password_file: Path | None = Field(
        default=None,
        description="A file with that user's password. Both files are of a mounted Secret; what takes their place is "
        "used from the next message on.",
    )
    smtp_client_name: str = Field(
        default="", description="How we name ourselves to the mail server (EHLO). Default: this host's name."
    )
    smtp_timeout_seconds: float = Field(
        default=7.0,
        gt=0,
        le=7.5,
        description="Seconds for handing over one message, from the connection to the server's word. The caller waits "
        "for 3.5 of them, then asks for the outcome later (202). A claim has 8, of which the database needs a part.",
    )
    smtp_connections: int = Field(
        default=8,
        ge=1,
        le=64,
        description="Connections to the mail server at the same time, for each replica of this service. With 50 ms for "
        "a message, eight take 160 a second; ask your mail provider how many it allows.",
    )
    webhook_url: str = Field(
        default="", description="Where messages are posted, with https; http only if the service is on this host."
    )
    webhook_secret_file: Path | None = Field(
        default=None,
        description="A file with the secret that posts are signed with (Standard Webhooks: whsec_ and base64 of 24 to "
        "64 bytes). What takes its place is used from the next message on.",
    )
    webhook_timeout_seconds: float = Field(
        default=5.0, gt=0, le=7.5, description="Seconds for one post and its whole answer. As for SMTP."
    )
    webhook_connections: int = Field(
        default=16, ge=1, le=256, description="Connections to the webhook at the same time, for each replica."
    )
