"""A message as RFC 5322 has it: headers that can't be forged, and text that arrives as it was written. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from typing import Final

from services.notification.provider import Message

_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff]+"
_LOCAL: Final = re.compile(rf"{_ATOM}(\.{_ATOM})*")
"""What stands before the @ (RFC 5321, RFC 6531: dot-string). A quoted one isn't taken: hardly any mailbox has one, and
it is how commands are smuggled in.
"""
_LABEL: Final = r"[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")

LONGEST_LINE: Final = 200
"""Characters of a line that is sent as it is: RFC 5321 allows 998, and readers show a line of this length."""


class NoAddress(ValueError):  # noqa: N818 - it reads as what is wrong
    """Not an address that mail can be sent to. Its text doesn't repeat it."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who mail comes from."""

    address: str
    name: str
    namespace: str

    @property
    def domain(self) -> str:
        """Of the address."""
        return self.address.rpartition("@")[2]


def checked(address: str) -> str:
    """The address, if mail can be sent to it. Raises NoAddress."""
    local, at, domain = address.rpartition("@")
    plain = local.isprintable() and len(local.encode()) <= 64 and len(domain) <= 253
    if not (at and plain and _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain)):
        raise NoAddress("it is not an address that mail can be sent to")
    return address


def message_id_of(message: Message, sender: Sender) -> str:
    """`<ntf-o-1001-order_confirmed.shop@shop.example>`: the same at every repetition, so that the reader's program
    shows one of them. It follows from order and type, and from the installation that the order is of.
    """
    return f"<{message.message_id}.{sender.namespace}@{sender.domain}>"


def composed(message: Message, sender: Sender, now: datetime) -> bytes:
    """The message with its headers, CRLF at the end of each line. `now` becomes its Date.

    The headers are written by the standard library, which encodes what isn't ASCII (RFC 2047) and refuses line breaks.
    Raises NoAddress.
    """
    utf8 = not message.to.isascii()
    mail = EmailMessage(policy=SMTPUTF8 if utf8 else SMTP)
    local, _, domain = sender.address.rpartition("@")
    mail["From"] = Address(display_name=sender.name, username=local, domain=domain)
    local, _, domain = checked(message.to).rpartition("@")
    mail["To"] = Address(username=local, domain=domain)
    mail["Subject"] = message.subject
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = message_id_of(message, sender)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office note comes back
    is_plain = message.text.isascii() and max(map(len, message.text.splitlines()), default=0) <= LONGEST_LINE
    mail.set_content(message.text, charset="utf-8", cte="7bit" if is_plain else "quoted-printable")
    mail["Content-Language"] = message.locale
    return mail.as_bytes()
