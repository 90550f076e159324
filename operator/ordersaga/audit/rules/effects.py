"""What the steps of an order leave behind, against what its outcome asks for. Amounts are in minor units."""

from collections import Counter
from collections.abc import Iterator

from ordersaga.audit.rules.outcome import ExpectedOutcome, Finding, Outcome
from ordersaga.audit.rules.records import CONFIRMATION, Document, OrderRecords, RecordKind, units

SIGNS = {"charge": 1, "refund": -1}
HELD = ("reserved", "dispatched")
LIVE = ("scheduled", "handed_over", "in_transit", "delivered")
NOT_SENDABLE = ("bounced", "contact_unknown")
"""Why a message may be missing for good: a paid order is not rolled back because of an e-mail."""


def money_findings(records: OrderRecords, outcome: Outcome, namespace: str) -> Iterator[Finding]:
    """Completed: captured less refunded is the order's total, in its currency. Compensated: it is nothing."""
    confirmed = outcome.expected is ExpectedOutcome.ALL
    total = records.total_minor if confirmed else 0
    payments = records.of(RecordKind.PAYMENT)
    net = sum(each.get("captured_minor", 0) - each.get("refunded_minor", 0) for each in payments)
    advice = _money_advice(records.order_id, namespace, too_much=net > total)
    if net != total:
        shown = ", ".join(_shown(each) for each in payments) or "there is no payment"
        what = f"{outcome.known_by}, but net captured {net} instead of {total} ({shown})"
        yield Finding(records.order_id, "money", what, advice)
    elif not confirmed:
        for each in payments:
            if each.get("status") in ("processing", "refunding"):
                what = f"{outcome.known_by}, but {_shown(each)}: no saga waits for it"
                yield Finding(records.order_id, "money", what, advice)
    if confirmed:
        for each in payments:
            if each.get("currency") != records.order.get("currency"):
                what = f"paid in {each.get('currency')}, ordered in {records.order.get('currency')}"
                correction = "refund the customer and charge in the right currency, by hand"
                yield Finding(records.order_id, "money", what, correction)
    if RecordKind.CHARGES in records.ledgers:
        entries = records.of(RecordKind.CHARGES)
        at_provider = sum(SIGNS.get(entry["kind"], 0) * entry["amount_minor"] for entry in entries)
        if at_provider != total:
            what = f"{outcome.known_by}, but the provider's ledger says {at_provider} instead of {total}"
            advice = _money_advice(records.order_id, namespace, too_much=at_provider > total)
            yield Finding(records.order_id, "money", what, advice)


def _shown(payment: Document) -> str:
    reason = f" ({payment['reason']})" if payment.get("reason") else ""
    return f"the payment is {payment.get('status')}{reason}"


def _money_advice(order_id: str, namespace: str, *, too_much: bool) -> str:
    if too_much:
        return (
            f"refund it: POST /api/payments/refund with Idempotency-Key {namespace}/{order_id}/payment/undo; if the "
            "answer says that this was done before, correct it at the provider"
        )
    return "money is missing: look at the provider's account; charge the customer again by hand, or take the goods back"


def unit_findings(records: OrderRecords, outcome: Outcome, namespace: str) -> Iterator[Finding]:
    """Completed: the ordered units are reserved or dispatched. Compensated: none is."""
    held = Counter[str]()
    for reservation in records.of(RecordKind.RESERVATION):
        if reservation.get("status") in HELD:
            held += units(reservation["lines"])
    expected = records.ordered if outcome.expected is ExpectedOutcome.ALL else Counter[str]()
    if held == expected:
        return
    direction, path = ("undo", "release") if held > expected else ("do", "reserve")
    yield Finding(
        records.order_id,
        "units",
        f"{outcome.known_by}, but holds {dict(held)} instead of {dict(expected)}",
        f"POST /api/inventory/{path} with Idempotency-Key {namespace}/{records.order_id}/inventory/{direction}; if "
        "that changes nothing, count the units on the shelf",
    )


def shipment_findings(records: OrderRecords, outcome: Outcome, namespace: str) -> Iterator[Finding]:
    """Completed: one live shipment, and one live booking in the carrier's ledger. Compensated: none."""
    expected = int(outcome.expected is ExpectedOutcome.ALL)
    live = [each for each in records.of(RecordKind.SHIPMENT) if each.get("status") in LIVE]
    key = f"Idempotency-Key {namespace}/{records.order_id}/shipping"
    advice = (
        f"POST /api/shipping/cancel with {key}/undo; have a parcel that is on its way returned"
        if len(live) > expected
        else f"POST /api/shipping/schedule with {key}/do, or book a transport by hand"
    )
    if len(live) != expected:
        what = f"{outcome.known_by}, but {len(live)} live shipments instead of {expected}"
        yield Finding(records.order_id, "shipment", what, advice)
    if RecordKind.BOOKINGS not in records.ledgers:
        return
    entries = records.entries(RecordKind.BOOKINGS)
    booked = entries["booking"] - entries["cancellation"]
    if booked != expected:
        what = f"{outcome.known_by}, but the carrier's ledger has {booked} live bookings instead of {expected}"
        advice = f"call the carrier about order {records.order_id}; or {advice}"
        yield Finding(records.order_id, "shipment", what, advice)


def message_findings(records: OrderRecords, outcome: Outcome, namespace: str) -> Iterator[Finding]:
    """Completed: one order_confirmed, unless it can't be sent or a person skipped it. Compensated: none of
    those, but the operator may have had the customer told that it was undone.
    """
    confirmed = outcome.expected is ExpectedOutcome.ALL
    known = records.of(RecordKind.NOTIFICATION)
    confirmations = [each for each in known if each.get("notification_type", CONFIRMATION) == CONFIRMATION]
    sent = sum(each.get("status") == "sent" for each in confirmations)
    left_out = any(_certainly_unsent(each) for each in confirmations) or _skipped(records)
    expected = int(confirmed and not left_out)
    key = f"Idempotency-Key {namespace}/{records.order_id}/notification"
    if sent < expected:
        states = "".join(f" (it is {each.get('status')})" for each in confirmations)
        yield Finding(
            records.order_id,
            "message",
            f"{outcome.known_by}, but {sent} messages instead of {expected}{states}",
            f"tell the customer: POST /api/notifications/send with {key}/do; if the message was left out on purpose, "
            f"POST /api/notifications/cancel with {key}/undo",
        )
    elif sent > expected and not (confirmed and sent == 1):
        what = f"{outcome.known_by}, but {sent} messages instead of {expected}"
        advice = "tell the customer that the order was not confirmed after all"
        yield Finding(records.order_id, "message", what, advice)
    if RecordKind.MESSAGES not in records.ledgers:
        return
    # The ledger is the test provider's: a mail server and a webhook have none. Older documents don't say who sent them.
    recorded = sum(each.get("status") == "sent" and each.get("delivered_by", "test") == "test" for each in known)
    at_provider = records.entries(RecordKind.MESSAGES).total()
    if at_provider != recorded:
        what = f"the provider's ledger has {at_provider} messages, {recorded} are recorded as sent"
        advice = "ask the provider which messages went out, and write to the customer"
        yield Finding(records.order_id, "message", what, advice)


def _certainly_unsent(notification: Document) -> bool:
    """Whether it is certain that this message isn't sent, and the reason is known."""
    status = notification.get("status")
    if status == "failed":
        return notification.get("reason") in NOT_SENDABLE
    # A document without a status is a tombstone alone: a person has cancelled a message before it was asked for.
    return status == "cancelled" or status is None


def _skipped(records: OrderRecords) -> bool:
    author = records.author
    return author is not None and author.skipped_by_hand("notification")


def stock_findings(product: Document, held: int) -> Iterator[Finding]:
    """What is wrong with a product, if all reservations together hold `held` units of it."""
    name = str(product.get("product_id") or product.get("_id"))
    stocked, reserved, available = product["stocked"], product["reserved"], product["available"]
    if reserved != held:
        what = f"{reserved} reserved, but the reservations hold {held}"
        advice = "find out what wrote to the product without a reservation; then set its `reserved` to what they hold"
        yield Finding(name, "stock", what, advice)
    if stocked < reserved:
        what = f"{reserved} reserved of {stocked}: oversold"
        yield Finding(name, "stock", what, "stock more, or cancel orders that hold it")
    if available != stocked - reserved:
        what = f"{available} available, but {stocked} stocked less {reserved} reserved is {stocked - reserved}"
        yield Finding(name, "stock", what, "PUT the product again with its stock: that computes `available` anew")
