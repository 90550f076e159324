"""Connections to a mail server: a bounded number of them, kept for a moment for the next message.

A connection that was kept may have been closed by the server meanwhile, so it is asked (RSET) before it is used again:
nothing of the message is sent on one that doesn't answer.
"""

import asyncio
import contextlib
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiosmtplib

from common.authorities import Authorities
from services.notification.delivery.secret_files import secret_in
from services.notification.settings import NotificationSettings

IDLE: Final = 5.0
"""Seconds that a connection is kept without a message. Servers close idle ones after 10 s (Postfix under load) to five
minutes; a busy shop has the next message within one.
"""
MOST_MESSAGES: Final = 50
"""Messages on one connection: a new one finds a server that was added, and no server sees one without an end."""
GOODBYE: Final = 1.0
"""Seconds for QUIT or RSET and its answer, on a connection that may be dead: its messages are sent, and for the next
one there are others.
"""
PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}


@dataclass(slots=True)
class Connection:
    """One connection, signed in if we have a user."""

    client: aiosmtplib.SMTP
    credentials: tuple[str, str] | None
    until: float = 0.0
    """By the monotonic clock: when it is closed if nobody uses it."""
    messages: int = 0


class Connections:
    """Connections to the mail server of the settings. Usable inside one event loop."""

    def __init__(self, settings: NotificationSettings, *, idle: float = IDLE) -> None:
        self._settings = settings
        self.port = settings.smtp_port or PORTS[settings.smtp_tls]
        self._idle_seconds = idle
        self._turns = asyncio.Semaphore(settings.smtp_connections)
        self._idle: deque[Connection] = deque()
        self._authorities = None if settings.smtp_tls == "none" else Authorities(settings.notification_ca_file)
        self._closing: set[asyncio.Task[None]] = set()

    def credentials(self) -> tuple[str, str] | None:
        """User and password, from their files; None without any. Raises NoSecret."""
        user, password = self._settings.smtp_user_file, self._settings.smtp_password_file
        return None if user is None or password is None else (secret_in(user), secret_in(password))

    @asynccontextmanager
    async def one(self, connected: Callable[[], None]) -> AsyncIterator[aiosmtplib.SMTP]:
        """A connection for one message, which nobody else uses. It is closed if the block raises.

        `connected` is called between the connection and the sign-in. Raises NoSecret, and what connecting raises.
        """
        async with self._turns:
            connection = await self._kept() or await self._new(connected)
            try:
                yield connection.client
            except BaseException:
                connection.client.close()
                raise
            connection.messages += 1
            self._keep(connection)

    async def aclose(self) -> None:
        """Say goodbye on all that are kept."""
        while self._idle:
            self._dismiss(self._idle.popleft())
        if self._closing:
            await asyncio.wait(set(self._closing), timeout=2 * GOODBYE)

    async def _kept(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()  # the newest: the others become superfluous and go
            if connection.until < time.monotonic() or connection.credentials != self.credentials():
                self._dismiss(connection)
                continue
            if self._authorities is not None and self._authorities.have_changed():
                self._dismiss(connection)
                continue
            try:
                await connection.client.rset(timeout=GOODBYE)
            except (aiosmtplib.SMTPException, OSError):
                connection.client.close()
            except BaseException:
                connection.client.close()
                raise
            else:
                return connection
        return None

    async def _new(self, connected: Callable[[], None]) -> Connection:
        settings = self._settings
        credentials = self.credentials()
        security: dict[str, Any] = {"use_tls": settings.smtp_tls == "tls", "start_tls": settings.smtp_tls == "starttls"}
        if self._authorities is not None:
            security["tls_context"] = self._authorities.context()
        client = aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=self.port,
            local_hostname=settings.smtp_client_name or _own_name(),
            timeout=settings.smtp_timeout_seconds,
            **security,
        )
        try:
            await client.connect()
            connected()
            if credentials is not None:
                await client.login(*credentials)
        except BaseException:
            client.close()
            raise
        return Connection(client, credentials)

    def _keep(self, connection: Connection) -> None:
        if connection.messages >= MOST_MESSAGES or not connection.client.is_connected:
            self._dismiss(connection)
            return
        connection.until = time.monotonic() + self._idle_seconds
        self._idle.append(connection)
        asyncio.get_running_loop().call_later(self._idle_seconds + 0.1, self._clear)

    def _clear(self) -> None:
        while self._idle and self._idle[0].until < time.monotonic():
            self._dismiss(self._idle.popleft())

    def _dismiss(self, connection: Connection) -> None:
        """Say goodbye in the background."""
        task = asyncio.create_task(_goodbye(connection.client))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _goodbye(client: aiosmtplib.SMTP) -> None:
    with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
        await client.quit(timeout=GOODBYE)
    client.close()


def _own_name() -> str:
    """This host's name as EHLO takes it. Not the full one: looking that up asks the network, and may take seconds."""
    name = socket.gethostname()
    return name if name.isascii() and name.replace("-", "").replace(".", "").isalnum() else "localhost"
