"""What a mail server's answer means for the message: did it go, will it go later, or never? Pure.

    250                     it was taken (RFC 5321 §4.2.5)
    4xx                     later: the server says itself that it is for now (grey-listing, a full queue)
    5xx about the address   never: `bounced`; the order is completed with a warning
    5xx about us            later, once a person has mended something; the message isn't lost meanwhile

A wrong "never" loses a message, and with a wrong password all of them; a wrong "later" only waits where somebody sees
it. So "never" needs an answer that is surely about the recipient:

* Before the recipient is named (greeting, EHLO, STARTTLS, AUTH, MAIL) every 5xx is about us: 535 and 534 (RFC 4954),
  530, 550 and 553 to MAIL (our sender isn't allowed here), 521 and 554 as a greeting.
* An enhanced code (RFC 3463) says more than the three digits, and wins. X.1.Z is an address: of the recipient, except
  X.1.7 and X.1.8, which are the sender's. X.1.10 is a domain that takes no mail (RFC 7505). X.2.Z is the mailbox:
  disabled, full. X.4.1 and X.4.4 as 5xx to RCPT say that the domain can't be reached or doesn't exist; Exchange answers
  an unknown recipient with 550 5.4.1. All the rest is ours to mend: X.3.Z (system), X.5.Z (protocol), X.6.Z (content)
  and X.7.Z (security and policy: relaying denied is 550 5.7.1, a refused sign-in 535 5.7.8, a blocked host 554 5.7.1).
* Without an enhanced code, to RCPT: 550, 551 and 553 are the mailbox (RFC 5321 §4.2.3), 556 is a domain without mail
  (RFC 7504), 501 is an address that the server can't read; unless its text speaks of relaying, as Exim's "550 relay not
  permitted" does: then it doesn't take us for a client of its own. 552 means too many recipients there, and counts as
  452 (§4.5.3.1.10).
* To the message itself (DATA) 550, 552 and 554 without an enhanced code are about policy or content (§3.6.2, §4.2.5),
  so they are ours.
"""

import re
from enum import StrEnum
from typing import Final

_ENHANCED: Final = re.compile(r"^([245])\.(\d{1,3})\.(\d{1,3})\b")
_IN_BRACKETS: Final = re.compile(r"\(#([245])\.(\d{1,3})\.(\d{1,3})\)")
"""qmail's way: 553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)."""
_RELAY: Final = re.compile(r"\brelay", re.IGNORECASE)
_SENDERS: Final = frozenset({7, 8})
_UNREACHABLE: Final = frozenset({1, 4})
_NO_SUCH_MAILBOX: Final = frozenset({501, 550, 551, 553, 556})


class Stage(StrEnum):
    """How far the conversation had come."""

    CONNECT = "connection"
    SIGN_IN = "sign-in"
    SENDER = "sender"
    RECIPIENT = "recipient"
    CONTENT = "message"


class Meaning(StrEnum):
    """What becomes of the message."""

    SENT = "sent"
    LATER = "later"
    BOUNCED = "bounced"
    OURS = "ours"
    UNKNOWN = "unknown"


def enhanced(code: int, text: str) -> tuple[int, int] | None:
    """Subject and detail of the enhanced status code, where there is one of the same class."""
    found = _ENHANCED.match(text) or _IN_BRACKETS.search(text)
    if found is None or int(found[1]) != code // 100:
        return None
    return int(found[2]), int(found[3])


def meaning(stage: Stage, code: int, text: str) -> Meaning:
    """What this answer means at this stage. `text`: all of its lines."""
    if code == 250 and stage is Stage.CONTENT:
        return Meaning.SENT
    if 400 <= code < 500:
        return Meaning.LATER
    if not 500 <= code < 600:  # no answer that SMTP has here
        return Meaning.UNKNOWN if stage is Stage.CONTENT else Meaning.LATER
    if stage not in {Stage.RECIPIENT, Stage.CONTENT}:
        return Meaning.OURS
    match enhanced(code, text):
        case (1, detail) if detail not in _SENDERS:
            return Meaning.BOUNCED
        case (2, _):
            return Meaning.BOUNCED
        case (4, detail) if stage is Stage.RECIPIENT and detail in _UNREACHABLE:
            return Meaning.BOUNCED
        case None | (0, _) if stage is Stage.RECIPIENT:
            if code == 552:
                return Meaning.LATER
            return Meaning.BOUNCED if code in _NO_SUCH_MAILBOX and not _RELAY.search(text) else Meaning.OURS
        case _:
            return Meaning.OURS


def named(stage: Stage, code: int, text: str) -> str:
    """The answer for our log and for the saga: `535 5.7.8 to the sign-in`, and what the server said, where that can't
    name the recipient: servers like to repeat the address that they refuse.
    """
    found = enhanced(code, text)
    said = f"{code}" if found is None else f"{code} {code // 100}.{found[0]}.{found[1]}"
    if stage in {Stage.RECIPIENT, Stage.CONTENT}:
        return f"{said} to the {stage}"
    words = " ".join(word for word in _ENHANCED.sub("", text).split() if "@" not in word)
    return f"{said} to the {stage} ({words[:200]})" if words else f"{said} to the {stage}"
