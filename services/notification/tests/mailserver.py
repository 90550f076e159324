"""A real mail server on real sockets, in a thread of its own, which misbehaves as a test tells it to."""

import asyncio
import email
import email.policy
import gc
import logging
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

HOST = "127.0.0.1"
logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # what a server writes down isn't ours
USER, PASSWORD = "shop", "correct horse"


@dataclass
class MailServer:
    """What it answers, and what it has got. Tests change the answers while it runs."""

    port: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    """By the name of a hook: MAIL, RCPT, DATA."""
    gone: str = ""
    """Recipients that end so don't exist."""
    data: str = "take"
    """take; hang: take the message and say nothing; drop: take it and close the connection without a word."""
    seconds: float = 0.0
    """How long each message takes."""
    greeting_after: float = 0.0
    passwords: set[str] = field(default_factory=set)
    """Empty: nobody has to sign in."""
    mails: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    """The verbs of all commands."""
    connections: int = 0
    """Of all time."""
    open: int = 0
    most: int = 0
    encrypted: list[bool] = field(default_factory=list)
    transports: list[Any] = field(default_factory=list)
    loop: asyncio.AbstractEventLoop | None = None

    def sent(self, order_id: str) -> int:
        """How many mails are about this order."""
        return sum(f"<ntf-{order_id}-order_" in mail["Message-ID"] for mail in self.mails)

    def hang_up(self) -> None:
        """Close all connections, as a server does that has waited for long enough."""
        assert self.loop is not None
        done = threading.Event()

        def close() -> None:
            for transport in self.transports:
                transport.abort()
            done.set()

        self.loop.call_soon_threadsafe(close)
        assert done.wait(5)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.answers.get("MAIL", "250 2.1.0 OK")

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.answers.get("RCPT", "250 2.1.5 OK").replace("%", address)
        if self.gone and address.endswith(self.gone):
            return f"550 5.1.1 <{address}>: no such user"
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        await asyncio.sleep(self.seconds)
        if not (answer := self.answers.get("DATA", "250 2.0.0 taken")).startswith("2"):
            return answer
        content = envelope.content
        assert isinstance(content, bytes)
        self.raw.append(content)
        mail = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.envelopes.append((envelope.mail_from or "", list(envelope.rcpt_tos)))
        self.encrypted.append(session.ssl is not None)
        if self.data == "hang":
            await asyncio.sleep(30)
        if self.data == "drop":
            server.transport.abort()
        return answer

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        right = data.login == USER.encode() and data.password.decode() in self.passwords
        return AuthResult(success=right, handled=False)


class _Served(SMTP):
    """aiosmtpd's protocol, which counts its connections and may greet late."""

    def __init__(self, mail: MailServer, **options: Any) -> None:
        self._mail = mail
        super().__init__(mail, **options)

    def connection_made(self, transport: Any) -> None:
        if self._original_transport is None:  # not the second time, within TLS
            self._mail.connections += 1
            self._mail.open += 1
            self._mail.most = max(self._mail.most, self._mail.open)
        self._mail.transports.append(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._mail.open -= 1
        super().connection_lost(error)

    async def _handle_client(self) -> None:
        await asyncio.sleep(self._mail.greeting_after)
        await super()._handle_client()

    async def _call_handler_hook(self, command: str, *args: Any) -> Any:
        self._mail.said.append(command)
        return await super()._call_handler_hook(command, *args)


@contextmanager
def mail_server(
    certificate: trustme.LeafCert | None = None, *, tls: str = "starttls", passwords: set[str] | None = None
) -> Iterator[MailServer]:
    """A server that listens until the block ends. `tls`: starttls, tls or none."""
    mail = MailServer(passwords=passwords or set())
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
    options: dict[str, Any] = {"hostname": "mx.test", "enable_SMTPUTF8": True, "decode_data": False}
    if tls == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    if passwords:
        late = tls == "starttls"  # aiosmtpd doesn't know that a connection was encrypted from the start
        options |= {"authenticator": mail.authenticate, "auth_required": late, "auth_require_tls": late}
    else:
        options["auth_exclude_mechanism"] = ["LOGIN", "PLAIN"]
    started = threading.Event()
    loop = mail.loop = asyncio.new_event_loop()

    async def serve() -> None:
        def protocol() -> SMTP:
            return _Served(mail, loop=loop, **options)

        server = await loop.create_server(protocol, HOST, 0, ssl=context if tls == "tls" else None)
        mail.port = server.sockets[0].getsockname()[1]
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            server.close()

    def run() -> None:
        asyncio.set_event_loop(loop)
        task = loop.create_task(serve())
        mail_task.append(task)
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        for transport in mail.transports:
            transport.abort()
        while others := asyncio.all_tasks(loop):
            for other in others:
                other.cancel()
            loop.run_until_complete(asyncio.gather(*others, return_exceptions=True))
        loop.run_until_complete(asyncio.sleep(0.01))
        mail.transports.clear()
        gc.collect()
        loop.close()

    mail_task: list[asyncio.Task[None]] = []
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(5)
    try:
        yield mail
    finally:
        loop.call_soon_threadsafe(mail_task[0].cancel)
        thread.join(5)


def pem_of(authority: trustme.CA, folder: Path) -> Path:
    """A file with this authority."""
    file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return file
