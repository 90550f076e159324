"""The books of messages: what the customer was told, here and in the provider's ledger."""

from collections.abc import Iterator

from ordersaga.audit.rules.findings import Finding
from ordersaga.audit.rules.outcome import Ending, Fate
from ordersaga.audit.rules.records import CONFIRMATION, Document, Kind, Papers

NOT_SENDABLE = ("bounced", "contact_unknown")
"""Why a message may be missing for good: a paid order is not rolled back over an e-mail."""


def messages(papers: Papers, ending: Ending, namespace: str) -> Iterator[Finding]:
    """Completed: one order_confirmed, unless it can't be sent or a person left it out. Compensated: none."""
    known = papers.of(Kind.NOTIFICATION)
    confirmations = [each for each in known if each.get("notification_type", CONFIRMATION) == CONFIRMATION]
    sent = sum(each.get("status") == "sent" for each in confirmations)
    left_out = any(_settled_unsent(each) for each in confirmations) or _skipped(papers)
    expected = int(ending.fate is Fate.ALL and not left_out)
    key = f"Idempotency-Key {namespace}/{papers.order_id}/notification"
    if sent < expected:
        states = "".join(f" (it is {each.get('status')})" for each in confirmations)
        yield Finding(
            papers.order_id,
            "message",
            f"{ending.known_by}, but {sent} messages instead of {expected}{states}",
            f"tell the customer: POST /api/notifications/send with {key}/do; if it was left out on purpose, "
            f"POST /api/notifications/cancel with {key}/undo",
        )
    elif sent > expected and not (ending.fate is Fate.ALL and sent == 1):
        what = f"{ending.known_by}, but {sent} messages instead of {expected}"
        yield Finding(papers.order_id, "message", what, "tell the customer that the order was not confirmed after all")
    if Kind.MESSAGES not in papers.ledgers:
        return
    recorded = sum(each.get("status") == "sent" for each in known)
    outside = papers.entries(Kind.MESSAGES).total()
    if outside != recorded:
        what = f"the provider's ledger has {outside} messages, {recorded} are recorded as sent"
        yield Finding(
            papers.order_id, "message", what, "ask the provider which messages went out, and write to the customer"
        )


def _settled_unsent(notification: Document) -> bool:
    """Whether it is certain that this message isn't sent, and why is known."""
    status = notification.get("status")
    if status == "failed":
        return notification.get("reason") in NOT_SENDABLE
    # A document without a status holds only a tombstone: a person has cancelled a message that was never asked for.
    return status == "cancelled" or status is None


def _skipped(papers: Papers) -> bool:
    author = papers.author
    return author is not None and author.skipped_by_hand("notification")
